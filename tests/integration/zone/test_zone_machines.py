"""Tests the zone's network in a whole tree: a leader's map reaches the kernel, administrators see it, and a leave removes it. The
machine is a network namespace."""

import contextlib
import json
import os
import re
import signal
import subprocess
import urllib.request

import pytest
from lib import ground, zone_proto
from lib.apps import driver_containers
from lib.net_keeper import Kernel
from lib.netns import Lan
from lib.nft import Nft
from lib.tree import CommandFailed
from lib.zone import instance
from lib.zone_member import MemberLeader
from lib.zone_proto import KEY

HOSTS = {KEY[0]: ("192.168.60.1", "10.77.1.1", "10.78.1.0"), "aaaaaaaaaaaa": ("192.168.60.2", "10.77.1.2", "10.78.2.0"),
         "bbbbbbbbbbbb": ("192.168.60.3", "10.77.1.3", "10.78.3.0")}
ROUTES = {"10.78.2.0/24": "10.77.1.2", "10.78.3.0/24": "10.77.1.3"}
SERVICES = ["net-keeper", "reconciler", "rpc-gateway"]


@pytest.fixture(scope="session")
def messages(session_place):
    return zone_proto.Messages(session_place / "messages-machines")


@pytest.fixture
def lan():
    with Lan("hostlet-way") as made:
        made.switch.inside("address", "add", "192.168.60.254/24", "dev", "lan")
        yield made


class Machine:
    """A tree in a namespace, and its leader at the switch."""

    def __init__(self, lan, make_tree, messages, **zone):
        self.space = lan.machine("a", "192.168.60.1/24")
        self.space.inside("route", "add", "default", "via", "192.168.60.254")
        self.kernel = Kernel(self.space)
        self.nft = Nft(self.space.wrapper)
        self.http_port = ground.free_port()
        self.leader = MemberLeader(messages, host="192.168.60.254", space=lan.switch)
        self.leader.vpc = ("10.77.1.1", "10.78.1.0/24")
        self.settings = {"container-driver": {"runtime": "null"}, "reconciler": {"probation": "100ms", "retry_min": "50ms", "retry_max": "200ms"},
                         "zone": {"enable": True, "lan_addr": "192.168.60.1", "interval": "200ms", "dns_servers": "192.0.2.53",
                                  "peer_port": ground.free_port(), "http_port": self.http_port, **zone}}
        self.tree = make_tree(self.settings)
        self.tree.wrapper = self.space.wrapper
        self.tree.start()
        self.names = self.tree.prefix / "etc/indns_conf.d/innerstack.toml"
        self.stored = self.tree.prefix / "var/hostlet/net-keeper/network.json"

    def map(self, revision, hosts=HOSTS, **names):
        self.leader.map_network(hosts, {name: address for name, address in names.items()}, revision, bridges="10.77.0.0/16", instances="10.78.0.0/16")

    def join(self):
        self.map(1, web_0="10.78.2.3")
        self.tree.call("rpc-gateway", "ZoneInit", host_id=KEY[0], access_key="ak_{}_{}".format(*KEY), hosts=[self.leader.address])
        return self.made()

    def made(self, routes=None):
        """Waits until the kernel has the network, and returns its state."""
        def look():
            state = self.kernel.state()
            assert state and state["routes"] == (routes or ROUTES) and state["addresses"] == ["10.77.1.1/24"], (state, self.status()["problems"])
            assert state == self.kernel.state(), "it is still being made"
            return state
        return ground.wait_until(look, 60, "the network is made")

    def status(self):
        return {"problems": [], **self.tree.ctl_json("zone", "status")}

    def problems(self, *words):
        def look():
            found = self.status()["problems"]
            assert all(any(word in p for p in found) for word in words) and (words or not found), found
            return True
        ground.wait_until(look, 60, f"the problems are {words}")

    def left(self):
        """Returns what of the network exists on the machine."""
        routes = [r for r in self.space.json("-4", "route", "show", "table", "all") if r["dst"].startswith("10.7")]
        return [what for what, there in [("device", self.kernel.link()), ("routes", routes), ("table", self.nft.stands()), ("names", self.names.exists()),
                                         ("state", self.stored.exists())] if there]

    def scrape(self):
        with self.space.entered(), urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/metrics", timeout=20) as answer:
            return answer.read().decode()


