"""Tests revisions whose application reports that it is ready, in real containers: what READY=1 ends, what its absence
undoes, and kills of hostlet's processes between it and the commit."""
import os
import re
import signal
import subprocess

import pytest
from lib import ground, images
from lib.apps import App, manifest
from lib.gateway import STATUS, zone_settings
from lib.tree import program
from lib.zone import join

IMAGE = "hostlet-test/sd-notify:1"
READY = "/bin/sd-notify 'READY=1\\nSTATUS=open for business' --pause"
WAIT_FOR = "while [ ! -e /home/action/go ]; do sleep 0.05; done; "


@pytest.fixture
def failpoint():
    return None


@pytest.fixture(autouse=True)
def image(engine):
    """Adds the static client to busybox."""
    if not engine.has_image(IMAGE):
        images.load_busybox(engine, IMAGE, {"bin/sd-notify": program("sd-notify").read_bytes()})


@pytest.fixture
def app(failpoint, make_tree, docker_settings, dockerd):
    """An instance of this machine in a tree of a zone, whose containers report to its gateway."""
    settings = {**docker_settings, "zone": zone_settings()["zone"],
                "reconciler": {"retry_min": "100ms", "retry_max": "500ms"}}
    tree = make_tree(settings).start(failpoint=failpoint)
    shown = subprocess.run(["ip", "-4", "-o", "address", "show", "dev", dockerd.bridge], capture_output=True, text=True, check=True)
    address = re.search(r"inet ([0-9.]+)/", shown.stdout)[1]
    join(tree, lan_addr=address, status_url=f"http://{address}:{settings['zone']['http_port']}{STATUS}")
    return App(tree)


def serving(script, **more):
    """A manifest whose probation would last for an hour, if READY=1 did not end it."""
    task = {"name": "serve", "on_startup": True, "script": script, "ready": "notify", "ready_timeout": 3600, **more}
    return manifest(image=IMAGE, tasks=[task], probation=3_600_000)


def go(app):
    (app.directory() / "home/action/go").touch()


def awaited(app):
    """Returns the replica once it waits for the application."""
    def waits(stage):
        return stage["name"] == "container_running" and stage["state"] == "running" and \
            stage.get("message") == "waits until the application is ready"
    return app.wait(lambda i: any(waits(s) for s in i["replicas"][0].get("stages", [])), "it waits for readiness")["replicas"][0]


def ready(app):
    return app.wait(lambda i: i["replicas"][0].get("ready"), "it is ready")["replicas"][0]


def test_readiness_ends_the_probation_and_the_status_is_shown(app):
    app.apply(serving(WAIT_FOR + f"exec {READY}"))
    replica = awaited(app)
    assert replica["state"] == "starting" and not replica.get("ready")
    assert replica["next"] == "the deploy fails unless the application is ready before"
    go(app)
    app.running(1)
    replica = ready(app)
    assert replica["status"] == replica["message"] == "open for business"
    file = app.replica_file()["app"]["spec"]["tasks"][0]
    assert (file["ready"], file["ready_timeout"]) == ("notify", 3600)


def test_readiness_needs_no_zone(make_tree, docker_settings):
    """The agent reports to the tree's Unix socket."""
    app = App(make_tree(docker_settings).start())
    app.apply(serving(WAIT_FOR + f"exec {READY}"))
    awaited(app)
    go(app)
    app.running(1)
    ready(app)
    assert "open for business" in app.tree.ctl("apps").stdout
    assert "open for business" in app.tree.ctl("app", "web").stdout


def test_a_revision_that_is_not_ready_in_time_is_rolled_back(app):
    app.apply(serving(f"exec {READY}"))
    app.running(1)
    app.apply(serving("trap 'echo ended; exit 0' TERM; /bin/sd-notify STATUS=loading --barrier; echo starting\n"
                      "while :; do sleep 0.1; done", ready_timeout=12))
    app.fallen_back(1)
    failure = app.replica()["message"]
    assert "the application was not ready" in failure and "s after its start: task 'serve' sent no READY=1 (ready_timeout: 12 s)" in failure
    assert "its status is 'loading'" in failure and "serve: starting" in failure
    # the container of the first revision reports anew
    ready(app)


