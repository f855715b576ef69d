"""Tests the directory of manifests: each file is the desired state of one instance. Most containers are simulated."""

import os
import socket

import pytest
from lib import cgroups, ground
from lib.apps import App, driver_containers, names_below
from lib.manifests import image_of, plain, shown
from lib.varlink import VarlinkError
from lib.zone import ZoneApp, facts


def told(call, *arguments):
    with pytest.raises(VarlinkError) as caught:
        call(*arguments)
    return str(caught.value)


def destroyed(app):
    return app.wait(lambda i: i["settled"] and [r["state"] for r in i["replicas"]] == ["destroyed"], "it is destroyed")


# Orders

def test_a_file_that_is_added_changed_and_removed_is_an_order(follower, manifests):
    manifests.put("early", plain(name="early"))
    tree = follower().start()
    app, early = App(tree), App(tree, "early")
    assert early.running(1)["origin"] == "directory"
    manifests.put("web", plain())
    seen = app.running(1)
    assert seen["file"] == str(manifests.file("web")) and app.record()["origin"] == "directory"
    assert str(manifests.file("web")) in tree.ctl("app", "web").stdout and "directory" in tree.ctl("app", "web").stdout
    manifests.put("web", plain("two:1"))
    app.running(2)
    assert image_of(tree) == "two:1"
    # Limits change in place, here too.
    before = driver_containers(tree)["i8k_web_0"]["id"]
    manifests.put("web", plain("two:1", deploy={"memory_limit": 64 << 20}))
    ground.wait_until(lambda: driver_containers(tree)["i8k_web_0"].get("memory_limit") == 64 << 20, 20, "the limit is set")
    assert driver_containers(tree)["i8k_web_0"]["id"] == before
    # The desired action is a part of the file.
    manifests.put("web", plain("two:1", deploy={"action": "stop"}))
    app.stopped()
    manifests.put("web", plain("two:1"))
    app.running(2)
    manifests.remove("web")
    app.stopped()
    assert "was removed" in app.get()["problem"] and not app.get()["failed"] and image_of(tree) == "two:1"
    assert "was removed" in told(app.start)
    manifests.put("web", plain("two:1"))
    app.running(2)
    assert "problem" not in app.get()
    assert early.get()["revision"] == 1 and early.running(1)


def test_removed_files_can_destroy_and_keep_the_data(follower, manifests):
    manifests.put("web", plain(init="inagent", script="true"))
    manifests.put("other", plain(name="other"))
    tree = follower(manifests_removed="destroy").start()
    app, other = App(tree), App(tree, "other")
    app.running(1)
    other.running(1)
    manifests.remove("web")
    app.gone()
    kept = names_below(tree.prefix / "apps")
    assert len(kept) == 1 and kept[0].startswith("i8k_web_0.removed-")
    other.running(1)
    # It is there again, under the same name.
    manifests.put("web", plain())
    app.running(1)
    # A file can order that, too; its record stays, and another action ends it.
    manifests.put("web", plain(deploy={"action": "destroy"}))
    destroyed(app)
    tree.restart()
    assert destroyed(app)["action"] == "destroy" and driver_containers(tree).keys() == {"i8k_other_0"}
    manifests.put("web", plain())
    app.running(1)


def test_what_changed_while_the_reconciler_was_down_is_followed(follower, manifests):
    for name in ("web", "changed", "same"):
        manifests.put(name, plain(name=name))
    tree = follower().start()
    for name in ("web", "changed", "same"):
        App(tree, name).running(1)
    record = (tree.prefix / "var/hostlet/reconciler/instances/same.json")
    tree.stop()
    before = record.stat().st_mtime_ns
    manifests.remove("web")
    manifests.write_in_place("changed", plain("two:1", "changed"))
    manifests.put("added", plain(name="added"))
    tree.start()
    App(tree).stopped()
    App(tree, "changed").running(2)
    App(tree, "added").running(1)
    App(tree, "same").running(1)
    assert record.stat().st_mtime_ns == before, "an unchanged file is no order"


def test_a_removal_is_followed_by_the_next_process_when_this_one_is_killed(follower, manifests):
    manifests.put("web", plain())
    tree = follower().start()
    App(tree).running(1)
    manifests.remove("web")
    tree.kill_service("reconciler")
    App(tree).stopped()


