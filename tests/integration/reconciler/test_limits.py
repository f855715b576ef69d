"""Tests limits of CPU, memory and processes: they change while the container runs, with no switch and no new container."""

import json

import pytest
from lib import cgroups, ground
from lib.apps import App, config_label, driver_containers, manifest
from lib.varlink import VarlinkError

MIB = 1 << 20


def limited(cpu=None, memory=None, pids=None, **more):
    resources = {"cpu_limit": cpu, "memory_limit": memory}
    options = {"pids_limit": pids} if pids else {}
    return manifest(resources={k: v for k, v in resources.items() if v}, **options, **more)


def same_life(container):
    return container["Id"], container["State"]["StartedAt"], container["State"]["Pid"]


# On simulated containers

def test_apply_changes_limits_without_a_switch(null_tree):
    app = App(null_tree)
    app.deploy(limited("500m", "64Mi", image="one:1", probation=0))
    before = driver_containers(null_tree)["i8k_web_0"]
    out = null_tree.apply(limited("250m", "128Mi", 50, image="one:1", probation=60000), "-t", "20s").stdout  # ends without a probation
    assert "memory_limit: 67108864 -> 134217728" in out and "revision 1 is running" in out
    after = driver_containers(null_tree)["i8k_web_0"]
    assert (after["cpu_limit"], after["memory_limit"], after["pids_limit"]) == (250, 128 * MIB, 50)
    assert {k: v for k, v in after.items() if not k.endswith("_limit")} == {k: v for k, v in before.items() if not k.endswith("_limit")}
    shown = app.get()["replicas"][0]
    assert shown["limits"] == {"cpu_limit": 250, "memory_limit": 128 * MIB, "pids_limit": 50} and shown["revision"] == 1
    assert "0.25 CPU, memory 128.0 MiB, volume unlimited, 50 processes" in null_tree.ctl("app", "web").stdout
    assert app.replica_file()["app"]["deploy"]["memory_limit"] == 128 * MIB
    ground.wait_until(lambda: app.record()["replicas"][0].get("limits") == shown["limits"], 10, "the record has them")
    # Limits of a stopped instance are set before it starts again.
    app.stop()
    app.stopped()
    app.apply(limited("250m", "32Mi", 50, image="one:1", probation=0, deploy={"action": "stop"}))
    app.stopped()
    app.start()
    app.running(1)
    now = driver_containers(null_tree)["i8k_web_0"]
    assert now["id"] == before["id"] and now["memory_limit"] == 32 * MIB


def test_limits_below_the_present_usage_are_refused_before_anything_changes(null_tree):
    app = App(null_tree)
    app.deploy(limited(memory="200Mi", image="null/uses:100", init="image", probation=0))
    record = app.record()
    lower = limited(memory="64Mi", image="null/uses:100", init="image", probation=0)
    for command in ("plan", "apply"):
        said = null_tree.ctl(command, "-", stdin=json.dumps(lower), check=False)
        assert said.returncode == 1 and "uses 100.0 MiB of memory" in said.stdout + said.stderr
    assert app.record() == record and driver_containers(null_tree)["i8k_web_0"]["memory_limit"] == 200 * MIB
    app.deploy(limited(memory="150Mi", image="null/uses:100", init="image", probation=0))
    # A new container begins with no usage.
    app.deploy(limited(memory="64Mi", image="null/uses:100", init="image", probation=0, env={"A": "b"}))


def test_limits_that_cannot_be_set_are_shown_and_set_later(make_tree):
    tree = make_tree({"container-driver": {"runtime": "null"}, "reconciler": {"retry_min": "100ms", "retry_max": "300ms"}}).start()
    app = App(tree)
    app.deploy(limited(memory="64Mi", image="null/uses:100", init="image", probation=0))
    before = driver_containers(tree)["i8k_web_0"]["id"]
    # By hand; they cannot be set back, since the container uses more.
    tree.call("container-driver", "SetLimits", instance="web", replica_id=0, slot="current", memory_limit=200 * MIB, pids_limit=1000)
    seen = app.wait(lambda i: i["replicas"][0].get("limits_problem"), "the reason is shown")
    assert "uses 100.0 MiB" in seen["replicas"][0]["limits_problem"] and seen["failed"] and not seen["settled"]
    assert seen["replicas"][0]["state"] == "running" and seen["replicas"][0]["limits"]["memory_limit"] == 200 * MIB
    for words in (("app", "web"), ("apps",)):
        assert "uses 100.0 MiB" in tree.ctl(*words).stdout
    assert "replica 0 has any CPU, memory 200.0 MiB" in tree.ctl("app", "web").stdout
    ground.wait_until(lambda: tree.log().count("the limits are not set") >= 3, 20, "it is tried again")
    app.deploy(limited(memory="128Mi", image="null/uses:100", init="image", probation=0))
    now = driver_containers(tree)["i8k_web_0"]
    assert now["id"] == before and now["memory_limit"] == 128 * MIB and not app.get()["replicas"][0].get("limits_problem")


def test_a_start_sets_failed_limits_again_at_once(make_tree):
    tree = make_tree({"container-driver": {"runtime": "null"}, "reconciler": {"retry_min": "1min"}}).start()
    app = App(tree)
    app.deploy(limited(memory="64Mi", image="null/uses:100", init="image", probation=0))
    tree.call("container-driver", "SetLimits", instance="web", replica_id=0, slot="current", memory_limit=200 * MIB, pids_limit=1000)
    app.wait(lambda i: i["replicas"][0].get("limits_problem"), "they cannot be set back")
    said = tree.ctl("start", "web", check=False)
    assert said.returncode == 1 and "the limits are not set: " in said.stderr and "the limits are set again in" in said.stderr
    assert tree.log().count("the limits are not set") == 2