@pytest.fixture
def machine(lan, make_tree, messages):
    made = Machine(lan, make_tree, messages)
    yield made
    made.leader.stop()


def test_from_the_map_to_the_kernel_and_to_the_administrator(machine):
    state = machine.join()
    assert state["entries"] == ["192.168.60.2", "192.168.60.3"]
    ground.wait_until(lambda: machine.names.exists() and "web_0.zone" in machine.names.read_text(), 20, "the names are written")
    shown = machine.tree.ctl_json("zone", "network")
    assert (shown["host_id"], shown["lan_addr"], shown["bridge_ip"], shown["underlay"]) == (KEY[0], "192.168.60.1", "10.77.1.1", "eth0")
    assert {h["id"]: h["present"] for h in shown["hosts"]} == {"aaaaaaaaaaaa": True, "bbbbbbbbbbbb": True} and not shown.get("problems")
    assert "invpc2_vxlan.10 on eth0, MTU 1450" in machine.tree.ctl("zone", "network").stdout
    assert "invpc2_vxlan.10 with 2 other machines" in machine.tree.ctl("status").stdout
    machine.problems()

    machine.map(2, {h: HOSTS[h] for h in (KEY[0], "aaaaaaaaaaaa")}, db_0="10.78.2.4")
    assert machine.made({"10.78.2.0/24": "10.77.1.2"})["entries"] == ["192.168.60.2"]
    ground.wait_until(lambda: "web_0" not in machine.names.read_text(), 20, "names that left disappear")
    # Two networks that cannot be: one has the leader in it, the other is a network of this machine. The rest is made.
    machine.space.inside("address", "add", "172.16.5.1/24", "dev", "eth0")
    machine.map(3, {**HOSTS, "cccccccccccc": ("192.168.60.4", "10.77.1.4", "192.168.60.0"),
                    "dddddddddddd": ("192.168.60.5", "10.77.1.5", "172.16.5.0")})
    machine.made()
    machine.problems("the zone host 192.168.60.254", "172.16.5.0/24")
    assert "172.16.5.0/24" in machine.tree.ctl("status").stdout
    machine.map(4)
    machine.problems()


def test_the_network_survives_restarts_without_a_leader(machine):
    before = machine.join()
    machine.leader.stop()
    for service in SERVICES:
        machine.tree.kill_service(service)
    machine.made()
    machine.tree.restart()
    assert machine.made() == before
    machine.leader.start()
    ground.wait_until(lambda: machine.status()["state"] == "joined", 30, "the leader answers")
    assert machine.made() == before


def test_a_net_keeper_that_is_down_delays_neither_orders_nor_metrics(machine):
    machine.join()
    machine.tree.ctl("service", "stop", "net-keeper")
    machine.map(2, {h: HOSTS[h] for h in (KEY[0], "aaaaaaaaaaaa")})
    one = instance("web", 1)
    one["deploy"]["replicas"][0]["host_id"] = KEY[0]
    machine.leader.order(one)
    ground.wait_until(lambda: driver_containers(machine.tree).get("i8k_web_0", {}).get("state") == "running", 40, "it runs")
    machine.problems("net-keeper")
    assert "net-keeper" in machine.tree.ctl("zone", "network", check=False).stderr
    text = machine.scrape()
    assert "hostlet_network" not in text and 'hostlet_service_state{service="net-keeper"' in text
    machine.tree.ctl("service", "start", "net-keeper")
    machine.made({"10.78.2.0/24": "10.77.1.2"})
    machine.problems()


