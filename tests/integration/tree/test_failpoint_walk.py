"""Kills processes at every failpoint, during deploys: the desired state is reached all the same, and nothing exists twice or is
left over. Uses the null runtime where Docker does not matter, and Docker for the switch itself."""

import subprocess

import pytest
from lib import ground, packages
from lib.apps import App, driver_containers, manifest, names_below
from lib.nginx import Nginx
from lib.tree import VARIANT, full_method, program
from lib.varlink import Closed
from lib.zone import ZoneApp, facts

pytestmark = [pytest.mark.failpoints,
              pytest.mark.skipif(VARIANT != "failpoints", reason="failpoints are compiled in by --enable-failpoints alone")]

SETTINGS = {"reconciler": {"retry_min": "20ms", "retry_max": "100ms", "probation": "50ms"}, "fetcher": {"retry_min": "20ms"}}
# test_hostletd.py walks hostletd's own, tests/system those of quota-keeper, whose kernel enforces quotas, test_adoption.py those of
# adoptions, and test_renamed_walk.py those of what other programs do to containers, which no deploy reaches.
OTHERS = ("adopted.", "step.remove_dead.", "step.rename_", "step.remove_renamed.")
WORKERS = ("reconciler", "container-driver", "fetcher", "unpacker", "provisioner")


def failpoints(*programs):
    """Returns all failpoints, as 'program:name'; none if this build has none."""
    if VARIANT != "failpoints":
        return ["none"]
    found = []
    for name in programs:
        listed = subprocess.run([program(name), "--failpoints"], capture_output=True, text=True, check=True).stdout
        found += [f"{name}:{point}" for point in listed.split() if not point.startswith(OTHERS)]
    return found


def is_of_a_copy(point):
    return "copy" in point


# The packages' server runs as long as this file's tests.

@pytest.fixture(scope="module")
def web(session_place):
    server = Nginx(session_place / "walk-nginx")
    server.start()
    repository = packages.Repository(server.root)
    for version in ("1.0.0", "2.0.0"):
        repository.add("site", version, files={"file": version.encode(), "a/b/c": b"x" * 5000})
    yield server
    server.stop()


class Walk:
    """Runs a scenario in phases. In each of them the process that first reaches the failpoint is killed."""

    def __init__(self, tree, service, point, action="kill"):
        self.tree = tree
        self.service = service
        self.point = point
        self.reached = 0
        tree.start(failpoint=f"{point}:{action}")

    def arm(self):
        """Arms the failpoint once more. Returns how often it was reached before."""
        taken = self.tree.failpoint_taken(self.point)
        if taken:
            # An administrator's order ends the growing pauses between restarts.
            self.tree.call("hostletd", "Restart", name=self.service)
            (self.tree.once / self.point).unlink()
            self.reached += 1
        return self.reached

    def wake(self, worker):
        try:
            with self.tree.connect(worker) as connection:
                return [list(connection.stream(full_method(worker, "List")))]
        except (Closed, OSError):
            return None

    def tidy(self, app, replicas, kept=0, site=None):
        """Checks that no object exists twice and none is orphaned."""
        containers = {f"i8k_{app.name}_{n}" for n in replicas}
        tree = self.tree

        def check():
            # A worker that was killed last cleans up at its next start.
            for worker in ("fetcher", "unpacker", "provisioner"):
                assert self.wake(worker) is not None
            assert set(driver_containers(tree)) == containers
            directories = names_below(tree.prefix / "apps")
            assert {n for n in directories if ".removed-" not in n} == containers
            assert len([n for n in directories if ".removed-" in n]) == kept, directories
            records = [f"{app.name}.json"] if replicas else []
            assert names_below(tree.prefix / "var/hostlet/reconciler/instances") == records
            wanted = [packages.package_id("site", site)] if site else []
            assert [p.stem for p in (tree.prefix / "var/ipk").glob("*/*.ipk")] == wanted
            assert names_below(tree.prefix / "var/ipk/.partial") == []
            assert names_below(tree.prefix / "var/ipk_install/site") == wanted
            return True
        ground.wait_until(check, 20, f"{app.name} has no orphans or leftovers")
        for name in containers:
            state = driver_containers(tree)[name]
            assert state["ours"] and state["slot"] == "current"
        self.arm()


