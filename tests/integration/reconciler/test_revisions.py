"""Tests what an apply changes and what it leaves unchanged, on the null runtime: revisions, scaling, plan, refusals."""

import os
import socket

import pytest
from lib import ground
from lib.apps import App, driver_containers, manifest, names_below
from lib.varlink import VarlinkError


@pytest.fixture
def app(null_tree):
    return App(null_tree)


def ids(tree):
    return {name: item["id"] for name, item in driver_containers(tree).items()}


# Revisions

@pytest.mark.parametrize("change, grows", [
    ({"resources": {"volume_limit": "2Gi"}}, False),
    ({"probation": 100}, False),
    ({"stop_timeout": 3000}, False),
    ({"spec": {"description": "other words"}}, False),
    ({"replicas": 2}, False),
    ({"deploy": {"action": "stop"}}, False),
    ({"resources": {"cpu_limit": "100m"}}, False),
    ({"resources": {"memory_limit": "32Mi"}}, False),
    ({"pull": "missing"}, False),
    ({"env": {"A": "b"}}, True),
    ({"image": "other:1"}, True),
    ({"script": "another"}, True),
    ({"pids_limit": 50}, False),
    ({"init": "image", "script": None}, True),
], ids=lambda value: next(iter(value)) if isinstance(value, dict) else "")
def test_revision_grows_when_a_new_container_is_needed(null_tree, app, change, grows):
    base = {"image": "one:1", "script": "sleep 1000"}
    app.deploy(manifest(**base))
    before = ids(null_tree)["i8k_web_0"]
    said = app.apply(manifest(**{**base, **change}))
    assert said["changed"] and said["revision"] == (2 if grows else 1)
    app.settled()
    assert (ids(null_tree)["i8k_web_0"] != before) == grows


def test_equal_apply_reports_no_change(null_tree, app):
    wanted = manifest(image="one:1", script="sleep 1000")
    app.deploy(wanted)
    before = driver_containers(null_tree)
    said = app.apply(wanted)
    assert (said["changed"], said["revision"], said.get("changes", [])) == (False, 1, [])
    assert driver_containers(null_tree) == before
    assert "unchanged" in null_tree.apply(wanted).stdout


def test_older_manifest_again_is_a_new_revision(app):
    one, two = manifest(image="one:1"), manifest(image="two:1")
    app.deploy(one)
    app.deploy(two)
    assert app.deploy(one)["revision"] == 3


def test_scaling_touches_only_added_and_removed_replicas(null_tree, app):
    app.deploy(manifest(image="one:1", replicas=3))
    before = ids(null_tree)
    assert app.apply(manifest(image="one:1", replicas=5))["revision"] == 1
    app.running(1)
    more = ids(null_tree)
    assert len(more) == 5 and all(more[name] == before[name] for name in before)
    app.apply(manifest(image="one:1", replicas=[0, 4]))
    app.wait(lambda i: i["settled"] and len(i["replicas"]) == 2, "three are removed")
    assert ids(null_tree) == {name: more[name] for name in ("i8k_web_0", "i8k_web_4")}
    assert [name for name in names_below(null_tree.prefix / "apps") if ".removed-" not in name] == ["i8k_web_0", "i8k_web_4"]
    assert app.get()["revision"] == 1
    # The replica file of those that stay contains the number of replicas.
    assert app.replica_file(0)["app"]["deploy"]["replica_cap"] == 2


def test_apply_supersedes_one_in_progress(null_tree, app):
    app.deploy(manifest(image="one:1"))
    app.apply(manifest(image="null/slow:300"))
    assert app.apply(manifest(image="three:1"))["revision"] == 3
    app.running(3)
    assert list(driver_containers(null_tree)) == ["i8k_web_0"]


def test_stop_during_a_switch_stops(null_tree, app):
    app.deploy(manifest(image="one:1"))
    app.apply(manifest(image="two:1", probation=60000))
    app.wait(lambda i: i["replicas"][0].get("step") == "on probation", "it is on probation")
    app.stop()
    app.stopped()
    left = driver_containers(null_tree)
    assert list(left) == ["i8k_web_0"] and left["i8k_web_0"]["state"] in ("exited", "created")
    app.apply(manifest(image="two:1"))
    app.running(2)
    assert list(driver_containers(null_tree)) == ["i8k_web_0"]


