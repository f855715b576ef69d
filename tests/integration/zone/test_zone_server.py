"""Tests gRPC on the peer port of rpc-gateway: HostInit with tokens of all kinds, Ping, health, reflection, TLS; with grpc's own
Python."""

import contextlib
import json
import socket
import time
import uuid
from pathlib import Path

import grpc
import pytest
from lib.gateway import Reconciler, gateway, get
from lib import zone_proto
from lib.certificates import Certificates
from lib.ground import wait_until
from lib.h2raw import (ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, Connection,
                       frame, hpack, message, request_headers)
from lib.leader import Leader
from lib.tree import VARIANT
from lib.varlink import VarlinkError
from lib.zone_proto import KEY, token

pytestmark = pytest.mark.sanitized
LAN = "192.168.77.7"
DENIED = "authentication failed: rpc error: code = Unauthenticated desc = "


@pytest.fixture(scope="session")
def messages(session_place):
    return zone_proto.Messages(session_place / "messages-server")


class Gateway:
    """Provides a gateway alone, with a fake reconciler behind it, and calls to its peer port."""

    def __init__(self, place, messages, **zone):
        self.messages = messages
        self.worker = gateway(place, **{"lan_addr": LAN, **zone})
        config = (self.worker.prefix / "etc/hostlet.conf").read_text().splitlines()
        self.port = int(next(line.split(" = ")[1] for line in config if line.startswith("peer_port")))
        self.address = f"127.0.0.1:{self.port}"
        self.reconciler = Reconciler(self.worker.prefix)
        self.worker.start()

    def call(self, method, **parameters):
        return self.worker.call(f"io.hostlet.RpcGateway.{method}", **parameters)

    def init(self):
        return self.call("ZoneInit", host_id=KEY[0], access_key="ak_{}_{}".format(*KEY))

    def file(self):
        return json.loads((self.worker.prefix / "var/hostlet/zone/zone.json").read_text())

    def ask(self, path, request, answer, metadata=None, credentials=None):
        """Returns ("OK", response), or (status, text)."""
        channel = grpc.secure_channel(self.address, credentials) if credentials else grpc.insecure_channel(self.address)
        with channel:
            call = channel.unary_unary(path, type(request).SerializeToString, answer.FromString)
            try:
                return "OK", call(request, timeout=10, metadata=metadata)
            except grpc.RpcError as error:
                return error.code().name, error.details()

    def ping(self, **options):
        zone = self.messages.zone
        return self.ask("/inapi.ZoneService/Ping", zone.PingRequest(), zone.PingResponse, **options)

    def host_init(self, *hosts, with_token=None, **how):
        zone = self.messages.zone
        with_token = token(**how) if with_token is None else with_token
        return self.ask("/inapi.HostInternalService/HostInit", zone.HostInitRequest(zone_name="test", zone_hosts=hosts),
                        zone.HostInitResponse, [("x-inauth2", with_token)] if with_token else None)


@pytest.fixture
def made(place, messages):
    gateways = []

    def make(**zone):
        gateways.append(Gateway(place, messages, **zone))
        return gateways[-1]
    yield make
    for one in gateways:
        one.worker.stop()
        one.reconciler.close()
        assert "Sanitizer" not in one.worker.log() and "runtime error" not in one.worker.log()


def test_host_init(made):
    g = made()
    g.init()
    assert g.ping()[1].message == "pong"
    status, answer = g.host_init()  # without hosts nothing changes, but the call succeeds
    assert status == "OK" and answer.host_id == KEY[0] and "hosts" not in g.file()
    assert answer.status.mem_total > 0 and answer.status.cpu_cores > 0 and answer.status.lan_addr == LAN
    assert g.host_init("10.0.0.1:9533", "127.0.0.1:1")[0] == "OK"
    assert g.file()["hosts"] == ["10.0.0.1:9533", "127.0.0.1:1"] and g.file()["zone_name"] == "test"
    assert g.host_init("10.0.0.2:9533")[0] == "OK"
    assert g.file()["hosts"] == ["10.0.0.2:9533"]
    status, text = g.host_init("no address")
    assert status == "UNKNOWN" and text.startswith("bad request: ")
    assert g.host_init(*["10.0.0.1:1"] * 2000)[1].startswith("bad request: more than")
    assert g.file()["hosts"] == ["10.0.0.2:9533"]
    g.worker.stop()
    g.worker.start()
    assert g.call("ZoneStatus")["hosts"] == ["10.0.0.2:9533"]


def test_an_operator_joins_the_machine(made, messages):
    g, leader = made(), Leader(messages)
    g.init()
    assert g.call("ZoneStatus")["state"] == "waiting"
    assert g.host_init(leader.address)[0] == "OK"
    wait_until(lambda: g.call("ZoneStatus")["state"] == "joined", 20, "it is a member")
    leader.stop()


INIT_PATH, WATCH_PATH = "/inapi.HostInternalService/HostInit", "/grpc.health.v1.Health/Watch"
PING_PATH, REFLECTION_PATH = "/inapi.ZoneService/Ping", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


