"""Tests the switch from one revision to the next on a real Docker daemon: what survives, what is rolled back, what is retried."""

import contextlib
import json
import socket

import pytest
from lib import ground
from lib.apps import App, answers, driver_containers, manifest, names_below, server
from lib.tree import program

FAST = {"reconciler": {"retry_min": "100ms", "retry_max": "500ms"}}


@pytest.fixture
def fast_tree(make_tree, docker_settings, engine, repository):
    """A tree with short backoffs."""
    return make_tree({**docker_settings, **FAST, "fetcher": {"repositories": repository.url}}).start()


def starts(app, where="home/action/starts"):
    """Returns how often the application was started with this data."""
    return len((app.directory() / where).read_text().splitlines())


@contextlib.contextmanager
def listener(port):
    """Runs a foreign program that listens on a port."""
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("0.0.0.0", port))
        stranger.listen()
        yield


# Updates that work

@pytest.mark.sanitized
def test_update_replaces_the_container_and_keeps_the_data(tree, engine, busybox_image):
    app, port = App(tree), ground.free_port()
    app.deploy(manifest(script=server("one", port), ports={"http": port}))
    answers(port, "one")
    before = engine.inspect("i8k_web_0")
    assert app.apply(manifest(script=server("two", port), ports={"http": port}))["revision"] == 2
    app.running(2)
    answers(port, "two")
    after = engine.inspect("i8k_web_0")
    assert after["Id"] != before["Id"] and after["Config"]["Labels"]["io.hostlet.revision"] == "2"
    assert starts(app) == 2 and starts(app, "opt/starts") == 2
    assert app.replica_file()["app"]["deploy"]["revision"] == 2
    assert engine.names() == ["i8k_web_0"]
    ground.wait_until(lambda: [r["revision"] for r in app.record()["revisions"]] == [2], 10, "the old revision is released")


def test_equal_apply_changes_nothing_and_reports_it(tree, engine, busybox_image):
    app, wanted = App(tree), manifest(script="exec sleep 1000")
    app.deploy(wanted)
    before = engine.inspect("i8k_web_0")["Id"]
    said = app.apply(wanted)
    assert not said["changed"] and said["revision"] == 1 and not said.get("changes")
    assert "unchanged" in tree.apply(wanted).stdout
    assert engine.inspect("i8k_web_0")["Id"] == before and app.get()["settled"]


def test_a_new_description_is_written_into_the_running_container(tree, engine, busybox_image):
    app = App(tree)
    app.deploy(manifest(script="exec sleep 1000"))
    before = engine.inspect("i8k_web_0")
    said = app.apply(manifest(script="exec sleep 1000", spec={"description": "new words"}))
    assert said["changed"] and said["revision"] == 1
    app.running(1)
    assert app.replica_file()["app"]["spec"]["description"] == "new words"
    after = engine.inspect("i8k_web_0")
    assert (after["Id"], after["State"]["Pid"]) == (before["Id"], before["State"]["Pid"])


# Updates that fail before the switch

