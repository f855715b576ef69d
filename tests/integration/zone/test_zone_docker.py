"""Tests a zone's containers on the real Docker: their network and address, lxcfs, containers adopted from the original agent."""

import json
import shutil

import pytest
from lib import cgroups, ground, images
from lib.zone import HOST, Vpc, ZoneApp, instance, join

PROBATION = {"probation": "200ms", "retry_min": "100ms", "retry_max": "300ms"}
TASK = {"tasks": [{"name": "main", "on_startup": True, "script": "exec sleep 1000"}]}


@pytest.fixture
def zone_tree(make_tree, docker_settings, vpc):
    def make(settings=None, **reconciler):
        tree = make_tree({**docker_settings, "reconciler": {**PROBATION, **reconciler}})
        tree.settings["container-driver"] = {**tree.settings["container-driver"], **(settings or {})}
        tree.start()
        join(tree, vpc_instance_cidr=vpc.cidr)
        return tree
    return make


def put(app, revision=1, action="start", address=None, image=images.BUSYBOX, spec=None, **options):
    return app.put(revision, action, image, spec={**TASK, **(spec or {})},
                   **({"replica": {"vpc_ipv4": address}} if address else {}), **options)


def address_of(engine, name):
    """Returns (the configured address, the actual address)."""
    network = engine.inspect(name)["NetworkSettings"]["Networks"].get("invpc2_docker", {})
    return (network.get("IPAMConfig") or {}).get("IPv4Address"), network.get("IPAddress")


# The network

def test_a_container_gets_its_address_in_the_zones_network(zone_tree, engine, vpc):
    app = ZoneApp(zone_tree())
    put(app, address=vpc(17))
    assert app.running()["replicas"][0]["vpc_ipv4"] == vpc(17)
    assert address_of(engine, "i8k_web_0") == (vpc(17), vpc(17))
    assert Vpc.subnet(engine) == vpc.cidr
    assert engine.request("GET", "/networks/invpc2_docker")["Driver"] == "bridge"
    code, said = engine.execute("i8k_web_0", "ip", "-4", "addr")
    assert code == 0 and vpc(17) in said
    # An instance without one is in Docker's own network.
    other = ZoneApp(app.tree, "other")
    put(other)
    other.running()
    assert address_of(engine, "i8k_other_0") == (None, None)


def test_replicas_that_start_at_once_share_one_network(zone_tree, engine, vpc):
    tree = zone_tree()
    apps = [ZoneApp(tree, f"web{n}") for n in range(4)]
    for n, app in enumerate(apps):
        put(app, address=vpc(20 + n))
    for app in apps:
        app.running()
    assert len(engine.request("GET", "/networks", query={"filters": {"name": ["invpc2_docker"]}})) == 1


def test_a_stopped_container_is_started_and_not_recreated(zone_tree, engine, vpc):
    """Defect (section 13): the original recreates a container with a VPC address whenever it is stopped."""
    app = ZoneApp(zone_tree())
    put(app, address=vpc(17))
    app.running()
    before = engine.inspect("i8k_web_0")["Id"]
    for act in ("stop?t=1", "kill"):
        started = engine.inspect("i8k_web_0")["State"]["StartedAt"]
        engine.request("POST", f"/containers/i8k_web_0/{act}", b"")
        ground.wait_until(lambda s=started: (engine.inspect("i8k_web_0") or {"State": {"StartedAt": s}})["State"]["StartedAt"] != s, 30,
                          f"the container runs again after {act}")
        app.running()
        assert engine.inspect("i8k_web_0")["Id"] == before
    # The same while the tree is stopped.
    app.tree.stop()
    engine.request("POST", "/containers/i8k_web_0/stop", b"", query={"t": 1})
    app.tree.start()
    ground.wait_until(lambda: engine.inspect("i8k_web_0")["State"]["Running"], 30, "it is up again")
    app.running()
    assert engine.inspect("i8k_web_0")["Id"] == before
    assert address_of(engine, "i8k_web_0") == (vpc(17), vpc(17))


def test_another_address_recreates_the_container(zone_tree, engine, vpc):
    app = ZoneApp(zone_tree())
    put(app, address=vpc(17))
    app.running()
    before = engine.inspect("i8k_web_0")["Id"]
    put(app, address=vpc(18))
    ground.wait_until(lambda: (engine.inspect("i8k_web_0") or {"Id": before})["Id"] != before, 30, "the container is recreated")
    app.running()
    assert address_of(engine, "i8k_web_0") == (vpc(18), vpc(18))
    # A change by hand is corrected.
    before = engine.inspect("i8k_web_0")["Id"]
    engine.request("POST", "/networks/invpc2_docker/disconnect", {"Container": "i8k_web_0", "Force": True})
    engine.request("POST", "/containers/i8k_web_0/restart", b"", query={"t": 1})
    ground.wait_until(lambda: (engine.inspect("i8k_web_0") or {"Id": before})["Id"] != before, 30, "the container is recreated")
    app.running()
    assert address_of(engine, "i8k_web_0") == (vpc(18), vpc(18))


