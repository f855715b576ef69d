"""Tests rpc-gateway as a process: enabled or not, its jail, its ports across restarts."""

import pwd
from pathlib import Path

import pytest
from lib.gateway import agents_socket, get, zone_settings
from lib import ground
from lib.services import identity, status, wait_for
from lib.tree import VARIANT
from lib.varlink import VarlinkError
from lib.worker import Worker

pytestmark = pytest.mark.sanitized


def test_a_machine_without_a_zone_has_no_process_and_no_port(make_tree):
    port, other = ground.free_port(), ground.free_port()
    tree = make_tree({"container-driver": {"runtime": "null"},
                      "zone": {"listen": "127.0.0.1", "peer_port": port, "http_port": other}}).start()
    gateway = status(tree, "rpc-gateway")
    assert gateway["state"] == "listening" and gateway["on_demand"] and "pid" not in gateway
    info = tree.call("rpc-gateway", "Info")  # which starts the process
    assert info["agents"]["accepted"] == 0 and not {"listen", "peer_port", "http_port", "lan_addr"} & set(info)
    assert not ground.connects(port) and not ground.connects(other)
    for method in ("ZoneInit", "ZoneJoinInfo", "ZoneStatus", "ZoneLeave"):
        with pytest.raises(VarlinkError, match="not enabled .zone.enable."):
            tree.call("rpc-gateway", method)


def test_the_gateway_reports_its_addresses(make_tree):
    settings = zone_settings(lan_addr="192.168.77.7")
    tree = make_tree(settings).start()
    info = tree.call("rpc-gateway", "Info")
    assert info["listen"] == "0.0.0.0" and info["started"] > 1_600_000_000
    assert (info["peer_port"], info["http_port"]) == (settings["zone"]["peer_port"], settings["zone"]["http_port"])


@pytest.mark.skipif(VARIANT == "sanitized", reason="the sanitized build has no jail")
def test_the_gateway_is_jailed(make_tree):
    tree = make_tree(zone_settings()).start()
    fields, _ = identity(wait_for(tree, "rpc-gateway", "ready")["pid"])
    assert fields["Uid"].split() == [str(pwd.getpwnam("hostlet-rpc-gateway").pw_uid)] * 4
    assert fields["CapPrm"] == fields["CapEff"] == fields["CapBnd"] == "0" * 16 and fields["NoNewPrivs"] == "1"


@pytest.mark.skipif(VARIANT == "sanitized", reason="a sanitized process is larger, and wakes up by itself")
def test_an_idle_gateway_sleeps_and_uses_little_memory(make_tree):
    settings = zone_settings()
    tree = make_tree(settings).start()
    port = settings["zone"]["http_port"]
    ground.wait_until(lambda: get(port, "/readyz")[0] == 200, 5, "it is ready")
    # At its start it has net-keeper remove what is left of a network, which may wait until net-keeper runs.
    ground.wait_until(lambda: 'method="PutZoneState",outcome="ok"' in get(port, "/metrics")[2].decode(), 30, "it has nothing left to do", 0.5)
    pid = tree.pid("rpc-gateway")

    def switches():
        return [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "ctxt_switches" in line]
    last = [None]

    def quiet():
        last[0], before = switches(), last[0]
        return last[0] == before
    ground.wait_until(quiet, 5, "it has settled", 0.2)
    before = switches()
    ground.let_pass(3)  # the measured condition is that nothing happens in this time
    assert switches() == before
    assert status(tree, "rpc-gateway")["memory"] < 8 << 20


def test_a_gateway_started_by_hand_binds_its_own_ports(place):
    settings = zone_settings()
    worker = Worker("rpc-gateway", place / "tree", settings)
    worker.start()
    try:
        assert ground.connects(settings["zone"]["http_port"]) and ground.connects(settings["zone"]["peer_port"])
    finally:
        worker.stop()


def test_a_gateway_started_by_hand_without_a_zone_serves_agents_alone(place):
    port, other = ground.free_port(), ground.free_port()
    worker = Worker("rpc-gateway", place / "tree", {"zone": {"listen": "127.0.0.1", "peer_port": port, "http_port": other}})
    worker.start()
    try:
        assert not ground.connects(port) and not ground.connects(other)
        assert get(agents_socket(worker), "/metrics")[0] == 404
        agents_socket(worker).unlink()  # its jail does not let it bind the socket again
        assert worker.process.wait(20) == 1 and "was deleted or replaced" in worker.log()
    finally:
        worker.stop()


# The machine's address

@pytest.fixture
def gateway_inside(place, namespace):
    """start(settings) runs rpc-gateway within the namespace."""
    running = []

    def start(**zone):
        worker = Worker("rpc-gateway", place / "tree", zone_settings(**zone))
        worker.wrapper = ["ip", "netns", "exec", namespace.name]  # with a /sys of its own
        running.append(worker)
        return worker.start()
    yield start
    for worker in running:
        worker.stop()


def address_of(worker):
    return worker.call("io.hostlet.RpcGateway.Info").get("lan_addr")


def test_the_gateway_waits_for_an_address(gateway_inside, namespace):
    # Docker's bridge exists before the machine has a network.
    namespace.inside("link", "add", "docker0", "type", "bridge")
    namespace.inside("addr", "add", "172.17.0.1/16", "dev", "docker0")
    namespace.inside("link", "set", "docker0", "up")
    gateway = gateway_inside()
    assert address_of(gateway) is None and "waiting for one" in gateway.log()
    namespace.inside("addr", "add", "192.168.40.7/24", "dev", "uplink")
    namespace.inside("link", "set", "uplink", "up")
    namespace.ip("-n", f"{namespace.name}-far", "link", "set", "far", "up")
    namespace.inside("route", "add", "default", "via", "192.168.40.1")
    ground.wait_until(lambda: address_of(gateway) == "192.168.40.7", 5, "the address is found")
    assert "address is 192.168.40.7 on uplink" in gateway.log()
    # A second address on the same device changes nothing; without both the gateway has no address again.
    namespace.inside("addr", "add", "192.168.30.7/24", "dev", "uplink")
    assert address_of(gateway) == "192.168.40.7"
    namespace.inside("addr", "flush", "dev", "uplink")
    ground.wait_until(lambda: address_of(gateway) is None, 5, "the address is removed")


def test_a_configured_address_has_precedence(gateway_inside, namespace):
    gateway = gateway_inside(lan_addr="10.1.2.3")
    assert address_of(gateway) == "10.1.2.3"


def test_a_public_configured_address_is_logged(gateway_inside):
    gateway = gateway_inside(lan_addr="203.0.113.5")
    assert address_of(gateway) == "203.0.113.5" and "no private address (RFC 1918)" in gateway.log()