def begin_host_init(g, raw):
    """Sends half of a HostInit; returns the other half."""
    body = message(g.messages.zone.HostInitRequest(zone_name="test", zone_hosts=["10.0.0.1:9533"]).SerializeToString())
    raw.send(frame(HEADERS, END_HEADERS, 1, hpack([*request_headers(INIT_PATH), ("x-inauth2", token())])), frame(DATA, 0, 1, body[:9]),
             frame(PING, 0, 0, b"is it in"))
    assert raw.wait_for(PING)[1] & ACK
    return frame(DATA, END_STREAM, 1, body[9:])


def test_running_calls_are_finished_at_a_stop(made):
    g = made()
    g.init()
    health = g.messages.health
    with grpc.insecure_channel(g.address) as channel, contextlib.closing(Connection.to(g.port).settle()) as raw:
        stream = channel.unary_stream(WATCH_PATH, health.HealthCheckRequest.SerializeToString, health.HealthCheckResponse.FromString)(
            health.HealthCheckRequest())
        assert next(stream).status == 1
        rest = begin_host_init(g, raw)
        g.worker.process.terminate()
        assert raw.wait_for(GOAWAY)[3][4:8] == b"\0\0\0\0"
        with pytest.raises(grpc.RpcError) as caught:
            next(stream)
        assert (caught.value.code().name, caught.value.details()) == ("UNAVAILABLE", "this server ends")
        assert g.worker.process.poll() is None
        raw.send(rest)
        assert KEY[0].encode() in raw.wait_for(DATA, 1)[3]
        assert raw.ends() and g.worker.process.wait(10) == 0
    assert g.file()["hosts"] == ["10.0.0.1:9533"]


def test_a_call_without_end_does_not_delay_a_stop(made):
    g = made()
    g.init()
    with contextlib.closing(Connection.to(g.port).settle()) as raw:
        begin_host_init(g, raw)
        began = time.monotonic()
        g.worker.process.terminate()
        assert raw.wait_for(GOAWAY)
        assert g.worker.process.wait(10) == 0 and time.monotonic() - began < 8


def test_unauthenticated_peers_do_not_exclude_a_leader(made):
    """Eight addresses occupy all connections with streams that never end; a peer with a token is admitted, and stays."""
    g = made()
    g.init()
    with contextlib.ExitStack() as held:
        def watch(source):
            raw = held.enter_context(contextlib.closing(Connection.to(g.port, source=source)))
            raw.send(frame(HEADERS, END_HEADERS, 1, hpack(request_headers(WATCH_PATH))), frame(DATA, END_STREAM, 1, message(b"")))
            assert raw.wait_for(DATA, 1)
            return raw
        strangers = [watch(f"127.0.0.{n}") for _ in range(8) for n in range(2, 10)]
        leader = held.enter_context(contextlib.closing(Connection.to(g.port, source="127.0.0.10")))
        leader.send(begin_host_init(g, leader))
        assert KEY[0].encode() in leader.wait_for(DATA, 1)[3]
        assert strangers[0].ends(), "the oldest was evicted"
        assert g.host_init("10.0.0.2:9533")[0] == "OK"
        for n in range(80):
            watch(f"127.0.1.{n % 20 + 1}")
        assert g.host_init("10.0.0.3:9533")[0] == "OK" and g.file()["hosts"] == ["10.0.0.3:9533"]
        leader.send(frame(PING, 0, 0, b"yet here"))
        assert leader.wait_for(PING)[3] == b"yet here"


# How much memory and work unauthenticated peers can cause

STRANGERS_MIB, MARGIN_MIB = 8, 10  # the limit for all unauthenticated peers together, with a reserve for the allocator and for figures of /proc


