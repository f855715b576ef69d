"""Tests how the map of the zone's network gets from the leader to the reconciler: what is delivered and when, hostile maps, and
the end of a membership. The reconciler is a fake."""

import contextlib
import re
import threading
from pathlib import Path

import pytest
from lib import ground, zone_proto
from lib.fakes import Hangup, Refusal
from lib.leader import number
from lib.tree import VARIANT
from lib.varlink import Closed
from lib.zone import instance
from lib.zone_member import LAN, World, field
from lib.zone_proto import KEY

pytestmark = pytest.mark.sanitized

HOSTS = {KEY[0]: (LAN, "192.168.10.3", "10.10.3.0"), "aaaaaaaaaaaa": ("192.168.77.8", "192.168.10.4", "10.10.4.0")}
VPC = ("192.168.10.3", "10.10.3.0/24")
NETWORK = {"host_id": KEY[0], "lan_addr": LAN, "bridge_ip": VPC[0], "instance_cidr": VPC[1], "vpc_bridge_cidr": "192.168.0.0/16",
           "vpc_instance_cidr": "10.10.0.0/16", "domain": "zone",
           "hosts": [{"id": KEY[0], "peer": LAN, "bridge": "192.168.10.3", "instance": "10.10.3.0/24"},
                     {"id": "aaaaaaaaaaaa", "peer": "192.168.77.8", "bridge": "192.168.10.4", "instance": "10.10.4.0/24"}],
           "records": [{"name": "web_0", "address": "10.10.3.3"}]}


@pytest.fixture(scope="session")
def messages(session_place):
    return zone_proto.Messages(session_place / "messages-map")


@pytest.fixture
def world(place, messages):
    made = World(place, messages)
    yield made
    made.close()
    assert "Sanitizer" not in made.worker.log() and "runtime error" not in made.worker.log()


@pytest.fixture
def leader(world):
    made = world.leader()
    made.vpc = VPC
    made.map_network(HOSTS, {"web_0": "10.10.3.3"}, revision=5)
    return made


def delivered(world, count, timeout=20):
    """Waits for so many deliveries in all, and returns the last."""
    return ground.wait_until(lambda: len(world.reconciler.networks()) >= count and world.reconciler.networks(), timeout,
                             f"{count} deliveries of a network")[-1]


def join(world, leader, count=2):
    """Joins the zone, and waits for the network, which follows the delivery that there is none."""
    ground.wait_until(lambda: world.reconciler.networks() == [None], 20, "at first there is no network")
    world.init(leader.address)
    return delivered(world, count)


def nothing_more(world, leader, count):
    leader.wait_updates(3)
    assert len(world.reconciler.networks()) == count, world.reconciler.networks()


def problems(world, *words, timeout=20):
    def look():
        found = world.status().get("problems", [])
        assert all(any(word in p for p in found) for word in words) and (words or not found), found
        return True
    ground.wait_until(look, timeout, f"the problems are {words}")


# What is delivered, and when

def test_the_map_is_delivered_once_with_the_machine_s_own_addresses(world, leader):
    assert join(world, leader) == NETWORK
    nothing_more(world, leader, 2)
    # Two leaders may send one map in different orders of its entries; the number decides.
    leader.map_network(dict(reversed(HOSTS.items())), {"db_0": "10.10.3.9"}, revision=5)
    nothing_more(world, leader, 2)
    leader.map_network(HOSTS, {"db_0": "10.10.3.9"}, revision=4)
    nothing_more(world, leader, 2)
    leader.map_network(HOSTS, {"db_0": "10.10.3.9"}, revision=6)
    assert delivered(world, 3) == {**NETWORK, "records": [{"name": "db_0", "address": "10.10.3.9"}]}
    nothing_more(world, leader, 3)


def test_after_a_restart_the_map_is_delivered_once_whatever_its_number(world, leader):
    join(world, leader)
    leader.map_network(HOSTS, {"web_0": "10.10.3.3"}, revision=1)
    world.worker.stop()
    world.worker.start()
    assert delivered(world, 3) == NETWORK
    nothing_more(world, leader, 3)


def test_another_leader_numbers_its_maps_itself(world, leader):
    other = world.leader("not_ready")
    other.vpc = VPC
    other.map_network(HOSTS, {"db_0": "10.10.3.9"}, revision=1)
    ground.wait_until(lambda: world.reconciler.networks() == [None], 20, "at first there is no network")
    world.init(leader.address, other.address)
    delivered(world, 2)
    leader.behave("not_ready")
    other.behave()
    assert delivered(world, 3)["records"] == [{"name": "db_0", "address": "10.10.3.9"}]


