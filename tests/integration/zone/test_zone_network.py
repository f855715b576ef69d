"""Tests the range that a zone assigns to this machine for its containers when the machine uses it otherwise: in a network
namespace, with a real Docker in it."""

import contextlib

import pytest
from lib import images
from lib.dockerd import Dockerd
from lib.namespace import Namespace
from lib.varlink import VarlinkError
from lib.zone import HOST, Vpc, ZoneApp, join

TASK = {"tasks": [{"name": "main", "on_startup": True, "script": "exec sleep 1000"}]}
BRIDGE_NAME = "invpc2_docker"


@pytest.fixture(scope="module")
def machine(session_place):
    """A namespace with a LAN of 192.168.50.0/24, its gateway and a Docker daemon; 'machine.docker', and ip(8) commands."""
    made = Namespace("hostlet-vpc")
    daemon = Dockerd(session_place / "vpc-docker", made.wrapper)
    daemon.place.mkdir()
    made.inside("address", "add", "192.168.50.7/24", "dev", "uplink")
    made.inside("link", "set", "uplink", "up")
    made.ip("-n", made.name + "-far", "link", "set", "far", "up")
    made.inside("route", "add", "default", "via", "192.168.50.1")
    try:
        daemon.start()
        images.load_busybox(daemon.engine)
        made.docker = daemon
        yield made
    finally:
        daemon.stop()
        made.remove()


@contextlib.contextmanager
def kept(machine, *words):
    """Adds what 'ip WORDS' adds, for the duration of the context."""
    machine.inside(*words)
    try:
        yield
    finally:
        machine.inside(*["del" if word == "add" else word for word in words])


@pytest.fixture
def zone_tree(make_tree, machine, request):
    tree = make_tree({"container-driver": {"runtime": "docker", "docker_socket": str(machine.docker.socket)},
                      "reconciler": {"probation": "100ms", "retry_min": "100ms", "retry_max": "200ms"}})
    tree.wrapper = machine.wrapper
    tree.start()
    yield tree
    tree.stop()
    machine.docker.remove_containers()
    Vpc.remove(machine.docker.engine)


def address_in(cidr, number=2):
    prefix, _, last = cidr.partition("/")[0].rpartition(".")
    return f"{prefix}.{int(last) + number}"


def order(app, cidr, revision=1, number=2):
    join(app.tree, vpc_instance_cidr=cidr)
    app.put(revision, image=images.BUSYBOX, spec=TASK, replica={"vpc_ipv4": address_in(cidr, number)})


def routes(machine):
    return machine.inside("-4", "route", "show", "table", "all")


def refused(app, *words):
    """host_recv contains the reason, and no network was made."""
    def said(shown):
        stage = {s["name"]: s for s in shown["replicas"][0].get("stages", [])}.get("host_recv", {})
        return stage.get("state") == "failed" and all(word in stage["message"] for word in words) and shown
    shown = app.wait(said, f"host_recv contains {words}")
    assert not [s for s in shown["replicas"][0]["stages"] if s["name"].startswith("container_")]
    return shown


def refuses(machine, tree, cidr, *words):
    app = ZoneApp(tree)
    before = routes(machine)
    order(app, cidr)
    refused(app, cidr, *words)
    assert Vpc.subnet(machine.docker.engine) is None and routes(machine) == before
    assert all(word in app.tree.ctl("app", "web").stdout for word in words)
    # A caller that asks the driver itself is refused too.
    for _ in range(2):
        with pytest.raises(VarlinkError) as caught:
            tree.call("container-driver", "Create", instance="web", replica_id=0, revision=1, config="x", image=images.BUSYBOX,
                      host_id=HOST, init="inagent", vpc_ipv4=address_in(cidr), vpc_cidr=cidr)
        assert caught.value.name == "io.hostlet.Refused" and all(word in str(caught.value) for word in words)
    assert Vpc.subnet(machine.docker.engine) is None and routes(machine) == before


def test_the_address_of_the_gateway_is_not_used(machine, zone_tree):
    """A /30 beside the LAN: Docker's bridge would get the gateway's address."""
    refuses(machine, zone_tree, "192.168.50.0/30", "192.168.50.0/24", "uplink")


@pytest.mark.parametrize("cidr, words", [
    ("192.168.50.0/24", ["192.168.50.0/24", "uplink"]),  # the same
    ("192.168.50.128/25", ["192.168.50.0/24", "uplink"]),
    ("192.168.0.0/16", ["192.168.50.0/24", "uplink"]),  # around it
    ("192.168.0.0/15", ["not a private network"]),  # half of it is public addresses of the internet
    ("203.0.113.0/24", ["not a private network"]),
])
def test_ranges_beside_the_lan(machine, zone_tree, cidr, words):
    app = ZoneApp(zone_tree)
    before = routes(machine)
    order(app, cidr)
    refused(app, *words)
    assert Vpc.subnet(machine.docker.engine) is None and routes(machine) == before