def test_a_file_can_be_replaced_during_a_switch(follower, manifests):
    manifests.put("web", plain())
    tree = follower().start()
    app = App(tree)
    app.running(1)
    manifests.put("web", plain("two:1", probation=60000))
    app.wait(lambda i: i["replicas"][0].get("step") == "on probation", "the switch is in progress")
    manifests.put("web", plain("three:1"))
    app.running(3)
    assert image_of(tree) == "three:1"
    # A failed one is rolled back, and tried again when the same file is put in place again.
    manifests.put("web", plain("null/start-fails"))
    app.fallen_back(3)
    first = app.get()["replicas"][0]["stages"]
    manifests.put("web", plain("null/start-fails"))
    app.wait(lambda i: i["replicas"][0]["stages"] != first, "it is tried again")
    app.fallen_back(3)


# Local requests

def test_local_requests_are_refused_except_a_hold(follower, manifests):
    manifests.put("web", plain())
    tree = follower().start()
    app = ZoneApp(tree)
    app.running(1)
    for call in (app.stop, app.start, app.destroy, lambda: app.apply(plain("two:1"))):
        assert f"belongs to the file '{manifests.file('web')}'" in told(call)
    app.hold("being looked at")
    app.stop()
    app.stopped()
    manifests.put("web", plain("two:1"))
    manifests.put("other", plain(name="other"))
    App(tree, "other").running(1)  # so the change of 'web' was read as well
    assert app.get()["action"] == "stop" and app.get()["revision"] == 1 and app.get()["hold"] == "being looked at"
    tree.restart()
    app.stopped()
    app.release()
    app.running(2)
    # Destroyed in a hold, it comes back after it; and a file removed in a hold is an order after it.
    app.hold()
    assert "web: destroyed" in tree.ctl("destroy", "web").stdout
    destroyed(app)
    app.release()
    app.running(2)
    app.hold()
    manifests.remove("web")
    tree.ctl("reload")
    app.settled()
    assert app.get()["action"] == "start"
    app.release()
    app.stopped()
    app.destroy()  # without its file, nothing else decides over it
    app.gone()


def test_a_clash_keeps_what_is_there_until_it_is_destroyed(follower, manifests):
    tree = follower().start()
    app = App(tree)
    app.deploy(plain("mine:1"))
    manifests.put("web", plain())
    seen = shown(app, "a local instance has the name web")
    assert seen["origin"] == "local" and not seen["failed"] and image_of(tree) == "mine:1"
    app.destroy()
    app.wait(lambda i: i and i["origin"] == "directory" and i["settled"], "the file is followed")
    app.running(1)
    assert image_of(tree) == "one:1"
    # The zone's instance of the name waits, as for a local one.
    zone = ZoneApp(tree)
    tree.call("reconciler", "PutZoneState", facts=facts())
    assert "has the name 'web'" in zone.put(5)["problem"]
    assert app.get()["origin"] == "directory" and app.get()["clash"]
    other = ZoneApp(tree, "other")
    other.put(5)
    other.running(5)
    manifests.put("other", plain(name="other"))
    assert shown(other, "belongs to the zone")["origin"] == "zone"


# Files that cannot be followed

def spoil(manifests, how):
    """Puts a file for 'web' that cannot be followed; returns a part of the reason."""
    file = manifests.file("web")
    if how == "json":
        manifests.put("web", '{"app": ')
        return "line 1"
    if how == "unknown":
        manifests.put("web", {**plain("two:1"), "colour": "blue"})
        return "/colour"
    if how == "form":
        manifests.put("web", {"name": "web", "version": "1", "image": "two:1"})
        return "'hostletctl convert' prints"
    if how == "check":
        manifests.put("web", plain("MyImage:1"))
        return "/app/spec/image"
    if how == "name":
        manifests.put("web", plain("two:1", "another"))
        return "describes the instance 'another'"
    if how == "size":
        manifests.put("web", {**plain("two:1", spec={"description": "x" * (5 << 20)})})
        return "is larger than"
    if how == "mode":
        manifests.put("web", plain("two:1"), 0o664)
        return "has mode 0664"
    if how == "unreadable":
        manifests.put("web", plain("two:1"), 0o600)
        return "hostlet-reconciler, must be able to read it"
    manifests.put(".aside", plain("two:1"))
    aside = manifests.file(".aside")
    if how == "owner":
        os.chown(aside, 65534, 65534)
        aside.rename(file)
        return "belongs to user 65534"
    if how == "link":
        target = aside.rename(manifests.path / "target")
        aside.symlink_to(target)
        aside.rename(file)
        return "is a symbolic link"
    aside.unlink()
    if how == "fifo":
        os.mkfifo(aside, 0o644)
        aside.rename(file)
        return "is not a regular file"
    file.unlink(missing_ok=True)
    aside.mkdir()
    aside.rename(file)
    return "is not a regular file"


