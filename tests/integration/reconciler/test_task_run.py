"""Tests requests to run a task: which are refused, and what reaches the replica's directory and, in real containers, inagent."""

import json
import os
import re
import signal
import subprocess

import pytest
from lib import ground
from lib.apps import App, manifest
from lib.tree import program
from lib.varlink import VarlinkError
from lib.zone import ZoneApp, join


def run_task(app, task, number=0):
    return app._insist("RunTask", name=app.name, replica_id=number, task=task)["id"]


def refused(kind, text, app, task, number=0):
    with pytest.raises(VarlinkError) as caught:
        run_task(app, task, number)
    assert caught.value.name == f"io.hostlet.{kind}" and text in str(caught.value), caught.value


def request_of(app, number=0):
    path = app.directory(number) / "home/action/.innerstack/task_request.json"
    return json.loads(path.read_text()) if path.exists() else None


TASKS = [{"name": "backup", "script": "echo hello"}, {"name": "nightly", "cron": "0 3 * * *", "script": "true"}]


def test_a_request_is_a_file_of_the_replica_and_changes_nothing_desired(null_tree):
    app = App(null_tree)
    app.deploy(manifest(image="null/stays", script="exec sleep 1000", tasks=TASKS, replicas=2))
    before = app.get()
    first = run_task(app, "backup", 1)
    assert request_of(app, 1) == {"format": 1, "id": first, "task": "backup"}
    assert request_of(app, 0) is None
    second = run_task(app, "nightly", 1)
    assert second != first and request_of(app, 1)["id"] == second
    assert app.settled() == before
    # A caller that names the id can repeat the call.
    for _ in range(2):
        assert app._insist("RunTask", name="web", replica_id=1, task="backup", id="0-a")["id"] == "0-a"
        assert request_of(app, 1)["id"] == "0-a"
    with pytest.raises(VarlinkError, match="is no id of a request"):
        app._insist("RunTask", name="web", replica_id=1, task="backup", id="A")
    for service in ("provisioner", "reconciler"):
        null_tree.kill_service(service)
        assert request_of(app, 1)["id"] != run_task(app, "backup", 1)


def test_a_request_that_cannot_be_followed_is_refused_by_its_reason(null_tree):
    app = App(null_tree)
    refused("NotFound", "there is no instance 'web'", app, "backup")
    app.deploy(manifest(image="null/stays", script="exec sleep 1000", tasks=TASKS))
    refused("NotFound", "'web' has no replica 1", app, "backup", 1)
    refused("NotFound", "'web' has no task 'restore'; it has backup, nightly, main", app, "restore")
    app.stop()
    app.stopped()
    refused("Refused", "the container of web/0 does not run (exited)", app, "backup")
    app.destroy()
    app.gone()
    app.deploy(manifest(image="null/stays", init="image"))
    refused("Refused", "it has no inagent", app, "backup")


def test_a_request_for_a_paused_container_is_refused(tree, engine, busybox_image):
    app = App(tree)
    app.deploy(manifest(script="exec sleep 1000", tasks=TASKS))
    engine.request("POST", f"/containers/{app.container()}/pause", b"")
    app.wait(lambda i: i["replicas"][0]["state"] == "paused", "it is paused")
    refused("Refused", "is paused: unpause it first", app, "backup")
    engine.request("POST", f"/containers/{app.container()}/unpause", b"")
    app.running()
    assert run_task(app, "backup")


# The whole way, in real containers: hostletctl, reconciler, provisioner, inagent, rpc-gateway

BACKUP = {"name": "backup", "script": "echo saved; echo oops >&2; echo x >> runs; [ ! -e bad ] || exit 7"}
SLOW = {"name": "slow", "script": "echo begun; touch running; while [ ! -e go ]; do sleep 0.05; done; rm running; echo done"}


@pytest.fixture
def app(tree, engine, busybox_image):
    made = App(tree)
    made.deploy(manifest(script="echo up; exec sleep 1000", tasks=[BACKUP, SLOW]))
    return made