@pytest.mark.parametrize("made, cidr, words", [
    (["address", "add", "10.1.2.3/8", "dev", "uplink"], "10.9.0.0/16", ["10.0.0.0/8", "uplink"]),  # a LAN around it
    (["address", "add", "10.9.3.3/32", "dev", "lo"], "10.9.0.0/16", ["10.9.3.3", "lo"]),
    (["address", "add", "10.8.0.1", "peer", "10.9.0.1", "dev", "uplink"], "10.9.0.0/16", ["10.9.0.1", "uplink"]),
    (["address", "add", "10.9.0.1", "peer", "10.8.0.1", "dev", "uplink"], "10.9.0.0/16", ["10.9.0.1", "uplink"]),
    (["route", "add", "10.9.7.7/32", "via", "192.168.50.9"], "10.9.0.0/16", ["10.9.7.7", "uplink"]),
    (["route", "add", "10.9.0.0/16", "via", "192.168.50.9"], "10.9.0.0/16", ["10.9.0.0/16", "uplink"]),
    (["route", "add", "10.9.7.0/24", "via", "192.168.50.9", "table", "77"], "10.9.0.0/16", ["10.9.7.0/24", "uplink"]),
    (["route", "add", "blackhole", "10.9.7.0/24"], "10.9.0.0/16", ["10.9.7.0/24"]),
    (["route", "add", "local", "10.0.0.0/8", "dev", "lo"], "10.9.0.0/16", ["10.0.0.0/8", "lo"]),
    (["route", "add", "10.20.0.0/16", "via", "10.9.0.1", "dev", "uplink", "onlink"], "10.9.0.0/16", ["10.9.0.1", "gateway"]),
    (["route", "add", "10.20.0.0/16", "nexthop", "via", "192.168.50.9", "dev", "uplink", "nexthop", "via", "10.9.0.1", "dev", "uplink", "onlink"],
     "10.9.0.0/16", ["10.9.0.1", "gateway"]),
], ids=["lan", "loopback", "peer", "point", "host", "same", "table", "blackhole", "local", "onlink", "multipath"])
def test_ranges_in_use_by_the_machine_are_refused(machine, zone_tree, made, cidr, words):
    with kept(machine, *made):
        refuses(machine, zone_tree, cidr, *words)


def test_the_range_of_a_bridge_that_is_down_is_refused(machine, zone_tree):
    with kept(machine, "link", "add", "idle", "type", "bridge"):
        machine.inside("address", "add", "10.9.0.1/16", "dev", "idle")
        refuses(machine, zone_tree, "10.9.4.0/24", "10.9.0.0/16", "idle")


def test_the_range_of_another_network_of_docker_is_refused(machine, zone_tree):
    """No container uses that network, so its bridge is down."""
    machine.docker.engine.request("POST", "/networks/create", {"Name": "theirs", "IPAM": {"Config": [{"Subnet": "10.9.0.0/16"}]}})
    try:
        refuses(machine, zone_tree, "10.9.4.0/24", "10.9.0.0/16", "br-")
    finally:
        machine.docker.engine.request("DELETE", "/networks/theirs")


@pytest.mark.parametrize("made, warned", [
    (["route", "add", "10.0.0.0/8", "via", "192.168.50.9"], "10.9.0.0/24 is within 10.0.0.0/8"),  # broader: logged
    (["route", "add", "10.9.1.0/24", "via", "192.168.50.9"], None),  # beside it
    (["route", "add", "0.0.0.0/1", "via", "192.168.50.9"], "within 0.0.0.0/1"),  # a default route in two halves
    (["link", "add", "invpc2_vxlan.10", "type", "vxlan", "id", "10", "dstport", "8472", "nolearning", "dev", "uplink"], None),
], ids=["broader", "beside", "half", "vxlan"])
def test_routes_and_devices_that_refuse_no_range(machine, zone_tree, made, warned):
    with kept(machine, *made):
        if "vxlan" in made:  # the original agent's, with a route to the range that this tree now has
            machine.inside("address", "add", "192.168.10.3/24", "dev", "invpc2_vxlan.10")
            machine.inside("link", "set", "invpc2_vxlan.10", "up")
            machine.inside("route", "add", "10.9.0.0/24", "via", "192.168.10.4", "dev", "invpc2_vxlan.10", "metric", "50")
        app = ZoneApp(zone_tree)
        order(app, "10.9.0.0/24")
        app.running()
        assert Vpc.subnet(machine.docker.engine) == "10.9.0.0/24"
        assert app.stages()["host_recv"]["state"] == "success"
        assert not warned or warned in zone_tree.log()


