"""Tests rpc-gateway's rounds with a zone: hostile leaders, what of a response is delivered, what is reported."""

import time

import pytest
from lib import zone_proto
from lib.certificates import Certificates
from lib.ground import free_port, wait_until
from lib.zone import instance
from lib.zone_proto import KEY
from lib.zone_member import LAN, World

pytestmark = pytest.mark.sanitized


@pytest.fixture(scope="session")
def messages(session_place):
    return zone_proto.Messages(session_place / "messages-member")


@pytest.fixture
def make_world(place, messages):
    worlds = []

    def make(**zone):
        worlds.append(World(place, messages, **zone))
        return worlds[-1]
    yield make
    for world in worlds:
        world.close()
        assert "Sanitizer" not in world.worker.log() and "runtime error" not in world.worker.log()


@pytest.fixture
def world(make_world):
    return make_world()


@pytest.fixture
def member(world):
    """Provides a member of a zone with one leader."""
    world.init(world.leader().address)
    world.wait_state("joined")
    return world


# Rounds

def test_updates_are_sent_every_three_seconds(make_world):
    world = make_world(interval=None)
    leader = world.leader()
    world.init(leader.address)
    leader.wait_updates(1)
    begun = time.monotonic()
    leader.wait_updates(2)
    assert 5.5 < time.monotonic() - begun < 11


def test_the_contents_of_an_update(member):
    update = member.leaders[0].wait_updates(1)
    assert update["host"] == {"id": KEY[0], "peer_addr": f"{LAN}:{member.peer_port}"}
    status = update["status"]
    assert status["host_id"] == KEY[0] and status["lan_addr"] == LAN and int(status["disk_total_bytes"]) > 0
    assert abs(int(status["updated"]) - time.time()) < 10
    assert member.status()["leader"] == member.leaders[0].address and member.status()["round_trip_usec"] > 0


def test_zone_hosts_are_tried_in_turn(world):
    """The first host does not listen, the second is no leader: the gateway finds the third at once and stores it."""
    follower, leader = world.leader("not_ready"), world.leader()
    dead = f"127.0.0.1:{free_port()}"
    begun = time.monotonic()
    world.init(dead, follower.address, leader.address)
    world.wait_state("joined")
    assert time.monotonic() - begun < 4
    assert world.file()["leader"] == leader.address and follower.count() == 1
    world.worker.stop()
    world.worker.start()
    world.wait_state("joined")
    assert follower.count() == 1  # the leader was asked first
    leader.behave("not_ready")
    follower.behave("normal")
    wait_until(lambda: world.status().get("leader") == follower.address, 20, "the new leader is followed")
    assert world.status()["state"] == "joined"


def test_a_former_zone_host_is_skipped(world):
    """After any response the next host is asked: the address may belong to another server by now."""
    other, leader = world.leader("not_of_the_zone"), world.leader()
    world.init(other.address, leader.address)
    world.wait_state("joined")
    assert other.count() == 1 and world.file()["leader"] == leader.address


def test_a_zone_that_speaks_tls(make_world, place):
    certificates = Certificates(place / "tls")
    world = make_world(**certificates.settings)
    leader = world.leader(credentials=certificates.server())
    world.init(leader.address)
    world.wait_state("joined")


def test_a_zone_with_an_untrusted_certificate(make_world, place):
    world = make_world(**Certificates(place / "tls").settings)
    leader = world.leader(credentials=Certificates(place / "other").server())
    world.init(leader.address)
    wait_until(lambda: "certificate" in world.status().get("reason", ""), 15, "the problem is reported")
    assert leader.count() == 0


def test_a_zone_that_starts(member):
    leader = member.leaders[0]
    leader.behave("not_ready")
    assert "zonelet leader not ready" in member.wait_state("lost")["reason"]
    leader.behave("normal")
    member.wait_state("joined")


def test_a_leader_that_is_slow_or_silent(member):
    leader = member.leaders[0]
    leader.behave("slow")
    leader.wait_updates(2)
    assert member.status()["state"] == "joined"
    leader.behave("silent")
    member.wait_state("lost")
    begun = time.monotonic()
    for _ in range(20):
        member.status()
    assert time.monotonic() - begun < 2  # no local call waits for it
    leader.behave("normal")
    leader.release.set()
    member.wait_state("joined", timeout=40)


def test_a_leader_that_sends_goaway_and_restarts(member):
    leader = member.leaders[0]
    leader.server.stop(5).wait()  # GOAWAY; running calls can end
    member.wait_state("lost")
    leader.start()
    member.wait_state("joined", timeout=40)


