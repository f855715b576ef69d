"""Tests HTTP of rpc-gateway: its responses to agents in containers, metrics and health, and hostile clients."""

import contextlib
import json
import os
import select
import signal
import socket
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from lib.gateway import SECRET, STATUS, Connection, Reconciler, ask, curl, gateway, get, post, zone_settings
from lib import ground
from lib.apps import manifest
from lib.fakes import FakeService, Hangup, Refusal
from lib.services import all_services, supervise, wait_for
from lib.tree import VARIANT
from prometheus_client.openmetrics.parser import text_string_to_metric_families

pytestmark = pytest.mark.sanitized

OK = (200, b'{"ok":"true"}')
BAD = (400, b'{"error":"bad request"}')
NAMELESS = (400, b'{"error":"instance_name required"}')
UNAUTHORIZED = (401, b'{"error":"unauthorized"}')
WRONG_METHOD = (405, b'{"error":"method not allowed"}')


@pytest.fixture
def alone(place):
    """Provides a gateway with a fake reconciler; both end with the test."""
    worker = gateway(place)
    worker.reconciler = Reconciler(worker.prefix)
    worker.start()
    yield worker
    worker.stop()
    worker.reconciler.close()


@pytest.fixture
def zone_tree(make_tree):
    settings = zone_settings()
    tree = make_tree(settings).start()
    tree.port = settings["zone"]["http_port"]
    return tree


def short(answer):
    status, _, body = answer
    return status, body


# Reports of agents

STAGE = {"name": "task_run", "owner": "inagent", "revision": 3, "state": "running", "message": "1/2 tasks running",
         "created": 1795468000123}
REPORT = {"instance_name": "web", "replica_id": 1, "updated": 1795468000999, "stages": [STAGE]}


def test_a_report_is_forwarded_to_the_reconciler(alone):
    status, headers, body = post(alone.port, REPORT)
    assert (status, body) == OK
    assert headers["content-type"] == "application/json" and headers["connection"] == "close"
    assert alone.reconciler.called("AgentReport") == [{**REPORT, "secret": SECRET}]


@pytest.mark.parametrize("body, secret, method, expected", [
    # The order of the checks: method, body, instance, secret.
    ("", None, "GET", WRONG_METHOD), (REPORT, SECRET, "PUT", WRONG_METHOD), (REPORT, SECRET, "DELETE", WRONG_METHOD),
    ("", None, "POST", BAD), ("{", None, "POST", BAD), ("no json at all", None, "POST", BAD), ("[]", None, "POST", BAD),
    ("{}", None, "POST", NAMELESS), ({"replica_id": 1}, None, "POST", NAMELESS),
    ({"instance_name": ""}, None, "POST", NAMELESS),
    (REPORT, None, "POST", UNAUTHORIZED), (REPORT, "", "POST", UNAUTHORIZED), (REPORT, "wrong", "POST", UNAUTHORIZED),
    (REPORT, "x" * 5000, "POST", UNAUTHORIZED), (REPORT, "a b", "POST", UNAUTHORIZED), (REPORT, "\x7f", "POST", UNAUTHORIZED),
    ({**REPORT, "instance_name": "other"}, SECRET, "POST", UNAUTHORIZED),
    # Types: 64-bit numbers as strings are not numbers.
    ({**REPORT, "updated": "1795468000999"}, SECRET, "POST", BAD), ({**REPORT, "replica_id": "1"}, SECRET, "POST", BAD),
    ({**REPORT, "replica_id": -1}, SECRET, "POST", BAD), ({**REPORT, "replica_id": 1 << 40}, SECRET, "POST", BAD),
    ({**REPORT, "stages": [{**STAGE, "created": "1"}]}, SECRET, "POST", BAD), ({**REPORT, "stages": {}}, SECRET, "POST", BAD),
    ({**REPORT, "stages": [STAGE] * 33}, SECRET, "POST", BAD), ({**REPORT, "instance_name": 7}, SECRET, "POST", BAD),
    (b'{"instance_name":"web\xff"}', SECRET, "POST", BAD), (b'{"instance_name":"web"}{"instance_name":"web"}', SECRET, "POST", BAD),
    ('{"instance_name":"web","updated":1e400}', SECRET, "POST", BAD),
    ('{"instance_name":' + "[" * 30000 + "]" * 30000 + "}", SECRET, "POST", BAD),
    # Unknown members belong to a newer version.
    ({**REPORT, "future": {"a": [1]}, "stages": [{**STAGE, "future": "1"}]}, SECRET, "POST", OK),
    ({"instance_name": "web", "stages": None}, SECRET, "POST", OK),
])
def test_checks_of_a_report_and_their_order(alone, body, secret, method, expected):
    assert short(post(alone.port, body, secret, method)) == expected
    reached = expected in (OK, UNAUTHORIZED) and secret in (SECRET, "wrong")
    assert len(alone.reconciler.called("AgentReport")) == reached


