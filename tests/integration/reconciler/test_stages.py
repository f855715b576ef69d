"""Tests the deploy stages that are reported to a zone, and which of them agents in containers can report."""

import re
import shutil
import signal
import time

import pytest
from lib import ground
from lib.apps import App, driver_containers, manifest
from lib.varlink import VarlinkError
from lib.zone import ZoneApp, facts, join


pytestmark = pytest.mark.sanitized


@pytest.fixture
def zone_tree(make_tree, repository):
    def make(**reconciler):
        tree = make_tree({"container-driver": {"runtime": "null"}, "fetcher": {"repositories": repository.url},
                          "reconciler": {"probation": "100ms", "retry_min": "50ms", "retry_max": "200ms", **reconciler}}).start()
        join(tree)
        return tree
    return make


@pytest.fixture
def app(zone_tree):
    return ZoneApp(zone_tree())


def stage(name="task_run", revision=1, state="success", **more):
    return {"name": name, "owner": "inagent", "revision": revision, "state": state, "created": 1000, **more}


def unauthorized(call, *arguments):
    with pytest.raises(VarlinkError) as caught:
        call(*arguments)
    return caught.value.name == "io.hostlet.Unauthorized"


# hostlet's own

def test_a_deploy_reports_every_stage(app, repository):
    repository.add("site", "1.0.0", files={"file": b"x"})
    begun = time.time() * 1000 - 1
    app.put(4, spec={"packages": [{"name": "site", "version": "1.0"}]})
    app.running()
    stages = app.stages()
    assert list(stages) == ["host_recv", "pkg_download", "image_pull", "provision", "container_create", "container_start",
                            "container_running"]
    for name, s in stages.items():
        assert (s["state"], s["revision"], s.get("attempt", 0), s.get("message")) == ("success", 4, 0, None), name
        assert begun <= s["created"] <= s["finished"] <= time.time() * 1000, name
    assert stages["host_recv"]["created"] == stages["host_recv"]["finished"]


def test_a_retried_stage_counts_attempts_and_keeps_its_start_time(app):
    app.put(1, image="missing/x")

    def tried(i):
        found = [s for r in i["replicas"] for s in r.get("stages", []) if s["name"] == "image_pull"]
        return found and found[0].get("attempt", 0) >= 2 and found[0]["state"] == "failed"
    first = app.wait(lambda i: any(s["name"] == "image_pull" for r in i["replicas"] for s in r.get("stages", [])), "it pulls")
    created = next(s["created"] for s in first["replicas"][0]["stages"] if s["name"] == "image_pull")
    app.wait(tried, "it was tried three times")
    assert app.stages()["image_pull"]["created"] == created
    assert app.stages()["image_pull"]["finished"] >= created
    seen = app.wait(lambda i: any(s["name"] == "image_pull" and s["state"] == "running" for s in i["replicas"][0]["stages"]), "again")
    assert not next(s for s in seen["replicas"][0]["stages"] if s["name"] == "image_pull").get("finished")
    # While it waits for the next attempt, and during the attempt, it counts as failed and reports so.
    assert seen["failed"]


def test_a_start_after_a_stop_has_times_of_its_own(app):
    """The zone keeps the first times ('created'); hostletctl shows those of the last attempt."""
    app.put(1)
    app.running()
    before = app.stages()
    app.put(1, action="stop")
    app.stopped()
    begin = time.time() * 1000
    ground.let_pass(0.3)
    app.put(1)
    app.running()
    after = app.stages()
    for name in ("provision", "container_start", "container_running"):
        assert begin <= after[name]["begun"] <= after[name]["finished"], name
        assert after[name]["created"] == before[name]["created"] < begin, name
    assert after["container_create"] == before["container_create"]  # it was not done again
    shown = [line for line in app.tree.ctl("app", "web").stdout.splitlines() if " container_start " in line]
    assert shown and re.search(r"\d ms", shown[0]), shown


def test_a_new_number_clears_the_list(app):
    app.put(1)
    app.running()
    app.report(app.secret(), [stage()])
    app.put(2, action="stop")
    app.stopped()
    assert {s["revision"] for s in app.replica()["stages"]} == {2}
    assert not app.stages(owner="inagent")


BUSY_PROVISIONER = """
ready()
listener = socket.socket(fileno=3)
listener.setblocking(True)
for number in range(100):
    connection, _ = listener.accept()
    with connection:
        data = b""
        while not data.endswith(b"\\0"):
            data += connection.recv(65536)
        answer = {"parameters": {"path": "/nowhere"}}
        if number < 3:
            answer = {"error": "io.hostlet.RetryLater", "parameters": {"reason": "the disk is busy"}}
        connection.sendall(json.dumps(answer).encode() + b"\\0")
"""


def test_the_failed_receipt_of_an_order_stays_when_the_revision_before_is_applied(zone_tree):
    app = ZoneApp(zone_tree(probation="500ms"))
    app.put(1)
    app.put(2, "dance")
    ground.wait_until(lambda: app.record()["replicas"][0].get("applied_revision") == 1, 20, "revision 1 passes its probation")
    app.wait(lambda i: i["replicas"][0]["state"] == "running", "it runs")
    assert app.get()["problem"] and app.stages()["host_recv"]["state"] == "failed" and app.stages()["host_recv"]["revision"] == 2