def test_destroy_during_a_switch_removes_both_containers(null_tree, app):
    app.deploy(manifest(image="one:1"))
    app.apply(manifest(image="two:1", probation=60000))
    app.wait(lambda i: i["replicas"][0].get("step") == "on probation", "it is on probation")
    assert sorted(driver_containers(null_tree)) == ["i8k_web_0", "i8k_web_0.old"]
    app.destroy()
    app.gone()
    assert driver_containers(null_tree) == {}


def test_apply_with_action_stop_deploys_nothing(null_tree, app):
    app.apply(manifest(image="one:1", deploy={"action": "stop"}))
    app.stopped()
    assert driver_containers(null_tree) == {}


def test_instance_may_be_applied_again_after_destroy(null_tree, app):
    app.deploy(manifest(image="one:1"))
    app.destroy()
    app.gone()
    assert app.deploy(manifest(image="one:1"))["revision"] == 1


# Failures outside of Docker

def test_failed_update_rolls_back_and_is_not_retried(null_tree, app):
    app.deploy(manifest(image="one:1"))
    before = ids(null_tree)
    app.apply(manifest(image="null/exit-3"))
    seen = app.fallen_back(1)
    assert ids(null_tree) == before
    assert "code 3" in seen["replicas"][0]["message"] and not seen["replicas"][0].get("next_retry")
    assert seen["replicas"][0]["state"] == "failed"
    # The same manifest again is an order to retry.
    assert app.apply(manifest(image="null/exit-3"))["changed"]
    app.fallen_back(1)
    assert app.deploy(manifest(image="two:1"))["revision"] == 3
    assert not app.get()["failed"]


def test_failed_update_survives_a_restart_of_the_tree(null_tree, app):
    app.deploy(manifest(image="one:1"))
    app.apply(manifest(image="null/exit-3"))
    app.fallen_back(1)
    before = ids(null_tree)
    null_tree.restart()
    seen = app.fallen_back(1)
    assert "code 3" in seen["replicas"][0]["message"] and ids(null_tree) == before


def test_failed_update_back_to_the_old_manifest(null_tree, app):
    one = manifest(image="one:1")
    app.deploy(one)
    app.apply(manifest(image="null/start-fails"))
    app.fallen_back(1)
    app.apply(one)
    app.running(3)
    assert list(driver_containers(null_tree)) == ["i8k_web_0"]


@pytest.mark.parametrize("image", ["null/exit-3", "null/start-fails"])
def test_first_deploy_is_retried_with_backoff(make_tree, image):
    tree = make_tree({"container-driver": {"runtime": "null"}, "reconciler": {"retry_min": "50ms", "retry_max": "200ms"}}).start()
    app = App(tree)
    app.apply(manifest(image=image, probation=100))
    seen = app.wait(lambda i: i["replicas"][0].get("attempt", 0) >= 3, "three attempts")
    assert seen["replicas"][0]["state"] == "failed" and seen["failed"] and not seen["settled"]
    app.wait(lambda i: i["replicas"][0].get("next_retry"), "the next attempt is announced")
    app.deploy(manifest(image="good:1"))
    assert list(driver_containers(tree)) == ["i8k_web_0"]


def test_an_unknown_image_is_retried_with_backoff(make_tree):
    tree = make_tree({"container-driver": {"runtime": "null"}, "reconciler": {"retry_min": "50ms", "retry_max": "200ms"}}).start()
    app = App(tree)
    app.deploy(manifest(image="one:1"))
    before = ids(tree)
    app.apply(manifest(image="missing/two:1", pull="missing"))
    app.wait(lambda i: any(s["name"] == "image_pull" and s.get("attempt", 0) >= 2 for s in i["replicas"][0]["stages"]),
             "the pull is retried repeatedly")
    app.wait(lambda i: i["failed"], "the stage is shown as failed between two attempts")
    assert ids(tree) == before
    app.deploy(manifest(image="three:1"))


def test_pull_never_does_not_pull(null_tree, app):
    app.apply(manifest(image="pull/one:1", pull="never"))
    app.wait(lambda i: "never" in i.get("message", ""), "the reason says so")
    app.deploy(manifest(image="pull/one:1", pull="missing"))


def test_crash_loop_is_a_state_of_its_own(make_tree):
    tree = make_tree({"container-driver": {"runtime": "null"}}).start()
    app = App(tree)
    app.apply(manifest(image="null/exit-5-after-150", probation=50))
    seen = app.wait(lambda i: i["replicas"][0]["state"] == "crash_looping" and i["replicas"][0].get("message"),
                    "the crash loop is seen")
    assert "5" in seen["replicas"][0]["message"] and seen["failed"]