def memory(pid):
    """Returns its peak memory in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def pieces(data, size=16000):
    return [data[at:at + size] for at in range(0, len(data), size)]


def unfinished(stream, path, body, **headers):
    """Makes a call that does not end."""
    return frame(HEADERS, END_HEADERS, stream, hpack(request_headers(path, **headers))) + b"".join(
        frame(DATA, 0, stream, piece) for piece in pieces(body))


def watch_with_a_long_name(raw, stream):
    name = b"n" * 60_000
    raw.send(frame(HEADERS, END_HEADERS, stream, hpack(request_headers(WATCH_PATH))),
             *(frame(DATA, 0, stream, piece) for piece in pieces(message(b"\x0a" + b"\xe0\xd4\x03" + name))), frame(DATA, END_STREAM, stream))


def watch_with_a_name(raw, stream):
    raw.send(frame(HEADERS, END_HEADERS, stream, hpack(request_headers(WATCH_PATH))),
             frame(DATA, END_STREAM, stream, message(b"\x0a\xf4\x03" + b"n" * 500)))


def ping_of_a_mebibyte(raw, stream):
    raw.send(unfinished(stream, PING_PATH, message(b"u" * 60_000, size=1 << 20)))


def ping_of_four_kibibytes(raw, stream):
    raw.send(unfinished(stream, PING_PATH, message(b"u" * 4000, size=4096)))


def reflection_that_is_not_read(raw, stream):
    asked = message(b"\x22\x19inapi.HostInternalService")
    raw.send(unfinished(stream, REFLECTION_PATH, asked * 40))


def headers_without_a_body(raw, stream):
    raw.send(unfinished(stream, PING_PATH, b"", **{f"x{n}": "v" * 150 for n in range(70)}))


def many_small_headers(raw, stream):
    raw.send(unfinished(stream, PING_PATH, b"", **{f"x{n}": "" for n in range(300)}))


def half_a_header_block(raw, stream):
    raw.send(frame(HEADERS, 0, stream, hpack([*request_headers(PING_PATH), *((f"x{n}", "v" * 150) for n in range(90))])[:15_000]))


def answers_that_are_not_read(raw, stream):
    raw.send(frame(HEADERS, END_HEADERS, stream, hpack(request_headers(PING_PATH))), frame(DATA, END_STREAM, stream, message(b"")))


def streams_that_are_over(raw, stream):
    raw.send(frame(HEADERS, END_HEADERS, stream, hpack(request_headers(PING_PATH))), frame(RST_STREAM, 0, stream, b"\0\0\0\x08"))


def priorities_of_streams_to_come(raw, stream):
    raw.send(*(frame(PRIORITY, 0, 2 * stream * 31 + 2 * n + 1, b"\0\0\0\0\1") for n in range(30)))


def pings_whose_answers_are_not_read(raw, _):
    raw.send(frame(PING, 0, 0, b"x" * 8) * 50)


ATTACKS = [watch_with_a_long_name, watch_with_a_name, ping_of_a_mebibyte, ping_of_four_kibibytes, reflection_that_is_not_read,
           headers_without_a_body, many_small_headers, half_a_header_block, answers_that_are_not_read, streams_that_are_over,
           priorities_of_streams_to_come, pings_whose_answers_are_not_read]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_unauthenticated_peers_use_little_memory_and_block_no_caller(made, attack):
    """Eight addresses do one thing on all connections and streams that they get, with a window of 0, and read no response."""
    g = made()
    g.init()
    pid, before = g.worker.process.pid, memory(g.worker.process.pid)
    with contextlib.ExitStack() as held:
        for source in [f"127.0.0.{n}" for n in range(2, 10)] * 8:
            raw = held.enter_context(contextlib.closing(Connection.to(g.port, source=source, settings=b"\0\4\0\0\0\0")))
            with contextlib.suppress(OSError):
                for stream in range(1, 65, 2):
                    attack(raw, stream)
        assert g.ping()[0] == "OK", "everything that arrived before was read"
        # A whole MiB, repeated: it is decoded as a message, so it was accepted.
        status, text = g.host_init(*["10.0.0.1:1" * 20] * 4800)
        assert status == "UNKNOWN" and text.startswith("bad request: "), (status, text)
        assert g.host_init("10.0.0.2:9533")[0] == "OK"
        grown = memory(pid) - before
    assert VARIANT == "sanitized" or grown < STRANGERS_MIB + MARGIN_MIB
    assert g.ping()[0] == "OK" and g.worker.process.pid == pid


def test_unfinished_requests_leave_memory_for_host_init(made):
    """Eight addresses send a MiB each for calls that need no token, and never the last byte."""
    g = made()
    g.init()
    with contextlib.ExitStack() as held:
        for n in range(2, 10):
            raw = held.enter_context(contextlib.closing(Connection.to(g.port, source=f"127.0.0.{n}").settle()))
            for stream in (1, 3, 5, 7):
                with contextlib.suppress(OSError):
                    raw.send(unfinished(stream, PING_PATH, message(b"u" * 250_000, size=1 << 20)))
            raw.send(frame(PING, 0, 0, b"is it in"))
            assert raw.wait_for(PING)[1] & ACK
        assert g.host_init(*["10.0.0.1:1" * 20] * 4800)[1].startswith("bad request: ")
        assert g.host_init("10.0.0.2:9533")[0] == "OK" and g.file()["hosts"] == ["10.0.0.2:9533"]


@pytest.mark.parametrize("path, most", [(PING_PATH, 4096), ("/grpc.health.v1.Health/Check", 1024), (WATCH_PATH, 1024), (REFLECTION_PATH, 4096)])
def test_each_method_limits_the_length_of_its_requests(made, path, most):
    """The server refuses it at the length, before the rest of the message arrives."""
    g = made()
    with contextlib.closing(Connection.to(g.port)) as raw:
        raw.send(frame(HEADERS, END_HEADERS, 1, hpack(request_headers(path))), frame(DATA, 0, 1, message(b"", size=most + 1)))
        assert raw.wait_for(HEADERS, 1)[1] & END_STREAM
        assert raw.wait_for(RST_STREAM, 1)[3] == b"\0\0\0\0"
        raw.send(frame(HEADERS, END_HEADERS, 3, hpack(request_headers(path))), frame(DATA, 0, 3, message(b"", size=most)),
                 frame(PING, 0, 0, b"is it in"))
        while not (found := raw.read_frame())[0] == PING:
            assert found[2] != 3, "it waits for the rest"


def test_unauthenticated_peers_at_the_address_of_a_leader(made):
    """They occupy all connections that the address has, and are evicted for the leader after some seconds."""
    g = made()
    g.init()
    with contextlib.ExitStack() as held:
        for _ in range(8):
            raw = held.enter_context(contextlib.closing(Connection.to(g.port)))
            raw.send(frame(HEADERS, END_HEADERS, 1, hpack(request_headers(WATCH_PATH))), frame(DATA, END_STREAM, 1, message(b"")))
            assert raw.wait_for(DATA, 1)
        wait_until(lambda: g.host_init("10.0.0.2:9533")[0] == "OK", 20, "the leader is admitted", interval=0.5)
    assert g.file()["hosts"] == ["10.0.0.2:9533"]


def test_requests_are_charged_for_their_responses(made):
    """Many requests fit into one frame: the server refuses an address that requests too much."""
    g = made()
    g.init()
    asked, answers, refused = message(b"\x22\x19inapi.HostInternalService") * 400, 0, False
    with contextlib.closing(Connection.to(g.port, source="127.0.0.2", settings=b"\0\4\x7f\xff\xff\xff")) as raw:
        raw.send(frame(WINDOW_UPDATE, 0, 0, b"\x7f\0\0\0"))
        for stream in range(1, 20, 2):
            raw.send(frame(HEADERS, END_HEADERS, stream, hpack(request_headers(REFLECTION_PATH))), frame(DATA, END_STREAM, stream, asked))
            body = b""
            while (found := raw.read_frame()) and not (found[0] == HEADERS and found[1] & END_STREAM):
                body += found[3] if found[0] == DATA else b""
            refused = refused or len(body) < 400 * (5 + int.from_bytes(body[1:5], "big"))
            answers += len(body)
            if refused:
                break
    assert refused and answers > 1 << 20
    assert g.ping()[0] == "OK"


def test_watches_of_one_address_are_counted(made):
    g = made()
    with contextlib.ExitStack() as held:
        def watch(source, streams):
            raw = held.enter_context(contextlib.closing(Connection.to(g.port, source=source)))
            for n in range(streams):
                raw.send(frame(HEADERS, END_HEADERS, 2 * n + 1, hpack(request_headers(WATCH_PATH))),
                         frame(DATA, END_STREAM, 2 * n + 1, message(b"\x0a\4nope")))
            return raw, [raw.wait_for(HEADERS, 2 * n + 1)[1] & END_STREAM for n in range(streams)]
        assert not any(watch("127.0.0.2", 8)[1])
        second, ended = watch("127.0.0.2", 12)
        assert ended == [0] * 8 + [END_STREAM] * 4
        assert not any(watch("127.0.0.3", 1)[1])
        second.send(frame(RST_STREAM, 0, 1, b"\0\0\0\x08"), frame(PING, 0, 0, b"is it in"))
        assert second.wait_for(PING)[1] & ACK
        assert watch("127.0.0.2", 2)[1] == [0, END_STREAM]


def test_responses_are_read_before_more_requests_are_accepted(made):
    """A stream of requests whose responses are not read waits; nothing of it is lost."""
    g = made()
    asked = message(b"\x22\x19inapi.HostInternalService")
    with contextlib.closing(Connection.to(g.port, settings=b"\0\4\0\0\0\0")) as raw:
        raw.send(frame(HEADERS, END_HEADERS, 1, hpack(request_headers(REFLECTION_PATH))), frame(DATA, 0, 1, asked * 3 + asked[:9]),
                 frame(PING, 0, 0, b"is it in"))
        while not (found := raw.read_frame())[0] == PING or not found[1] & ACK:
            assert found[0] != DATA
        raw.send(frame(DATA, END_STREAM, 1, asked[9:]), frame(SETTINGS, payload=b"\0\4\0\x10\0\0"),
                 frame(WINDOW_UPDATE, 0, 0, b"\0\x10\0\0"))
        answers = b""
        while found := raw.read_frame():
            answers += found[3] if found[0] == DATA else b""
            if found[0] == HEADERS and found[1] & END_STREAM:
                break
        size = int.from_bytes(answers[1:5], "big") + 5
        assert answers == answers[:size] * 4 and b"HostInternalService" in answers[:size]


FLOODS = {
    "window-update": frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1"),
    "unknown": frame(0xF5, 0, 0, b""),
    "unknown-large": frame(0xF5, 0, 0, b"x" * 16_000),
    "unknown-of-a-stream": frame(0xBB, 0xFF, 7, b"x"),
    "altsvc": frame(0xA, 0, 0, b"\0\0"),
    "priority": frame(PRIORITY, 0, 9, b"\0\0\0\0\1"),
    "priority-update": frame(0x10, 0, 0, b"\0\0\0\1u=1"),
    "settings": frame(SETTINGS),
    "settings-ack": frame(SETTINGS, ACK),
    "ping": frame(PING, 0, 0, b"x" * 8),
    "ping-ack": frame(PING, ACK, 0, b"x" * 8),
    "reset-of-what-is-over": frame(RST_STREAM, 0, 1, b"\0\0\0\x08"),
    "window-of-what-is-over": frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1"),
    "empty-data": frame(DATA, 0, 3),
    "a-byte-of-data": frame(DATA, 0, 3, b"\0"),
    "padding": frame(DATA, 8, 3, b"\5\0\0\0\0\0"),
}


FRAME_ERRORS = {"settings-ack", "reset-of-what-is-over"}  # nghttp2 may find an error in them before they are too many


@pytest.mark.parametrize("name", FLOODS)
def test_floods_of_unauthenticated_peers_are_ended(made, name):
    """For each kind of frame, a connection that sends only such frames gets ENHANCE_YOUR_CALM and is closed."""
    g = made()
    g.init()
    sent, most, many = 0, 64 << 20, FLOODS[name] * 50
    with contextlib.closing(Connection.to(g.port, source="127.0.0.2")) as raw:
        raw.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, hpack(request_headers("/no/thing"))),
                 frame(HEADERS, END_HEADERS, 3, hpack(request_headers(PING_PATH))))
        with contextlib.suppress(OSError):
            while sent < most:
                raw.send(many)
                sent += len(many)
        assert sent < most, "the connection was closed: no socket buffers more than this"
        while (found := raw.read_frame()) and found[0] != GOAWAY:
            pass
    assert found is None or found[3][4:8] == b"\0\0\0\x0b" or name in FRAME_ERRORS
    assert g.ping()[0] == "OK" and g.host_init("10.0.0.2:9533")[0] == "OK"


def test_calls_of_one_address_are_charged_to_it(made):
    """Pings that are answered are charged as well: an address has some thousand at once, then it has to wait, also for a new
    connection."""
    g = made()
    g.init()
    block, answered = hpack(request_headers(PING_PATH)), 0

    def pings(source, n):
        done = 0
        with contextlib.closing(Connection.to(g.port, source=source)) as raw, contextlib.suppress(OSError):
            for stream in range(1, 2 * n, 2):
                raw.send(frame(HEADERS, END_HEADERS, stream, block), frame(DATA, END_STREAM, stream, message(b"")))
                if not raw.wait_for(DATA, stream):
                    break
                done += 1
        return done
    for _ in range(40):
        answered += pings("127.0.0.2", 1000)
    assert 500 <= answered < 20_000
    assert wait_until(lambda: pings("127.0.0.2", 1) == 0, 10, "the connection is refused")
    assert pings("127.0.0.3", 10) == 10 and g.host_init("10.0.0.2:9533")[0] == "OK"
    wait_until(lambda: pings("127.0.0.2", 1) == 1, 30, "the address is served again")


def test_peers_with_a_token_are_not_counted(made):
    """A connection that showed a valid token can continue for as long as its frames serve a call."""
    g = made()
    g.init()
    block = hpack(request_headers(PING_PATH))
    with contextlib.closing(Connection.to(g.port, source="127.0.0.2")) as raw:
        raw.send(begin_host_init(g, raw))
        assert KEY[0].encode() in raw.wait_for(DATA, 1)[3]
        raw.send(frame(WINDOW_UPDATE, 0, 0, b"\0\x10\0\0"))
        for stream in range(3, 20_000, 2):
            raw.send(frame(HEADERS, END_HEADERS, stream, block), frame(DATA, END_STREAM, stream, message(b"")))
            assert raw.wait_for(DATA, stream)
        with contextlib.suppress(OSError):
            while True:
                raw.send(FLOODS["window-update"] * 100)
        assert raw.ends()


def test_connections_of_one_address_are_rate_limited(made):
    g = made()

    def served(source):
        with contextlib.closing(Connection(socket.create_connection(("127.0.0.1", g.port), 10, (source, 0)))) as raw:
            return raw.read_frame() is not None
    found = [served("127.0.0.2") for _ in range(400)]
    assert all(found[:64]) and not all(found)
    assert served("127.0.0.3") and g.ping()[0] == "OK"
    wait_until(lambda: served("127.0.0.2"), 10, "the address is served again")


def test_invalid_tokens_are_refused(made):
    g = made()
    assert g.host_init("127.0.0.1:1") == ("UNAUTHENTICATED", f"{DENIED}access-key({KEY[0]}) not found")
    g.init()
    now = int(time.time())
    cases = [
        (g.host_init("127.0.0.1:1", with_token=""), "authorization token is missing"),
        (g.host_init("127.0.0.1:1", with_token="x.y"), "invalid access_token"),
        (g.host_init("127.0.0.1:1", now=now - 61), "access-token expired"),
        (g.host_init("127.0.0.1:1", secret="T" * 48), "verify denied"),
        (g.host_init("127.0.0.1:1", header={"alg": "none", "kid": KEY[0]}), "none signer"),
        (g.host_init("127.0.0.1:1", header={"alg": "HS256", "kid": "ffffffffffff"}), "access-key(ffffffffffff) not found"),
        (g.host_init("127.0.0.1:1", claims={"iat": now, "exp": str(now + 60), "state": "x"}), "invalid access_token"),
    ]
    for answer, text in cases:
        assert answer == ("UNAUTHENTICATED", DENIED + text)
    assert "hosts" not in g.file()
    g.call("ZoneLeave")
    assert g.host_init("127.0.0.1:1") == ("UNAUTHENTICATED", f"{DENIED}access-key({KEY[0]}) not found")


def auth_denied(answer, words):
    return answer[0] == "UNAUTHENTICATED" and answer[1].startswith(f"{DENIED}auth-denied : ") and words in answer[1]


def test_a_token_is_accepted_once(made):
    """An attacker reads the network and sends a leader's token again, with other zone hosts, also after a restart."""
    g = made()
    g.init()
    sent = token()
    assert g.host_init("10.0.0.1:9533", with_token=sent)[0] == "OK"
    assert auth_denied(g.host_init("10.9.9.9:9533", with_token=sent), "used before")
    empty = token()
    assert g.host_init(with_token=empty)[0] == "OK"
    g.worker.stop()
    g.worker.start()
    for again in (sent, empty):
        assert auth_denied(g.host_init("10.9.9.9:9533", with_token=again), "used before")
    assert g.host_init("10.0.0.2:9533")[0] == "OK" and g.file()["hosts"] == ["10.0.0.2:9533"]
    assert "sent again" in g.worker.log() and "tls_certificate" in g.worker.log()
    kept = g.worker.prefix / "var/hostlet/zone/tokens.json"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_two_calls_with_one_token_at_the_same_time(made):
    g = made()
    g.init()
    headers = [*request_headers(INIT_PATH), ("x-inauth2", token())]
    with contextlib.closing(Connection.to(g.port).settle()) as raw:
        raw.send(*(frame(HEADERS, END_HEADERS, stream, hpack(headers)) for stream in (1, 3)))
        body = message(g.messages.zone.HostInitRequest(zone_name="evil", zone_hosts=["10.9.9.9:9533"]).SerializeToString())
        raw.send(frame(DATA, END_STREAM, 3, body))
        assert raw.wait_for(HEADERS, 3)[1] & END_STREAM, "an error alone"
    assert "hosts" not in g.file()