def home(app):
    return app.directory() / "home/action"


def start(app, *words):
    return subprocess.Popen([program("hostletctl"), "--prefix", app.tree.prefix, "task", "run", "web", *words],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_task_runs_and_its_result_and_output_are_shown(app):
    result = app.tree.ctl("task", "run", "web", "backup")
    assert result.stdout == "saved\n"
    assert "oops\n" in result.stderr and "task 'backup' of web/0: succeeded after" in result.stderr
    (home(app) / "bad").touch()
    result = app.tree.ctl("task", "run", "web/0", "backup", check=False)
    assert result.returncode == 1 and result.stdout == "saved\n"
    assert "task 'backup' of web/0: failed with exit code 7 after" in result.stderr
    assert (home(app) / "runs").read_text() == "x\nx\n"
    # The application is what it was; the failure is shown with its task alone.
    assert app.running()["replicas"][0]["state"] == "running"
    assert re.search(r"0 +backup +by request +.* ago +exit code 7 +-", app.tree.ctl("app", "web").stdout)
    assert app.tree.ctl("logs", "web", "--task", "backup").stdout == "saved\nsaved\n"
    assert app.tree.ctl("logs", "web", "--task", "main", "--tail", "1").stdout == "up\n"
    result = app.tree.ctl("task", "run", "web", "main", check=False)
    assert result.returncode == 1 and "not run: it is running already" in result.stderr


def test_the_end_of_a_run_is_shown_though_another_request_was_refused_meanwhile(app):
    process = start(app, "slow")
    ground.wait_until((home(app) / "running").exists, 20, "the task runs")
    result = app.tree.ctl("task", "run", "web", "slow", check=False)
    assert result.returncode == 1 and "not run: it is running already" in result.stderr
    (home(app) / "go").touch()
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "begun\ndone\n"), error


def test_a_request_waits_until_the_agent_has_taken_the_one_before(app, engine):
    agent = engine.inspect(app.container())["State"]["Pid"]
    os.kill(agent, signal.SIGSTOP)
    try:
        app.tree.ctl("task", "run", "web", "backup", "--no-wait")
        result = app.tree.ctl("task", "run", "web", "slow", "--no-wait", "-t", "2s", check=False)
        assert result.returncode == 1 and "has not taken the request before this one yet" in result.stderr, result
    finally:
        os.kill(agent, signal.SIGCONT)
    ground.wait_until((home(app) / "runs").exists, 20, "the first request is followed")
    app.tree.ctl("task", "run", "web", "slow", "--no-wait")
    ground.wait_until((home(app) / "running").exists, 20, "the second request is followed")


def test_a_run_survives_kills_of_the_processes_in_between(app):
    process = start(app, "slow")
    ground.wait_until((home(app) / "running").exists, 20, "the task runs")
    for service in ("reconciler", "provisioner", "rpc-gateway", "container-driver"):
        app.tree.kill_service(service)
    (home(app) / "go").touch()
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "begun\ndone\n"), error


def test_a_run_that_the_end_of_its_container_cuts_off_is_reported(app, engine):
    process = start(app, "slow")
    ground.wait_until((home(app) / "running").exists, 20, "the task runs")
    engine.request("POST", f"/containers/{app.container()}/kill", b"")
    engine.request("POST", f"/containers/{app.container()}/start", b"")
    out, error = process.communicate(timeout=90)
    assert process.returncode == 1 and "interrupted: the container ended during the run" in error, (out, error)
    app.running()
    assert re.search(r"0 +slow +by request +.* ago +interrupted +-", app.tree.ctl("app", "web").stdout)
    (home(app) / "go").touch()
    assert app.tree.ctl("task", "run", "web", "slow").returncode == 0


def test_a_request_is_accepted_for_an_instance_of_a_zone(null_tree):
    join(null_tree)
    app = ZoneApp(null_tree)
    app.put(1, image="null/stays", spec={"tasks": TASKS})
    app.running(1)
    assert request_of(app) is None
    identity = run_task(app, "backup")
    assert request_of(app)["id"] == identity
