"""Tests changes that other programs make to containers on a real Docker daemon: removed, killed, crashing, foreign."""

import contextlib

import pytest
from lib import ground
from lib.apps import App, answers, manifest, server
from lib.engine import EngineError


def test_container_removed_by_hand_is_created_again(tree, engine, busybox_image):
    app, port = App(tree), ground.free_port()
    app.deploy(manifest(script=server("one", port), ports={"http": port}))
    answers(port, "one")
    before = engine.inspect("i8k_web_0")["Id"]
    engine.remove("i8k_web_0")
    ground.wait_until(lambda: engine.inspect("i8k_web_0") and engine.inspect("i8k_web_0")["Id"] != before, 30, "a new one is made")
    app.running(1)
    answers(port, "one")
    assert engine.inspect("i8k_web_0")["HostConfig"]["RestartPolicy"]["Name"] == "always"


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_container_ended_by_hand_is_started_again(tree, engine, busybox_image, how):
    app, port = App(tree), ground.free_port()
    app.deploy(manifest(script=server("one", port), ports={"http": port}))
    answers(port, "one")
    before = engine.inspect("i8k_web_0")
    engine.request("POST", f"/containers/i8k_web_0/{how}", b"")
    ground.wait_until(lambda: engine.inspect("i8k_web_0")["State"]["Pid"] not in (0, before["State"]["Pid"]), 30, "it runs again")
    app.running(1)
    answers(port, "one")
    assert engine.inspect("i8k_web_0")["Id"] == before["Id"]


def test_policy_changed_by_hand_is_corrected(tree, engine, busybox_image):
    App(tree).deploy(manifest(script="exec sleep 1000"))
    engine.request("POST", "/containers/i8k_web_0/update", {"RestartPolicy": {"Name": "no"}})
    ground.wait_until(lambda: engine.inspect("i8k_web_0")["HostConfig"]["RestartPolicy"]["Name"] == "always", 30,
                      "the policy is as the contract states")


def test_foreign_container_with_our_name_is_reported_and_never_touched(tree, engine, busybox_image):
    foreign = engine.run(busybox_image, ["sleep", "1000"], name="i8k_web_0")
    refused = tree.apply(manifest(script="exec sleep 1000"), check=False)
    assert refused.returncode != 0 and "does not belong to this tree" in refused.stdout + refused.stderr
    assert App(tree).get() is None
    made = engine.inspect("i8k_web_0")
    assert made["Id"] == foreign and made["State"]["Running"] and made["State"]["StartedAt"] == engine.inspect(foreign)["State"]["StartedAt"]


def test_foreign_container_that_gets_the_name_later_is_a_conflict(tree, engine, busybox_image):
    app = App(tree)
    app.deploy(manifest(script="exec sleep 1000"))
    # Removed and replaced while the reconciler is stopped.
    tree.ctl("service", "stop", "reconciler")
    engine.remove("i8k_web_0")
    foreign = engine.run(busybox_image, ["sleep", "1000"], name="i8k_web_0")
    tree.ctl("service", "start", "reconciler")
    seen = app.wait(lambda i: i["replicas"][0]["state"] == "conflict", "the conflict shows")
    assert "does not belong to this tree" in seen["replicas"][0]["message"] and seen["failed"]
    assert "conflict" in tree.ctl("app", "web").stdout
    app.stop()
    app.start()
    app.destroy()
    app.gone()
    made = engine.inspect("i8k_web_0")
    assert made["Id"] == foreign and made["State"]["Running"] and made["RestartCount"] == 0
    assert made["HostConfig"]["RestartPolicy"]["Name"] in ("no", "")


def test_conflict_ends_when_the_foreign_container_is_removed(tree, engine, busybox_image):
    app = App(tree)
    app.deploy(manifest(script="exec sleep 1000"))
    tree.ctl("service", "stop", "reconciler")
    engine.remove("i8k_web_0")
    engine.run(busybox_image, ["sleep", "1000"], name="i8k_web_0")
    tree.ctl("service", "start", "reconciler")
    app.wait(lambda i: i["replicas"][0]["state"] == "conflict", "the conflict shows")
    engine.remove("i8k_web_0")
    app.start()
    app.running(1)


def test_crash_loop_is_shown_with_exit_code_and_last_output(tree, engine, busybox_image):
    """It survives its probation and then crashes repeatedly."""
    app = App(tree)
    app.apply(manifest(init="image", probation=100,
                       command=["/bin/sh", "-c", "sleep 0.5; for i in $(seq 30); do echo word $i; done; exit 42"]))
    seen = app.wait(lambda i: i["replicas"][0]["state"] == "crash_looping" and "word" in i["replicas"][0].get("message", ""),
                    "the crash loop is seen")
    message = seen["replicas"][0]["message"]
    assert "42" in message and "word 30" in message and "word 11\n" in message and "word 10\n" not in message
    assert seen["failed"]
    assert {s["name"]: s["state"] for s in seen["replicas"][0]["stages"]}["container_running"] == "failed"
    shown = tree.ctl("app", "web").stdout
    assert "crash" in shown and "42" in shown and "word 30" in shown
    # A revision that works ends it.
    app.apply(manifest(init="image", command=["/bin/sleep", "1000"]))
    app.running(2)


def test_docker_restarts_a_container_after_a_single_crash(tree, engine, busybox_image):
    app = App(tree)
    app.deploy(manifest(init="image", command=["/bin/sh", "-c", "echo up; trap 'exit 1' USR1; while :; do sleep 0.05; done"]))
    before = engine.inspect("i8k_web_0")
    engine.execute("i8k_web_0", "kill", "-USR1", "1")
    ground.wait_until(lambda: engine.inspect("i8k_web_0")["RestartCount"] == 1 and engine.inspect("i8k_web_0")["State"]["Running"],
                      30, "Docker restarts it")
    app.running(1)
    assert engine.inspect("i8k_web_0")["Id"] == before["Id"]


def test_a_stopped_instance_stays_stopped_when_dockerd_restarts(tree, dockerd, engine, busybox_image):
    app = App(tree)
    app.deploy(manifest(script="exec sleep 1000"))
    app.stop()
    app.stopped()
    dockerd.restart()
    app.wait(lambda i: i["settled"], "the tree sees the runtime again")
    with contextlib.suppress(EngineError):
        assert not engine.inspect("i8k_web_0")["State"]["Running"]
