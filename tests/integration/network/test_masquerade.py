"""Tests which source address the packets of containers have: for the zone's other machines their own, for the world this
machine's. Two machines in network namespaces, each with a real Docker daemon whose packet filter is on."""

import shutil
import socket
import subprocess

import pytest
from lib import ground
from lib.netns import Lan
from lib.vpc_machine import PORT, VpcMachine, World, network_of
from lib.zone import Vpc

WORLD = "192.168.60.99"


@pytest.fixture(scope="module")
def zone(session_place):
    """Machines a and b, and the world."""
    with Lan("hostlet-masq") as lan:
        place = session_place / "masquerade"
        place.mkdir()
        lan.world = World(lan, WORLD)
        lan.a, lan.b = (VpcMachine(lan, number, place) for number in (1, 2))
        try:
            lan.a.start()
            lan.b.start()
            yield lan
        finally:
            lan.a.stop()
            lan.b.stop()


@pytest.fixture
def trees(zone):
    """Both machines have a tree that knows the zone's network."""
    for machine in (zone.a, zone.b):
        shutil.rmtree(machine.place / "tree", ignore_errors=True)
        machine.start_tree()
        machine.put_network([zone.a, zone.b])
    yield zone
    for machine in (zone.a, zone.b):
        machine.remove_all()


def options(machine):
    return machine.engine.request("GET", "/networks/invpc2_docker")["Options"]


def reaches(zone, source):
    """Machine a's container reaches machine b's container, which sees 'source', and the world, which sees machine a."""
    ground.wait_until(lambda: zone.a.asks(zone.b.container()) == source, 20, f"the other machine sees {source}")
    ground.wait_until(lambda: zone.a.asks(WORLD) == zone.a.address, 20, "the world sees the machine")


def test_peers_see_the_container_and_the_world_sees_the_machine(trees):
    a, b, world = trees.a, trees.b, trees.world
    outside = 20080
    a.app()
    b.app(port=outside)
    for machine in (a, b):
        assert options(machine) == {"com.docker.network.driver.mtu": "1450", "com.docker.network.bridge.enable_ip_masquerade": "false"}
    reaches(trees, a.container())
    assert "mtu 1450" in a.engine.execute("i8k_web_0", "ip", "link", "show", "eth0")[1]
    # Docker has set the policy DROP. Published ports are reached, by the container's address and by the machine's.
    assert "-P FORWARD DROP" in subprocess.run([*b.namespace.wrapper, "iptables", "-S", "FORWARD"], capture_output=True, text=True,
                                               check=True).stdout
    assert WORLD in world.asks(b.address, outside)
    assert a.asks(b.address, outside) == a.address  # not the zone's network, so that it is masqueraded
    assert b.asks(b.address, outside)  # its own port by the machine's address
    full_size(trees)
    with a.tree.connect("net-keeper") as connection:
        counted = {h["host"]["id"]: h["host"] for h in connection.stream("io.hostlet.NetKeeper.List") if "host" in h}
    assert counted[b.id]["sent_packets"] > 3 and counted[b.id]["received_bytes"] > 150


def full_size(zone):
    """A segment that fills the MTU crosses in one packet with DF set, without encapsulated packets being fragmented."""
    target = int(zone.a.engine.inspect("i8k_web_0")["State"]["Pid"])
    with zone.b.namespace.entered():
        sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        sniffer.bind(("eth0", 0x0800))
    sniffer.settimeout(20)
    with network_of(target), socket.create_connection((zone.b.container(), PORT), 10) as connection:
        size = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        connection.sendall(b"x" * size)
        while True:
            outer = sniffer.recv(65536)
            inner = outer[50:]  # IPv4, UDP, VXLAN and Ethernet
            if outer[9] == socket.IPPROTO_UDP and len(inner) >= 1450:
                break
    sniffer.close()
    assert (len(outer), len(inner)) == (1500, 1450)
    assert inner[6] & 0x40 and not outer[6] & 0x20  # don't fragment; no more fragments
    assert socket.inet_ntoa(inner[12:16]) == zone.a.container()