def test_a_token_of_this_host_sent_back_is_refused(made, messages):
    """The attacker reads this host's updates. The fetcher's tokens, which another process makes with the same key, are in
    test_zone_tree.py."""
    g, leader = made(interval="200ms"), Leader(messages)
    g.init()
    assert g.host_init(leader.address)[0] == "OK"
    leader.wait_called("HostStatusUpdate", 3)
    with leader.lock:
        ours = [metadata["x-inauth2"] for _, _, metadata in leader.calls]
    assert len(set(ours)) == len(ours)
    for one in ours:
        claims = zone_proto.token_parts(one)[1]
        assert set(claims) == {"iat", "exp", "state"} and claims["exp"] == claims["iat"] + 60 and uuid.UUID(claims["state"]).version == 4
        assert auth_denied(g.host_init("10.9.9.9:9533", with_token=one), "host's own")
    g.worker.stop()
    g.worker.start()
    assert auth_denied(g.host_init("10.9.9.9:9533", with_token=ours[-1]), "host's own")
    assert g.file()["hosts"] == [leader.address]
    leader.stop()


def test_a_replay_reports_no_clock_difference(made):
    g = made()
    g.init()
    now = int(time.time())
    # Valid for two more seconds: accepted once, and sent again when it has expired.
    sent = token(claims={"iat": now, "exp": now + 2, "state": str(uuid.uuid4())})
    assert g.host_init(with_token=sent)[0] == "OK"
    wait_until(lambda: "access-token expired" in str(g.host_init("10.9.9.9:9533", with_token=sent)), 10, "it has expired")
    assert "clock" not in g.call("ZoneStatus")


