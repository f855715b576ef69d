"""Tests the origin of an instance, zone or local, and the effect of the zone's orders: numbers, actions, holds, absence."""

import signal

import pytest
from lib import ground
from lib.apps import App, driver_containers, manifest
from lib.varlink import VarlinkError
from lib.zone import HOST, OTHER_HOST, ZoneApp, assign, facts, instance, join


pytestmark = pytest.mark.sanitized


@pytest.fixture
def zone_tree(make_tree):
    """A tree with simulated containers that belongs to a zone."""
    def make(**reconciler):
        tree = make_tree({"container-driver": {"runtime": "null"},
                          "reconciler": {"probation": "100ms", "retry_min": "50ms", "retry_max": "200ms", **reconciler}}).start()
        join(tree)
        return tree
    return make


@pytest.fixture
def app(zone_tree):
    return ZoneApp(zone_tree())


def container(app, number=0):
    return driver_containers(app.tree).get(app.container(number))


def refused(call, *arguments, **parameters):
    with pytest.raises(VarlinkError) as caught:
        call(*arguments, **parameters)
    assert caught.value.name == "io.hostlet.Refused"
    return caught.value.parameters["reason"]


# Facts

def test_facts_are_kept_and_shown(zone_tree):
    tree = zone_tree()
    assert tree.call("reconciler", "Info")["zone"] == facts()
    assert tree.call("reconciler", "Info")["host_id"] == HOST
    assert join(tree) == {"changed": False}
    tree.restart()
    assert tree.call("reconciler", "Info")["host_id"] == HOST
    assert join(tree) == {"changed": False}
    assert join(tree, base_domain="other.test") == {"changed": True}
    assert "base_domain" not in (join(tree, base_domain=None) and tree.call("reconciler", "Info")["zone"])


@pytest.mark.parametrize(("member", "value"), [
    ("host_id", "xyz"), ("host_id", "0123456789abcdef0"), ("lan_addr", "localhost"), ("vpc_bridge_ip", "192.168.10.3/24"),
    ("vpc_instance_cidr", "10.10.3.0"), ("vpc_instance_cidr", "10.10.3.0/33"), ("status_url", "http://a b"),
    ("base_domain", "x" * 300)])
def test_invalid_facts_are_refused(null_tree, member, value):
    assert f"/facts/{member}" in refused(join, null_tree, **{member: value})
    assert "zone" not in null_tree.call("reconciler", "Info")


def test_an_instance_before_any_facts_is_refused(null_tree):
    assert "facts" in refused(ZoneApp(null_tree).put)


# Orders and their numbers

def test_an_order_deploys_and_an_equal_one_does_nothing(app):
    assert app.put(5) == {"changed": True, "managed": True}
    said = app.running()
    assert (said["origin"], said["revision"], said["action"]) == ("zone", 5, "start")
    made = container(app)
    assert (made["revision"], made["cpu_limit"], made["memory_limit"]) == (5, 100, 64 << 20)
    assert app.put(5) == {"changed": False, "managed": True}
    assert container(app)["id"] == made["id"]
    # The leader echoes this host's own reports: they are no change.
    echo = instance(revision=5, deploy={"stages": {"name": "deploy", "stages": [{"name": "host_recv", "state": "success"}]}})
    assert app.tree.call("reconciler", "PutZoneState", instance=echo) == {"changed": False, "managed": True}


def test_a_higher_number_switches(app):
    app.put(5)
    app.running()
    before = container(app)["id"]
    app.put(6)
    app.running(6)
    assert container(app)["id"] != before
    assert app.replica_file()["app"]["deploy"]["revision"] == 6


def test_changes_without_a_new_container_are_written_into_its_file(app):
    app.put(5)
    app.running()
    before = container(app)["id"]
    depends = [{"spec_name": "db", "instance_name": "db1", "configs": [{"name": "user", "value": "x"}],
                "replicas": [{"id": 1, "host_id": "aaaaaaaaaaaa", "vpc_ipv4": "10.1.1.3"}]}]
    assert app.put(5, deploy={"depends": depends})["changed"]
    ground.wait_until(lambda: app.replica_file()["app"]["deploy"].get("depends") == depends, 10, "the file has it")
    app.running()
    assert container(app)["id"] == before
    assert app.replica_file()["replica"]["state"] == "starting"