def test_fields_that_a_zone_would_drop_are_dropped(alone):
    stage = {**STAGE, "attrs": {"a": "b"}, "stages": [{"name": "inner", "stages": [{"name": "innermost"}]}]}
    assert short(post(alone.port, {**REPORT, "stages": [stage]})) == OK
    assert alone.reconciler.called("AgentReport")[0]["stages"] == [STAGE]


def test_a_report_is_accepted_in_every_form_of_http(alone):
    """Sends it by HTTP/1.0 and 1.1, by curl with its own headers, in chunks, with 100-continue, and in pieces."""
    assert short(post(alone.port, REPORT, version="1.1")) == OK
    url = f"http://127.0.0.1:{alone.port}{STATUS}"
    for words in ([], ["--http1.0"], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect: 100-continue"]):
        result = curl(*words, "-H", f"X-Secret-Key: {SECRET}", "-d", '{"instance_name":"web"}', url)
        assert result.stdout == '{"ok":"true"}', (words, result.stderr)
    with Connection(alone.port) as connection:
        for byte in f'POST {STATUS} HTTP/1.0\r\nx-secret-key:{SECRET}\r\nContent-Length: 23\r\n\r\n{{"instance_name":"web"}}':
            connection.send(byte)
        assert short(connection.answer()) == OK


def test_one_request_a_connection(alone):
    with Connection(alone.port) as connection:
        connection.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        assert connection.rest().count(b"HTTP/1.1 200 OK") == 1


@pytest.mark.parametrize("what, expected", [
    ("RetryLater", 503), ("Failed", 503), ("ServiceDown", 503), ("Refused", 400), ("NotFound", 401), ("Unauthorized", 401)])
def test_failures_of_the_reconciler(alone, what, expected):
    def fail(_):
        raise Refusal(what, "as the test wants")
    alone.reconciler.on_report = fail
    assert post(alone.port, REPORT)[0] == expected


def test_a_reconciler_that_crashes_or_hangs(alone):
    def die(_):
        raise Hangup
    alone.reconciler.on_report = die
    assert post(alone.port, REPORT)[0] == 503
    stuck = []
    alone.reconciler.on_report = lambda _: (stuck.append(1), ground.wait_until(lambda: not stuck, 20))
    started = time.monotonic()
    assert short(post(alone.port, REPORT)) == (503, b'{"error":"not available"}')
    assert 2 < time.monotonic() - started < 6
    # A waiting client blocks no other, and is disconnected when the gateway ends.
    with Connection(alone.port) as waiting:
        waiting.send(f'POST {STATUS} HTTP/1.0\r\nX-Secret-Key: {SECRET}\r\nContent-Length: 23\r\n\r\n{{"instance_name":"web"}}')
        ground.wait_until(lambda: len(stuck) == 2, 5, "the report arrives at the reconciler")
        assert get(alone.port, "/healthz")[0] == 200
        assert alone.stop() == 0
        waiting.rest()
    stuck.clear()


# Health and metrics

def test_health(zone_tree):
    assert short(get(zone_tree.port, "/healthz")) == (200, b"ok\n")
    ground.wait_until(lambda: get(zone_tree.port, "/readyz")[0] == 200, 5, "it is ready")
    assert get(zone_tree.port, "/nothing")[0] == 404 and ask(zone_tree.port, "POST /readyz HTTP/1.0\r\n\r\n")[0] == 405
    assert ask(zone_tree.port, "HEAD /healthz HTTP/1.0\r\n\r\n")[2] == b""
    supervise(zone_tree, "Stop", "reconciler")
    ground.wait_until(lambda: get(zone_tree.port, "/readyz")[0] == 503, 5, "it is not ready")
    assert get(zone_tree.port, "/healthz")[0] == 200
    supervise(zone_tree, "Start", "reconciler")
    ground.wait_until(lambda: get(zone_tree.port, "/readyz")[0] == 200, 20, "it is ready again")


def metrics(port):
    """Returns all samples, {(name, labels): value}, as an independent parser reads them."""
    status, headers, body = get(port, "/metrics")
    assert status == 200 and headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    families = list(text_string_to_metric_families(body.decode()))
    assert len({family.name for family in families}) == len(families)
    assert all(family.documentation for family in families)
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for family in families for sample in family.samples}


