"""Tests hostlet's gRPC server against grpc's own client, nghttp2's tools, and hostile peers."""

import concurrent.futures
import itertools
import re
import signal
import subprocess
import time

import grpc
import pytest
from lib import grpc_peer, zone_proto
from lib.ground import wait_until
from lib.h2raw import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS,
                       WINDOW_UPDATE, Connection, frame, hpack, message, request_headers)

PING_PATH, LIST_PATH, INIT_PATH = "/inapi.ZoneService/Ping", "/inapi.ZoneService/PackageList", "/inapi.HostInternalService/HostInit"
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@pytest.fixture(scope="session")
def proto(session_place):
    return zone_proto.Messages(session_place / "proto")


@pytest.fixture(autouse=True)
def no_connection_left(serve, monkeypatch):
    """Provides raw connections, which are closed with the test."""
    made = []
    monkeypatch.setattr(Connection, "__init__", lambda self, sock, init=Connection.__init__: made.append(sock) or init(self, sock))
    yield
    for sock in made:
        sock.close()


@pytest.fixture
def serve(place):
    servers = []

    def make(**options):
        servers.append(grpc_peer.Server(place, f"server{len(servers)}", **options))
        return servers[-1]
    yield make
    for server in servers:
        server.stop()
        assert "AddressSanitizer" not in server.log() and "runtime error" not in server.log()


@pytest.fixture
def channel_to():
    channels = []

    def make(server, **options):
        # Each has a connection of its own; grpc would share one otherwise.
        settings = [*UNLIMITED, ("grpc.use_local_subchannel_pool", 1), *((f"grpc.{k}", v) for k, v in options.items())]
        channels.append(grpc.insecure_channel(f"127.0.0.1:{server.port}", settings))
        return channels[-1]
    yield make
    for channel in channels:
        channel.close()


def unary(channel, path, request, answer, timeout=10, metadata=None, future=False):
    call = channel.unary_unary(path, type(request).SerializeToString, answer.FromString)
    return (call.future if future else call)(request, timeout=timeout, metadata=metadata)


def packages(proto, channel, name, **options):
    return unary(channel, LIST_PATH, proto.zone.PackageListRequest(name=name), proto.zone.PackageListResponse, **options)


def refusal(call, *arguments, **options):
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **options)
    return caught.value.code(), caught.value.details()


@pytest.mark.sanitized
def test_calls_and_refusals(proto, serve, channel_to):
    server = serve()
    channel = channel_to(server)
    assert unary(channel, PING_PATH, proto.zone.PingRequest(), proto.zone.PingResponse).message == "pong"
    assert packages(proto, channel, "grüße").items[0].metadata.name == "grüße"
    assert refusal(packages, proto, channel, "error:50% größer\tx") == (grpc.StatusCode.UNKNOWN, "50% größer\tx")
    ping = proto.zone.PingRequest()
    assert refusal(unary, channel, "/inapi.ZoneService/Nope", ping, proto.zone.PingResponse) == (
        grpc.StatusCode.UNIMPLEMENTED, "unknown method Nope for service inapi.ZoneService")
    assert refusal(unary, channel, "/inapi.Nope/Ping", ping, proto.zone.PingResponse) == (
        grpc.StatusCode.UNIMPLEMENTED, "unknown service inapi.Nope")
    server.saw("/inapi.Nope/Ping UNIMPLEMENTED (unknown)")
    server.saw("/inapi.ZoneService/Ping OK")


@pytest.mark.sanitized
def test_deadlines_end_on_both_sides(proto, serve, channel_to):
    server = serve()
    channel = channel_to(server)
    assert refusal(packages, proto, channel, "never", timeout=0.3)[0] == grpc.StatusCode.DEADLINE_EXCEEDED
    server.saw("gone\n")
    assert packages(proto, channel, "sleep:100", timeout=5).items[0].metadata.name == "later"
    # A caller that only sends its deadline is notified when it has passed.
    with_raw = Connection.to(server.port)
    with_raw.send(frame(HEADERS, END_HEADERS, 1, hpack(request_headers(LIST_PATH, grpc_timeout="200m"))),
                  frame(DATA, END_STREAM, 1, message(proto.zone.PackageListRequest(name="never").SerializeToString())))
    assert with_raw.wait_for(HEADERS, 1)[1] & END_STREAM
    server.saw("PackageList DEADLINE_EXCEEDED")