@pytest.mark.parametrize("change", [{"image": "app:2"}, {"ports": {80: 20080}}])
def test_image_and_ports_recreate_under_an_equal_number_too(app, change):
    app.put(5)
    app.running()
    before = container(app)["id"]
    app.put(5, **change)
    ground.wait_until(lambda: (container(app) or {"id": before})["id"] != before, 20, "another container")
    app.running()
    assert container(app)["image"] == change.get("image", "app:1")


def test_limits_change_the_running_container_under_an_equal_number(app):
    app.put(5)
    app.running()
    before = container(app)
    for memory, cpu in (((64 << 20) + 300000, 100), (128 << 20, 150), (32 << 20, 0)):
        assert app.put(5, deploy={"memory_limit": memory, "cpu_limit": cpu}, spec={"resources": {}})["changed"]
        ground.wait_until(lambda: app.replica_file()["app"]["deploy"]["memory_limit"] == memory, 10, "the file has it")
        app.running()
        assert (container(app)["memory_limit"], container(app).get("cpu_limit", 0)) == (memory, cpu)
    assert (container(app)["id"], container(app)["started_at"]) == (before["id"], before["started_at"])
    app.put(6, deploy={"memory_limit": 16 << 20})  # a new number recreates, as the contract says
    app.running(6)
    assert container(app)["id"] != before["id"] and container(app)["memory_limit"] == 16 << 20


def test_a_lower_number_clears_stages_and_recreates_nothing(app):
    app.put(5)
    app.running()
    before = container(app)["id"]
    app.put(3)
    said = app.wait(lambda i: i["settled"] and i["revision"] == 3, "it has the lower number")
    assert container(app)["id"] == before
    assert {s["revision"] for r in said["replicas"] for s in r["stages"]} == {3}
    ground.wait_until(lambda: app.replica_file()["app"]["deploy"]["revision"] == 3, 10, "the file has the lower number")
    # A number above the last order's that is not above the running one recreates nothing; a number above both does.
    app.put(4)
    app.wait(lambda i: i["settled"] and i["revision"] == 4, "it has the next number")
    assert container(app)["id"] == before
    app.put(6)
    app.wait(lambda i: i["settled"] and i["replicas"][0]["state"] == "running" and i["replicas"][0]["revision"] == 6, "it is switched")
    assert container(app)["id"] != before


def test_a_switch_that_failed_waits_for_a_new_order(app):
    app.put(5)
    app.running()
    app.put(6, image="null/exit-3")
    app.wait(lambda i: i["settled"] and i["failed"] and i["replicas"][0].get("revision") == 5, "the replica runs again")
    assert app.put(6, image="null/exit-3") == {"changed": False, "managed": True}
    assert app.stages()["container_running"]["state"] == "failed"
    app.put(7)
    app.running(7)


def test_orders_survive_a_restart_without_a_leader(app):
    app.put(5)
    app.running()
    stages = app.replica()["stages"]
    before = container(app)["id"]
    app.tree.kill()
    app.tree.start()
    app.running()
    assert container(app)["id"] == before
    assert app.replica()["stages"] == stages
    app.put(6, action="stop")
    app.stopped()
    app.tree.restart()
    assert app.stopped()["revision"] == 6


# Actions

def test_stop_start_and_destroy_have_numbers_of_their_own(app):
    app.put(5)
    app.running()
    app.put(6, action="stop")
    app.stopped()
    assert sorted(app.stages()) == ["container_stop", "host_recv"]
    assert app.stages()["container_stop"]["state"] == "success" and app.stages()["container_stop"]["revision"] == 6
    app.put(7)
    app.running(7)
    app.put(8, action="destroy")
    app.destroyed()
    assert app.stages()["container_destroy"]["state"] == "success"
    assert not driver_containers(app.tree)
    # The record stays, so that the zone gets reports, until the zone no longer has the instance.
    app.tree.restart()
    assert app.destroyed()["revision"] == 8
    assign(app.tree)
    app.gone()
    assert assign(app.tree) == {"changed": False}