def assert_untouched(app, engine, before, port):
    after = engine.inspect("i8k_web_0")
    assert (after["Id"], after["State"]["Pid"]) == (before["Id"], before["State"]["Pid"])
    assert after["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert starts(app) == 1
    answers(port, "one")
    assert app.replica_file()["app"]["deploy"]["revision"] == 1


@pytest.mark.parametrize("what", ["image", "package"])
def test_update_with_a_missing_part_keeps_the_old_revision_and_is_retried(fast_tree, engine, repository, entry_image,
                                                                                busybox_image, what):
    app, port = App(fast_tree), ground.free_port()
    app.deploy(manifest(script=server("one", port), ports={"http": port}))
    answers(port, "one")
    before = engine.inspect("i8k_web_0")
    late = "hostlet-test/late:1"
    more = {"image": late} if what == "image" else {"packages": ["late"]}
    app.apply(manifest(script=server("two", port), ports={"http": port}, **more))
    seen = app.wait(lambda i: i["failed"] and i.get("next_retry") and "late" in i.get("message", ""), "the failure shows")
    assert not seen["settled"]
    shown = fast_tree.ctl("app", "web").stdout
    assert "late" in shown
    stage = "image_pull" if what == "image" else "pkg_download"
    app.wait(lambda i: any(s["name"] == stage and s.get("attempt", 0) >= 1 for s in i["replicas"][0]["stages"]),
             "the act is retried automatically")
    assert_untouched(app, engine, before, port)
    if what == "image":
        engine.tag(busybox_image, late)
    else:
        repository.add("late", "1.0.0", files={"file": b"x\n"})
    app.running(2)
    answers(port, "two")
    if what == "image":
        engine.remove_image(late)


# Updates whose switch fails

def fails_by_port(port):
    stranger = ground.free_port()
    wanted = manifest(script=server("two", port), ports={"http": port, "more": stranger})
    return wanted, stranger


@pytest.mark.parametrize("failure", ["entrypoint", "exit", "task", "command"])
def test_update_that_fails_its_probation_is_rolled_back(tree, engine, busybox_image, failure):
    app, port = App(tree), ground.free_port()
    app.deploy(manifest(script=server("one", port), ports={"http": port}))
    answers(port, "one")
    bad, reason = {
        "entrypoint": (manifest(init="image", command=["/no/such/program"], ports={"http": port}), "/no/such/program"),
        "command": (manifest(init="image", command=["/bin/sh", "-c", "echo last words; exit 3"], ports={"http": port}),
                    "last words"),
        "exit": (manifest(init="image", command=["/bin/true"], ports={"http": port}), "code 0"),
        "task": (manifest(script="echo cannot go on; exit 7", ports={"http": port}, probation=3000), "cannot go on"),
    }[failure]
    assert app.apply(bad)["revision"] == 2
    seen = app.fallen_back(1)
    replica = seen["replicas"][0]
    assert replica["state"] == "failed" and reason in replica["message"], replica["message"]
    assert not replica.get("next_retry"), "a failed switch is not retried automatically"
    assert reason in tree.ctl("app", "web").stdout
    answers(port, "one")
    assert engine.names() == ["i8k_web_0"]
    made = engine.inspect("i8k_web_0")
    assert made["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert made["Config"]["Labels"]["io.hostlet.revision"] == "1"
    # The old container was stopped and started again; its data survived both.
    assert starts(app) == 2 and starts(app, "opt/starts") == 2
    assert app.replica_file()["app"]["deploy"]["revision"] == 1
    assert app.replica_file()["app"]["spec"]["tasks"][0]["script"].startswith("echo start")
    # Applied again unchanged: no new revision, so it is an order to retry, and it fails again.
    id_before = made["Id"]
    started = made["State"]["StartedAt"]
    assert app.start()["changed"]
    app.wait(lambda i: i["replicas"][0].get("step") == "going back", "the act is retried")
    app.fallen_back(1)
    assert engine.inspect("i8k_web_0")["State"]["StartedAt"] != started
    assert engine.inspect("i8k_web_0")["Id"] == id_before
    answers(port, "one")
    # A corrected manifest succeeds.
    assert app.apply(manifest(script=server("three", port), ports={"http": port}))["revision"] == 3
    app.running(3)
    answers(port, "three")
    assert engine.names() == ["i8k_web_0"]
    assert not app.replica().get("message")


def test_port_that_another_program_binds_after_plan_fails_the_switch(tree, engine, busybox_image):
    app, port, more = App(tree), ground.free_port(), ground.free_port()
    app.deploy(manifest(script=f"echo start >> /home/action/starts; trap 'sleep 1; exit 0' TERM; mkdir -p /home/action/www; "
                        f"echo one > /home/action/www/index.html; httpd -p {port} -h /home/action/www; "
                        f"while :; do sleep 0.1; done", ports={"http": port}))
    answers(port, "one")
    wanted = manifest(script=server("two", port), ports={"http": port, "more": more})
    # The old one takes a second to stop: the foreign program binds the port in that time.
    assert not app.plan(wanted).get("refusals")
    app.apply(wanted)
    app.wait(lambda i: i["replicas"][0].get("step") == "stopping container", "the switch begins")
    with listener(more):
        seen = app.fallen_back(1)
        assert str(more) in seen["replicas"][0]["message"]
        answers(port, "one")
        assert engine.names() == ["i8k_web_0"]
        assert not seen["replicas"][0].get("next_retry")
        assert app.replica_file()["app"]["deploy"]["revision"] == 1
    app.start()
    app.running(2)
    answers(port, "two")


def test_apply_reports_the_first_failed_attempt(tree, engine, busybox_image):
    port = ground.free_port()
    assert tree.apply(manifest(script=server("one", port), ports={"http": port})).returncode == 0
    failed = tree.apply(manifest(init="image", command=["/bin/sh", "-c", "echo last words; exit 3"], ports={"http": port}),
                        check=False)
    assert failed.returncode != 0 and "last words" in failed.stdout + failed.stderr
    missing = tree.apply(manifest("lost", image="hostlet-test/no-such-image:1", script="true"), check=False)
    assert missing.returncode != 0 and "no-such-image" in missing.stdout + missing.stderr


# Orders

@pytest.mark.sanitized
def test_stop_and_start_keep_the_container(tree, engine, busybox_image):
    app, port = App(tree), ground.free_port()
    app.deploy(manifest(script=server("one", port), ports={"http": port}))
    before = engine.inspect("i8k_web_0")["Id"]
    app.stop()
    app.stopped()
    made = engine.inspect("i8k_web_0")
    assert made["Id"] == before and not made["State"]["Running"]
    assert made["HostConfig"]["RestartPolicy"]["Name"] in ("no", ""), "dockerd would revive it"
    assert not ground.connects(port)
    assert {s["name"]: s["state"] for s in app.replica()["stages"]}["container_stop"] == "success"
    app.start()
    app.running(1)
    answers(port, "one")
    made = engine.inspect("i8k_web_0")
    assert made["Id"] == before and made["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert not app.start()["changed"]


def test_on_shutdown_tasks_run_at_stop(tree, busybox_image):
    app = App(tree)
    app.deploy(manifest(script="exec sleep 1000",
                        tasks=[{"name": "bye", "on_shutdown": True, "script": "echo bye > /home/action/bye"}]))
    app.stop()
    app.stopped()
    assert (app.directory() / "home/action/bye").read_text() == "bye\n"


def test_data_of_a_destroyed_instance_is_kept_and_restored(tree, engine, busybox_image):
    app, port = App(tree), ground.free_port()
    wanted = manifest(script=server("one", port), ports={"http": port})
    app.deploy(wanted)
    answers(port, "one")
    said = tree.ctl("destroy", "web").stdout
    assert "web" in said
    app.gone()
    assert engine.names() == [] and driver_containers(tree) == {}
    kept = names_below(tree.prefix / "apps")
    assert len(kept) == 1 and kept[0].startswith("i8k_web_0.removed-2")
    assert not names_below(tree.prefix / "var/hostlet/reconciler/instances")
    app.deploy(wanted)
    answers(port, "one")
    assert starts(app) == 2 and names_below(tree.prefix / "apps") == ["i8k_web_0"]


def test_destroy_with_purge_leaves_nothing(tree, engine, repository, busybox_image):
    app = App(tree)
    repository.add("site", "1.0.0", files={"file": b"x\n"})
    app.deploy(manifest(script="exec sleep 1000", packages=["site"]))
    app.destroy()
    app.gone()
    app.deploy(manifest(script="exec sleep 1000", packages=["site"]))
    tree.ctl("destroy", "--purge", "web")
    app.gone()
    assert engine.names() == [] and names_below(tree.prefix / "apps") == []
    ground.wait_until(lambda: not list((tree.prefix / "var/ipk").rglob("*.ipk")), 10, "the package is released")
    ground.wait_until(lambda: not list((tree.prefix / "var/ipk_install").rglob("file")), 10, "its install directory too")


def test_destroy_of_a_failed_application(tree, engine, busybox_image):
    app = App(tree)
    app.apply(manifest(init="image", command=["/bin/false"]))
    app.wait(lambda i: i["replicas"][0]["state"] == "failed", "it fails")
    app.destroy()
    app.gone()
    assert engine.names() == []


def test_app_replica_json_of_the_record_is_the_desired_state(tree, busybox_image):
    app = App(tree)
    app.deploy(manifest(script="exec sleep 1000", spec={"configs": [{"name": "cfg/greeting", "default": "hello"}]}))
    file = app.replica_file()
    assert file["app"]["deploy"]["configs"][0]["value"] == "hello"
    assert json.loads(tree.ctl("app", "web", "--json").stdout)


def test_followed_log_continues_after_the_switch(tree, busybox_image, place):
    """hostletctl logs -f shows what the next container writes, until the application is stopped."""
    app = App(tree)
    app.deploy(manifest(script="echo one; exec sleep 1000"))
    output = place / "followed"
    process = ground.start([program("hostletctl"), "--prefix", tree.prefix, "logs", "-f", "web"], output)
    ground.wait_until(lambda: "one" in output.read_text(), 20, "existing output is shown")
    app.deploy(manifest(script="echo two; exec sleep 1000"))
    ground.wait_until(lambda: "two" in output.read_text(), 20, "the new container's log is shown")
    tree.kill_service("reconciler")
    tree.kill_service("container-driver")
    app.deploy(manifest(script="echo three; exec sleep 1000"))
    ground.wait_until(lambda: "three" in output.read_text(), 20, "and the next one's")
    app.stop()
    assert process.wait(30) == 0
    words = output.read_text().split()
    assert [word for word in words if word in ("one", "two", "three")] == ["one", "two", "three"], words