def null_scenario(walk):
    """Covers every step of a replica, with packages."""
    app = App(walk.tree)
    good = {"packages": [("site", "1.0")], "probation": 0, "script": "true", "volumes": ["/data"]}
    newer = {**good, "packages": [("site", "2.0")]}
    app.deploy(manifest(image="one:1", **good))
    walk.tidy(app, [0], site="1.0.0")
    app.apply(manifest(image="one:1", **good, spec={"description": "other words"}))
    app.running(1)
    assert app.replica_file()["app"]["spec"]["description"] == "other words"
    walk.tidy(app, [0], site="1.0.0")
    made = driver_containers(walk.tree)["i8k_web_0"]["id"]
    app.apply(manifest(image="one:1", **good, resources={"memory_limit": "32Mi"}))
    app.running(1)
    limited = driver_containers(walk.tree)["i8k_web_0"]
    assert limited["id"] == made and limited["memory_limit"] == 32 << 20
    walk.tidy(app, [0], site="1.0.0")
    app.apply(manifest(image="two:1", **newer))
    app.running(2)
    walk.tidy(app, [0], site="2.0.0")
    before = driver_containers(walk.tree)["i8k_web_0"]["id"]
    app.apply(manifest(image="null/exit-3", **{**newer, "probation": 2000}))
    app.fallen_back(2)
    assert driver_containers(walk.tree)["i8k_web_0"]["id"] == before
    assert app.replica_file()["app"]["deploy"]["revision"] == 2
    walk.tidy(app, [0], site="2.0.0")
    app.apply(manifest(image="two:1", **newer, replicas=2))
    app.running(4)
    walk.tidy(app, [0, 1], site="2.0.0")
    app.apply(manifest(image="two:1", **newer))
    app.wait(lambda i: i["settled"] and len(i["replicas"]) == 1, "one replica is left")
    walk.tidy(app, [0], kept=1, site="2.0.0")
    app.stop()
    app.stopped()
    walk.tidy(app, [0], kept=1, site="2.0.0")
    app.start()
    app.running(4)
    walk.tidy(app, [0], kept=1, site="2.0.0")
    app.destroy()
    app.gone()
    walk.tidy(app, [], kept=2)
    app.deploy(manifest(image="one:1", **good))
    walk.tidy(app, [0], kept=1, site="1.0.0")
    app.destroy(purge=True)  # of the replica that was removed earlier, too
    app.gone()
    walk.tidy(app, [])


def zone_scenario(walk):
    """The orders of a zone are executed one after the other: none is lost, and nothing is left over."""
    app = ZoneApp(walk.tree, "ordered")
    packages_ = {"spec": {"packages": [{"name": "site", "version": "1.0"}]}}
    app._insist("PutZoneState", facts=facts())
    walk.arm()
    app._insist("PutZoneState", facts=facts(base_domain="other.test"))
    walk.arm()
    app.put(1, **packages_)
    app.running(1)
    assert app.replica_file()["zone_base_domain"] == "other.test"
    walk.tidy(app, [0], site="1.0.0")
    app.put(2, image="null/exit-3", **packages_)
    app.wait(lambda i: i["settled"] and i["failed"] and i["replicas"][0].get("revision") == 1, "the replica runs again")
    walk.arm()
    app.put(3, "stop", **packages_)
    app.stopped()
    assert set(app.stages()) == {"host_recv", "container_stop"}
    walk.arm()
    app.put(4, **packages_)
    app.running(4)
    assert {s["state"] for s in app.stages().values()} == {"success"}
    walk.tidy(app, [0], site="1.0.0")
    app.put(5, "destroy", **packages_)
    app.destroyed()
    assert app.stages()["container_destroy"]["state"] == "success"
    walk.arm()
    app._insist("PutZoneState", assigned={"names": []})
    app.gone()
    walk.tidy(app, [], kept=1)