def test_stop_and_destroy_of_an_undeployed_instance_succeed(app):
    app.put(1, action="stop")
    app.wait(lambda i: i["settled"] and app.stages().get("container_stop", {}).get("state") == "success", "it is stopped")
    app.put(2, action="destroy")
    app.destroyed()
    assert app.stages()["container_destroy"]["state"] == "success"
    app.put(3)
    app.running(3)


def test_an_unknown_action_is_shown_and_changes_nothing(app):
    app.put(5)
    app.running()
    before = container(app)
    said = app.put(6, action="defragment", image="app:2")
    assert said["changed"] and "defragment" in said["problem"]
    shown = app.settled()
    assert shown["failed"] and "defragment" in shown["problem"] and shown["revision"] == 6
    assert container(app)["id"] == before["id"] and container(app)["state"] == "running"
    assert list(app.stages()) == ["host_recv"] and app.stages()["host_recv"]["state"] == "failed"
    assert app.put(6, action="defragment", image="app:2")["changed"] is False
    app.tree.restart()
    assert "defragment" in app.settled()["problem"]
    app.put(7)
    assert "problem" not in app.running(7)


def test_an_unknown_action_of_an_unknown_instance_does_nothing(app):
    app.put(1, action="dance")
    assert app.settled()["action"] == "none"
    assert not driver_containers(app.tree)
    app.put(2)
    app.running(2)


@pytest.mark.parametrize("broken", [
    {"image": "in valid"}, {"spec": {"resources": None}}, {"deploy": {"memory_limit": -1}}, {"replicas": (0, 0)},
    {"replicas": (128,)}, {"spec": {"packages": [{"name": "../up"}]}}, {"ports": {80: 70000}}, {"replica": {"vpc_ipv4": "1.2.3"}},
    {"revision": -1}])
def test_malformed_orders_are_shown_and_reported(app, broken):
    app.put(5)
    app.running()
    before = container(app)["id"]
    said = app.put(**{"revision": 6, **broken})
    assert said["changed"] and said["problem"]
    assert app.settled()["problem"] == said["problem"]
    assert container(app)["id"] == before
    assert app.stages()["host_recv"]["state"] == "failed" and app.stages()["host_recv"]["message"] == said["problem"]
    # The same for an instance that never existed.
    other = ZoneApp(app.tree, "other")
    other.put(**{"revision": 6, **broken})
    assert other.settled()["problem"] == said["problem"]
    other.put(7)
    other.running(7)


def test_invalid_names_are_refused(app):
    for name in ("a", "UPPER", "../x", "x" * 64):
        assert "/instance/meta/name" in refused(ZoneApp(app.tree, name).put)


# The origin

def test_replicas_of_other_hosts_are_not_deployed(app):
    app.put(1, replicas=(1,), elsewhere=(0, 2))
    said = app.running()
    assert [r["id"] for r in said["replicas"]] == [1]
    assert list(driver_containers(app.tree)) == ["i8k_web_1"]
    assert len(app.replica_file(1)["app"]["deploy"]["replicas"]) == 3
    other = ZoneApp(app.tree, "other")
    assert other.put(1, replicas=(), elsewhere=(0,)) == {"changed": False}
    assert other.get() is None


def test_a_replica_that_moved_to_another_host_is_kept(app):
    app.put(1, replicas=(0, 1))
    app.running()
    before = {n: container(app, n)["id"] for n in (0, 1)}
    app.put(2, replicas=(0,), elsewhere=(1,))
    app.wait(lambda i: i["settled"] and i["replicas"][0].get("revision") == 2, "replica 0 is switched")
    assert container(app, 0)["id"] != before[0] and container(app, 1)["id"] == before[1]
    assert app.replica(1)["unassigned"] and not app.replica(0).get("unassigned")