@pytest.mark.sanitized
def test_a_cancelled_call_ends(proto, serve, channel_to):
    server = serve()
    channel = channel_to(server)
    call = packages(proto, channel, "never", future=True)
    packages(proto, channel, "x")  # that call has arrived by now
    assert call.cancel()
    server.saw("gone\n")
    server.saw("PackageList CANCELLED")


@pytest.mark.sanitized
def test_large_messages(proto, serve, channel_to):
    server = serve(message_max=4 << 20)
    channel = channel_to(server)
    assert len(packages(proto, channel, f"big:{24 << 20}", timeout=60).items[0].metadata.description) == 24 << 20
    code, text = refusal(packages, proto, channel, "x" * (4 << 20))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED and "at most 4194304 are taken" in text
    assert packages(proto, channel, "y" * (3 << 20)).items[0].metadata.name == "y" * (3 << 20)


@pytest.mark.sanitized
def test_many_calls_at_once(proto, serve, channel_to):
    server = serve()
    channel = channel_to(server)
    calls = [packages(proto, channel, f"sleep:{i % 7 * 10}" if i % 2 else f"n{i}", timeout=60, future=True) for i in range(500)]
    names = [call.result().items[0].metadata.name for call in calls]
    assert names == ["later" if i % 2 else f"n{i}" for i in range(500)]


@pytest.mark.sanitized
def test_tokens_are_checked_at_the_headers(proto, serve, channel_to):
    server = serve()
    channel = channel_to(server)
    prefix = "authentication failed: rpc error: code = Unauthenticated desc = "

    def init(token):
        return unary(channel, INIT_PATH, proto.zone.HostInitRequest(zone_name="z"), proto.zone.HostInitResponse,
                     metadata=[("x-inauth2", token)] if token is not None else None)
    make, now = zone_proto.token, time.time()
    assert init(make()).host_id == "z"
    cases = {None: "authorization token is missing", "a.b.c": "invalid access_token",
             make(now=now - 61): "access-token expired", make(secret="T" * 48): "verify denied",
             make(("ffffffffffff", "S" * 48)): "access-key(ffffffffffff) not found",
             make(header={"alg": "none", "kid": zone_proto.KEY[0]}): "none signer"}
    for token, text in cases.items():
        assert refusal(init, token) == (grpc.StatusCode.UNAUTHENTICATED, prefix + text)
    # Refused before a byte of the body arrived.
    raw = Connection.to(server.port)
    raw.send(frame(HEADERS, END_HEADERS, 1, hpack(request_headers(INIT_PATH))))
    flags = raw.wait_for(HEADERS, 1)[1]
    assert flags & END_STREAM
    assert raw.wait_for(RST_STREAM, 1)[3] == b"\0\0\0\0"


@pytest.mark.sanitized
def test_health(proto, serve, channel_to):
    server = serve()
    channel = channel_to(server)
    request, answer = proto.health.HealthCheckRequest, proto.health.HealthCheckResponse
    check = lambda name: unary(channel, "/grpc.health.v1.Health/Check", request(service=name), answer)  # noqa: E731
    assert check("").status == check("inapi.ZoneService").status == answer.SERVING
    assert refusal(check, "nope") == (grpc.StatusCode.NOT_FOUND, "unknown service")
    watch = channel.unary_stream("/grpc.health.v1.Health/Watch", request.SerializeToString, answer.FromString)
    stream, unknown = watch(request(service="inapi.ZoneService")), watch(request(service="nope"))
    assert next(stream).status == answer.SERVING
    assert next(unknown).status == answer.SERVICE_UNKNOWN
    server.process.send_signal(signal.SIGHUP)
    assert next(stream).status == answer.NOT_SERVING
    assert check("inapi.ZoneService").status == answer.NOT_SERVING
    stream.cancel()


