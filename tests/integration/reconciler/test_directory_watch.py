"""Tests which changes of the directory of manifests are followed, and which never are. The containers are simulated."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from lib import ground
from lib.apps import App
from lib.manifests import Manifests, image_of, plain, shown


# What is heard

def test_only_renames_into_place_are_heard_and_a_reload_reads_everything(follower, manifests):
    manifests.put("web", plain())
    tree = follower().start()
    app = App(tree)
    app.running(1)
    manifests.write_in_place("web", plain("two:1"))
    manifests.write_in_place("new", plain(name="new"))
    manifests.put("other", plain(name="other"))
    App(tree, "other").running(1)
    assert app.get()["revision"] == 1 and App(tree, "new").get() is None
    pid = tree.pid("reconciler")
    tree.ctl("reload")
    app.running(2)
    App(tree, "new").running(1)
    assert tree.pid("reconciler") == pid
    # An editor renames the old file away, and writes the new one in its place: nothing is stopped.
    manifests.file("web").rename(manifests.path / "web.json~")
    manifests.write_in_place("web", plain("three:1"))
    seen = shown(app, "was written in place")
    assert seen["action"] == "start" and image_of(tree) == "two:1" and app.record().get("unassigned") is None
    manifests.put("web", plain("three:1"))
    app.running(3)
    (manifests.path / "web.toml").write_text("nonsense")
    (manifests.path / ".web.json").write_text("nonsense")
    tree.ctl("reload")
    app.running(3)


def test_lost_events_are_followed_by_reading_everything(follower, manifests):
    manifests.put("web", plain())
    tree = follower().start()
    App(tree).running(1)
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    pid = tree.pid("reconciler")
    os.kill(pid, signal.SIGSTOP)
    try:
        a, b = manifests.path / "a", manifests.path / "b"
        a.touch()
        for _ in range(limit // 2 + 10):  # each is two events, which are not alike
            a.rename(b)
            b.rename(a)
        manifests.put("web", plain("two:1"))
        manifests.put("late", plain(name="late"))
    finally:
        os.kill(pid, signal.SIGCONT)
    App(tree).running(2)
    App(tree, "late").running(1)


# The directory itself

@pytest.fixture
def follows(follower, manifests):
    """A tree that runs 'web' and 'other' by their files, and would destroy them without."""
    manifests.put("web", plain())
    manifests.put("other", plain(name="other"))
    tree = follower(manifests_removed="destroy").start()
    for name in ("web", "other"):
        App(tree, name).running(1)
    return tree


def problem(tree, text):
    ground.wait_until(lambda: text in tree.call("reconciler", "Info").get("manifests_problem", ""), 10, f"it shows '{text}'")
    assert text in tree.ctl("status", check=False).stdout


def good(tree):
    ground.wait_until(lambda: "manifests_problem" not in tree.call("reconciler", "Info"), 10, "it is followed")


def test_a_missing_directory_changes_nothing(follows, manifests, place):
    tree, app, away = follows, App(follows), place / "away"
    manifests.path.rename(away)
    problem(tree, "No such file or directory")
    Manifests(away).put("web", plain("two:1"))
    tree.restart()
    problem(tree, "No such file or directory")
    app.running(1)
    away.rename(manifests.path)
    app.running(2)
    good(tree)
    # Another directory takes its place: its files are followed, and none is missed in it before a reload.
    manifests.path.rename(away)
    other = Manifests(place / "another")
    other.put("web", plain("three:1"))
    other.path.rename(manifests.path)
    app.running(3)
    shown(App(tree, "other"), "took the place of another one")
    assert image_of(tree, "other") == "one:1"
    tree.ctl("reload")
    App(tree, "other").gone()
    # It is removed with all its files, and made anew: that is no order either. Its changes are heard.
    for file in manifests.path.iterdir():
        file.unlink()
    manifests.path.rmdir()
    problem(tree, "No such file or directory")
    Manifests(manifests.path).put("new", plain(name="new"))
    App(tree, "new").running(1)
    manifests.remove("new")
    App(tree, "new").gone()
    shown(app, "took the place of another one")
    assert image_of(tree) == "three:1"
    tree.ctl("reload")
    app.gone()


@pytest.mark.parametrize("spoiled, text", [("private", "able to read it"), ("writable", "has mode 0777"),
                                           ("owner", "belongs to user 65534"), ("link", "a symbolic link"), ("file", "Not a directory")])
def test_a_directory_that_is_not_safe_changes_nothing(follows, manifests, place, spoiled, text):
    tree, path, away = follows, manifests.path, place / "away"
    if spoiled in ("private", "writable"):
        path.chmod(0o700 if spoiled == "private" else 0o777)
    elif spoiled == "owner":
        os.chown(path, 65534, 65534)
    else:
        path.rename(away)
        path.symlink_to(away) if spoiled == "link" else path.touch()
    problem(tree, text)
    refused = tree.ctl("reload", check=False)
    assert refused.returncode != 0 and text in refused.stderr
    tree.restart()
    problem(tree, text)
    for name in ("web", "other"):
        App(tree, name).running(1)
    if spoiled in ("link", "file"):
        path.unlink()
        away.rename(path)
    path.chmod(0o755)
    os.chown(path, 0, 0)
    good(tree)
    manifests.put("web", plain("two:1"))
    App(tree).running(2)


def test_another_directory_by_a_reload_removes_nothing(follows, manifests, place):
    tree, app, other = follows, App(follows), App(follows, "other")
    second = Manifests(place / "second")
    second.put("web", plain("two:1"))
    settings = dict(tree.settings["reconciler"])
    tree.write_config({**tree.settings, "reconciler": {**settings, "manifests": f"{second.path}/"}})
    tree.ctl("reload")
    app.running(2)
    assert app.get()["file"] == str(second.file("web"))
    seen = shown(other, "is not in the directory of manifests that is configured")
    assert not seen["failed"] and seen["replicas"][0]["state"] == "running"
    # Without its file it obeys; with it, the file decides again.
    other.stop()
    other.stopped()
    second.put("other", plain(name="other"))
    other.running(1)
    tree.write_config({**tree.settings, "reconciler": {k: v for k, v in settings.items() if k != "manifests"}})
    tree.ctl("reload")
    shown(app, "is not in the directory")
    app.running(2)
    assert "manifests" not in tree.call("reconciler", "Info")
    app.destroy()
    app.gone()


@pytest.mark.parametrize("kind", ["on", "above", "bind"])
def test_a_file_system_that_is_not_mounted_removes_nothing(follower, manifests, place, kind):
    """It is mounted on the directory, or on one that leads to it; a bind mount is of the same device."""
    mounted = manifests.path / "mounted" if kind == "above" else manifests.path
    manifests.path = mounted / "below" if kind == "above" else mounted
    manifests.path.mkdir(mode=0o755, parents=True, exist_ok=True)
    (place / "source").mkdir()
    source = ["--bind", place / "source"] if kind == "bind" else ["-t", "tmpfs", "-o", "mode=755", "tmpfs"]
    subprocess.run(["mount", *source, mounted], check=True)
    try:
        manifests.path.mkdir(mode=0o755, exist_ok=True)
        manifests.put("web", plain())
        manifests.put("other", plain(name="other"))
        tree = follower().start()
        app, other = App(tree), App(tree, "other")
        app.running(1)
        other.running(1)
    finally:
        subprocess.run(["umount", mounted], check=True)
    shown(app, "that is not mounted now")
    tree.restart()
    assert shown(app, "that is not mounted now")["action"] == "start"
    # What is there is followed.
    manifests.put("web", plain("two:1"))
    app.running(2)
    manifests.remove("web")
    app.stopped()
    shown(other, "that is not mounted now")