def test_files_of_a_running_container_whose_directory_was_removed_are_made_again(app):
    app.put(1)
    app.running(1)
    shutil.rmtree(app.directory())
    app.put(1, spec={"description": "another"})
    ground.wait_until(lambda: app.replica_file()["app"]["spec"]["description"] == "another", 20, "the file is written")
    app.running(1)


def test_a_step_that_is_retried_later_is_not_failed(start, services):
    """A failed stage ends the wait of a caller that watches the deploy."""
    for service in ("container-driver", "quota-keeper", "fetcher", "unpacker", "reconciler"):
        services.take(service)
    services.add("provisioner", BUSY_PROVISIONER, peers="hostlet-reconciler")
    tree = start({"container-driver": {"runtime": "null"},
                  "reconciler": {"probation": "100ms", "retry_min": "100ms", "retry_max": "100ms"}})
    join(tree)
    app = ZoneApp(tree)
    app.put(1)
    seen = []

    def done(i):
        seen.extend((s["name"], s["state"], s.get("message")) for s in i["replicas"][0].get("stages", []))
        return i["settled"] and i["replicas"][0]["state"] == "running"
    app.wait(done, "it runs in the end")
    assert ("provision", "running", "the disk is busy") in seen
    assert not [s for s in seen if s[1] == "failed"]
    assert app.stages()["provision"].get("message") is None


def test_a_crash_loop_is_reported_as_a_failed_stage(zone_tree):
    """Defect 17: the original reports it as running, and the deploy as completed."""
    app = ZoneApp(zone_tree(probation="50ms"))
    app.put(1, image="null/exit-5-after-150")
    app.wait(lambda i: i["replicas"][0]["state"] == "crash_looping" and i["failed"], "the crash loop is shown")
    assert app.stages()["container_running"]["state"] == "failed"
    assert "code 5" in app.stages()["container_running"]["message"]


def test_stages_survive_any_kill(app):
    app.put(1)
    app.running()
    app.report(app.secret(), [stage(message="2/2 tasks done")])
    ground.wait_until(lambda: any(s["owner"] == "inagent" for s in app.record()["replicas"][0]["stages"]), 10, "it is on disk")
    before = app.replica()["stages"]
    app.tree.kill_service("reconciler", signal.SIGKILL)
    app.running()
    assert app.replica()["stages"] == before
    app.tree.kill()
    app.tree.start()
    app.running()
    assert app.replica()["stages"] == before


def test_a_kill_between_a_step_and_its_stage_leaves_no_stage_running(make_tree):
    tree = make_tree({"container-driver": {"runtime": "null"}, "reconciler": {"probation": "1s"}}).start()
    join(tree)
    app = ZoneApp(tree)
    app.put(1, image="null/slow:500")
    app.wait(lambda i: any(s["name"] == "container_start" for s in i["replicas"][0].get("stages", [])), "the container is being started")
    tree.call("hostletd", "Stop", name="reconciler")
    assert next(s for s in app.record()["replicas"][0]["stages"] if s["name"] == "container_start")["state"] == "running"
    ground.wait_until(lambda: driver_containers(tree)["i8k_web_0"]["state"] == "running", 10,
                      "the container runs, and the reconciler has not seen it")
    tree.call("hostletd", "Start", name="reconciler")
    app.running()
    assert {s["state"] for s in app.stages().values()} == {"success"}


# inagent's

def test_the_file_tells_the_agent_where_to_report(app):
    app.put(1)
    app.running()
    file = app.replica_file()
    assert file["hostlet_endpoint"]["url"] == facts()["status_url"]
    assert len(file["hostlet_endpoint"]["secret_key"]) == 34
    assert file["zone_base_domain"] == "zone.test"
    assert file["replica"]["state"] == "starting"
    assert "status" not in file["app"] and "stages" not in file["app"]["deploy"]
    # A local instance on a machine of a zone has a secret too, and each replica has its own.
    own = App(app.tree, "own")
    own.deploy(manifest("own", image="app:1", replicas=2))
    secrets = {own.replica_file(n)["hostlet_endpoint"]["secret_key"] for n in (0, 1)} | {app.secret()}
    assert len(secrets) == 3


def test_the_endpoint_of_agents_can_change(app):
    app.put(1)
    app.running()
    before, made = app.secret(), driver_containers(app.tree)["i8k_web_0"]["id"]
    join(app.tree, status_url="http://10.0.0.9:9532/x", base_domain="new.test")
    ground.wait_until(lambda: app.replica_file().get("zone_base_domain") == "new.test", 10, "the file has it")
    assert app.replica_file()["hostlet_endpoint"] == {"url": "http://10.0.0.9:9532/x", "secret_key": before}
    assert driver_containers(app.tree)["i8k_web_0"]["id"] == made


