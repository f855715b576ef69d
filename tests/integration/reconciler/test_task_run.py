"""Tests requests to run a task: which are refused, and what reaches the replica's directory and, in real containers, inagent."""

import json

import pytest
from lib.apps import App, manifest
from lib.varlink import VarlinkError


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