def test_a_failed_switch_restores_the_old_address(zone_tree, engine, vpc):
    app = ZoneApp(zone_tree())
    put(app, address=vpc(17))
    app.running()
    before = engine.inspect("i8k_web_0")["Id"]
    put(app, 2, address=vpc(18), spec={"tasks": [{"name": "main", "on_startup": True, "script": "exit 3"}]})
    app.wait(lambda i: i["settled"] and i["failed"] and i["replicas"][0].get("revision") == 1, "the replica runs again")
    assert engine.inspect("i8k_web_0")["Id"] == before
    assert address_of(engine, "i8k_web_0") == (vpc(17), vpc(17))


def test_another_subnet_replaces_the_network_once_it_is_unused(zone_tree, engine, vpc):
    tree = zone_tree()
    app, other = ZoneApp(tree), ZoneApp(tree, "other")
    put(app, address=vpc(17))
    app.running()
    before, new = engine.inspect("i8k_web_0")["Id"], Vpc()
    join(tree, vpc_instance_cidr=new.cidr)
    put(other, address=new(17))
    said = other.wait(lambda i: any("containers use it" in (s.get("message") or "") for s in i["replicas"][0].get("stages", [])), "it waits")
    assert not [s for s in said["replicas"][0]["stages"] if s["state"] == "failed" and s["name"] == "container_create"]
    assert engine.inspect("i8k_web_0")["Id"] == before and Vpc.subnet(engine) == vpc.cidr
    put(app, 2, "destroy", address=vpc(17))
    app.destroyed()
    other.running()
    assert Vpc.subnet(engine) == new.cidr and address_of(engine, "i8k_other_0") == (new(17), new(17))


@pytest.mark.parametrize("address", ["10.1.2.300", "not", "8.8.8.8"])
def test_an_address_outside_the_network_is_reported(zone_tree, vpc, address):
    app = ZoneApp(zone_tree())
    put(app, address=address)
    app.wait(lambda i: i["failed"] and address in (i.get("problem") or i["replicas"][0].get("message") or ""), "the problem is reported")


# lxcfs

def test_lxcfs_shows_a_container_its_own_limits(zone_tree, engine, lxcfs):
    tree = zone_tree({"lxcfs": "yes", "lxcfs_path": lxcfs.mount_point})
    app = ZoneApp(tree)
    put(app)
    app.running()
    code, said = engine.execute("i8k_web_0", "cat", "/proc/meminfo")
    assert code == 0
    total = next(line.split() for line in said.splitlines() if line.startswith("MemTotal:"))
    assert abs(int(total[1]) - (64 << 10)) < 1024, said  # KiB
    mounts = {m["Destination"] for m in engine.inspect("i8k_web_0")["Mounts"]}
    assert {"/proc/cpuinfo", "/proc/stat", "/proc/uptime", "/sys/devices/system/cpu"} <= mounts
    # No longer desired: an excess mount is a difference too.
    before = engine.inspect("i8k_web_0")["Id"]
    tree.stop()
    tree.settings["container-driver"]["lxcfs"] = "no"
    tree.start()
    ground.wait_until(lambda: (engine.inspect("i8k_web_0") or {"Id": before})["Id"] != before, 30, "the container is recreated")
    app.running()
    assert "/proc/meminfo" not in {m["Destination"] for m in engine.inspect("i8k_web_0")["Mounts"]}


def test_an_lxcfs_that_does_not_run_is_not_used(zone_tree, engine, place):
    (place / "lxcfs/proc").mkdir(parents=True)
    (place / "lxcfs/proc/meminfo").write_text("MemTotal: 1 kB\n")
    app = ZoneApp(zone_tree({"lxcfs": "yes", "lxcfs_path": place / "lxcfs"}))
    put(app)
    app.running()
    before = engine.inspect("i8k_web_0")["Id"]
    assert "/proc/meminfo" not in {m["Destination"] for m in engine.inspect("i8k_web_0")["Mounts"]}
    app.tree.restart()
    app.running()
    assert engine.inspect("i8k_web_0")["Id"] == before


# Containers of the original agent