def value(samples, name, **labels):
    return samples.get((name, tuple(sorted(labels.items()))))


def test_metrics_of_a_tree(zone_tree):
    ground.wait_until(lambda: get(zone_tree.port, "/readyz")[0] == 200, 5, "it is ready")
    zone_tree.apply(manifest(image="null/run", replicas=2))
    zone_tree.kill_service("quota-keeper")
    wait_for(zone_tree, "quota-keeper", "ready")

    def look():
        found = metrics(zone_tree.port)
        assert value(found, "hostlet_replicas", state="running") == 2
        assert value(found, "hostlet_stages_total", stage="container_start", state="success") == 2
        assert value(found, "hostlet_service_restarts_total", service="quota-keeper") == 1
        return found
    found = ground.wait_until(look, 10, "the metrics show it")
    services = all_services(zone_tree)
    for name, service in services.items():
        assert value(found, "hostlet_service_state", service=name, hostlet_service_state=service["state"]) == 1
        assert (value(found, "hostlet_service_uptime_seconds", service=name) is not None) == ("pid" in service)
    assert value(found, "hostlet_instances") == 1 and value(found, "hostlet_instances_settled") == 1
    assert value(found, "hostlet_stage_duration_seconds_count", stage="container_start") == 2
    assert value(found, "hostlet_calls_total", protocol="varlink", service="reconciler", method="Watch", outcome="ok") >= 1
    assert value(found, "hostlet_calls_total", protocol="varlink", service="quota-keeper", method="List", outcome="ok") >= 1
    assert value(found, "hostlet_calls_total", protocol="http", service="rpc-gateway", method="/readyz", outcome="200") >= 1
    assert value(found, "hostlet_http_connections") == 1
    assert 0 < value(found, "hostlet_host_memory_bytes", kind="available") < value(found, "hostlet_host_memory_bytes", kind="total")
    assert value(found, "hostlet_host_cpu_seconds_total", mode="user") > 0
    zone_tree.ctl("destroy", "web")
    ground.wait_until(lambda: value(metrics(zone_tree.port), "hostlet_instances") == 0, 10, "the instance is no longer in the metrics")


def test_metrics_without_a_supervisor(alone):
    """Without a supervisor only its own figures are left out."""
    ground.wait_until(lambda: get(alone.port, "/readyz")[0] == 200, 5, "it is ready")
    found = metrics(alone.port)
    assert not any(name.startswith("hostlet_service_") for name, _ in found)
    assert value(found, "hostlet_instances") == 0 and value(found, "hostlet_host_cpus") >= 1