def test_a_clock_that_is_behind(member):
    leader = member.leaders[0]
    leader.clock = 120
    reason = member.wait_state("lost")["reason"]
    assert "access-token expired" in reason and "clock" in reason
    leader.clock = 0
    member.wait_state("joined", timeout=40)
    leader.behave("refused")
    reason = member.wait_state("lost")["reason"]
    assert "verify denied" in reason and "clock" not in reason


@pytest.mark.parametrize("network, is_there", [("10.200.3.0/24", True), ("10.200.3.128/25", False), ("10.200.0.0/16", True)])
def test_a_zone_host_is_in_the_network_that_the_zone_gave(world, network, is_there):
    """Once the network exists, the host is no longer reachable; the reconciler gets the problem and reports it to the zone."""
    leader = world.leader()
    leader.vpc = ("192.168.10.3", network)
    world.init(leader.address, "10.200.3.9:9533")
    world.wait_state("joined")
    facts = wait_until(lambda: next((f for f in reversed(world.reconciler.facts()) if "vpc_instance_cidr" in f), None), 10,
                       "the network is delivered")
    assert facts["vpc_instance_cidr"] == network
    assert ("10.200.3.9:9533 is in it" in facts.get("vpc_problem", "")) == is_there
    assert any("10.200.3.9:9533" in p for p in world.status().get("problems", [])) == is_there


def test_network_facts_of_the_leader_are_stored(member):
    leader = member.leaders[0]
    leader.vpc = ("192.168.10.3", "10.10.3.0/24")
    leader.network = member.messages.zone.ZoneNetworkMap(vpc_network_domain="zone.test", revision=3)
    wait_until(lambda: member.status().get("network_domain") == "zone.test", 10, "the domain is set")
    assert {k: member.file()[k] for k in ("vpc_bridge_ip", "vpc_instance_cidr", "network_domain")} == {
        "vpc_bridge_ip": "192.168.10.3", "vpc_instance_cidr": "10.10.3.0/24", "network_domain": "zone.test"}
    facts = wait_until(lambda: next((f for f in reversed(member.reconciler.facts()) if f.get("base_domain")), None), 10,
                       "the reconciler has the facts")
    assert facts == {"host_id": KEY[0], "lan_addr": LAN, "base_domain": "zone.test", "vpc_bridge_ip": "192.168.10.3",
                     "vpc_instance_cidr": "10.10.3.0/24",
                     "status_url": f"http://{LAN}:{member.worker.port}/in/api/v2/hostlet/inagent/status"}
    leader.vpc = ("nonsense", "10.10.3.0/99")
    leader.network = member.messages.zone.ZoneNetworkMap(vpc_network_domain="a b", revision=9)
    leader.wait_updates(2)
    assert (member.file()["vpc_bridge_ip"], member.file()["vpc_instance_cidr"]) == ("192.168.10.3", "10.10.3.0/24")
    assert member.file()["network_domain"] == "zone.test"
    told = len(member.reconciler.facts())
    leader.wait_updates(2)
    assert len(member.reconciler.facts()) == told  # equal facts are delivered once


# Desired state

def delivered(member, *names):
    """Orders these instances, and waits until they are delivered and listed."""
    member.leaders[0].order(*(instance(name) for name in names))
    wait_until(lambda: member.reconciler.lists()[-1:] == [list(names)], 15, f"{names} are delivered")


def test_only_changed_instances_are_delivered(member):
    leader, reconciler = member.leaders[0], member.reconciler
    delivered(member, "web", "db")
    assert reconciler.put_names() == ["web", "db"]
    first = reconciler.known["web"]
    assert "status" not in first and "stages" not in first["deploy"] and first["deploy"]["memory_limit"] == 64 << 20
    leader.wait_updates(2)
    assert reconciler.put_names() == ["web", "db"] and reconciler.lists().count(["web", "db"]) == 1
    # The echo of this host's reports is no change; a new revision is.
    web, db = leader.orders
    web["deploy"]["stages"] = {"name": "deploy", "stages": [{"name": "image_pull", "state": "running"}]}
    web["status"] = {"id": "y"}
    leader.order(web, db)
    leader.wait_updates(2)
    assert reconciler.put_names() == ["web", "db"]
    db["deploy"]["revision"] = 2
    leader.order(web, db)
    wait_until(lambda: reconciler.put_names() == ["web", "db", "db"], 10, "the new revision is delivered")
    assert member.status()["assigned"] == 2 and "waiting" not in member.status()


def test_absence_is_delivered_and_is_no_order(member):
    delivered(member, "web", "db")
    member.leaders[0].order(instance("web"))
    wait_until(lambda: member.reconciler.lists()[-1:] == [["web"]], 10, "the list is delivered")
    assert member.reconciler.put_names() == ["web", "db"]


