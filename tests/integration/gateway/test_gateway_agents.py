"""Tests the way of a report from a task in a real container to the zone: inagent, rpc-gateway, reconciler."""

import json
import re
import subprocess

import pytest
from lib.gateway import STATUS, get, post, zone_settings
from lib import ground, images
from lib.zone import ZoneApp, join

WAIT_FOR = "while [ ! -e /home/action/go ]; do sleep 0.1; done"


@pytest.fixture
def failpoint():
    return None


@pytest.fixture
def app(failpoint, make_tree, docker_settings, dockerd, engine):
    """Provides an instance of a zone, in a tree whose containers reach its gateway by their bridge."""
    settings = {**docker_settings, "zone": zone_settings()["zone"],
                "reconciler": {"probation": "300ms", "retry_min": "100ms", "retry_max": "500ms"}}
    tree = make_tree(settings).start(failpoint=failpoint)
    tree.port = settings["zone"]["http_port"]
    shown = subprocess.run(["ip", "-4", "-o", "address", "show", "dev", dockerd.bridge], capture_output=True, text=True, check=True)
    address = re.search(r"inet ([0-9.]+)/", shown.stdout)[1]
    tree.endpoint = f"http://{address}:{tree.port}{STATUS}"
    join(tree, lan_addr=address, status_url=tree.endpoint)
    return ZoneApp(tree)


def tasks(*scripts, **more):
    return {"spec": {"tasks": [{"name": f"task{i}", "on_startup": True, "script": script, **more} for i, script in enumerate(scripts)]}}


def told(app, name, state, message=None, timeout=15):
    """Returns the stage that the agent reported, once it is in this state."""
    def look():
        stage = app.stages(owner="inagent")[name]
        assert (stage["state"], stage.get("message")) == (state, message), stage
        return stage
    return ground.wait_until(look, timeout, f"{name} is reported: {state}, {message}")


def home(app):
    return app.tree.prefix / "apps" / f"i8k_{app.name}_0" / "home/action"


def reports(app):
    """Returns how many reports were answered with 200."""
    body = get(app.tree.port, "/metrics")[2].decode()
    found = re.search(rf'^hostlet_calls_total{{protocol="http",service="rpc-gateway",method="{STATUS}",outcome="200"}} (\d+)', body, re.M)
    return int(found[1]) if found else 0


def test_every_step_of_a_start_is_reported(app):
    app.put(3, image=images.BUSYBOX, **tasks("true", WAIT_FOR))
    running = told(app, "task_run", "running", "1/2 tasks running")
    boot, load = told(app, "inagent_boot", "success"), told(app, "spec_load", "success")
    assert boot["revision"] == load["revision"] == running["revision"] == 3
    assert boot["created"] == boot["finished"] <= load["created"] and not running.get("finished")
    (home(app) / "go").touch()
    done = told(app, "task_run", "success", "2/2 tasks done")
    assert done["created"] == running["created"] <= done["finished"]
    assert ground.wait_until(lambda: reports(app) >= 2, 5, "the reports are counted")


def test_an_application_without_tasks_reports_success(app):
    app.put(1, image=images.BUSYBOX)
    told(app, "task_run", "success")


def test_a_failed_task_is_reported(app):
    app.put(1, image=images.BUSYBOX, **tasks(WAIT_FOR + "; exit 3"))
    told(app, "task_run", "running", "1/1 tasks running")
    app.running()
    (home(app) / "go").touch()
    failed = told(app, "task_run", "failed", "1/1 tasks failed (first: task0)")
    assert failed["finished"] and failed["owner"] == "inagent"
    (home(app) / "go").unlink()
    again = told(app, "task_run", "running", "1/1 tasks running", timeout=20)
    assert again["attempt"] == 1 and again["created"] == failed["created"] and not again.get("finished")


def test_an_unusable_specification_is_reported(app):
    app.put(1, image=images.BUSYBOX, **tasks(WAIT_FOR))
    told(app, "task_run", "running", "1/1 tasks running")
    path = home(app) / ".innerstack/app_replica.json"
    good = path.read_text()

    def replace(text):
        other = path.with_suffix(".new")
        other.write_text(text)
        other.rename(path)
    replace("{")
    told(app, "spec_load", "failed", "spec decode failed")
    replace("")
    told(app, "spec_load", "failed", "spec file empty")
    without = json.loads(good)
    without["replica"] = None
    for replica in without["app"]["deploy"]["replicas"]:
        replica["id"] = 9
    replace(json.dumps(without))
    told(app, "spec_load", "failed", "replica not found")
    # The task of the last good specification keeps running and is reported.
    (home(app) / "go").touch()
    told(app, "task_run", "success", "1/1 tasks done")
    replace(good)
    assert told(app, "spec_load", "success")["attempt"] == 1


def test_changes_during_an_outage_of_the_gateway_are_reported_later(app):
    app.put(1, image=images.BUSYBOX, **tasks(WAIT_FOR))
    told(app, "task_run", "running", "1/1 tasks running")
    app.tree.call("hostletd", "Stop", name="rpc-gateway")
    (home(app) / "go").touch()
    app.tree.call("hostletd", "Start", name="rpc-gateway")
    told(app, "task_run", "success", "1/1 tasks done", timeout=25)


def test_a_new_revision_reports_from_the_first_stage(app):
    app.put(1, image=images.BUSYBOX, **tasks("true"))
    told(app, "task_run", "success", "1/1 tasks done")
    app.put(2, image=images.BUSYBOX, **tasks(WAIT_FOR))
    assert told(app, "task_run", "running", "1/1 tasks running")["revision"] == 2
    assert {stage["revision"] for stage in app.stages(owner="inagent").values()} == {2}


def test_a_secret_is_valid_for_its_own_replica_alone(app):
    app.put(1, image=images.BUSYBOX, replicas=(0, 1), **tasks("true"))
    app.running()
    report = {"instance_name": app.name, "replica_id": 1, "stages": []}
    assert post(app.tree.port, report, app.secret(1))[0] == 200
    assert post(app.tree.port, report, app.secret(0))[0] == 401
    assert post(app.tree.port, {**report, "replica_id": 2}, app.secret(1))[0] == 401
    assert post(app.tree.port, {**report, "instance_name": "nobody"}, app.secret(1))[0] == 401


@pytest.mark.failpoints
@pytest.mark.parametrize("failpoint", [f"{name}@2:{action}" for name in ("report.received", "report.judged")
                                       for action in ("kill", "error")])
def test_an_interrupted_report_is_sent_again(app, failpoint):
    app.put(1, image=images.BUSYBOX, **tasks(WAIT_FOR))
    told(app, "task_run", "running", "1/1 tasks running", timeout=25)
    (home(app) / "go").touch()
    told(app, "task_run", "success", "1/1 tasks done", timeout=25)
    assert app.tree.failpoint_taken(failpoint.partition("@")[0])