@pytest.mark.parametrize("point", [point for point in failpoints(*WORKERS) if not is_of_a_copy(point)])
def test_deploys_complete_when_killed_at(make_tree, web, point):
    service, name = point.split(":")
    tree = make_tree({**SETTINGS, "container-driver": {"runtime": "null"}, "fetcher": {**SETTINGS["fetcher"], "repositories": web.url}})
    walk = Walk(tree, service, name)
    null_scenario(walk)
    if service == "reconciler":
        zone_scenario(walk)
    assert walk.reached, f"no process reached {point}: the scenario does not cover it"


@pytest.mark.parametrize("point", [point for point in failpoints(*WORKERS) if is_of_a_copy(point) or point == "none"])
def test_copies_of_volumes_complete_when_killed_at(make_tree, point):
    """The first switch of a container with an anonymous volume, and the removal of one that is destroyed."""
    service, name = point.split(":")
    walk = Walk(make_tree({**SETTINGS, "container-driver": {"runtime": "null"}}), service, name)
    app = App(walk.tree)
    options = {"init": "image", "probation": 0}
    app.deploy(manifest(image="null/anonymous-data:1", **options))
    app.deploy(manifest(image="null/volume-data:1", **options))
    assert names_below(app.directory() / "volumes") == ["data"]
    assert driver_containers(walk.tree)["i8k_web_0"]["volumes"] == ["/data"]
    walk.tidy(app, [0])
    app.destroy(purge=True)
    app.gone()
    app.deploy(manifest(image="null/anonymous-data:1", **options))
    app.destroy()
    app.gone()
    kept = walk.tree.prefix / "apps" / names_below(walk.tree.prefix / "apps")[0]
    assert names_below(kept / "volumes") == ["data"]
    walk.tidy(app, [], kept=1)
    assert walk.reached, f"no process reached {point}: the scenario does not cover it"


STEPS = ["hold", "stop", "put_aside", "quota", "provision", "create", "start", "commit", "keep", "remove_old", "fail",
         "remove_new", "bring_back", "restore", "revive", "undone"]


def hang(tree, app, step, order):
    """Sends the order, waits until the reconciler hangs before the step, and kills hostletd with all that it started."""
    order()
    ground.wait_until(lambda: tree.failpoint_taken(f"step.{step}.before"), 30, f"the reconciler is about to {step}")
    tree.kill()


def test_limits_are_set_once_when_hostletd_is_killed_before_or_after(make_tree):
    """The record is as it was before the change, and the container has the new limits or not yet."""
    tree = make_tree({**SETTINGS, "container-driver": {"runtime": "null"}})
    app = App(tree)
    tree.start()
    app.deploy(manifest(image="one:1", probation=0))
    before = driver_containers(tree)["i8k_web_0"]["id"]
    for point, memory in (("before", 32 << 20), ("after", 64 << 20)):
        tree.restart(failpoint=f"step.limits.{point}:kill")
        app.running(1)
        app.apply(manifest(image="one:1", probation=0, deploy={"memory_limit": memory}))
        ground.wait_until(lambda: tree.failpoint_taken(f"step.limits.{point}"), 30, "the reconciler is killed")
        tree.kill()
        tree.start()
        app.running(1)
        now = driver_containers(tree)["i8k_web_0"]
        assert now["id"] == before and now["memory_limit"] == memory
        ground.wait_until(lambda: app.record()["replicas"][0].get("limits", {}).get("memory_limit") == memory, 10, "the record follows")


