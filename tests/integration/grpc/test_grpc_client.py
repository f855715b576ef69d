"""Tests hostlet's gRPC client against grpc's own server and against hostile servers."""

import concurrent.futures
import contextlib
import socket
import struct
import subprocess
import threading
import time

import grpc
import pytest
from lib import ground, grpc_peer, h2raw, zone_proto
from lib.h2raw import (ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, frame, hpack,
                       message)

MIB = 1 << 20


@pytest.fixture(scope="session")
def proto(session_place):
    return zone_proto.Messages(session_place / "proto-client")


@pytest.fixture
def client_of(place):
    clients = []

    def make(port, **options):
        clients.append(grpc_peer.Client(place, f"127.0.0.1:{port}", f"client{len(clients)}", **options))
        return clients[-1]
    yield make
    for client in clients:
        assert client.stop() == 0, client.log_path.read_text()


class PythonServer:
    """Provides grpc's own server of PackageList and health's Watch, which follows the commands of grpc-peer."""

    def __init__(self, proto, port=0, **options):
        self.proto = proto
        self.seen = []
        self.release = threading.Event()
        settings = [("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0), *((f"grpc.{k}", v) for k, v in options.items())]
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(32), options=settings)
        zone, health = proto.zone, proto.health
        self.server.add_generic_rpc_handlers((
            grpc.method_handlers_generic_handler("inapi.ZoneService", {"PackageList": grpc.unary_unary_rpc_method_handler(
                self.packages, zone.PackageListRequest.FromString, zone.PackageListResponse.SerializeToString)}),
            grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Watch": grpc.unary_stream_rpc_method_handler(
                self.watch, health.HealthCheckRequest.FromString, health.HealthCheckResponse.SerializeToString)})))
        self.port = self.server.add_insecure_port(f"127.0.0.1:{port}")
        self.server.start()

    def packages(self, request, context):
        self.seen.append((request.name, context.time_remaining(), dict(context.invocation_metadata())))
        what, _, rest = request.name.partition(":")
        if what == "wait":
            self.release.wait(10)
        elif what == "error":
            context.abort(grpc.StatusCode[rest.split(" ")[0]], rest.partition(" ")[2])
        answer = self.proto.zone.PackageListResponse()
        answer.items.add().metadata.name = request.name
        if what == "big":
            answer.items[0].metadata.description = "x" * int(rest)
        return answer

    def watch(self, request, context):
        for status in (1, 2, 1):
            yield self.proto.health.HealthCheckResponse(status=status)
        if request.service == "endless":
            self.release.wait(10)


@pytest.fixture
def serve(proto):
    servers = []

    def make(**options):
        servers.append(PythonServer(proto, **options))
        return servers[-1]
    yield make
    for server in servers:
        server.release.set()
        server.server.stop(0).wait()


@pytest.mark.sanitized
def test_calls(serve, client_of):
    server = serve()
    client = client_of(server.port)
    status, size, _ = client.call("hello")
    assert (status, size) == ("OK", 11)
    assert client.call("error:NOT_FOUND größer 50%")[::2] == ("NOT_FOUND", f"127.0.0.1:{server.port}: NOT_FOUND: größer 50%")
    assert client.call("error:UNAUTHENTICATED no")[0] == "UNAUTHENTICATED"
    name, remaining, metadata = server.seen[0]
    assert name == "hello" and 5 < remaining <= 10
    assert metadata["user-agent"].startswith("hostlet/")


@pytest.mark.sanitized
def test_tokens_are_sent(serve, client_of):
    server = serve()
    client_of(server.port, environment={"HOSTLET_TEST_KEY": "ak_{}_{}".format(*zone_proto.KEY)}).call("x")
    token = server.seen[0][2]["x-inauth2"]
    assert token.split(".")[0] == zone_proto.token().split(".")[0]


@pytest.mark.sanitized
def test_deadlines(serve, client_of):
    server = serve()
    client = client_of(server.port)
    begun = time.monotonic()
    status, _, text = client.call("wait", timeout_ms=300)  # whichever side reports it first
    assert status == "DEADLINE_EXCEEDED" and ("no answer in time" in text or "Deadline Exceeded" in text)
    assert time.monotonic() - begun < 3
    assert server.seen[0][1] <= 0.3
    assert client.call("still")[0] == "OK"


@pytest.mark.sanitized
def test_streams(serve, client_of):
    client = client_of(serve().port)
    short, endless = client.watch("x"), client.watch("endless")
    assert [client.wait(short) for _ in range(3)] == [1, 2, 1]
    assert client.wait(short)[0] == "OK"
    assert [client.wait(endless) for _ in range(3)] == [1, 2, 1]
    client.send(f"cancel {endless}")
    assert client.call("x")[0] == "OK"