def test_times_of_tokens(made):
    g = made()
    g.init()
    wait_until(lambda: g.host_init()[0] == "OK", 10, "it is there")

    def ask(iat, exp):
        return g.host_init("10.9.9.9:9533", with_token=token(claims={"iat": iat, "exp": exp, "state": str(uuid.uuid4())}))
    now = int(time.time())
    assert auth_denied(ask(1, 9999999999), "from iat to exp")
    assert auth_denied(ask(now, now + 121), "from iat to exp")
    assert auth_denied(ask(-(1 << 63), (1 << 63) - 1), "from iat to exp")
    assert auth_denied(ask(now + 3600, now + 3660), "in the future")
    assert auth_denied(ask((1 << 63) - 61, (1 << 63) - 1), "in the future")
    assert auth_denied(ask(now - 59, now + 1 + 59), "before the host's start")
    assert "hosts" not in g.file()
    assert ask(now + 30, now + 90)[0] == "OK"  # a clock that is ahead
    assert ask(int(time.time()), int(time.time()) + 120)[0] == "OK"


def test_a_token_older_than_the_process_is_refused(made):
    """The token may have been used before the start, without a record of it, for example because a copy of the disk was restored."""
    g = made()
    g.init()
    older = token(now=time.time() - 20)
    g.worker.stop()
    (g.worker.prefix / "var/hostlet/zone/tokens.json").unlink(missing_ok=True)
    g.worker.start()
    assert auth_denied(g.host_init("10.9.9.9:9533", with_token=older), "make a new token")
    assert g.host_init("10.0.0.1:9533")[0] == "OK"