def test_quotas_and_a_process_that_hangs(alone):
    """The response contains the figures of processes that reply. A process that does not reply within two seconds is left out."""
    never = threading.Event()

    def list_quotas(_):
        yield {"quota": {"container": "i8k_web_0", "project": 100, "hard": 1000, "used": 10, "used_inodes": 3, "level": "below"}}
        yield {"quota": {"container": "i8k_web_1", "project": 101, "used": 20, "level": "below", "not_enforced": "no quotas"}}
        yield {}

    def hang(_):
        never.wait(60)
        return {}
    quotas = FakeService(alone.prefix, "quota-keeper", {"List": list_quotas})
    supervisor = FakeService(alone.prefix, "supervisor", {"List": hang})
    for service in (quotas, supervisor):
        service.path.chmod(0o666)
    try:
        started = time.monotonic()
        found = metrics(alone.port)
        assert 1.5 < time.monotonic() - started < 5
        assert value(found, "hostlet_quota_used_bytes", container="i8k_web_0") == 10
        assert value(found, "hostlet_quota_limit_bytes", container="i8k_web_0") == 1000
        assert value(found, "hostlet_quota_limit_bytes", container="i8k_web_1") is None
        assert value(found, "hostlet_quota_enforced", container="i8k_web_1") == 0
        assert value(found, "hostlet_quota_used_inodes", container="i8k_web_0") == 3
        assert not any(name.startswith("hostlet_service_") for name, _ in found)
    finally:
        never.set()
        quotas.close()
        supervisor.close()


def test_instances_removed_during_an_outage_of_the_reconciler_are_dropped(alone):
    alone.reconciler.close()
    ground.wait_until(lambda: get(alone.port, "/readyz")[0] == 503, 5, "it is not ready")
    alone.reconciler = Reconciler(alone.prefix, ["web", "shop"])
    ground.wait_until(lambda: value(metrics(alone.port), "hostlet_instances") == 2, 20, "both are counted")
    alone.reconciler.close()
    ground.wait_until(lambda: get(alone.port, "/readyz")[0] == 503, 5, "it is not ready")
    alone.reconciler = Reconciler(alone.prefix, ["shop"])
    ground.wait_until(lambda: value(metrics(alone.port), "hostlet_instances") == 1, 20, "one is counted")


def test_frequent_scrapes_query_hostletd_once_a_second(zone_tree):
    """A scrape makes hostletd inspect every process. With more frequent scrapes it does so once a second."""
    before = value(metrics(zone_tree.port), "hostlet_calls_total", protocol="varlink", service="hostletd", method="List",
                   outcome="ok")
    started = time.monotonic()
    for _ in range(50):
        assert get(zone_tree.port, "/metrics")[0] == 200
    lasted = time.monotonic() - started

    def after():
        found = value(metrics(zone_tree.port), "hostlet_calls_total", protocol="varlink", service="hostletd", method="List",
                      outcome="ok")
        return found if found > before else None
    assert ground.wait_until(after, 5, "it asked again") - before <= lasted + 3


def test_metrics_are_readable_from_allowed_networks_alone(place):
    worker = gateway(place, metrics_allow="127.0.0.2 10.0.0.0/8 ::1").start()
    try:
        status, _, body = get(worker.port, "/metrics")
        assert status == 403 and b"metrics_allow" in body
        assert get(worker.port, "/metrics", source="127.0.0.2")[0] == 200
        assert get(worker.port, "/healthz")[0] == 200
    finally:
        worker.stop()


def test_an_invalid_network_in_metrics_allow_is_refused(place):
    worker = gateway(place, metrics_allow="127.0.0.0/8 10.0.0.0/33")
    with pytest.raises(AssertionError, match="is not ready"):
        worker.start()
    assert worker.process.wait(10) == 100
    assert "metrics_allow: '10.0.0.0/33' is no address or network" in worker.log()


# Hostile clients

def unharmed(worker, pid):
    assert worker.process.pid == pid and worker.process.poll() is None
    assert get(worker.port, "/healthz", source="127.0.0.99")[0] == 200