def test_containers_keep_the_world_while_net_keeper_is_down(trees):
    trees.a.app()
    trees.b.app(port=20080)
    trees.a.tree.ctl("service", "stop", "net-keeper")
    reaches(trees, trees.a.container())


def test_a_firewall_that_removes_all_rules_and_a_restart_of_docker(trees):
    a = trees.a
    a.app()
    trees.b.app(port=20080)
    reaches(trees, a.container())
    first = a.nft.handle()
    a.docker.restart()
    a.tree.ctl("service", "restart", "container-driver")
    reaches(trees, a.container())
    assert a.nft.handle() == first
    try:
        a.nft.run("flush", "ruleset")
        reaches(trees, a.container())
        assert a.nft.handle() != first
    finally:
        a.docker.restart()  # which brings its own rules back
    reaches(trees, a.container())


def test_a_network_that_exists_stays_as_it_is(trees):
    """As the original agent makes it: Docker masquerades, and peers see the machine's address in the zone."""
    a = trees.a
    ask = lambda: a.tree.call("container-driver", "CheckNetwork", cidr=a.cidr)
    assert ask() == {}
    made = a.engine.request("POST", "/networks/create", {"Name": "invpc2_docker", "IPAM": {"Config": [{"Subnet": a.cidr}]}})["Id"]
    assert ask()["network"] == {"mtu": 1500, "masquerades": True, "closed": False}
    app = a.app()
    trees.b.app(port=20080)
    reaches(trees, a.bridge)
    assert a.engine.request("GET", "/networks/invpc2_docker")["Id"] == made
    # It is made anew as container-driver(8) says.
    app.hold()
    app.destroy()
    app.destroyed()
    a.engine.request("DELETE", "/networks/invpc2_docker")
    app.release()
    app.running()
    assert a.tree.call("container-driver", "CheckNetwork", cidr=a.cidr)["network"] == {"mtu": 1450, "masquerades": False, "closed": False}
    reaches(trees, a.container())


def test_the_network_is_not_made_before_net_keeper_replies(trees):
    a = trees.a
    a.tree.ctl("service", "stop", "net-keeper")
    app = a.app(wait=False)
    app.wait(lambda i: "cannot be made before net-keeper replies" in i["replicas"][0].get("message", "")
             or any("cannot be made before net-keeper replies" in s.get("message", "") for s in i["replicas"][0].get("stages", [])),
             "the reason is shown")
    assert Vpc.subnet(a.engine) is None
    a.tree.ctl("service", "start", "net-keeper")
    app.running()
    assert options(a)["com.docker.network.bridge.enable_ip_masquerade"] == "false"


def test_without_a_network_of_the_zone_docker_masquerades(trees):
    a = trees.a
    a.tree.call("net-keeper", "SetNetwork")
    a.app()
    assert "com.docker.network.bridge.enable_ip_masquerade" not in options(a)
    assert "Docker masquerades what leaves it" in a.tree.log()


def test_name_servers_of_the_zone(trees):
    a = trees.a
    a.tree.stop()
    a.start_tree({"zone": {"dns_servers": "192.168.60.53 192.168.60.54"}, "container-driver": {"dns_servers": "192.0.2.1"}})
    a.put_network([a, trees.b])
    a.app()
    assert a.engine.inspect("i8k_web_0")["HostConfig"]["Dns"] == ["192.168.60.53", "192.168.60.54"]
    before = a.engine.inspect("i8k_web_0")["Id"]
    # Other name servers are for new containers.
    a.tree.stop()
    a.start_tree({"zone": {"dns_servers": "192.168.60.55"}})
    a.put_network([a, trees.b])
    app = a.app()
    assert a.engine.inspect("i8k_web_0")["Id"] == before
    app.hold()
    assert a.engine.inspect("i8k_web_0")["Id"] == before