def test_the_existing_network_of_the_tree_is_kept(machine, zone_tree):
    """After a restart, and when a LAN later overlaps its range, the network stays, and the overlap is logged."""
    app = ZoneApp(zone_tree)
    order(app, "10.9.0.0/24")
    app.running()
    before = machine.docker.engine.request("GET", f"/networks/{BRIDGE_NAME}")["Id"]
    zone_tree.stop()
    zone_tree.start()
    order(app, "10.9.0.0/24", 2)
    app.running(2)
    with kept(machine, "address", "add", "10.9.0.77/16", "dev", "uplink"):
        order(app, "10.9.0.0/24", 3)
        app.running(3)
        assert "exists already, and is kept" in zone_tree.log() and "10.9.0.0/16 on uplink" in zone_tree.log()
    assert machine.docker.engine.request("GET", f"/networks/{BRIDGE_NAME}")["Id"] == before


def test_a_range_that_the_zone_changes(machine, zone_tree):
    """Changes to a range that is refused: running instances continue in the old network. A range within or around the old one is
    the tree's own bridge and no conflict."""
    app = ZoneApp(zone_tree)
    order(app, "10.9.4.0/24")
    app.running()
    before = machine.docker.engine.inspect("i8k_web_0")
    order(app, "192.168.50.0/24", 2, number=9)
    refused(app, "192.168.50.0/24", "uplink")
    order(app, "192.168.50.0/24", 3, number=10)
    refused(app, "192.168.50.0/24", "uplink")
    now = machine.docker.engine.inspect("i8k_web_0")
    assert (now["Id"], now["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"]) and now["State"]["Running"]
    assert Vpc.subnet(machine.docker.engine) == "10.9.4.0/24"
    # Destroyed, and no container uses the network in between: it is recreated.
    app.put(4, "destroy", image=images.BUSYBOX, spec=TASK)
    app.destroyed()
    order(app, "10.9.0.0/16", 5)
    app.running(5)
    assert Vpc.subnet(machine.docker.engine) == "10.9.0.0/16"


def test_a_refused_instance_continues_when_the_range_is_free(machine, zone_tree):
    app = ZoneApp(zone_tree)
    with kept(machine, "address", "add", "10.9.3.3/32", "dev", "lo"):
        order(app, "10.9.0.0/16")
        refused(app, "10.9.3.3")
    app.running()
    assert app.stages()["host_recv"]["state"] == "success"


def test_instances_without_an_address_are_unaffected(machine, zone_tree):
    """An instance without an address in the network does not need the network."""
    app, other = ZoneApp(zone_tree), ZoneApp(zone_tree, "other")
    order(app, "192.168.50.0/30")
    other.put(1, image=images.BUSYBOX, spec=TASK)
    other.running()
    refused(app, "uplink")
    # The zone removes the address.
    app.put(2, image=images.BUSYBOX, spec=TASK)
    app.running(2)


def test_a_problem_reported_by_the_gateway_refuses_the_range(machine, zone_tree):
    """The problem is that of rpc-gateway: a zone host is in the range."""
    app, cidr = ZoneApp(zone_tree), "10.9.0.0/24"
    join(zone_tree, vpc_instance_cidr=cidr, vpc_problem="the zone host 10.9.0.9 is in it")
    app.put(1, image=images.BUSYBOX, spec=TASK, replica={"vpc_ipv4": address_in(cidr)})
    refused(app, "the zone host 10.9.0.9 is in it")
    assert Vpc.subnet(machine.docker.engine) is None
    join(zone_tree, vpc_instance_cidr=cidr)
    app.running()
    with pytest.raises(VarlinkError):
        join(zone_tree, vpc_instance_cidr=cidr, vpc_problem="a\nb")


def test_the_driver_checks_a_range(machine, zone_tree):
    ask = lambda cidr: zone_tree.call("container-driver", "CheckNetwork", cidr=cidr)
    assert ask("10.9.0.0/24") == {}
    assert "uplink" in ask("192.168.50.0/30")["problem"]
    for cidr in ("10.9.0.0", "10.9.0.1/24", "10.0.0.0/7", "172.16.0.0/11", "192.168.0.0/13", "8.8.8.0/24", "x/24", ""):
        assert "network" in ask(cidr)["problem"], cidr
    assert ask("172.16.0.0/12") == {}