@pytest.mark.sanitized
def test_reflection(proto, serve, channel_to):
    from google.protobuf import descriptor_pb2
    channel = channel_to(serve())
    request, answer = proto.reflection.ServerReflectionRequest, proto.reflection.ServerReflectionResponse
    for version in ("v1alpha", "v1"):
        info = channel.stream_stream(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
                                     request.SerializeToString, answer.FromString)
        asked = [request(list_services="*"), request(file_containing_symbol="inapi.HostInternalService"),
                 request(file_containing_symbol="inapi.ZoneNetworkMap.Host"), request(file_containing_symbol="inapi.Nope"),
                 request(file_by_filename="inapi/app.proto"), request(file_containing_symbol="inapi.ZoneService.Ping"),
                 request(file_containing_symbol=f"grpc.reflection.{version}.ServerReflection"),
                 request(all_extension_numbers_of_type="inapi.Host"), request(host="h")]
        answers = list(info(iter(asked)))
        assert {s.name for s in answers[0].list_services_response.service} == {
            "inapi.ZoneService", "inapi.HostInternalService", "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection"}

        def files(one):
            return {descriptor_pb2.FileDescriptorProto.FromString(f).name for f in one.file_descriptor_response.file_descriptor_proto}
        assert files(answers[1]) == files(answers[2]) == files(answers[5]) == {
            "inapi/zone.proto", "inapi/app.proto", "inapi/common.proto", "inapi/host.proto", "inapi/package.proto"}
        assert answers[3].error_response.error_code == 5
        assert files(answers[4]) == {"inapi/app.proto", "inapi/common.proto"}
        assert len(files(answers[6])) == 1
        assert answers[7].error_response.error_code == 5
        assert answers[8].error_response.error_code == 3 and answers[8].valid_host == "h"


@pytest.mark.sanitized
def test_a_draining_server_ends_its_calls_and_refuses_new_ones(proto, serve, channel_to):
    server = serve()
    channel = channel_to(server)
    slow = packages(proto, channel, "sleep:700", future=True)
    packages(proto, channel, "x")  # the slow one has arrived as well
    server.process.terminate()
    code = wait_until(lambda: refusal_now(proto, channel_to(server)), 10, "new calls are refused")
    assert code == grpc.StatusCode.UNAVAILABLE
    assert slow.result().items[0].metadata.name == "later"
    assert server.process.wait(10) == 0
    assert "drained\n" in server.log()


def refusal_now(proto, channel):
    try:
        packages(proto, channel, "x")
    except grpc.RpcError as error:
        return error.code()
    return None


# Hostile peers

@pytest.mark.sanitized
def test_requests_other_than_grpc_are_refused(serve):
    port = serve().port
    for headers, status in ((request_headers(PING_PATH, **{":method": "GET"}), b"405"),
                            (request_headers(PING_PATH, **{"content-type": "text/html"}), b"415"),
                            (request_headers(PING_PATH, **{"content-type": "application/grpcx"}), b"415")):
        raw = Connection.to(port)
        raw.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, hpack(headers)))
        assert status_of(raw.wait_for(HEADERS, 1)[3]) == status
        raw.close()
    raw = Connection.to(port, preface=False)
    raw.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
    assert raw.ends()


def status_of(block):
    """Returns the :status of a header block: static table index 8 to 14, or a literal."""
    known = {0x88: b"200"}
    if block[0] in known:
        return known[block[0]]
    found = re.search(rb"\d\d\d", block)
    return found.group() if found else {b"\x10\x01": b"401"}.get(block[-2:], huffman_digits(block))


def huffman_digits(block):
    """Digits are short in HPACK's Huffman code: '0' '1' '2' are 00000 00001 00010, '3' to '9' 011001 to 011111."""
    bits = "".join(f"{byte:08b}" for byte in block[2:])
    codes = {"00000": "0", "00001": "1", "00010": "2", **{f"{0b011001 + i:06b}": str(3 + i) for i in range(7)}}
    out, at = "", 0
    while len(out) < 3:
        for size in (5, 6):
            if bits[at:at + size] in codes:
                out += codes[bits[at:at + size]]
                at += size
                break
        else:
            break
    return out.encode()


def trailers_of(raw, stream=1):
    """Returns the status of a call and the uncompressed part of its text, from the last headers of its stream."""
    last = None
    while found := raw.read_frame():
        if found[2] == stream and found[0] == HEADERS:
            last = found
        if found[2] == stream and (found[0] == RST_STREAM or found[1] & END_STREAM):
            return last
    return last