def test_containers_of_an_earlier_version_are_not_recreated(null_tree):
    """The label of their definition includes the limits; it stays when these change, also after a restart."""
    app, tree = App(null_tree), null_tree
    wanted = limited("500m", "64Mi", 70, image="one:1", init="image", probation=0)
    app.deploy(wanted)
    made = driver_containers(tree)["i8k_web_0"]
    host = (tree.prefix / "var/hostlet/reconciler/host_id").read_text().strip()
    assert made["config"] == config_label(host_id=host, init="image")
    earlier = config_label(host_id=host, init="image", cpu_limit=500, memory_limit=64 * MIB, pids_limit=70)
    tree.stop()
    file = tree.prefix / f"var/hostlet/container-driver/null/{made['id']}.json"
    stored = json.loads(file.read_text())
    stored["container"]["config"] = earlier
    file.write_text(json.dumps(stored))
    tree.start()  # the upgrade
    app.running(1)
    app.deploy(limited("1", "128Mi", 500, image="one:1", init="image", probation=0))
    app.deploy(limited("250m", None, 50, image="one:1", init="image", probation=0))
    tree.restart()
    app.running(1)
    now = driver_containers(tree)["i8k_web_0"]
    assert (now["id"], now["config"], now["started_at"]) == (made["id"], earlier, made["started_at"])
    assert (now["cpu_limit"], now.get("memory_limit", 0), now["pids_limit"]) == (250, 0, 50)


# On Docker

def test_docker_container_keeps_running_when_limits_change(tree, engine, busybox_image):
    app = App(tree)
    script = "echo start >> /home/action/starts; exec sleep 1000"
    app.deploy(limited("500m", "64Mi", script=script))
    before = engine.inspect("i8k_web_0")
    cgroups.wait_for(engine, "i8k_web_0", 500, 64 * MIB, 100)
    app.deploy(limited("200m", "128Mi", 60, script=script))
    cgroups.wait_for(engine, "i8k_web_0", 200, 128 * MIB, 60)
    app.deploy(limited(None, None, 60, script=script))
    seen = engine.inspect("i8k_web_0")
    assert cgroups.limits(seen["State"]["Pid"])[1:] == (None, 60)
    app.deploy(limited("300m", "96Mi", 60, script=script))
    tree.restart()  # a restart of the reconciler changes nothing
    app.running(1)
    cgroups.wait_for(engine, "i8k_web_0", 300, 96 * MIB, 60)
    seen = engine.inspect("i8k_web_0")
    assert same_life(seen) == same_life(before) and seen["Config"]["Labels"] == before["Config"]["Labels"]
    assert seen["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert (app.directory() / "home/action/starts").read_text() == "start\n"
    # The size of /dev/shm follows with the next container.
    assert seen["HostConfig"]["ShmSize"] == 32 * MIB
    app.deploy(limited("300m", "96Mi", 60, script=script, env={"A": "b"}))
    assert engine.inspect("i8k_web_0")["HostConfig"]["ShmSize"] == 48 * MIB


def test_docker_limits_changed_by_hand_are_set_back(make_tree, docker_settings, engine, busybox_image):
    tree = make_tree({**docker_settings, "reconciler": {"retry_min": "100ms", "retry_max": "500ms"}}).start()
    app = App(tree)
    command = ["/bin/sh", "-c", "trap 'rm /dev/shm/x' USR1; dd if=/dev/zero of=/dev/shm/x bs=1M count=30; while :; do sleep 0.1; done"]
    app.deploy(limited("500m", "128Mi", init="image", command=command))
    before = engine.inspect("i8k_web_0")
    engine.request("POST", "/containers/i8k_web_0/update", {"NanoCpus": 10 ** 9, "Memory": 256 * MIB, "MemorySwap": 512 * MIB,
                                                           "PidsLimit": -1})
    cgroups.wait_for(engine, "i8k_web_0", 500, 128 * MIB, 1000)
    assert "because another program changed them" in tree.log()
    # A limit below the present usage is refused, by apply and by the driver, and set when the memory is free again.
    with pytest.raises(VarlinkError) as refused:
        app.apply(limited("500m", "16Mi", init="image", command=command))
    assert "memory_limit is 16.0 MiB" in str(refused.value) and "uses 3" in str(refused.value)
    engine.execute("i8k_web_0", "rm", "/dev/shm/x")
    app.deploy(limited("500m", "16Mi", init="image", command=command))
    cgroups.wait_for(engine, "i8k_web_0", 500, 16 * MIB, 1000)
    assert same_life(engine.inspect("i8k_web_0")) == same_life(before)


def test_docker_recreates_a_container_whose_cpu_limit_is_lost(tree, engine, busybox_image):
    """Docker ignores NanoCpus at each start from then on, and cannot set it again."""
    app = App(tree)
    app.deploy(limited("500m", script="exec sleep 1000"))
    before = engine.inspect("i8k_web_0")["Id"]
    engine.request("POST", "/containers/i8k_web_0/update", {"CpuQuota": -1})
    ground.wait_until(lambda: (engine.inspect("i8k_web_0") or {"Id": before})["Id"] != before, 30, "it is recreated")
    app.running(1)
    cgroups.wait_for(engine, "i8k_web_0", 500, None, 100)
