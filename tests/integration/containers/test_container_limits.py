"""Tests SetLimits and Usage of container-driver: limits of CPU, memory and processes change while a container runs."""

import os

import pytest
from lib import cgroups, ground
from lib.container_driver import D

MIB = 1 << 20


def set_limits(driver, cpu=0, memory=0, pids=0, **which):
    return driver.on("SetLimits", cpu_limit=cpu, memory_limit=memory, pids_limit=pids, **which)


def shown(container):
    return tuple(container.get(f"{name}_limit", 0) for name in ("cpu", "memory", "pids"))


@pytest.mark.sanitized
def test_null_runtime_changes_limits_and_refuses_those_below_its_usage(make_driver):
    driver = make_driver({"runtime": "null"}).start()
    driver.create(image="null/uses:100", cpu_limit=500, memory_limit=200 * MIB)
    assert shown(driver.inspect()) == (500, 200 * MIB, 1000)
    assert driver.on("Usage") == {} and set_limits(driver, 1000, 50 * MIB, 10) == {}  # it does not run
    driver.on("Start")
    assert driver.on("Usage") == {"memory": 100 * MIB, "pids": 1}
    assert set_limits(driver, 250, 150 * MIB, 20) == {} and shown(driver.inspect()) == (250, 150 * MIB, 20)
    name, reason = driver.refused(set_limits, driver, 500, 64 * MIB, 20)
    assert name == "Refused" and "uses 100.0 MiB" in reason and "64.0 MiB" in reason
    assert shown(driver.inspect()) == (250, 150 * MIB, 20)
    assert set_limits(driver) == {} and shown(driver.inspect()) == (0, 0, 0)
    driver.kill()
    driver.start()
    assert shown(driver.inspect()) == (0, 0, 0)
    assert driver.refused(set_limits, driver, -1)[0] == "Refused"
    assert driver.refused(set_limits, driver, replica_id=1)[0] == "NotFound"
    assert driver.refused(driver.on, "Usage", replica_id=1)[0] == "NotFound"


def test_docker_changes_limits_of_a_running_container(driver, engine, busybox_image):
    """Raised, lowered and removed limits apply at once and after the container's next start."""
    driver.create(image=busybox_image, command=["sleep", "1000"], cpu_limit=500, memory_limit=64 * MIB, pids_limit=50)
    driver.on("Start")
    before = engine.inspect("i8k_web_0")
    cgroups.wait_for(engine, "i8k_web_0", 500, 64 * MIB, 50)
    processors = os.cpu_count() * 1000  # Docker cannot remove a limit of CPU
    for wanted, real in (((1000, 128 * MIB, 80), (1000, 128 * MIB, 80)), ((200, 32 * MIB, 20), (200, 32 * MIB, 20)),
                         ((0, 0, 0), (processors, None, None)), ((300, 48 * MIB, 30), (300, 48 * MIB, 30))):
        set_limits(driver, *wanted)
        cgroups.wait_for(engine, "i8k_web_0", *real)
        assert shown(driver.inspect()) == (real[0], wanted[1], wanted[2])
    seen = engine.inspect("i8k_web_0")
    assert seen["HostConfig"]["MemorySwap"] == 48 * MIB  # no swap, as after the creation
    assert (seen["Id"], seen["State"]["StartedAt"], seen["State"]["Pid"]) == (
        before["Id"], before["State"]["StartedAt"], before["State"]["Pid"])
    set_limits(driver)
    for _ in range(2):  # what was removed can be set again
        driver.on("Stop", timeout_msec=1)
        driver.on("Start")
        cgroups.wait_for(engine, "i8k_web_0", processors, None, None)
    driver.on("Stop", timeout_msec=1)
    set_limits(driver, 100, 16 * MIB, 10)
    driver.on("Start")
    cgroups.wait_for(engine, "i8k_web_0", 100, 16 * MIB, 10)


def test_docker_refuses_limits_below_the_present_usage(driver, engine, busybox_image):
    script = "dd if=/dev/zero of=/dev/shm/x bs=1M count=20; sleep 1000 & sleep 1000 & cat /bin/busybox >/dev/null; echo up; wait"
    driver.create(image=busybox_image, command=["/bin/sh", "-c", script], cpu_limit=500, memory_limit=128 * MIB, pids_limit=50)
    driver.on("Start")
    ground.wait_until(lambda: "up" in engine.logs("i8k_web_0"), 20, "it uses its memory")
    usage = driver.on("Usage")
    assert 20 * MIB < usage["memory"] < 30 * MIB and usage["pids"] == 3
    name, reason = driver.refused(set_limits, driver, 250, 10 * MIB, 50)
    assert name == "Refused" and "uses 2" in reason and "10.0 MiB" in reason
    name, reason = driver.refused(set_limits, driver, 250, 128 * MIB, 2)
    assert name == "Refused" and "3 processes" in reason
    assert shown(driver.inspect()) == (500, 128 * MIB, 50)
    cgroups.wait_for(engine, "i8k_web_0", 500, 128 * MIB, 50)
    engine.request("POST", "/containers/i8k_web_0/pause", b"")
    set_limits(driver, 250, 64 * MIB, 40)
    cgroups.wait_for(engine, "i8k_web_0", 250, 64 * MIB, 40)


def test_docker_changes_limits_that_were_made_as_a_quota(driver, engine, busybox_image):
    """Another program made the container; Docker then refuses NanoCpus. A quota of −1 over NanoCpus is final."""
    labels = {"app_name": "web", "app_rep_id": "0", "io.hostlet.tree": driver.tree_id}
    engine.run(busybox_image, ["sleep", "1000"], name="i8k_web_0", Labels=labels, host={"CpuQuota": 20000, "CpuPeriod": 50000})
    assert shown(driver.inspect()) == (400, 0, 0)
    for cpu, real in ((700, 700), (0, None), (300, 300)):
        set_limits(driver, cpu)
        cgroups.wait_for(engine, "i8k_web_0", real, None, None)
    engine.run(busybox_image, ["sleep", "1000"], name="i8k_web_1", Labels=labels, host={"NanoCpus": 500000000})
    assert not driver.inspect(replica_id=1).get("cpu_limit_lost")
    engine.request("POST", "/containers/i8k_web_1/update", {"CpuQuota": -1})
    assert driver.inspect(replica_id=1)["cpu_limit_lost"] and "cpu_limit" not in driver.inspect(replica_id=1)


def test_limits_of_a_foreign_container_are_not_changed(driver, engine, busybox_image):
    engine.run(busybox_image, ["sleep", "1000"], name="i8k_web_0")
    assert driver.refused(set_limits, driver, 100)[0] == "Conflict"
    assert driver.refused(driver.call, D + "Usage", instance="web", replica_id=0, slot="current")[0] == "Conflict"
    assert engine.inspect("i8k_web_0")["HostConfig"]["NanoCpus"] == 0