@pytest.mark.sanitized
def test_large_responses(serve, client_of):
    client = client_of(serve().port)
    status, size, _ = client.call(f"big:{24 * MIB - 100}", 60000)
    assert status == "OK" and 24 * MIB - 100 < size <= 24 * MIB
    status, _, text = client.call(f"big:{24 * MIB}", 60000)
    assert status == "INTERNAL" and "at most 25165824 are taken" in text
    assert client.call("x")[0] == "OK"


@pytest.mark.sanitized
def test_many_calls_at_once(serve, client_of):
    server = serve(max_concurrent_streams=20)
    client = client_of(server.port)
    calls = [client.start(f"n{i}", 60000) for i in range(1000)]
    assert {client.wait(call)[0] for call in calls} == {"OK"}
    assert sorted(name for name, _, _ in server.seen) == sorted(f"n{i}" for i in range(1000))


@pytest.mark.sanitized
def test_a_client_reconnects_to_a_restarted_server(serve, proto, client_of):
    server = serve()
    client = client_of(server.port)
    slow = client.start("wait")
    ground.wait_until(lambda: server.seen, 5, "the call has arrived")
    stopped = server.server.stop(10)  # GOAWAY: running calls can end
    wait_goaway(client)
    server.release.set()
    assert client.wait(slow)[0] == "OK"
    stopped.wait()
    status, _, text = client.call("x")
    assert status == "UNAVAILABLE" and ("refused" in text or "reset" in text), text
    again = PythonServer(proto, port=server.port)
    assert client.call("x")[0] == "OK"
    again.server.stop(0).wait()


def wait_goaway(client):
    """A further call fails or waits: in both cases the first one is on a connection that is ending."""
    assert client.call("x", 1000)[0] in ("UNAVAILABLE", "DEADLINE_EXCEEDED")


# Hostile servers

OK_HEADERS = frame(HEADERS, END_HEADERS, 1, hpack([(":status", "200"), ("content-type", "application/grpc")]))


def at(stream, block):
    """Returns a frame that was made for stream 1, for another stream."""
    return block[:5] + struct.pack(">I", stream) + block[9:]


def trailers(*headers):
    return frame(HEADERS, END_HEADERS | END_STREAM, 1, hpack(headers))


def next_call(connection):
    """Waits for a whole request; returns its stream."""
    while found := connection.read_frame():
        if found[0] == SETTINGS and not found[1] & ACK:
            connection.send(frame(SETTINGS, ACK))
        if found[0] == DATA and found[1] & END_STREAM:
            return found[2]
    raise ConnectionError


@pytest.fixture
def lie(client_of):
    """lie(answer) gives a client and a server that answers the calls of a connection by 'answer(connection, stream, count)'."""
    servers = []

    def make(answer, preface=True, **options):
        def on_connection(connection, count):
            while True:
                answer(connection, next_call(connection), count)
        servers.append(h2raw.Server(on_connection, preface=preface))
        client = client_of(servers[-1].port, **options)
        client.server = servers[-1]
        return client
    yield make
    for server in servers:
        server.close()