def test_a_replica_that_moved_to_another_host_delays_no_other(app):
    app.put(1, replicas=(0, 1, 2))
    app.running()
    before = container(app, 0)["id"]
    app.put(2, replicas=(1, 2), elsewhere=(0,))
    app.wait(lambda i: i["settled"] and [r.get("revision") for r in i["replicas"]] == [1, 2, 2], "the others are switched")
    assert container(app, 0)["id"] == before and "failed" not in {s["state"] for s in app.stages(1).values()}
    # The zone has it again, under the same number.
    app.put(2, replicas=(0, 1, 2))
    app.running(2)


def test_local_orders_for_a_zones_instance_are_refused(app):
    app.put(1)
    app.running()
    before = container(app)["id"]
    for order in (app.start, app.stop, app.destroy):
        assert "belongs to the zone" in refused(order)
    assert "belongs to the zone" in refused(app.apply, manifest(image="app:1"))
    assert "belongs to the zone" in app.plan(manifest(image="app:1"))["refusals"][0]
    assert app.running() and container(app)["id"] == before


def test_a_hold_stores_orders_without_executing_them(app):
    app.put(1)
    app.running()
    before = container(app)["id"]
    app.hold("changing the disk")
    assert app.get()["hold"] == "changing the disk"
    said = app.put(2)
    assert said["changed"] and "changing the disk" in said["problem"]
    assert app.put(2)["changed"] is False
    app.stop()
    app.stopped()
    app.tree.restart()
    assert app.stopped()["hold"] == "changing the disk"
    app.start()
    app.running(1)
    assert container(app)["id"] == before
    app.destroy()
    app.destroyed()
    app.start()
    app.running(1)
    assert "belongs to the zone" in refused(app.apply, manifest(image="app:1"))
    app.release()
    said = app.running(2)
    assert "hold" not in said and "problem" not in said
    assert app.release()["changed"] is False
    assert "belongs to the zone" in refused(app.stop)


def test_a_release_without_a_new_order_executes_the_last_one(app):
    app.put(1)
    app.running()
    app.hold()
    app.stop()
    app.stopped()
    app.release()
    app.running(1)


def test_a_release_after_a_destruction_deploys_again(app):
    app.put(1)
    app.running()
    app.hold()
    app.destroy()
    app.destroyed()
    app.put(1, deploy={"configs": [{"name": "a", "value": "b"}]})
    app.release()
    app.running(1)
    assert app.replica_file()["app"]["deploy"]["configs"] == [{"name": "a", "value": "b"}]
    assert "bytes" in app.replica()["quota"] or "not enforced" in app.replica()["quota"]


def test_only_instances_of_the_zone_can_be_held(app):
    with pytest.raises(VarlinkError, match="NotFound"):
        app.hold()
    own = App(app.tree, "own")
    own.deploy(manifest("own", image="app:1"))
    assert "this machine's own" in refused(ZoneApp(app.tree, "own").hold)


def test_a_clash_of_names_is_shown_reported_and_ends(app):
    own = App(app.tree)
    own.deploy(manifest(image="own:1"))
    before = container(app)["id"]
    said = app.put(9, replicas=(0,), elsewhere=(1,))
    assert said["managed"] and "has the name 'web'" in said["problem"]
    assert app.put(9, replicas=(0,), elsewhere=(1,))["changed"] is False
    shown = own.running()
    assert shown["origin"] == "local" and shown["problem"] == said["problem"]
    [report] = shown["clash"]
    [stage] = report["stages"]
    assert (report["replica_id"], stage["name"], stage["state"], stage["revision"]) == (0, "host_recv", "failed", 9)
    assert stage["created"] == stage["finished"] and stage["message"] == said["problem"]
    assert container(app)["id"] == before
    app.tree.restart()
    assert own.running()["clash"] == shown["clash"]
    assert assign(app.tree, "web") == {"changed": False}
    # The local instance is destroyed: the zone's replaces it without being sent again.
    own.destroy()
    app.wait(lambda i: i and i["origin"] == "zone" and i["settled"], "the zone's instance replaces it")
    assert app.running(9)["origin"] == "zone"