@pytest.mark.parametrize("text", ["{", '{"format": 99, "tokens": []}', '{"format": 1, "tokens": [{"signature": "x"}]}', "x" * (1 << 20)],
                         ids=["broken", "newer", "incomplete", "large"])
def test_an_unreadable_file_of_tokens_refuses_older_tokens(made, text):
    """The accepted tokens are then unknown, so a token that an earlier run may have accepted is refused; no other is."""
    g = made()
    g.init()
    assert g.host_init("10.0.0.1:9533")[0] == "OK"
    g.worker.stop()
    (g.worker.prefix / "var/hostlet/zone/tokens.json").write_text(text)
    g.worker.start()
    assert "tokens.json" in g.worker.log()
    assert auth_denied(g.host_init("10.9.9.9:9533"), "before the host's start")
    assert g.call("ZoneStatus")["hosts"] == ["10.0.0.1:9533"] and g.ping()[0] == "OK"


def test_an_object_in_place_of_the_file_of_tokens(made):
    """The gateway replaces the object. It refuses the tokens that an earlier run may have accepted, and not every token for ever."""
    g = made()
    g.init()
    g.worker.stop()
    (g.worker.prefix / "var/hostlet/zone/tokens.json/below").mkdir(parents=True)
    g.worker.start()
    ahead = lambda: token(now=time.time() + 59)
    wait_until(lambda: g.host_init("10.0.0.1:9533", with_token=ahead())[0] == "OK", 10, "a token of this run is accepted")
    assert (g.worker.prefix / "var/hostlet/zone/tokens.json").is_file()