ANSWERS = {
    "status-wins": ([OK_HEADERS, trailers(("grpc-status", "5"), ("grpc-message", "gone"))], "NOT_FOUND"),
    "trailers-only": ([trailers((":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "14"))], "UNAVAILABLE"),
    "http-503": ([trailers((":status", "503"))], "UNAVAILABLE"),
    "http-404": ([trailers((":status", "404"), ("content-type", "text/html"))], "UNIMPLEMENTED"),
    "no-status": ([OK_HEADERS, frame(DATA, END_STREAM, 1, message(b""))], "UNKNOWN"),
    "no-message": ([OK_HEADERS, trailers(("grpc-status", "0"))], "INTERNAL"),
    "short-message": ([OK_HEADERS, frame(DATA, 0, 1, message(b"ab", size=3)), trailers(("grpc-status", "0"))], "INTERNAL"),
    "two-messages": ([OK_HEADERS, frame(DATA, 0, 1, message(b"") * 2), trailers(("grpc-status", "0"))], "INTERNAL"),
    "compressed": ([OK_HEADERS, frame(DATA, 0, 1, message(b"", flag=1)), trailers(("grpc-status", "0"))], "INTERNAL"),
    "huge": ([OK_HEADERS, frame(DATA, 0, 1, message(b"", size=0xffffffff))], "INTERNAL"),
    "many-headers": ([frame(HEADERS, END_HEADERS, 1, hpack([(":status", "200")] + [(f"x{i}", "v" * 300) for i in range(50)]))],
                     "INTERNAL"),
    "bad-status": ([trailers((":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "x"))], "UNKNOWN"),
    "cancelled": ([frame(RST_STREAM, 0, 1, b"\0\0\0\x08")], "CANCELLED"),
    "reset": ([OK_HEADERS, frame(RST_STREAM, 0, 1, b"\0\0\0\x02")], "UNAVAILABLE"),
    "calm": ([frame(RST_STREAM, 0, 1, b"\0\0\0\x0b")], "RESOURCE_EXHAUSTED"),
    "reset-after-all": ([OK_HEADERS, frame(DATA, 0, 1, message(b"")), trailers(("grpc-status", "0")),
                         frame(RST_STREAM, 0, 1, b"\0\0\0\0")], "OK"),
    "garbage": ([b"\xff" * 100], "UNAVAILABLE"),
}


@pytest.mark.sanitized
@pytest.mark.parametrize("name", ANSWERS)
def test_ends_of_a_response_have_their_status(lie, name):
    pieces, status = ANSWERS[name]
    client = lie(lambda connection, stream, count: connection.send(*(p if name == "garbage" else at(stream, p) for p in pieces)))
    assert client.call("x", 3000)[0] == status
    client.send("list after 3000 x")
    assert client.wait("after")[0] == status  # and the next call is not affected


GOOD = [OK_HEADERS, frame(DATA, 0, 1, message(b"")), trailers(("grpc-status", "0"))]


@pytest.mark.sanitized
def test_a_call_that_was_not_begun_is_sent_again_once(lie):
    seen = []

    def refuse_first(connection, stream, count):
        seen.append(stream)
        if len(seen) == 1:
            connection.send(frame(RST_STREAM, 0, stream, b"\0\0\0\x07"))
        else:
            connection.send(*(at(stream, p) for p in GOOD))
    assert lie(refuse_first).call("x")[0] == "OK"
    assert len(seen) == 2
    client = lie(lambda connection, stream, count: connection.send(frame(RST_STREAM, 0, stream, b"\0\0\0\x07")))
    assert client.call("x")[0] == "UNAVAILABLE"


@pytest.mark.sanitized
def test_goaway_makes_the_client_open_a_new_connection(lie):
    def answer(connection, stream, count):
        if count == 1 and stream > 1:
            connection.send(frame(GOAWAY, 0, 0, struct.pack(">II", 1, 0)))  # only the first stream was accepted
        else:
            connection.send(*(at(stream, p) for p in GOOD))
    client = lie(answer)
    assert client.call("a")[0] == client.call("b")[0] == client.call("c")[0] == "OK"
    assert client.server.count == 2


@pytest.mark.sanitized
def test_goaway_lets_running_calls_end(lie):
    told, elsewhere = threading.Event(), threading.Event()

    def answer(connection, stream, count):
        if count == 1:
            connection.send(frame(GOAWAY, 0, 0, struct.pack(">II", stream, 0)))
            told.set()
            assert elsewhere.wait(10)  # another call arrives in the meantime, on another connection
        else:
            elsewhere.set()
        connection.send(*(at(stream, p) for p in GOOD))
    client = lie(answer)
    first = client.start("a")
    assert told.wait(10)
    second = client.start("b")
    assert client.wait(first)[0] == client.wait(second)[0] == "OK"
    assert client.server.count == 2


@pytest.mark.sanitized
def test_a_silent_server_fails_the_call(client_of):
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        status, _, text = client_of(port, connect_ms=300).call("x")
        assert status == "UNAVAILABLE" and "no HTTP/2 within 0.3 s" in text
        status, _, text = client_of(port).call("x", 300)
        assert status == "DEADLINE_EXCEEDED" and "no connection in time" in text


@pytest.mark.sanitized
def test_a_connection_without_replies_is_dropped_at_the_deadline(lie):
    """The server replies once and then sends nothing, not even pings: the deadline drops the connection, and the next call is
    served."""
    def answer(connection, stream, count):
        if count == 1 and stream > 1:
            threading.Event().wait(15)
        connection.send(*(at(stream, p) for p in GOOD))
    client = lie(answer)
    assert client.call("a")[0] == "OK"
    assert client.call("b", 300)[0] == "DEADLINE_EXCEEDED"
    assert client.call("c", 2000)[0] == "OK"
    assert client.server.count == 2


@pytest.mark.sanitized
def test_keepalive_notices_a_dead_server(lie):
    pinged = []

    def answer(connection, stream, count):
        connection.send(at(stream, OK_HEADERS))
        found = connection.wait_for(PING)
        pinged.append(found)
        connection.send(frame(PING, ACK, 0, found[3]))
        connection.wait_for(PING)
        connection.send(at(stream, trailers(("grpc-status", "0"))))
    client = lie(answer, keepalive_ms=200)
    begun = time.monotonic()
    assert client.wait(client.watch("x"))[0] == "OK"
    assert pinged and time.monotonic() - begun < 4


@pytest.mark.sanitized
@pytest.mark.parametrize("flood", [frame(8, 0, 0, b"\0\0\0\1"), frame(0xF5, 0, 0, b"x"), frame(PING, 0, 0, b"x" * 8), frame(DATA, 0, 1)],
                         ids=["window-update", "unknown", "ping", "empty-data"])
def test_a_server_that_floods_is_disconnected(lie, flood):
    """The client closes the connection, and the next call opens a new one."""
    ended = []

    def answer(connection, stream, count):
        if count == 1:
            with contextlib.suppress(OSError):
                connection.send(at(stream, OK_HEADERS))
                for _ in range(50_000):
                    connection.send((at(stream, flood) if flood[3] == DATA else flood) * 100)
            ended.append(count)
            return
        connection.send(*(at(stream, p) for p in GOOD))
    client = lie(answer)
    assert client.call("a", 30_000)[0] == "UNAVAILABLE"
    ground.wait_until(lambda: ended, 20, "the server cannot continue")
    assert client.call("b")[0] == "OK" and client.server.count == 2


@pytest.mark.sanitized
def test_a_refused_connection_fails_the_call(client_of):
    status, _, text = client_of(ground.free_port()).call("x")
    assert status == "UNAVAILABLE" and "cannot connect: Connection refused" in text


@pytest.mark.sanitized
def test_host_names_are_resolved(serve, place):
    client = grpc_peer.Client(place, f"localhost:{serve().port}")
    assert client.call("x")[0] in ("OK", "UNAVAILABLE")  # ::1 can be tried first
    assert client.stop() == 0
    client = grpc_peer.Client(place, "nowhere.invalid:1")
    status, _, text = client.call("x", 15000)
    assert status in ("UNAVAILABLE", "DEADLINE_EXCEEDED") and "nowhere.invalid" in text
    assert client.stop() == 0


# TLS

@pytest.fixture(scope="session")
def certificates(session_place):
    """Makes ca, server and client certificates with their keys, by the openssl program."""
    place = session_place / "tls"
    place.mkdir()

    def run(*words):
        subprocess.run(["openssl", *words], cwd=place, check=True, capture_output=True)
    for name in ("ca", "other"):
        run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2",
            "-subj", f"/CN={name}")
    for name, extra in (("server", "subjectAltName=IP:127.0.0.1"), ("client", "extendedKeyUsage=clientAuth")):
        run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (place / f"{name}.ext").write_text(extra)
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.pem",
            "-days", "2", "-extfile", f"{name}.ext")
    return place


@pytest.mark.sanitized
def test_tls_authenticates_both_sides(proto, place, certificates, client_of):
    c = certificates
    server = grpc_peer.Server(place, certificate=c / "server.pem", key=c / "server.key", ca=c / "ca.pem")
    try:
        own = {"certificate": c / "client.pem", "key": c / "client.key"}
        client = client_of(server.port, ca=c / "ca.pem", **own)
        assert client.call("x")[0] == "OK"
        assert client.call("big:3000000", 60000)[:1] == ("OK",)
        calls = [client.start(f"n{i}", 60000) for i in range(200)]
        assert {client.wait(call)[0] for call in calls} == {"OK"}
        # No certificate; an untrusted server; plaintext.
        assert client_of(server.port, ca=c / "ca.pem").call("x", 3000)[0] == "UNAVAILABLE"
        status, _, text = client_of(server.port, ca=c / "other.pem", **own).call("x", 3000)
        assert status == "UNAVAILABLE" and "certificate" in text and "NOT trusted" in text
        assert client_of(server.port).call("x", 3000)[0] == "UNAVAILABLE"
        # grpc's own client.
        credentials = grpc.ssl_channel_credentials(*((c / name).read_bytes() for name in ("ca.pem", "client.key", "client.pem")))
        with grpc.secure_channel(f"127.0.0.1:{server.port}", credentials) as channel:
            call = channel.unary_unary("/inapi.ZoneService/Ping", proto.zone.PingRequest.SerializeToString,
                                       proto.zone.PingResponse.FromString)
            assert call(proto.zone.PingRequest(), timeout=10).message == "pong"
    finally:
        server.stop()