def test_a_net_keeper_that_hangs_delays_neither_orders_nor_metrics(machine):
    machine.join()
    pid = machine.tree.pid("net-keeper")
    os.kill(pid, signal.SIGSTOP)
    try:
        machine.map(2)
        one = instance("web", 1)
        one["deploy"]["replicas"][0]["host_id"] = KEY[0]
        machine.leader.order(one)
        ground.wait_until(lambda: driver_containers(machine.tree).get("i8k_web_0", {}).get("state") == "running", 40, "it runs")
        assert "hostlet_network" not in machine.scrape()
        # Two networks are not passed at a time: the newer one waits until the reconciler has given up on the older one.
        machine.map(3, {h: HOSTS[h] for h in (KEY[0], "aaaaaaaaaaaa")})
        machine.problems("the network between the machines: ")
    finally:
        os.kill(pid, signal.SIGCONT)
    machine.made({"10.78.2.0/24": "10.77.1.2"})
    machine.problems()


def test_the_metrics_of_the_network(machine):
    machine.join()

    def look():
        found = dict(re.findall(r"^(hostlet_network_\w+(?:\{[^}]*\})?) (\S+)$", machine.scrape(), re.M))
        assert found.get("hostlet_network_peers") == "2", found
        return found
    found = ground.wait_until(look, 30, "the metrics have the network")
    assert (found["hostlet_network_device_ok"], found["hostlet_network_hosts"], found["hostlet_network_problems"]) == ("1", "2", "0")
    assert found["hostlet_network_repairs_total"] == "0" and 'hostlet_network_peer_bytes_total{host="aaaaaaaaaaaa",direction="sent"}' in found
    machine.space.inside("route", "del", "10.78.2.0/24")
    machine.made()
    ground.wait_until(lambda: 'hostlet_network_repairs_total 0\n' not in machine.scrape(), 30, "the repair is counted")


def test_an_address_that_changes_is_delivered_with_the_map_before(lan, make_tree, messages):
    """No address is configured: the gateway finds the one of the default route."""
    machine = Machine(lan, make_tree, messages, lan_addr=None)
    try:
        machine.join()
        # The leader has no newer map; nor does it answer.
        machine.leader.behave("not_ready")
        machine.space.inside("address", "del", "192.168.60.1/24", "dev", "eth0")  # with the default route
        machine.space.inside("address", "add", "192.168.60.9/24", "dev", "eth0")
        machine.space.inside("route", "add", "default", "via", "192.168.60.254")
        ground.wait_until(lambda: json.loads(machine.stored.read_text())["network"]["lan_addr"] == "192.168.60.9", 30,
                          "net-keeper has the new address")
    finally:
        machine.leader.stop()


# The end

def test_nothing_is_left_when_the_machine_has_left_the_zone(machine):
    machine.join()
    assert set(machine.left()) >= {"device", "routes", "names", "state"}
    machine.tree.ctl("zone", "leave")
    assert machine.left() == []
    assert "this machine belongs to no zone" in machine.tree.ctl("zone", "network").stdout
    machine.problems()
    machine.tree.restart()
    assert machine.left() == []
    machine.settings["zone"]["enable"] = False
    machine.tree.write_config(machine.settings)
    machine.tree.ctl("reload")
    assert machine.left() == []
    assert "net-keeper" in machine.tree.ctl("zone", "network", check=False).stderr


def test_a_zone_that_was_disabled_before_the_leave(machine):
    machine.join()
    machine.settings["zone"]["enable"] = False
    machine.tree.write_config(machine.settings)
    machine.tree.ctl("reload")
    assert "device" in machine.left(), "containers keep their network"
    with pytest.raises(CommandFailed, match=r"set \[zone\] enable = yes, then 'hostletctl reload', and repeat"):
        machine.tree.ctl("zone", "leave")
    machine.settings["zone"]["enable"] = True
    machine.tree.write_config(machine.settings)
    machine.tree.ctl("reload")
    machine.tree.ctl("zone", "leave")
    assert machine.left() == []


def test_what_is_left_while_net_keeper_is_down_is_said_and_removed_later(machine):
    machine.join()
    machine.tree.ctl("service", "stop", "net-keeper")
    with pytest.raises(CommandFailed, match="the zone's network is not removed yet: .*net-keeper"):
        machine.tree.ctl("zone", "leave")
    assert "device" in machine.left() and machine.status()["state"] == "none"
    machine.tree.ctl("service", "start", "net-keeper")
    ground.wait_until(lambda: machine.left() == [], 60, "the rest is removed without a request")
    machine.tree.ctl("zone", "leave")


