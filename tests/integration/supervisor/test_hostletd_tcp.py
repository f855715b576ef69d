"""Tests the TCP ports that hostletd opens, and services that hostlet.conf does not enable."""

import os
import signal
import socket

import pytest
from lib import ground
from lib.services import Call, reload, run_hostletd, status, supervise, wait_for
from lib.varlink import VarlinkError

pytestmark = pytest.mark.sanitized

# Answers each TCP connection with its process id and the names of the passed descriptors.
ANSWERS = """
def answer(fd):
    listener = socket.socket(fileno=fd)
    listener.setblocking(True)
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(f"{os.getpid()} {fd} {os.environ['LISTEN_FDS']} {os.environ['LISTEN_FDNAMES']}".encode())

threading.Thread(target=answer, args=(4,), daemon=True).start()
threading.Thread(target=answer, args=(5,), daemon=True).start()
ready()
serve()
"""
CONF = {"tcp": "zone.peer_port zone.http_port", "enabled": "zone.enable", "config_sections": "zone"}


def ask(port, host="127.0.0.1"):
    with socket.create_connection((host, port), timeout=10) as connection:
        return connection.makefile().read().split()


def refused(port):
    try:
        ask(port)
    except ConnectionRefusedError:
        return True
    return False


@pytest.fixture
def ports():
    return ground.free_port(), ground.free_port()


def zone(ports, **more):
    return {"zone": {"enable": True, "listen": "127.0.0.1", "peer_port": ports[0], "http_port": ports[1], **more}}


def test_ports_are_passed_in_order_with_their_names(start, services, ports):
    services.add("faces", ANSWERS, **CONF)
    tree = start(zone(ports))
    pid = str(status(tree, "faces")["pid"])
    names = "varlink:peer_port:http_port"
    assert ask(ports[0]) == [pid, "4", "3", names]
    assert ask(ports[1]) == [pid, "5", "3", names]
    assert "parameters" in Call(tree, "faces").answer()


def test_connections_wait_while_the_service_restarts(start, services, ports):
    services.add("faces", "until('go')\n" + ANSWERS, **CONF)
    tree = start(zone(ports), wait=False)
    ground.wait_until(lambda: services.count("faces start") == 1, 10, "the service starts")
    with socket.create_connection(("127.0.0.1", ports[0]), timeout=10) as waiting:
        os.kill(status(tree, "faces")["pid"], signal.SIGKILL)
        ground.wait_until(lambda: services.count("faces start") == 2, 10, "it is started again")
        services.set("go")
        assert waiting.makefile().read().split()[1] == "4"


def test_a_disabled_service_is_not_started_and_status_shows_it(start, services, ports):
    services.add("faces", ANSWERS, **CONF)
    tree = start({"zone": {**zone(ports)["zone"], "enable": False}})
    found = status(tree, "faces")
    assert found["state"] == "down" and found["reason"] == "not enabled (zone.enable)"
    assert refused(ports[0]) and not services.events("faces")
    error = Call(tree, "faces").answer()
    assert error["error"] == "io.hostlet.ServiceDown" and "not enabled (zone.enable)" in error["parameters"]["reason"]
    for method in ("Start", "Restart"):
        with pytest.raises(VarlinkError, match="service 'faces' is not enabled: hostlet.conf says no to zone.enable"):
            supervise(tree, method, "faces")
    assert "faces is down: not enabled (zone.enable)" not in tree.ctl("status", check=False).stdout
    assert "not enabled" in tree.ctl("services").stdout


def test_reload_enables_moves_and_disables(start, services, ports):
    services.add("faces", ANSWERS, **CONF)
    tree = start({"zone": {**zone(ports)["zone"], "enable": False}})
    tree.write_config(zone(ports))
    reload(tree, "1 services changed")
    wait_for(tree, "faces", "ready")
    first = ask(ports[0])[0]
    other = ground.free_port()
    tree.write_config(zone((other, ports[1])))
    reload(tree, "1 services changed")
    ground.wait_until(lambda: not refused(other) and ask(other)[0] != first, 10, "the new port answers")
    assert refused(ports[0]) and ask(ports[1])[1] == "5"
    tree.write_config({"zone": {**zone(ports)["zone"], "enable": False}})
    reload(tree, "1 services changed")
    wait_for(tree, "faces", "down")
    ground.wait_until(lambda: refused(other) and refused(ports[1]), 10, "no process listens any more")
    assert Call(tree, "faces").answer()["error"] == "io.hostlet.ServiceDown"


def test_a_port_in_use_fails_the_service_and_not_the_tree(start, services, ports):
    services.add("faces", ANSWERS, **CONF)
    services.add("other")
    with socket.create_server(("127.0.0.1", ports[1])):
        tree = start(zone(ports))
        found = status(tree, "faces")
        assert found["state"] == "failed"
        assert f"cannot listen on '127.0.0.1:{ports[1]}' (zone.http_port): Address already in use" in found["reason"]
        assert status(tree, "other")["state"] == "ready" and refused(ports[0])
    wait_for(tree, "faces", "ready")
    assert ask(ports[1])[1] == "5"


def test_start_retries_a_port_in_use_at_once(start, services, ports):
    services.add("faces", ANSWERS, **CONF)
    with socket.create_server(("127.0.0.1", ports[1])):
        tree = start(zone(ports))
        assert Call(tree, "faces").answer()["error"] == "io.hostlet.ServiceDown"
        ground.wait_until(lambda: "tried again" in status(tree, "faces")["reason"], 10, "the reason says what follows")
        supervise(tree, "Stop", "faces")
        assert status(tree, "faces")["state"] == "down"
    supervise(tree, "Start", "faces")
    wait_for(tree, "faces", "ready")


def test_an_invalid_address_is_reported(start, services, ports):
    services.add("faces", ANSWERS, **CONF)
    tree = start(zone(ports, listen="localhost"))
    assert status(tree, "faces")["reason"] == "[zone] listen = localhost: is not an IP address"


def test_address_of_version_6(start, services, ports):
    services.add("faces", ANSWERS, **CONF)
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"this machine has no IPv6 loopback: {error}")
    start(zone(ports, listen="::1"))
    assert ask(ports[0], "::1")[1] == "4"


@pytest.mark.parametrize("conf, message", [
    ({"enabled": "zone.port"}, "enabled: hostlet.conf has no key 'zone.port' that is yes or no"),
    ({"enabled": "zone.listen"}, "enabled: hostlet.conf has no key 'zone.listen' that is yes or no"),
    ({"tcp": "zone.listen"}, "tcp: hostlet.conf has no port 'zone.listen' in a section with 'listen'"),
    ({"tcp": "fetcher.attempts"}, "tcp: hostlet.conf has no port 'fetcher.attempts' in a section with 'listen'"),
    ({"tcp": "zone.peer_port " * 5}, "tcp: more than 4 ports"),
    ({"tcp": "zone.peer_port", "socket": None}, "'tcp' needs a 'socket'"),
])
def test_mistakes_in_service_conf(services, place, conf, message):
    services.write("bad", **{"exec": "/bin/true", "socket": "bad", **conf})
    result = run_hostletd("--prefix", place / "tree", *services.arguments)
    assert result.returncode == 100 and f"bad/service.conf: {message}" in result.stderr