@pytest.mark.parametrize("behaviour, word", [("bad_utf8", "is no UTF-8 text"), ("bomb", "nested too deeply"),
                                             ("number", "beyond 2^63-1")])
def test_a_malformed_instance_blocks_no_other(member, behaviour, word):
    """The others are delivered all the same, but the response proves no absence."""
    leader, reconciler = member.leaders[0], member.reconciler
    delivered(member, "web", "db")
    leader.behave(behaviour)
    leader.order(instance("web", revision=2))
    wait_until(lambda: reconciler.put_names() == ["web", "db", "web"], 10, "the good one is delivered")
    leader.wait_updates(2)
    assert reconciler.lists()[-1] == ["web", "db"] and member.status()["state"] == "joined"
    assert any(word in problem for problem in member.status()["problems"])
    assert member.worker.log().count(word) == 1  # logged once, shown for as long as it is so
    leader.behave("normal")
    wait_until(lambda: reconciler.lists()[-1] == ["web"], 10, "the list counts again")
    wait_until(lambda: "problems" not in member.status(), 10, "no problem is left")


@pytest.mark.parametrize("behaviour", ["truncated", "malformed"])
def test_a_malformed_response_changes_nothing(member, behaviour):
    delivered(member, "web", "db")
    member.leaders[0].behave(behaviour)
    assert "malformed" in member.wait_state("lost")["reason"]
    assert member.reconciler.lists()[-1] == ["web", "db"]


def test_responses_of_24_mib(member):
    """The response is accepted, but an instance of that size is not, and the list still names it."""
    leader, reconciler = member.leaders[0], member.reconciler
    leader.order(instance("web"))
    leader.behave("huge")
    wait_until(lambda: ["web", "huge"] in reconciler.lists(), 60, "it is delivered")
    assert reconciler.put_names() == ["web"] and member.status()["state"] == "joined"
    assert member.status()["problems"] == ["instance huge: has more than 8 MiB or 100000 values: not taken"]
    leader.behave("too_huge")
    assert "at most 25165824 are taken" in member.wait_state("lost", timeout=30)["reason"]
    leader.behave("normal")
    member.wait_state("joined", timeout=40)


@pytest.mark.parametrize("spec", [
    {"description": "x" * (9 << 20)}, {"service_ports": [{"name": f"p{n}", "port": n % 60000 + 1} for n in range(100_000)]},
], ids=["bytes", "values"])
def test_an_oversized_instance_of_this_host_is_reported(member, spec):
    """The reconciler gets its name all the same, so that the zone gets the reason why it is not deployed."""
    leader, reconciler = member.leaders[0], member.reconciler
    one = instance("large", 7, spec=spec)
    for replica in one["deploy"]["replicas"]:
        replica["host_id"] = KEY[0]
    leader.order(one)
    wait_until(lambda: ["large"] in reconciler.lists(), 60, "it is listed")
    told = [p for p in reconciler.called("PutZoneState") if "instance" in p]
    assert len(told) == 1 and "more than 8 MiB" in told[0]["refused"]
    assert told[0]["instance"]["meta"] == {"name": "large"} and told[0]["instance"]["deploy"]["revision"] == 7
    assert "spec" not in told[0]["instance"] and len(str(told[0])) < 10000
    leader.wait_updates(3)
    assert reconciler.put_names() == ["large"]


@pytest.mark.limit(240)
def test_5000_instances(member):
    leader, reconciler = member.leaders[0], member.reconciler
    many = [instance(f"app{i}") for i in range(5000)]
    leader.order(*many)
    wait_until(lambda: any(len(names) == 5000 for names in reconciler.lists()), 150, "all are delivered")
    assert len(reconciler.put_names()) == 5000
    many[1234]["deploy"]["revision"] = 2
    leader.order(*many)
    wait_until(lambda: len(reconciler.put_names()) == 5001, 30, "the one that changed is delivered")
    assert reconciler.put_names()[-1] == "app1234"


def test_a_reconciler_that_refuses_or_is_stopped(member):
    leader, reconciler = member.leaders[0], member.reconciler
    reconciler.refuse["bad"] = ("Refused", "/instance/meta/name: strange")
    reconciler.refuse["later"] = ("RetryLater", "not now")
    reconciler.refuse["unsaved"] = ("Failed", "cannot write instances/unsaved.json: Input/output error")
    leader.order(instance("bad"), instance("later"), instance("unsaved"), instance("web"))
    tries = lambda name: reconciler.put_names().count(name)  # noqa: E731
    wait_until(lambda: tries("later") > 2 and tries("unsaved") > 2, 20, "the failed report is retried")
    assert tries("bad") == 1 and tries("web") == 1  # a refusal is final; an instance that fails delays no other
    everyone = ["bad", "later", "unsaved", "web"]
    assert everyone not in map(sorted, reconciler.lists())
    del reconciler.refuse["later"], reconciler.refuse["unsaved"]
    wait_until(lambda: [sorted(names) for names in reconciler.lists()[-1:]] == [everyone], 20, "all are reported")
    wait_until(lambda: not any("Input/output" in problem for problem in member.status()["problems"]), 20, "the instance was accepted in the end")
    assert any("strange" in problem for problem in member.status()["problems"])