def test_secrets_survive_destruction_and_are_deleted_with_the_data(app):
    own = App(app.tree, "own")
    own.deploy(manifest("own", image="app:1"))
    secret = own.replica_file()["hostlet_endpoint"]["secret_key"]
    own.destroy()
    own.gone()
    own.deploy(manifest("own", image="app:1"))
    assert own.replica_file()["hostlet_endpoint"]["secret_key"] == secret
    own.destroy(purge=True)
    own.gone()
    own.deploy(manifest("own", image="app:1"))
    assert own.replica_file()["hostlet_endpoint"]["secret_key"] != secret
    app.put(1)
    app.running()
    secret = app.secret()
    app.put(2, action="destroy")
    app.destroyed()
    app.put(3)
    app.running(3)
    assert app.secret() == secret


def test_a_report_replaces_the_stages_of_inagent(app):
    app.put(3)
    app.running()
    own = app.stages()
    app.report(app.secret(), [stage("inagent_boot", 3), stage("task_run", 3, "running", message="1/2 tasks running")])
    assert list(app.stages(owner="inagent")) == ["inagent_boot", "task_run"]
    assert app.stages(owner="inagent")["task_run"]["message"] == "1/2 tasks running"
    app.report(app.secret(), [stage("task_run", 3, finished=2000)])
    assert list(app.stages(owner="inagent")) == ["task_run"]
    assert app.stages() == own
    app.report(app.secret(), [])
    assert not app.stages(owner="inagent")


def test_a_report_cannot_forge_stages_of_hostlet(app):
    app.put(3)
    app.running()
    own = app.stages()
    forged = [
        {**stage("container_running", 3, "failed"), "owner": "hostlet"},
        stage("container_running", 3, "failed"),  # by name alone
        stage("task_run", 2), stage("task_run", 4),  # late, or early
        {**stage("spec_load", 3), "owner": ""}, stage("", 3), stage("a" * 100, 3), stage("Task Run", 3),
        stage("spec_load", 3, "done"), stage("spec_load", 3, created=-1), stage("spec_load", 3, attempt=-5),
        stage("spec_load", 3, attempt=2**63 - 1),
    ]
    forged.append({**stage("spec_load", 3), "owner": "hostlet"})
    app.report(app.secret(), forged)
    assert app.replica()["stages"] == list(own.values())
    nested = {**stage("task_run", 3, message="é" * 5000), "attrs": {"a": "b"}, "stages": [stage("x", 3)]}
    app.report(app.secret(), [nested, stage("task_run", 3, "failed"), *(stage(f"s{n}", 3) for n in range(100))])
    kept = app.stages(owner="inagent")
    assert len(kept) == 32 and kept["task_run"]["state"] == "success"
    assert set(kept["task_run"]) == {"name", "owner", "revision", "state", "message", "created"}
    assert kept["task_run"]["message"] == "é" * 1024


def test_only_the_replicas_own_secret_is_accepted(app):
    app.put(1, replicas=(0, 1))
    app.running()
    secret, other = app.secret(0), app.secret(1)
    for wrong in ("", "0" * 34, other, secret[:-1], secret + "0", secret.upper() + "x", secret[:-1] + "g"):
        assert unauthorized(app.report, wrong, [stage()])
    assert not app.stages(owner="inagent")
    for name, number in (("web", 2), ("web", -1), ("nobody", 0), ("../web", 0)):
        assert unauthorized(ZoneApp(app.tree, name).report, secret, [stage()], number)
    app.report(secret, [stage()])
    app.report(other, [stage()], 1)
    assert app.stages(0, "inagent") and app.stages(1, "inagent")


def test_reports_of_local_instances_are_accepted(app):
    own = ZoneApp(app.tree, "own")
    own.deploy(manifest("own", image="app:1"))
    own.report(own.secret(), [stage("task_run", own.get()["revision"])])
    assert own.stages(owner="inagent")


# Output of hostletctl

def test_hostletctl_holds_shows_and_releases_an_instance(app):
    app.put(5)
    app.running()
    app.report(app.secret(), [stage(revision=5)])
    tree = app.tree
    assert "inagent" in tree.ctl("app", "web").stdout
    assert tree.ctl("stop", "web", check=False).returncode == 1
    assert tree.ctl("hold", "web", "--reason", "new disk").stdout == "web: on hold\n"
    assert tree.ctl("hold", "web", "--reason", "new disk").stdout == "web: already on hold\n"
    assert "new disk" in tree.ctl("apps").stdout and "new disk" in tree.ctl("app", "web").stdout
    app.put(6, image="app:2")
    assert "on hold on this machine: new disk" in tree.ctl("app", "web").stdout
    tree.ctl("stop", "web")
    assert tree.ctl("destroy", "web").stdout.endswith("web: destroyed\n")
    tree.ctl("start", "web")
    assert tree.ctl("release", "web").stdout == "web: released\n"
    app.running(6)
    assert tree.ctl("release", "web").stdout == "web: already released\n"
    assert "belongs to the zone" in tree.ctl("stop", "web", check=False).stderr
    tree.call("reconciler", "PutZoneState", assigned={"names": []})
    assert "no longer assigned" in tree.ctl("apps").stdout and "no longer assigned" in tree.ctl("app", "web").stdout