def memory(pid):
    """Returns the anonymous memory in KiB."""
    return int(next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("RssAnon")).split()[1])


@pytest.mark.parametrize("data, expected", [
    (b"\0" * 4000, (0, 400)), (os.urandom(4000), (0, 400)), (b"GET\r\n\r\n", (0, 400)), (b"\r\n" * 2000, (0, 400)),
    (b"GET / HTTP/1.1\r\n\r\n", (400,)), (b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", (0, 400, 505, 200)),
    (b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", (0, 414, 431)),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40000 + b"\r\n\r\n", (0, 431)),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X%d: y\r\n" % i for i in range(5000)) + b"\r\n", (0, 431)),
    (f"POST {STATUS} HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n".encode(), (413,)),
    (f"POST {STATUS} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n".encode(), (0, 400, 413)),
    (f"POST {STATUS} HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n".encode(), (0, 400, 413)),
    (f"POST {STATUS} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + b"8000\r\n" + b"a" * 0x8000 + b"\r\n" +
     b"8001\r\n" + b"a" * 0x8001 + b"\r\n0\r\n\r\n", (0,)),
    (f"POST {STATUS} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzzz\r\n".encode(), (0, 400)),
], ids=["zeros", "noise", "no-version", "nothing", "no-host", "version", "line", "header", "headers", "body", "overflow",
        "negative", "chunks", "no-chunk"])
def test_malformed_requests_are_refused(alone, data, expected):
    pid = alone.process.pid
    with Connection(alone.port) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(data)
        with contextlib.suppress(OSError):
            connection.socket.shutdown(socket.SHUT_WR)
        assert connection.answer()[0] in expected
    assert not alone.reconciler.called("AgentReport")
    unharmed(alone, pid)


def still_open(connections):
    """Returns the connections that the other side has not closed."""
    return [c for c in connections if not (select.select([c.socket], [], [], 0)[0] and closed(c))]


def closed(connection):
    try:
        return connection.socket.recv(65536, socket.MSG_PEEK) == b""
    except ConnectionResetError:
        return True


def test_slow_clients_are_disconnected(alone):
    """Sends a byte now and then, a body that never ends, or leaves a response unread: each connection is closed after ten
    seconds."""
    pid = alone.process.pid
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(Connection(alone.port, source="127.0.0.5", timeout=20)) for _ in range(16)]
        for connection in slow[:12]:
            connection.send("GET /healthz HTTP/1.1\r\nHost: x\r\nX: ")
        for connection in slow[12:]:
            connection.send(f"POST {STATUS} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n")
        # The seventeenth connection of that address is refused; other addresses are served.
        with Connection(alone.port, source="127.0.0.5") as seventeenth:
            with contextlib.suppress(OSError):
                seventeenth.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert seventeenth.rest() == b""

        def drip():
            for connection in still_open(slow):
                with contextlib.suppress(OSError):
                    connection.send("a")
            unharmed(alone, pid)
            return not still_open(slow)
        ground.wait_until(drip, 20, "the slow connections are closed", interval=0.2)
        assert 9 < time.monotonic() - started < 18
    assert get(alone.port, "/healthz", source="127.0.0.5")[0] == 200
    assert value(metrics(alone.port), "hostlet_http_refused_total", reason="overdue") == 16


def test_connections_of_one_address_are_rate_limited(alone):
    """One address floods the gateway: it gets a bounded number of connections a second, and other addresses are not affected."""
    pid, outcomes = alone.process.pid, []
    before, slowest = memory(pid), 0

    def flood():
        for _ in range(5):
            with contextlib.suppress(OSError), Connection(alone.port, source="127.0.0.6"):
                pass
        outcomes.append(get(alone.port, "/healthz", source="127.0.0.6")[0])
        return outcomes.count(0) >= 50
    while not flood():
        assert len(outcomes) < 5000, "no connection is refused"
        if len(outcomes) % 50 == 0:
            started = time.monotonic()
            unharmed(alone, pid)
            slowest = max(slowest, time.monotonic() - started)
    assert set(outcomes) == {200, 0} and outcomes[:30] == [200] * 30
    assert slowest < 3
    assert value(metrics(alone.port), "hostlet_http_refused_total", reason="rate") >= 50
    assert memory(pid) - before < (4096 if VARIANT != "sanitized" else 40000)
    ground.wait_until(lambda: get(alone.port, "/healthz", source="127.0.0.6")[0] == 200, 5, "the address is served again")