def test_a_response_is_delivered_after_the_leader_exits(member):
    """An instance that the reconciler did not accept at first is delivered later, also without a leader."""
    leader, reconciler = member.leaders[0], member.reconciler
    reconciler.refuse["web"] = ("RetryLater", "not now")
    leader.order(instance("web"))
    wait_until(lambda: reconciler.put_names(), 10, "the delivery is attempted")
    leader.stop()
    member.wait_state("lost")
    del reconciler.refuse["web"]
    wait_until(lambda: reconciler.lists()[-1:] == [["web"]], 20, "it is delivered")


def test_a_reconciler_that_has_lost_an_instance(member):
    reconciler = member.reconciler
    delivered(member, "web", "db")
    del reconciler.known["db"]
    reconciler.break_watches()
    wait_until(lambda: reconciler.put_names() == ["web", "db", "db"], 30, "it is delivered again")


# Stages

def test_stages_are_reported_once_and_whole(member):
    leader, reconciler = member.leaders[0], member.reconciler
    reconciler.tell("own", {"image_pull": "running"}, origin="local")
    reconciler.tell("web", {"image_pull": "running"})
    wait_until(leader.reports, 10, "it is reported")
    leader.wait_updates(2)
    assert leader.reports() == [{"instance_name": "web", "stages": [
        {"name": "image_pull", "owner": "hostlet", "revision": "1", "state": "running", "created": "1000"}]}]
    assert not leader.reports("own")
    reconciler.tell("web", {"image_pull": "success", "provision": "running"})
    wait_until(lambda: len(leader.reports()) == 2, 10, "the change is reported")
    assert [s["name"] for s in leader.reports()[-1]["stages"]] == ["image_pull", "provision"]
    reconciler.tell("web", {})
    wait_until(lambda: len(leader.reports()) == 3, 10, "the empty list is reported")
    assert leader.reports()[-1] == {"instance_name": "web"}


def test_a_failed_report_is_sent_again(member):
    leader = member.leaders[0]
    leader.behave("not_ready")
    member.wait_state("lost")
    member.reconciler.tell("web", {"image_pull": "running"})
    wait_until(lambda: len(leader.reports()) >= 2, 30, "the report is sent repeatedly")
    assert member.status()["reports_due"] == 1
    leader.behave("normal")
    member.wait_state("joined", timeout=40)
    count = len(leader.reports())
    leader.wait_updates(2)
    assert len(leader.reports()) <= count + 1 and "reports_due" not in member.status()


def test_changes_during_a_call_are_sent_by_the_next(member):
    leader = member.leaders[0]
    leader.behave("slow")
    leader.seconds = 2
    leader.wait_updates(1)  # one call is in progress
    member.reconciler.tell("web", {"image_pull": "running"})
    wait_until(leader.reports, 15, "it is reported")
    member.reconciler.tell("web", {"image_pull": "success"})  # while that call is in progress
    leader.wait_updates(1)
    assert [r["stages"][0]["state"] for r in leader.reports()] == ["running", "success"]


def test_another_leader_gets_everything(world):
    first, second = world.leader(), world.leader("not_ready")
    world.init(first.address, second.address)
    world.wait_state("joined")
    world.reconciler.tell("web", {"image_pull": "success"})
    wait_until(first.reports, 10, "the first has it")
    first.behave("not_ready")
    second.behave("normal")
    wait_until(second.reports, 30, "the second has it")


def test_a_restarted_gateway_sends_all_stages(member):
    leader = member.leaders[0]
    member.reconciler.tell("web", {"image_pull": "success"})
    wait_until(leader.reports, 10, "it is reported")
    member.worker.kill()
    member.worker.start()
    wait_until(lambda: len(leader.reports()) == 2, 15, "it is reported again")


# The end

def test_leaving_the_zone_unassigns_all_instances(member):
    delivered(member, "web")
    member.call("ZoneLeave")
    wait_until(lambda: member.reconciler.lists()[-1] == [], 10, "nothing is assigned")
    assert member.status()["state"] == "none"
    member.call("ZoneLeave")