class Original:
    """Makes a container as the original agent does, and the files that an import would write for it."""

    def __init__(self, tree, engine, image=images.BUSYBOX, revision=5, **host):
        self.tree, self.engine, self.revision = tree, engine, revision
        tree.start()
        tree.stop()
        wanted = instance(revision=revision, image=image, spec=TASK)
        self.id = engine.run(images.BUSYBOX, ["/bin/sh", "-c", "exec sleep 1000"], name="i8k_web_0",
                             Env=["APP_NAME=web", "APP_REP_ID=0", f"APP_HOST_ID={HOST}"], Labels={"app_name": "web", "app_rep_id": "0"},
                             host={"RestartPolicy": {"Name": "always"}, "NanoCpus": 100_000_000, "Memory": 64 << 20,
                                   "MemorySwap": 64 << 20, "PidsLimit": 100, **host})
        del wanted["status"]
        home = tree.prefix / "apps/i8k_web_0/home/action/.innerstack"
        home.mkdir(parents=True)
        (home / "app_replica.json").write_text(json.dumps({"app": wanted, "replica": wanted["deploy"]["replicas"][0]}))
        (tree.prefix / "apps/i8k_web_0/opt").mkdir()
        ledger = tree.prefix / "var/hostlet/container-driver/adopted.json"
        ledger.write_text(json.dumps({"format": 1, "containers": [{"id": self.id, "name": "i8k_web_0", "revision": revision}]}))
        shutil.chown(ledger, "hostlet-container-driver")
        self.write("instances/web.json", {
            "format": 2, "name": "web", "origin": "zone", "action": "start", "revision": revision, "order": revision,
            "revisions": [{"revision": revision, "manifest": {"app": wanted}}],
            "replicas": [{"id": 0, "applied_revision": revision}]})
        self.write("zone.json", {"format": 1, "zone": {"host_id": HOST}})

    def write(self, name, content):
        path = self.tree.prefix / "var/hostlet/reconciler" / name
        path.write_text(json.dumps(content))
        shutil.chown(path, "hostlet-reconciler")


@pytest.fixture
def original(make_tree, docker_settings, engine):
    def make(**options):
        return Original(make_tree({**docker_settings, "reconciler": {**PROBATION, "stop_timeout": "1s"}}), engine, **options)
    return make


def test_a_container_of_the_original_keeps_running(original, engine):
    taken = original()
    taken.tree.start()
    app = ZoneApp(taken.tree)
    app.running(5)
    container = engine.inspect("i8k_web_0")
    assert container["Id"] == taken.id and container["RestartCount"] == 0
    started = container["State"]["StartedAt"]
    # The same order, as the leader has it: at most a file is written.
    put(app, 5)
    app.running(5)
    assert engine.inspect("i8k_web_0")["State"]["StartedAt"] == started
    # The driver sees its events: a container stopped by hand is started again, and is the same.
    engine.request("POST", "/containers/i8k_web_0/stop", b"", query={"t": 0})
    ground.wait_until(lambda: engine.inspect("i8k_web_0")["State"]["Running"], 30, "it is up again")
    app.running(5)
    assert engine.inspect("i8k_web_0")["Id"] == taken.id


def test_a_new_order_switches_an_adopted_container_and_a_failed_one_restores_it(original, engine):
    taken = original()
    taken.tree.start()
    app = ZoneApp(taken.tree)
    app.running(5)
    put(app, 6, spec={"tasks": [{"name": "main", "on_startup": True, "script": "exit 4"}]})
    app.wait(lambda i: i["settled"] and i["failed"] and i["replicas"][0].get("revision") == 5, "the replica runs again")
    assert engine.inspect("i8k_web_0")["Id"] == taken.id and engine.inspect("i8k_web_0")["State"]["Running"]
    put(app, 7)
    app.running(7)
    assert engine.inspect("i8k_web_0")["Id"] != taken.id
    assert engine.names() == ["i8k_web_0"]
    put(app, 8, "destroy")
    app.destroyed()
    assert engine.names() == []


def test_an_adopted_container_of_another_image_is_recreated(original, engine):
    taken = original(image=images.SHELL)
    taken.tree.start()
    app = ZoneApp(taken.tree)
    ground.wait_until(lambda: (engine.inspect("i8k_web_0") or {"Id": taken.id})["Id"] != taken.id, 30, "the container is recreated")
    app.running(5)


@pytest.mark.parametrize("pids", [50, None])
def test_limits_of_an_adopted_container_change_while_it_runs(original, engine, pids):
    """Without a limit of processes it gets none, since what it was made for is not known."""
    taken = original(Memory=32 << 20, MemorySwap=32 << 20, NanoCpus=200_000_000, PidsLimit=pids)
    before = engine.inspect("i8k_web_0")["State"]
    taken.tree.start()
    cgroups.wait_for(engine, "i8k_web_0", 100, 64 << 20, pids and 100)
    app = ZoneApp(taken.tree)
    app.running(5)
    after = engine.inspect("i8k_web_0")
    assert (after["Id"], after["State"]["StartedAt"]) == (taken.id, before["StartedAt"])
    assert "another program" not in taken.tree.log()


def test_a_container_of_another_id_is_a_conflict(original, engine):
    taken = original()
    engine.remove(taken.id)
    engine.run(images.BUSYBOX, ["/bin/sh", "-c", "exec sleep 1000"], name="i8k_web_0")
    taken.tree.start()
    ZoneApp(taken.tree).wait(lambda i: i["replicas"][0]["state"] == "conflict", "it is a conflict")
    assert engine.inspect("i8k_web_0")["State"]["Running"]