def test_what_a_response_says_of_this_machine_is_delivered_with_the_map_before(world, leader):
    join(world, leader)
    leader.vpc = ("192.168.10.33", "10.10.33.0/24")
    assert delivered(world, 3) == {**NETWORK, "bridge_ip": "192.168.10.33", "instance_cidr": "10.10.33.0/24"}
    leader.network = None
    leader.vpc = VPC
    assert delivered(world, 4) == NETWORK


def test_nothing_is_delivered_before_everything_is_known(world, leader):
    leader.vpc = ("", "")
    world.init(leader.address)
    leader.wait_updates(3)
    assert world.reconciler.networks() in ([], [None])
    count = len(world.reconciler.networks())
    leader.vpc = VPC
    assert delivered(world, count + 1) == NETWORK


# Hostile maps

def raw(leader, data):
    """Sends these bytes as the map."""
    leader.network = None
    leader.hooks["HostStatusUpdate"] = lambda *_: leader._status_update(None, None).SerializeToString() + field(6, data)


def names_field(name, address="10.10.3.3"):
    return field(7, b"\x0d" + number(address).to_bytes(4, "little") + field(2, name))


@pytest.mark.parametrize("data, words", [
    (names_field(b"a\xff\xfe"), "is no UTF-8 text"),
    (b"\x40\x09" + b"\x2a\x05\x01", "malformed"),
    (names_field(b"web") * 70_000, "ignored"),
    (b"".join(field(7, b"\x0d" + i.to_bytes(4, "little") + b"\x12\x01a") for i in range(1_000_000)), "ignored"),
], ids=["text", "cut", "same", "million"])
def test_a_map_that_cannot_be_read_changes_nothing(world, leader, data, words):
    join(world, leader)
    leader.order(instance("web", 1))
    raw(leader, b"\x40\x63" + data)
    problems(world, "the leader's map of the network is ignored", words if words != "ignored" else "")
    ground.wait_until(lambda: "web" in world.reconciler.put_names(), 20, "the instance is delivered all the same")
    assert len(world.reconciler.networks()) == 2
    leader.behave()
    leader.map_network(HOSTS, {"web_0": "10.10.3.4"}, revision=6)
    assert delivered(world, 3)["records"][0]["address"] == "10.10.3.4"
    problems(world)


def test_wrong_parts_are_left_out_and_shown(world, leader):
    host = leader.address.partition(":")[0]
    leader.map_network({**HOSTS, "no host": ("192.168.77.9", "192.168.10.5", "10.10.5.0"),
                        "bbbbbbbbbbbb": ("192.168.77.9", "192.168.10.6", host.rpartition(".")[0] + ".0")},
                       {"web_0": "10.10.3.3", 'a"\n[[records]]': "10.10.3.4"}, revision=5, bridges="none")
    network = join(world, leader)
    assert network == {k: v for k, v in NETWORK.items() if k != "vpc_bridge_cidr"}
    problems(world, "the host at 192.168.10.5 has no valid id", f"contains the zone host {host}", "1 name, the first that of 10.10.3.4",
             "its vpc_bridge_cidr is not valid")
    leader.map_network(HOSTS, {"web_0": "10.10.3.3"}, revision=6)
    assert delivered(world, 3) == NETWORK
    problems(world)


def test_a_vxlan_network_that_contains_a_zone_host_is_not_delivered(world, leader):
    leader.vpc = ("127.0.0.77", VPC[1])
    world.init(leader.address)
    problems(world, "is in 127.0.0.77/24, the network of the VXLAN device")
    leader.wait_updates(1)
    assert all(n is None for n in world.reconciler.networks())
    leader.vpc = VPC
    ground.wait_until(lambda: world.reconciler.networks()[-1] == NETWORK, 20, "it is delivered")
    problems(world)