def test_connections_beyond_the_limit_wait_in_the_backlog(alone):
    """More connections than places: the rest waits in the backlog and is served when places become free."""
    pid = alone.process.pid
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(Connection(alone.port, source=f"127.0.1.{i // 16 + 1}", timeout=30)) for i in range(160)]
        started = time.monotonic()
        with Connection(alone.port, source="127.0.0.7", timeout=30) as late:
            late.send("GET /healthz HTTP/1.0\r\n\r\n")
            assert short(late.answer()) == (200, b"ok\n")
        assert time.monotonic() - started < 20
        ground.wait_until(lambda: not still_open(held[:128]), 15, "the silent connections are closed")
    unharmed(alone, pid)


def silent(alone, stack, sources, each=16):
    """Opens connections that send nothing."""
    return [stack.enter_context(Connection(alone.port, source=source, timeout=30)) for source in sources for _ in range(each)]


def test_a_new_address_evicts_a_connection_of_the_address_with_most(alone):
    """Eight addresses occupy all places. Other addresses are served at once, one after the other, in spite of them."""
    pid = alone.process.pid
    with contextlib.ExitStack() as stack:
        held = silent(alone, stack, [f"127.0.1.{n}" for n in range(1, 9)])
        ground.wait_until(lambda: value(metrics(alone.port), "hostlet_http_connections") == 128, 5, "all places are occupied")
        for n in range(1, 9):
            assert get(alone.port, "/healthz", source=f"127.0.2.{n}")[0] == 200
        assert post(alone.port, REPORT, source="127.0.2.9")[0] == 200
        open_now = still_open(held)
        assert len(open_now) >= 118, "the others kept theirs, so time was not the reason"
        assert value(metrics(alone.port), "hostlet_http_refused_total", reason="places") >= 1
        # Each place that became free is occupied again, so the condition persists.
        held += silent(alone, stack, [f"127.0.1.{n}" for n in range(1, 9)], each=2)
        assert get(alone.port, "/healthz", source="127.0.2.1")[0] == 200
    unharmed(alone, pid)


def test_a_new_address_is_served_when_each_address_has_one_connection(alone):
    """Each address has one place, so none has more than another. A new one is served all the same, and a connection that has sent
    a request is not evicted."""
    with contextlib.ExitStack() as stack:
        waiting = []
        alone.reconciler.on_report = lambda _: (waiting.append(1), ground.wait_until(lambda: len(waiting) > 1, 20))
        first = stack.enter_context(Connection(alone.port, source="127.0.3.1"))
        first.send(f'POST {STATUS} HTTP/1.0\r\nX-Secret-Key: {SECRET}\r\nContent-Length: 23\r\n\r\n{{"instance_name":"web"}}')
        ground.wait_until(lambda: waiting, 5, "the report arrives at the reconciler")
        held = silent(alone, stack, [f"127.0.1.{n}" for n in range(1, 201)], each=1)
        assert get(alone.port, "/healthz", source="127.0.2.1")[0] == 200
        assert len(still_open(held)) >= 100
        waiting.append(1)
        assert short(first.answer()) == OK


def test_connections_without_headers_are_closed_first(alone):
    """A connection that has not sent its headers is evicted before one that has."""
    body = 23
    with contextlib.ExitStack() as stack:
        held = silent(alone, stack, ["127.0.1.1"], each=4)
        begun = stack.enter_context(Connection(alone.port, source="127.0.1.1"))
        begun.send(f"POST {STATUS} HTTP/1.0\r\nX-Secret-Key: {SECRET}\r\nContent-Length: {body}\r\n\r\n")
        ground.wait_until(lambda: not still_open(held), 20, "the silent connections are closed")
        assert still_open([begun])
        begun.send('{"instance_name":"web"}')
        assert short(begun.answer()) == OK