@pytest.mark.sanitized
@pytest.mark.parametrize("body, status", [
    (message(b"\x0a\x02\xc3\x28"), "PackageList INTERNAL"),                     # bad UTF-8: 'all' is no string, so the wrong type
    (message(b"\x12\x02\xc3\x28"), "PackageList INTERNAL"),                     # bad UTF-8 in 'name'
    (message(b"", flag=1), "PackageList UNIMPLEMENTED"),                        # compressed
    (message(b"", size=0x7fffffff), "PackageList RESOURCE_EXHAUSTED"),          # claims 2 GiB
    (message(b"ab", size=3), "PackageList INTERNAL"),                           # cut off
    (message(b"") * 2, "PackageList INTERNAL"),                                 # two messages
    (b"", "PackageList INTERNAL"),                                              # none
])
def test_malformed_messages_are_refused(serve, body, status):
    server = serve()
    raw = Connection.to(server.port)
    raw.send(frame(HEADERS, END_HEADERS, 1, hpack(request_headers(LIST_PATH))), frame(DATA, END_STREAM, 1, body))
    assert trailers_of(raw)[1] & END_STREAM
    server.saw(status)


def h2raw_varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


@pytest.mark.sanitized
def test_slow_senders(serve):
    server = serve(request_ms=400, handshake_ms=400, idle_ms=600)
    # Sends nothing at all.
    assert Connection.to(server.port, preface=False).ends()
    # Begins headers and does not end them.
    raw = Connection.to(server.port)
    raw.send(frame(HEADERS, 0, 1, hpack(request_headers(PING_PATH))[:20]))
    assert raw.ends()
    # Ends the headers, but not the body.
    raw = Connection.to(server.port)
    raw.send(frame(HEADERS, END_HEADERS, 1, hpack(request_headers(PING_PATH))), frame(DATA, 0, 1, b"\0\0"))
    assert trailers_of(raw)[1] & END_STREAM
    server.saw("Ping DEADLINE_EXCEEDED")
    # Is idle: it gets a notice and is closed.
    raw = Connection.to(server.port)
    assert raw.wait_for(GOAWAY)
    assert raw.ends()


@pytest.mark.sanitized
def test_slow_readers(serve):
    """The server keeps a response that the peer's window does not admit for some time, and then resets the stream."""
    server = serve(answer_ms=500)
    raw = Connection.to(server.port)
    raw.send(frame(HEADERS, END_HEADERS, 1, hpack(request_headers(LIST_PATH))),
             frame(DATA, END_STREAM, 1, message(b"\x12\x0bbig:1000000")))
    assert raw.wait_for(RST_STREAM, 1)[3] == b"\0\0\0\x08"


@pytest.mark.sanitized
def test_a_dead_peer_is_noticed_while_it_has_a_call(serve):
    server = serve(keepalive_ms=300)
    raw = Connection.to(server.port)
    raw.send(frame(HEADERS, END_HEADERS, 1, hpack(request_headers(LIST_PATH))),
             frame(DATA, END_STREAM, 1, message(b"\x12\x05never")))
    asked = raw.wait_for(PING)
    assert asked and not asked[1] & ACK
    raw.send(frame(PING, ACK, 0, asked[3]))  # activity: the server pings again
    assert raw.wait_for(PING)[3] == asked[3]


@pytest.mark.sanitized
def test_pings_are_answered(serve):
    raw = Connection.to(serve().port)
    raw.send(frame(PING, 0, 0, b"12345678"))
    while (found := raw.wait_for(PING)) and not found[1] & ACK:
        pass
    assert found[3] == b"12345678"


def floods_until_closed(raw, flood):
    """Sends until the server closes the connection."""
    deadline = time.monotonic() + 20
    with pytest.raises(OSError):
        while time.monotonic() < deadline:
            raw.send(flood() if callable(flood) else flood)


@pytest.mark.sanitized
@pytest.mark.parametrize("flood", [
    frame(PING, 0, 0, b"x" * 8), frame(SETTINGS), frame(2, 0, 1, b"\0\0\0\0\1"), frame(DATA, 0, 1), frame(DATA, 0, 1, b"\0"),
    frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1"), frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1"), frame(0xF5), frame(0xF5, 0, 0, b"x" * 16_000),
    frame(RST_STREAM, 0, 1, b"\0\0\0\x08")],
    ids=["ping", "settings", "priority", "empty-data", "small-data", "window-update", "window-of-a-stream", "unknown", "unknown-large",
         "reset"])
def test_floods_of_frames(serve, flood):
    server = serve()
    raw = Connection.to(server.port)
    raw.send(frame(HEADERS, END_HEADERS, 1, hpack(request_headers(PING_PATH))))
    floods_until_closed(raw, flood * 100)
    assert_serves(server)