def test_an_exit_before_readiness_is_rolled_back_at_once(app):
    app.apply(serving(f"exec {READY}"))
    app.running(1)
    app.apply(serving("exit 7"))
    app.fallen_back(1)
    assert "exited with code 7" in app.replica()["message"]


def test_readiness_starts_anew_when_docker_restarts_the_container(app, engine):
    app.apply(serving(f"[ ! -e hold ] || {{ {WAIT_FOR} }}; exec {READY}"))
    app.running(1)
    ready(app)
    (app.directory() / "home/action/hold").touch()
    engine.request("POST", f"/containers/{app.container()}/restart?t=5", b"")
    app.wait(lambda i: not i["replicas"][0].get("ready"), "it is not ready after the restart")
    go(app)
    app.wait(lambda i: i["replicas"][0].get("ready") and i["replicas"][0]["state"] == "running", "it is ready again")


def test_another_time_limit_makes_no_new_container(app):
    app.apply(serving(WAIT_FOR + f"exec {READY}"))
    awaited(app)
    before = app.container()
    changed = app.apply(serving(WAIT_FOR + f"exec {READY}", ready_timeout=3601))
    assert changed["revision"] == 1
    go(app)
    app.running(1)
    assert app.container() == before


@pytest.mark.parametrize("victim", ["rpc-gateway", "reconciler", "hostletd"])
def test_a_process_that_is_killed_before_the_report_arrives_loses_nothing(app, engine, victim):
    """The gateway or the reconciler is stopped, so that the report waits, and then killed."""
    app.apply(serving(WAIT_FOR + f"exec {READY}"))
    awaited(app)
    stopped = app.tree.pid("reconciler" if victim == "reconciler" else "rpc-gateway")
    os.kill(stopped, signal.SIGSTOP)
    go(app)
    ground.wait_until(lambda: "task 'serve' is ready" in engine.logs(app.container()), 20, "READY=1 was sent")
    if victim == "hostletd":
        app.tree.kill()
        app.tree.start()
    else:
        os.kill(stopped, signal.SIGKILL)
    app.running(1, timeout=60)


def test_an_application_that_became_ready_while_hostlet_was_down_is_ready(make_tree, docker_settings, engine):
    """The time limit passed meanwhile."""
    app = App(make_tree(docker_settings).start())
    app.apply(serving(WAIT_FOR + f"exec {READY}", ready_timeout=15))
    awaited(app)
    app.tree.kill()
    go(app)
    ground.wait_until(lambda: "task 'serve' is ready" in engine.logs(app.container()), 20, "READY=1 was sent")
    ground.let_pass(15)
    app.tree.start()
    app.running(1, timeout=60)
    assert app.replica().get("attempt", 0) == 0


@pytest.mark.failpoints
@pytest.mark.parametrize("failpoint", ["step.commit.before:kill"])
def test_a_reconciler_that_is_killed_between_readiness_and_commit_loses_nothing(app):
    app.apply(serving(WAIT_FOR + f"exec {READY}"))
    awaited(app)
    go(app)
    app.running(1, timeout=60)
    assert app.tree.failpoint_taken("step.commit.before")


@pytest.mark.failpoints
@pytest.mark.parametrize("failpoint", ["step.fail.before:kill", "step.stop.before@2:kill", "step.stop.after@2:kill",
                                       "step.remove_new.before:kill", "step.undone.before:kill"])
def test_a_reconciler_that_is_killed_in_the_rollback_completes_it(app, failpoint):
    """The second stop is that of the container which was not ready."""
    app.apply(serving(f"exec {READY}"))
    app.running(1)
    app.apply(serving("exec sleep 1000", ready_timeout=3))
    app.fallen_back(1, timeout=60)
    assert app.tree.failpoint_taken(failpoint.split(":")[0].split("@")[0])
    ready(app)