@pytest.mark.parametrize("step", STEPS)
def test_switch_completes_when_hostletd_is_killed_before(make_tree, step):
    tree = make_tree({**SETTINGS, "container-driver": {"runtime": "null"}})
    app = App(tree)
    tree.start()
    app.deploy(manifest(image="one:1", probation=0))
    before = driver_containers(tree)["i8k_web_0"]["id"]
    # A running replica requests its quota after each start, and again when quota-keeper's snapshot is complete.
    tree.hold_failpoint(f"step.{step}.before")
    tree.restart(failpoint=f"step.{step}.before:hang")
    app.running(1)
    tree.release_failpoint(f"step.{step}.before")
    undo = step in STEPS[STEPS.index("fail"):]
    wanted = manifest(image="null/exit-3", probation=2000) if undo else manifest(image="two:1", probation=0)
    hang(tree, app, step, lambda: app.apply(wanted))
    tree.start()
    if undo:
        app.fallen_back(1)
        assert driver_containers(tree)["i8k_web_0"]["id"] == before
        assert app.replica_file()["app"]["deploy"]["revision"] == 1
    else:
        app.running(2)
    assert list(driver_containers(tree)) == ["i8k_web_0"]
    assert driver_containers(tree)["i8k_web_0"]["restart"] == "always"


# On Docker

def docker_scenario(tree, engine):
    """A deploy, an update and a failed update; data survives all of them."""
    app = App(tree)
    script = "echo start >> /home/action/starts; exec sleep {}"
    app.deploy(manifest(script=script.format(1000)))
    made = engine.inspect("i8k_web_0")["Id"]
    app.deploy(manifest(script=script.format(1000), resources={"memory_limit": "32Mi"}))
    assert engine.inspect("i8k_web_0")["Id"] == made and engine.inspect("i8k_web_0")["HostConfig"]["Memory"] == 32 << 20
    app.apply(manifest(script=script.format(2000)))
    app.running(2)
    before = engine.inspect("i8k_web_0")["Id"]
    app.apply(manifest(script="exit 3", probation=3000))
    app.fallen_back(2)
    made = engine.inspect("i8k_web_0")
    assert made["Id"] == before and made["State"]["Running"] and made["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert engine.names() == ["i8k_web_0"]
    ground.wait_until(lambda: len((app.directory() / "home/action/starts").read_text().splitlines()) >= 3, 10,
                      "the data survived three starts")
    app.destroy(purge=True)
    app.gone()
    assert engine.names() == [] and names_below(tree.prefix / "apps") == []


# test_volume_copies.py copies volumes on Docker.
@pytest.mark.parametrize("point", [point for point in failpoints("container-driver") if not is_of_a_copy(point)])
def test_switch_on_docker_completes_when_container_driver_is_killed_at(make_tree, docker_settings, engine, busybox_image, point):
    name = point.split(":")[1]
    tree = make_tree({**SETTINGS, **docker_settings}).start(failpoint=f"{name}:kill")
    docker_scenario(tree, engine)
    assert tree.failpoint_taken(name)


@pytest.mark.parametrize("step", ["put_aside", "create", "start", "commit", "remove_old", "remove_new", "bring_back", "revive"])
def test_switch_on_docker_completes_when_hostletd_is_killed_before(make_tree, docker_settings, engine, busybox_image, step):
    tree = make_tree({**SETTINGS, **docker_settings}).start()
    app = App(tree)
    app.deploy(manifest(script="exec sleep 1000"))
    before = engine.inspect("i8k_web_0")["Id"]
    # A running replica requests its quota after each start, and again when quota-keeper's snapshot is complete.
    tree.hold_failpoint(f"step.{step}.before")
    tree.restart(failpoint=f"step.{step}.before:hang")
    app.running(1)
    tree.release_failpoint(f"step.{step}.before")
    undo = step in ("remove_new", "bring_back", "revive")
    wanted = manifest(script="exit 3", probation=3000) if undo else manifest(script="exec sleep 2000")
    hang(tree, app, step, lambda: app.apply(wanted))
    tree.start()
    if undo:
        app.fallen_back(1)
        assert engine.inspect("i8k_web_0")["Id"] == before
    else:
        app.running(2)
        assert engine.inspect("i8k_web_0")["Id"] != before
    assert engine.names() == ["i8k_web_0"]
    made = engine.inspect("i8k_web_0")
    assert made["State"]["Running"] and made["HostConfig"]["RestartPolicy"]["Name"] == "always"