@pytest.mark.sanitized
def test_rapid_reset(serve):
    server = serve()
    raw = Connection.to(server.port)
    block, streams = hpack(request_headers(LIST_PATH)), iter(range(1, 1 << 30, 2))
    floods_until_closed(raw, lambda: b"".join(
        frame(HEADERS, END_HEADERS, stream, block) + frame(RST_STREAM, 0, stream, b"\0\0\0\x08")
        for stream in itertools.islice(streams, 100)))
    assert_serves(server)


@pytest.mark.sanitized
def test_floods_of_headers(serve):
    server = serve()
    raw = Connection.to(server.port)
    block = hpack([*request_headers(PING_PATH), *((f"x-{i}", "v" * 500) for i in range(60))])
    raw.send(frame(HEADERS, 0, 1, block[:16000]), frame(CONTINUATION, END_HEADERS, 1, block[16000:]))
    assert raw.wait_for(RST_STREAM, 1)
    raw = Connection.to(server.port)
    raw.send(frame(HEADERS, 0, 1, b""))
    floods_until_closed(raw, frame(CONTINUATION, 0, 1, b"") * 100)
    assert_serves(server)


@pytest.mark.sanitized
def test_connections_of_one_address_are_counted(serve):
    server = serve(per_address=3)
    held = [Connection.to(server.port) for _ in range(3)]
    for raw in held:
        assert raw.wait_for(SETTINGS)
    fourth = Connection.to(server.port)
    assert fourth.ends(3)  # at once, not after a period of silence
    held.pop().close()
    assert_serves(server)


@pytest.mark.sanitized
def test_calls_of_one_connection_are_counted(serve):
    server = serve(streams=2)
    raw = Connection.to(server.port).settle()
    body = message(b"\x12\x05never")
    for stream in (1, 3, 5):
        raw.send(frame(HEADERS, END_HEADERS, stream, hpack(request_headers(LIST_PATH))), frame(DATA, END_STREAM, stream, body))
    assert raw.wait_for(GOAWAY)[3][:8] == b"\0\0\0\3\0\0\0\1"  # the third violates the agreed limit


@pytest.mark.sanitized
def test_requests_together_are_bounded(serve):
    """Three calls send 200,000 bytes of a message each: buffers double, and the third finds no memory."""
    server = serve(buffered_max=700_000)
    held = []
    for _ in range(3):
        raw = Connection.to(server.port).settle()
        held.append(raw)
        raw.send(frame(HEADERS, END_HEADERS, 1, hpack(request_headers(LIST_PATH))))
        data = message(b"\x12" + b"a" * 200_000, size=500_000)
        for at in range(0, len(data), 16_000):
            raw.send(frame(DATA, 0, 1, data[at:at + 16_000]))
        raw.send(frame(PING, 0, 0, b"is it in"))
        while not (found := raw.wait_for(PING))[1] & ACK:
            pass
    server.saw("PackageList RESOURCE_EXHAUSTED")
    assert server.log().count("RESOURCE_EXHAUSTED") == 1


def assert_serves(server):
    def answered():
        raw = Connection.to(server.port)
        raw.send(frame(HEADERS, END_HEADERS, 1, hpack(request_headers(PING_PATH))), frame(DATA, END_STREAM, 1, message(b"")))
        found = raw.wait_for(DATA, 1)
        raw.close()
        return found and found[3].endswith(b"pong")
    wait_until(answered, 10, "the server serves")  # the server may have to notice first that a connection was closed
    assert server.process.poll() is None


# nghttp2's own tools

def test_nghttp_and_h2load(serve, place):
    server = serve(per_address=64)
    body = place / "body"
    body.write_bytes(message(b""))
    url = f"http://127.0.0.1:{server.port}{PING_PATH}"
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    said = subprocess.run(["nghttp", "-v", *headers, "-H", ":method: POST", "-d", str(body), url], capture_output=True,
                          text=True, timeout=20, check=True).stdout
    assert "grpc-status: 0" in said
    load = subprocess.run(["h2load", "-n", "20000", "-c", "16", "-m", "16", *headers, "-d", str(body), url],
                          capture_output=True, text=True, timeout=60, check=True).stdout
    assert "20000 succeeded, 0 failed, 0 errored" in load, load
    assert re.search(r"status codes: 20000 2xx", load)


def test_clients_in_threads(proto, serve, channel_to):
    server = serve(per_address=16)

    def work(n):
        channel = channel_to(server)
        return [packages(proto, channel, f"{n}-{i}").items[0].metadata.name for i in range(50)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [[f"{n}-{i}" for i in range(50)] for n in range(8)]
