"""Tests that containers keep running while the tree, its processes and dockerd stop and start, and that the desired state is
reached."""

import os
import signal

import pytest
from lib import ground
from lib.apps import App, answers, manifest, server


def facts(engine, name="i8k_web_0"):
    """Returns the fields that change when a container is touched."""
    made = engine.inspect(name)
    return made["Id"], made["State"]["Pid"], made["State"]["StartedAt"], made["RestartCount"]


@pytest.fixture
def deployed(tree, engine, busybox_image):
    app, port = App(tree), ground.free_port()
    app.deploy(manifest(script=server("one", port), ports={"http": port}))
    answers(port, "one")
    app.port = port
    return app


def test_tree_stopped_and_started_leaves_containers_untouched(tree, engine, deployed):
    before = facts(engine)
    stages = deployed.replica()["stages"]
    assert tree.stop() == 0
    assert facts(engine) == before
    answers(deployed.port, "one")
    tree.start()
    deployed.running(1)
    assert facts(engine) == before
    assert deployed.replica()["stages"] == stages, "stages survive a restart"


def test_hostletd_killed_and_started_leaves_containers_untouched(tree, engine, deployed):
    before = facts(engine)
    tree.kill()
    assert facts(engine) == before
    tree.start()
    deployed.running(1)
    assert facts(engine) == before


@pytest.mark.parametrize("service", ["reconciler", "container-driver", "quota-keeper"])
def test_service_killed_leaves_containers_untouched(tree, engine, deployed, service):
    before = facts(engine)
    tree.kill_service(service)
    deployed.running(1)
    assert facts(engine) == before
    # Its successor receives events: a container killed by hand is restarted.
    engine.kill("i8k_web_0")
    ground.wait_until(lambda: engine.inspect("i8k_web_0")["State"]["Pid"] not in (0, before[1]), 30, "it runs again")


def test_changes_while_the_tree_was_stopped_are_corrected(tree, engine, deployed):
    tree.stop()
    engine.remove("i8k_web_0")
    tree.start()
    deployed.running(1)
    answers(deployed.port, "one")


def test_dockerd_killed_and_restarted_leaves_containers_untouched(tree, dockerd, engine, deployed):
    before = facts(engine)
    dockerd.kill()
    deployed.wait(lambda i: i["failed"] and "runtime" in i.get("message", ""), "the state of the runtime is shown")
    assert "not reachable" in tree.ctl("app", "web").stdout
    assert ground.alive(before[1])
    dockerd.start()
    deployed.running(1)
    assert facts(engine) == before
    answers(deployed.port, "one")


def test_a_deploy_waits_for_a_stopped_dockerd_and_completes(tree, dockerd, engine, deployed):
    other, port = App(tree, "other"), ground.free_port()
    dockerd.kill()
    deployed.wait(lambda i: i["failed"], "the loss of the runtime is shown")
    other.apply(manifest("other", script=server("other", port), ports={"http": port}))
    deployed.apply(manifest(script=server("two", deployed.port), ports={"http": deployed.port}))
    assert other.replica()["state"] == "none" and deployed.replica()["state"] == "running"
    dockerd.start()
    other.running(1)
    deployed.running(2)
    answers(port, "other")
    answers(deployed.port, "two")
    assert engine.names() == ["i8k_other_0", "i8k_web_0"]


def test_dockerd_that_hangs_is_survived(make_tree, docker_settings, dockerd, engine, busybox_image):
    tree = make_tree({"container-driver": {**docker_settings["container-driver"], "request_timeout": "500ms"},
                      "reconciler": {"retry_min": "100ms", "retry_max": "500ms"}}).start()
    app = App(tree)
    app.deploy(manifest(script="exec sleep 1000"))
    before = facts(engine)
    with dockerd.stopped():
        app.apply(manifest(script="exec sleep 2000"))
        app.wait(lambda i: i["failed"] or any(r.get("message") for r in i["replicas"]), "the failure shows", 30)
        assert app.get()["revision"] == 2
    app.running(2)
    assert facts(engine)[0] != before[0]
    assert engine.names() == ["i8k_web_0"]


def test_second_tree_on_the_same_prefix_is_refused(tree, make_tree):
    second = make_tree(tree.settings)
    with pytest.raises(AssertionError):
        second.start(timeout=10)
    assert second.process.wait(10) != 0
    assert str(tree.prefix) in second.log()
    assert tree.running() and tree.ctl("status")


def test_idle_tree_does_not_poll(tree, deployed):
    """Settled, the processes sleep: in two seconds there are no more wake-ups than those that the kernel causes."""
    def switches():
        total = 0
        for pid in tree.children().values():
            for line in open(f"/proc/{pid}/status", encoding="ascii"):
                if line.startswith("voluntary_ctxt_switches"):
                    total += int(line.split()[1])
        return total
    ground.wait_until(lambda: "fetcher" not in tree.children() and "provisioner" not in tree.children(), 60,
                      "on-demand services have ended")
    before, pids = switches(), tree.children()
    os.sched_yield()
    signal.sigtimedwait([], 2)
    assert tree.children() == pids
    assert switches() - before <= 4