def test_more_tokens_than_the_table_stores(made):
    """Each token was made with the key. Those that have expired make space, and none is dropped before that."""
    g = made()
    g.init()
    g.call("ZoneStatus")
    first = token()
    with grpc.insecure_channel(g.address) as channel:
        zone = g.messages.zone
        call = channel.unary_unary(INIT_PATH, zone.HostInitRequest.SerializeToString, zone.HostInitResponse.FromString)

        def ask(one):
            try:
                call(zone.HostInitRequest(), timeout=10, metadata=[("x-inauth2", one)])
                return "OK"
            except grpc.RpcError as error:
                return error.code().name
        assert ask(first) == "OK"
        found = [ask(token()) for _ in range(516)]
        assert found == ["OK"] * 511 + ["UNAVAILABLE"] * 5
        assert ask(first) == "UNAUTHENTICATED"


@pytest.mark.failpoints
@pytest.mark.parametrize("point, used", [("token.before_keep", False), ("token.kept", True), ("zone.before_save", True), ("zone.saved", True)])
def test_a_kill_while_a_token_is_accepted(made, point, used):
    """A stored token counts as used, whatever became of the call; the zone makes a new one."""
    g = made()
    g.init()
    g.worker.stop()
    g.worker.start(failpoint=f"{point}:kill")
    sent = token()
    assert g.host_init("10.0.0.1:9533", with_token=sent)[0] == "UNAVAILABLE"
    assert g.worker.process.wait(10) != 0
    g.worker.start()
    if used:
        assert auth_denied(g.host_init("10.9.9.9:9533", with_token=sent), "used before")
    assert g.host_init("10.0.0.2:9533")[0] == "OK" and g.file()["hosts"] == ["10.0.0.2:9533"]


@pytest.mark.failpoints
def test_a_token_that_cannot_be_stored_is_refused(made):
    g = made()
    g.init()
    g.worker.stop()
    g.worker.start(failpoint="token.before_keep:error")
    sent = token()
    assert g.host_init("10.0.0.1:9533", with_token=sent)[0] == "UNAVAILABLE" and "hosts" not in g.file()
    assert auth_denied(g.host_init("10.0.0.1:9533", with_token=sent), "used before")
    assert g.host_init("10.0.0.1:9533")[0] == "UNAVAILABLE"


def test_a_token_from_a_wrong_clock(made):
    g = made()
    g.init()
    g.host_init(now=time.time() - 120, secret="T" * 48)  # a foreign signature proves nothing about clocks
    assert "clock" not in g.call("ZoneStatus")
    assert g.host_init(now=time.time() - 120) == ("UNAUTHENTICATED", DENIED + "access-token expired")
    clock = g.call("ZoneStatus")["clock"]
    assert "made 12" in clock and "set the clocks" in clock