KINDS = ["json", "unknown", "form", "check", "name", "size", "mode", "unreadable", "owner", "link", "fifo", "directory"]


def test_a_file_that_cannot_be_followed_changes_nothing_and_is_shown(follower, manifests):
    tree = follower().start()
    app, alone = App(tree), App(tree, "alone")
    manifests.put("alone", "nonsense")
    assert shown(alone, "line 1")["failed"] and alone.get()["origin"] == "directory"
    manifests.put("web", plain())
    app.running(1)
    before = driver_containers(tree)
    for how in KINDS:
        reason = spoil(manifests, how)
        seen = shown(app, reason)
        assert seen["failed"] and seen["action"] == "start" and seen["replicas"][0]["state"] == "running", how
        if how == "directory":
            manifests.file("web").rmdir()
        manifests.put("web", plain())
        app.running(1)
        assert "problem" not in app.get() and driver_containers(tree) == before, how
    # Both kinds are shown by the commands, also after a restart.
    spoil(manifests, "name")
    tree.restart()
    shown(app, "describes the instance")
    shown(alone, "line 1")
    for words in (["status"], ["apps"]):
        out = tree.ctl(*words, check=False).stdout
        assert "describes the instance" in out and "line 1" in out, out
    assert "line 1" in tree.ctl("app", "alone").stdout and "describes the instance" in tree.ctl("app", "web").stdout
    assert tree.call("reconciler", "Info")["instances"] == 2
    # Its end is an event of a watch.
    with tree.connect("reconciler") as connection:
        stream = connection.stream("io.hostlet.Reconciler.Watch")
        assert {item["instance"]["name"] for item in iter(lambda: next(stream), {"complete": True})} == {"web", "alone"}
        manifests.remove("alone")
        assert next(i for i in stream if i["instance"]["name"] == "alone")["gone"]
    assert alone.get() is None


def test_what_the_machine_does_not_permit_now_is_tried_again(follower, manifests):
    port = ground.free_port()
    tree = follower().start()
    with socket.create_server(("0.0.0.0", port)):
        manifests.put("web", plain(ports={"http": 80}, host_ports={0: {80: port}}))
        shown(App(tree), f"host port {port} is in use by another program")
    App(tree).running(1)


# On Docker

def test_docker_follows_files_that_convert_makes(make_tree, docker_settings, engine, busybox_image, manifests, place):
    tree = make_tree({**docker_settings, "reconciler": {"manifests": manifests.path}}).start()
    app, file = App(tree), place / "web.toml"

    def put(memory):
        file.write_text(f"""name = "web"
version = "1.0.0"
image = "{busybox_image}"
[resources]
memory_limit = "{memory}"
[hostlet]
init = "image"
pull = "never"
command = ["sleep", "1000"]
probation = "200ms"
stop_timeout = "1s"
""")
        manifests.put("web", tree.ctl("convert", file).stdout)
    put("64Mi")
    app.running(1)
    before = engine.inspect("i8k_web_0")
    put("32Mi")
    cgroups.wait_for(engine, "i8k_web_0", None, 32 << 20, 1000)
    assert engine.inspect("i8k_web_0")["State"]["Pid"] == before["State"]["Pid"] and engine.inspect("i8k_web_0")["Id"] == before["Id"]
    manifests.remove("web")
    app.stopped()
    assert not engine.inspect("i8k_web_0")["State"]["Running"]