def test_one_network_of_ipv6_counts_as_one_address(place, namespace):
    """A /64 has as many places as an address, and a site of many /64s excludes no other client."""
    worker = gateway(place, listen="::")
    worker.wrapper = ["nsenter", f"--net=/run/netns/{namespace.name}"]
    for address in (*(f"fd00:1::{n}" for n in range(1, 41)), *(f"fd00:2:0:{n}::1" for n in range(1, 131)), "fd00:3::1"):
        namespace.inside("addr", "add", f"{address}/64", "dev", "lo", "nodad")
    with contextlib.ExitStack() as stack:
        def connect(address):
            return stack.enter_context(socket.create_connection(("fd00:1::1", worker.port), 15, (address, 0)))

        def healthy(address):
            with connect(address) as one:
                one.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                return one.recv(100)[9:12] == b"200"

        def open_of(sockets):
            return [s for s in sockets if not select.select([s], [], [], 0)[0]]
        worker.start()
        stack.callback(worker.stop)
        stack.enter_context(namespace.entered())
        held = [connect(f"fd00:1::{n}") for n in range(1, 41)]
        assert healthy("fd00:3::1")
        assert len(open_of(held)) == 16
        held += [connect(f"fd00:2:0:{n}::1") for n in range(1, 131)]
        assert healthy("fd00:3::1")
        assert len(open_of(held)) >= 100


def test_a_client_that_sends_single_bytes_delays_no_other(alone):
    """Pieces of any size delay no other client, and a request in pieces is answered."""
    body = json.dumps(REPORT)
    text = f"POST {STATUS} HTTP/1.0\r\nX-Secret-Key: {SECRET}\r\nContent-Length: {len(body) + 20_000}\r\n\r\n{' ' * 20_000}{body}".encode()
    with Connection(alone.port, source="127.0.0.2") as slow:
        slow.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(text) - 1):
            slow.send(text[at:at + 1])
        assert get(alone.port, "/healthz")[0] == 200
        slow.send(text[-1:])
        assert short(slow.answer()) == OK


def test_large_bodies_on_many_connections_use_bounded_memory(alone):
    pid = alone.process.pid
    before = memory(pid)
    body = b'{"instance_name":"' + b"a" * 65000 + b'"}'
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(Connection(alone.port, source=f"127.0.2.{i // 16 + 1}")) for i in range(112)]
        for connection in connections:
            connection.send(f"POST {STATUS} HTTP/1.0\r\nX-Secret-Key: {SECRET}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body[:-1])
        unharmed(alone, pid)
        assert memory(pid) - before < (20000 if VARIANT != "sanitized" else 80000)
        for connection in connections:
            connection.send(body[-1:])
            assert connection.answer()[0] == 401


# Kills

def test_a_waiting_connection_is_served_after_a_restart(zone_tree):
    pid = zone_tree.pid("rpc-gateway")
    os.kill(pid, signal.SIGSTOP)
    with Connection(zone_tree.port) as waiting:
        waiting.send("GET /healthz HTTP/1.0\r\n\r\n")
        os.kill(pid, signal.SIGKILL)
        assert short(waiting.answer()) == (200, b"ok\n")
    assert zone_tree.pid("rpc-gateway") != pid


def test_requests_are_served_after_repeated_kills(zone_tree):
    for _ in range(5):
        zone_tree.kill_service("rpc-gateway")
        with urllib.request.urlopen(f"http://127.0.0.1:{zone_tree.port}/healthz", timeout=20) as answer:
            assert answer.read() == b"ok\n"
    assert zone_tree.call("rpc-gateway", "Info")["http_port"] == zone_tree.port
