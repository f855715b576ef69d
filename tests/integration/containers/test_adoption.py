"""Tests containers that the original agent made: they are adopted while they run, on a real Docker daemon."""

import json

import pytest
from lib import ground
from lib.container_driver import D, Watch
from lib.tree import VARIANT
from lib.varlink import Closed, VarlinkError


@pytest.fixture
def foreign(engine, busybox_image):
    """A container as the original agent makes them."""
    identifier = engine.run(busybox_image, ["sleep", "1000"], name="i8k_web_0", Labels={"app_name": "web", "app_rep_id": "0"},
                            host={"RestartPolicy": {"Name": "always"}})
    return identifier


def adopt(driver, revision=5, replica_id=0):
    return driver.call(D + "Adopt", instance="web", replica_id=replica_id, revision=revision)["container"]


def test_foreign_container_is_not_touched_until_it_is_adopted(driver, foreign, engine):
    assert driver.refused(driver.on, "Stop")[0] == "Conflict"
    before = engine.inspect("i8k_web_0")
    taken = adopt(driver)
    assert taken["ours"] and taken["adopted"] and taken["revision"] == 5 and "config" not in taken and "owner" not in taken
    assert adopt(driver)["revision"] == 5, "a second call succeeds"
    driver.kill()
    driver.start()
    seen = driver.inspect()
    assert seen["ours"] and seen["adopted"] and seen["revision"] == 5
    after = engine.inspect("i8k_web_0")
    assert (after["Id"], after["State"]["Pid"]) == (before["Id"], before["State"]["Pid"]), "the container keeps running unchanged"
    driver.on("SetRestart", policy="no")
    driver.on("Stop")
    driver.rename("current", "old")
    assert driver.inspect(slot="old")["adopted"] and driver.list()["i8k_web_0.old"]["ours"]
    driver.on("Remove", slot="old")
    assert not engine.containers()
    ledger = json.loads((driver.prefix / "var/hostlet/container-driver/adopted.json").read_text())
    assert ledger == {"format": 1}, "a removed container is dropped from the ledger"


@pytest.mark.failpoints
@pytest.mark.skipif(VARIANT != "failpoints", reason="failpoints are compiled in by --enable-failpoints alone")
@pytest.mark.parametrize("action", ["kill", "error"])
@pytest.mark.parametrize("point", ["adopted.before_save", "adopted.saved"])
def test_an_interrupted_adoption_is_completed_by_the_next_call(driver, foreign, engine, point, action):
    before = engine.inspect("i8k_web_0")
    driver.stop()
    driver.start(failpoint=f"{point}:{action}")
    with pytest.raises((VarlinkError, Closed, OSError)):
        adopt(driver)
    if action == "kill":
        assert driver.process.wait(10) == -9
    else:
        driver.stop()
    driver.start()
    assert driver.inspect().get("adopted", False) == (point == "adopted.saved"), \
        "the container is adopted when the ledger contains it, and not before"
    assert adopt(driver)["revision"] == 5
    after = engine.inspect("i8k_web_0")
    assert (after["Id"], after["State"]["Pid"]) == (before["Id"], before["State"]["Pid"])


def test_a_container_is_selected_by_its_id_only_for_its_own_replica(driver, foreign, engine):
    def by_id(method, replica_id=0, **more):
        return driver.call(D + method, instance="web", replica_id=replica_id, id=foreign, **more)
    # One that is not adopted is none of the replica, and a removal of none succeeds.
    assert "container" not in by_id("Inspect", slot="current")
    by_id("Remove", slot="current")
    assert driver.refused(by_id, "Rename", **{"from": "current", "to": "old"})[0] == "NotFound"
    assert engine.inspect(foreign)["State"]["Running"] and engine.names() == ["i8k_web_0"]
    adopt(driver)
    engine.request("POST", "/containers/i8k_web_0/rename", b"", query={"name": "other"})
    assert driver.inspect() is None and "container" not in by_id("Inspect", 1, slot="current")
    seen = by_id("Inspect", slot="current")["container"]
    assert seen["name"] == "other" and seen["instance"] == "web" and seen["adopted"] and seen["revision"] == 5
    # Under the name of another replica it is not that one's.
    engine.request("POST", "/containers/other/rename", b"", query={"name": "i8k_web_1"})
    seen = driver.inspect(replica_id=1)
    assert not seen["ours"] and seen["misnamed"] and driver.refused(driver.on, "Remove", replica_id=1)[0] == "Conflict"
    by_id("Rename", **{"from": "current", "to": "current"})
    assert driver.inspect()["id"] == foreign and driver.inspect()["ours"]
    assert driver.refused(driver.on, "Inspect", id="../images/json")[0] == "Refused"


def test_events_of_an_adopted_container_are_reported(driver, foreign, engine, busybox_image):
    watch = Watch(driver)
    watch.wait(lambda e: e["event"] == "complete", "the subscription")
    adopt(driver)
    ground.wait_until(lambda: watch.count("complete") == 2, 20, "the watch requests a new list")
    engine.run(busybox_image, ["true"], name="i8k_other_0")
    engine.kill("i8k_web_0")
    event = watch.wait(lambda e: e.get("action") == "die", "the exit")
    assert event["instance"] == "web" and event["exit_code"] == 137
    assert not [e for e in watch.events if e.get("instance") == "other"], "events of foreign containers are not"


def test_adoption_of_an_unsuitable_container_is_refused(driver, engine, busybox_image):
    assert driver.refused(adopt, driver)[0] == "NotFound"
    engine.run(busybox_image, ["sleep", "1000"], name="i8k_web_1", Labels={"io.hostlet.tree": "another"})
    name, reason = driver.refused(adopt, driver, 5, 1)
    assert name == "Conflict" and "another hostlet tree (another)" in reason
    driver.create(replica_id=2, image=busybox_image, command=["sleep", "1000"])
    name, reason = driver.refused(adopt, driver, 5, 2)
    assert name == "Refused" and "nothing to adopt" in reason
    assert driver.refused(adopt, driver, -1, 2)[0] == "Refused"


def test_an_unreadable_ledger_is_reported_and_set_aside(driver):
    """The driver does not own the containers that the ledger names, and keeps the file aside when it writes the next one."""
    driver.stop()
    path = driver.prefix / "var/hostlet/container-driver/adopted.json"
    for text in ("{", "[]", "x" * (5 << 20), '{"format": 1, "containers": [{"id": 1}]}', '{"format": 2, "containers": []}'):
        path.write_text(text)
        driver.start(timeout=10)
        assert "adopted.json" in driver.log() and "adopted.json" in driver.call("io.hostlet.ContainerDriver.Info")["adopted_reason"]
        driver.stop()
        assert path.read_text() == text
    path.unlink()
    driver.start()