def test_an_unreadable_zone_file_is_refused(place):
    for text in ("{", '{"format": 99, "host_id": "0123456789ab", "access_key": "x"}'):
        worker = gateway(place, lan_addr=LAN)
        path = worker.prefix / "var/hostlet/zone/zone.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        with pytest.raises(AssertionError):
            worker.start()
        assert worker.process.wait(10) == 100 and "zone.json" in worker.log()


def test_names_of_a_zone_are_bounded(made, messages):
    """A restarted gateway can read zone.json, whatever the names are."""
    g = made()
    g.init()
    zone = messages.zone
    for name in ("x" * 300_000, "\1" * 300_000, "x" * 254, "a\nb"):
        status, text = g.ask(INIT_PATH, zone.HostInitRequest(zone_name=name, zone_hosts=["10.0.0.1:9533"]), zone.HostInitResponse,
                             [("x-inauth2", token())])
        assert status == "UNKNOWN" and text.startswith("bad request: zone name") and len(text) < 300
        with pytest.raises(VarlinkError, match="zone name"):
            g.call("ZoneInit", zone_name=name)
    hosts = [f"{n:04}{'a' * 250}" for n in range(1024)]
    assert g.ask(INIT_PATH, zone.HostInitRequest(zone_name="ü" * 126, zone_hosts=hosts), zone.HostInitResponse,
                 [("x-inauth2", token())])[0] == "OK"
    g.worker.stop()
    g.worker.start()
    assert g.call("ZoneStatus")["zone_name"] == "ü" * 126 and len(g.file()["hosts"]) == 1024


def test_health_and_reflection(made, messages):
    g = made()
    health, reflection = messages.health, messages.reflection
    status, answer = g.ask("/grpc.health.v1.Health/Check", health.HealthCheckRequest(service="inapi.HostInternalService"),
                           health.HealthCheckResponse)
    assert status == "OK" and answer.status == 1
    with grpc.insecure_channel(g.address) as channel:
        info = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                                     reflection.ServerReflectionRequest.SerializeToString,
                                     reflection.ServerReflectionResponse.FromString)
        names = {s.name for s in next(info(iter([reflection.ServerReflectionRequest(list_services="*")]))).list_services_response.service}
    assert {"inapi.HostInternalService", "inapi.ZoneService", "grpc.health.v1.Health"} <= names
    assert g.ask("/inapi.ZoneService/PackageList", messages.zone.PackageListRequest(), messages.zone.PackageListResponse) == (
        "UNIMPLEMENTED", "unknown method PackageList for service inapi.ZoneService")


def test_calls_are_counted_and_unauthenticated_peers_are_not_named(made):
    g = made()
    g.ping()
    g.host_init()
    g.ask("/evil.Service/Name", g.messages.zone.PingRequest(), g.messages.zone.PingResponse)
    text = wait_until(lambda: get(g.worker.port, "/metrics")[2].decode(), 10, "metrics")
    for outcome in ('method="Ping",outcome="OK"', 'method="HostInit",outcome="UNAUTHENTICATED"', 'method="other",outcome="UNIMPLEMENTED"'):
        assert f'protocol="grpc",service="rpc-gateway",{outcome}' in text, text
    assert "evil" not in text


def test_tls(made, place):
    made_ones = Certificates(place / "tls")
    g = made(**made_ones.settings)
    assert g.ping(credentials=made_ones.client())[1].message == "pong"
    assert f"[zone] tls_key: all users may read '{made_ones.place / 'host.key'}'" in g.worker.log()
    assert g.ping(credentials=made_ones.client(shows_one=False))[0] == "UNAVAILABLE"
    assert g.ping()[0] == "UNAVAILABLE"


def test_tls_without_certificates_of_clients(made, place):
    made_ones = Certificates(place / "tls")
    g = made(**made_ones.settings, tls_verify_clients="no")
    assert g.ping(credentials=made_ones.client(shows_one=False))[1].message == "pong"
    assert g.ping()[0] == "UNAVAILABLE"


def test_incomplete_tls_settings_are_refused(place):
    worker = gateway(place, lan_addr=LAN, tls_ca="/etc/ssl/certs/ca-certificates.crt")
    with pytest.raises(AssertionError):
        worker.start()
    assert worker.process.wait(10) == 100 and "all of them, or none" in worker.log()


@pytest.mark.parametrize("key", ["tls_certificate", "tls_key", "tls_ca"])
def test_a_missing_file_for_tls_is_named(place, key):
    worker = gateway(place, lan_addr=LAN, **{**Certificates(place / "tls").settings, key: place / "nothing.pem"})
    with pytest.raises(AssertionError):
        worker.start()
    assert worker.process.wait(10) == 100 and f"cannot read '{place}/nothing.pem': No such file or directory" in worker.log()


def test_unauthenticated_peers_cannot_request_the_key(made):
    g = made()
    with pytest.raises(VarlinkError) as caught:
        g.call("ZoneJoinInfo")
    assert caught.value.name == "io.hostlet.NotFound"
    g.init()
    assert g.call("ZoneJoinInfo")["access_key"] == "ak_{}_{}".format(*KEY)