# Plan and refusals

def test_plan_shows_changes_and_makes_none(null_tree, app):
    wanted = manifest(image="one:1", replicas=2)
    said = app.plan(wanted)
    assert said["revision"] == 1 and {(c["subject"], c["action"]) for c in said["changes"]} == {
        ("instance web", "create"), ("replica 0", "create"), ("replica 1", "create")}
    assert app.get() is None and driver_containers(null_tree) == {}
    assert names_below(null_tree.prefix / "apps") == names_below(null_tree.prefix / "var/hostlet/reconciler/instances") == []
    app.deploy(wanted)
    before, record = driver_containers(null_tree), app.record()
    said = app.plan(manifest(image="two:1", replicas=1))
    assert said["revision"] == 2
    assert [(c["subject"], c["action"]) for c in said["changes"] if c["subject"].startswith("replica")] == [
        ("replica 0", "recreate"), ("replica 1", "remove")]
    assert any("/app/spec/image" in c.get("reason", "") and "two:1" in c["reason"] for c in said["changes"])
    assert not app.plan(wanted)["changed"]
    assert driver_containers(null_tree) == before and app.record() == record


def refusal(app, wanted):
    """Returns the part that plan and apply report alike."""
    try:
        said = "; ".join(app.plan(wanted).get("refusals", []))
    except VarlinkError as error:
        said = error.parameters["reason"]
    with pytest.raises(VarlinkError) as refused:
        app.apply(wanted)
    assert refused.value.name == "io.hostlet.Refused"
    assert said and said in refused.value.parameters["reason"]
    assert app.get() is None
    return said


def test_more_cpus_than_there_are_are_refused(app):
    there = os.cpu_count()
    said = refusal(app, manifest(image="one:1", resources={"cpu_limit": str(there + 1)}))
    assert str((there + 1) * 1000) in said and "CPU" in said


def test_more_memory_than_there_is_is_refused(app):
    assert "memory" in refusal(app, manifest(image="one:1", resources={"memory_limit": "4000Ti"}))


def test_port_of_another_program_is_refused(app):
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        assert str(port) in refusal(app, manifest(image="one:1", ports={"http": port}))


def test_port_of_another_instance_is_refused(null_tree, app):
    port = ground.free_port()
    App(null_tree, "first").deploy(manifest("first", image="one:1", ports={"http": port}))
    said = refusal(app, manifest(image="one:1", ports={"http": port}))
    assert str(port) in said and "first" in said


@pytest.mark.parametrize("member", ["depends", "service_depends"])
def test_dependencies_are_refused(app, member):
    assert member in refusal(app, manifest(image="one:1", spec={member: [{"name": "db", "version": "1"}]}))


@pytest.mark.parametrize("name", ["a", "UPPER", "under_score", "-dash", "x" * 64, "../etc"])
def test_name_that_is_no_label_is_refused(app, name):
    with pytest.raises(VarlinkError) as refused:
        app.apply(manifest(name, image="one:1"))
    assert refused.value.name == "io.hostlet.Refused" and "name" in refused.value.parameters["reason"]


def test_quota_required_refuses_with_the_reason(make_tree):
    tree = make_tree({"container-driver": {"runtime": "null"}, "reconciler": {"quota": "required", "retry_min": "50ms"}}).start()
    app = App(tree)
    app.apply(manifest(image="one:1"))
    seen = app.wait(lambda i: i["replicas"] and i["replicas"][0].get("message"), "the reason is shown")
    assert "quota" in seen["replicas"][0]["message"]
    assert driver_containers(tree) == {}
    # An image without a directory of hostlet has nothing to limit.
    App(tree, "plain").deploy(manifest("plain", image="one:1", init="image"))


def test_hostletctl_shows_why_apply_refuses(null_tree, place):
    file = place / "app.toml"
    file.write_text('name = "web"\nversion = "1"\nimage = "one:1"\n[resources]\ncpu_limit = "lots"\n')
    refused = null_tree.ctl("apply", file, check=False)
    assert refused.returncode != 0 and f"{file}:5" in refused.stderr and "cpu_limit" in refused.stderr
    file.write_text('name = "web"\nversion = "1"\nimage = "one:1"\n[resources]\ncpu_limit = "500"\n')
    for command in ("plan", "apply"):
        refused = null_tree.ctl(command, file, check=False)
        assert refused.returncode != 0 and "CPU" in refused.stdout + refused.stderr
    assert App(null_tree).get() is None