def test_a_machine_that_returns_to_its_zone_gets_the_network_again(machine):
    machine.join()
    machine.tree.ctl("zone", "leave")
    machine.join()
    machine.problems()


@pytest.mark.failpoints
@pytest.mark.parametrize("service, point", [("rpc-gateway", "zone.left"), ("net-keeper", "network.saved"), ("net-keeper", "network.removed")])
def test_a_leave_that_is_killed_leaves_nothing(machine, service, point):
    """Whichever process is killed at a step of the leave, what runs next removes the rest."""
    machine.join()
    machine.tree.stop()
    machine.tree.start(failpoint=f"{point}:kill")
    machine.made()
    with contextlib.suppress(CommandFailed):
        machine.tree.ctl("zone", "leave")
    ground.wait_until(lambda: machine.tree.failpoint_taken(point), 20, "the process is killed there")
    ground.wait_until(lambda: machine.left() == [], 60, "nothing is left")
    machine.tree.ctl("zone", "leave")
    assert machine.status()["state"] == "none"


# The original agent's device

@contextlib.contextmanager
def removals(space, place):
    """Watches the kernel's notifications. Returns a function for the lines about removed links, addresses, routes and entries."""
    log = place / "monitor"
    with log.open("wb") as file:
        watching = [subprocess.Popen([*space.wrapper, *command], stdout=file) for command in (["ip", "monitor", "link", "address", "route"],
                                                                                             ["bridge", "monitor", "fdb"])]
    try:
        # A notice that is known to come shows that both watch.
        space.inside("link", "add", "probe", "type", "bridge")
        space.inside("link", "delete", "probe")
        ground.wait_until(lambda: "Deleted" in log.read_text() and "probe" in log.read_text(), 20, "the kernel's notices are seen")
        yield lambda: [line for line in log.read_text().splitlines() if line.startswith("Deleted") and "probe" not in line]
    finally:
        for process in watching:
            process.terminate()
            process.wait(20)


def test_the_device_of_a_running_original_is_taken_over_unchanged(lan, make_tree, messages, place):
    """The original made the device, one entry and one route; containers use them while hostlet takes the machine over."""
    machine = Machine(lan, make_tree, messages)
    space = machine.space
    try:
        space.inside("link", "add", "invpc2_vxlan.10", "mtu", "1500", "type", "vxlan", "id", "10", "dstport", "8472", "nolearning", "dev", "eth0")
        space.inside("link", "set", "invpc2_vxlan.10", "mtu", "1450")  # as the kernel makes it of 1500 on this device
        space.inside("address", "add", "10.77.1.1/24", "dev", "invpc2_vxlan.10")
        space.inside("link", "set", "invpc2_vxlan.10", "up")
        space.bridge("fdb", "add", "00:00:00:00:00:00", "dev", "invpc2_vxlan.10", "dst", "192.168.60.2", "self", "static")
        space.inside("route", "add", "10.78.2.0/24", "via", "10.77.1.2", "dev", "invpc2_vxlan.10")
        before = machine.kernel.state()
        # A membership without a map, and its end, are none of the device's business.
        machine.tree.call("rpc-gateway", "ZoneInit", host_id=KEY[0], access_key="ak_{}_{}".format(*KEY), hosts=["192.168.60.77:9533"])
        machine.tree.ctl("zone", "leave")
        assert machine.kernel.state() == before
        with removals(space, place) as removed:
            after = machine.join()
        assert (after["link"][:5], after["addresses"]) == (before["link"][:5], before["addresses"])
        assert after["entries"] == ["192.168.60.2", "192.168.60.3"] and after["routes"] == ROUTES
        # The containers' packets are IPv4 alone; IPv6 is turned off on the device, which removes the kernel's own addresses of it.
        assert not [line for line in removed() if "fe80::" not in line and "ff00::" not in line]
        for service in SERVICES:
            machine.tree.kill_service(service)
        machine.map(2)
        again = machine.made()
        assert again == {**after, "link": again["link"]} and again["link"][:5] == after["link"][:5]
        machine.tree.ctl("zone", "leave")
        assert machine.left() == []
    finally:
        machine.leader.stop()