def test_a_clash_ends_when_the_zone_drops_the_name(app):
    own = App(app.tree)
    own.deploy(manifest(image="own:1"))
    app.put(9)
    assert own.get()["clash"]
    assert assign(app.tree)["changed"]
    assert "clash" not in own.get() and "problem" not in own.get()


# Absence

def test_absence_is_no_order(app):
    app.put(1)
    app.running()
    before = container(app)["id"]
    assert assign(app.tree, "web") == {"changed": False}
    assert assign(app.tree, "other", "a-b", "other") == {"changed": True, "unknown": ["a-b", "other"]}
    assert assign(app.tree, "web", "web", "web")["changed"]
    assign(app.tree, "other")
    said = app.running()
    assert said["unassigned"] and container(app)["id"] == before
    app.tree.restart()
    assert app.running()["unassigned"]
    assert assign(app.tree, "web")["changed"]
    assert "unassigned" not in app.running()
    assign(app.tree)
    assert app.put(1)["changed"] and "unassigned" not in app.running()
    assert container(app)["id"] == before


def test_local_instances_need_no_assignment(app):
    own = App(app.tree, "own")
    own.deploy(manifest("own", image="app:1"))
    assert assign(app.tree) == {"changed": False}
    assert "unassigned" not in own.running()


@pytest.mark.parametrize("policy", ["stop", "destroy"])
def test_absence_can_be_configured_as_an_order(zone_tree, policy):
    tree = zone_tree(unassigned=policy)
    app, other = ZoneApp(tree), ZoneApp(tree, "other")
    app.put(1)
    other.put(1, replicas=(0, 1))
    app.running()
    other.running()
    assign(tree, "other")
    if policy == "stop":
        app.wait(lambda i: i["settled"] and i["replicas"][0]["state"] == "stopped", "it is stopped")
        assign(tree, "web", "other")
        app.running(1)
    else:
        app.gone()
        assert app.container() not in driver_containers(tree)
        assert assign(tree, "web", "other")["unknown"] == ["web"]
    other.put(2, replicas=(0,), elsewhere=(1,))
    other.wait(lambda i: i["settled"] and i["replicas"][0].get("revision") == 2 and (
        len(i["replicas"]) == 1 if policy == "destroy" else i["replicas"][1]["state"] == "stopped"), "its other replica too")


def test_the_host_id_is_the_zones(app):
    own = App(app.tree, "own")
    own.deploy(manifest("own", image="app:1"))
    app.put(1)
    app.running()
    assert app.replica_file()["replica"]["host_id"] == HOST
    assert own.replica_file()["replica"]["host_id"] not in (HOST, "")
    # Another zone, later: instances of the first zone are no longer assigned, and keep running.
    before = container(app)["id"]
    join(app.tree, host_id="aaaabbbbcccc")
    app.wait(lambda i: i["settled"] and i["replicas"][0].get("unassigned"), "its replica is another host's")
    assert container(app)["id"] == before
    # An instance of another host can be assigned to this one.
    app.put(2, replicas=(), elsewhere=(0,))
    join(app.tree, host_id=OTHER_HOST)
    app.put(2, replicas=(), elsewhere=(0,))
    app.wait(lambda i: i["settled"] and not i.get("unassigned") and i["replicas"][0].get("revision") == 2, "the instance belongs to this tree")
    app.put(3, replicas=(1,), elsewhere=(0,))
    app.wait(lambda i: i["settled"] and i["replicas"][0].get("revision") == 3, "it is switched")
    join(app.tree)
    app.wait(lambda i: i["settled"] and [r.get("revision") for r in i["replicas"]] == [3, 3], "the other replica is created")
    assert app.replica(0)["unassigned"] and not app.replica(1).get("unassigned")


def test_a_kill_at_any_time_loses_no_order(app):
    for number in range(1, 6):
        app.put(number, image=f"app:{number}")
        app.tree.kill_service("reconciler", signal.SIGKILL)
        said = app.running(number)
        assert said["image"] == f"app:{number}"
    ground.wait_until(lambda: [r["revision"] for r in app.record()["revisions"]] == [5], 10, "earlier revisions are released")