def resident(world):
    """Returns the gateway's resident bytes."""
    status = Path(f"/proc/{world.worker.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) << 10


@pytest.mark.skipif(VARIANT == "sanitized", reason="ASan keeps freed memory")
def test_the_largest_map_is_delivered_and_not_kept_twice(world, leader):
    join(world, leader)
    names = {f"{'a' * 120}{i}": f"10.10.{i >> 8}.{i & 255}" for i in range(65_536)}
    before = resident(world)
    leader.map_network(HOSTS, names, revision=6)
    assert len(delivered(world, 3, 60)["records"]) == 65_536
    ground.wait_until(lambda: resident(world) - before < 40 << 20, 30, "its memory is given back")


# A reconciler, or a net-keeper behind it, that does not accept it

def test_instances_do_not_wait_for_a_network_that_is_not_accepted(world, leader):
    def down():
        raise Refusal("ServiceDown", "net-keeper is stopped")
    join(world, leader)
    world.reconciler.network_answer = down
    leader.map_network(HOSTS, {"web_0": "10.10.3.3"}, revision=6)
    leader.order(instance("web", 1))
    ground.wait_until(lambda: "web" in world.reconciler.put_names(), 20, "the instance is delivered")
    problems(world, "net-keeper is stopped")
    assert delivered(world, 5) == NETWORK, "it is retried"
    world.reconciler.network_answer = None
    problems(world)
    count = len(world.reconciler.networks())
    nothing_more(world, leader, count)


def test_a_refused_network_is_not_repeated_until_it_changes(world, leader):
    def refuse():
        raise Refusal("Refused", "/network/hosts/0: no")
    join(world, leader)
    world.reconciler.network_answer = refuse
    leader.map_network(HOSTS, {"db_0": "10.10.3.9"}, revision=6)
    problems(world, "/network/hosts/0: no")
    nothing_more(world, leader, 3)
    world.reconciler.network_answer = None
    leader.map_network(HOSTS, {"db_0": "10.10.3.8"}, revision=7)
    delivered(world, 4)
    problems(world)


def test_a_reconciler_that_crashes_gets_the_network_again(world, leader):
    def crash():
        world.reconciler.network_answer = None
        raise Hangup
    join(world, leader, 2)
    world.reconciler.network_answer = crash
    leader.map_network(HOSTS, {"db_0": "10.10.3.9"}, revision=6)
    delivered(world, 3)
    leader.map_network(HOSTS, {"web_0": "10.10.3.3"}, revision=7)
    ground.wait_until(lambda: world.reconciler.networks()[-1] == NETWORK, 20, "it is delivered")
    problems(world)


# The end of a membership

def test_leaving_replies_when_the_network_is_removed(world, leader):
    join(world, leader)
    assert world.call("ZoneLeave") == {}
    assert world.reconciler.networks()[2:] == [None]
    assert world.call("ZoneLeave") == {}, "it can be repeated"


def test_leaving_states_what_is_left_and_goes_on_removing_it(world, leader):
    def down():
        raise Refusal("RetryLater", "net-keeper does not answer")
    join(world, leader)
    world.reconciler.network_answer = down
    assert world.call("ZoneLeave")["left"] == ["net-keeper does not answer"]
    assert world.status()["state"] == "none" and not (world.worker.prefix / "var/hostlet/zone/zone.json").exists()
    problems(world, "net-keeper does not answer")
    assert delivered(world, 5) is None, "it is retried"
    world.reconciler.network_answer = None
    problems(world)
    world.reconciler.network_answer = lambda: {"changed": True, "network_problems": ["the device is busy"]}
    assert world.call("ZoneLeave")["left"] == ["the device is busy"]


def test_a_gateway_that_is_killed_while_it_leaves_removes_the_network_afterwards(world, leader):
    def never():
        ground.wait_until(lambda: world.worker.process.poll() is not None, 30, "the gateway is killed")
        raise Hangup

    def leave():
        with contextlib.suppress(Closed):
            world.call("ZoneLeave")
    join(world, leader)
    world.reconciler.network_answer = never
    leaving = threading.Thread(target=leave)
    leaving.start()
    ground.wait_until(lambda: len(world.reconciler.networks()) == 3, 20, "the removal begins")
    world.worker.kill()
    leaving.join(20)
    world.reconciler.network_answer = None
    world.worker.start()
    assert delivered(world, 4) is None
    assert world.status()["state"] == "none"


def test_a_machine_that_joins_another_zone_gets_its_network(world, leader):
    join(world, leader)
    world.call("ZoneLeave")
    leader.map_network(HOSTS, {"db_0": "10.10.3.9"}, revision=1)
    world.init(leader.address)
    assert delivered(world, 4)["records"] == [{"name": "db_0", "address": "10.10.3.9"}]
