"""Tests 'destroy --purge' through the whole tree: it succeeds when nothing is left, leftovers are shown with their reason, and no
other call waits for it."""

import os
import signal
import subprocess

import pytest
from lib import ground
from lib.apps import App, manifest

NULL = {"container-driver": {"runtime": "null"}, "reconciler": {"retry_min": "50ms", "retry_max": "500ms"},
        "hostlet": {"log_level": "debug"}}


def app_manifest(name, replicas=1):
    return manifest(name, "null/image:1", replicas=replicas, probation=1)


def data(tree, name, number=0):
    return tree.prefix / f"apps/i8k_{name}_{number}"


def hidden(tree):
    return sorted(path.name for path in (tree.prefix / "apps").iterdir() if path.name.startswith("."))


@pytest.fixture
def immutable(place):
    def begin(path):
        path.touch()
        if subprocess.run(["chattr", "+i", path], check=False, capture_output=True).returncode:
            pytest.skip("this filesystem has no immutable files")
    begin.end = lambda: subprocess.run(["chattr", "-R", "-f", "-i", place], check=False)
    yield begin
    begin.end()


def test_leftovers_of_a_purge_are_reported_and_retried(make_tree, immutable):
    tree = make_tree(NULL).start()
    tree.apply(app_manifest("web"))
    tree.apply(app_manifest("other"))
    immutable(data(tree, "web") / "opt/stays")
    for _ in range(2):
        failed = tree.ctl("destroy", "web", "--purge", check=False)
        assert failed.returncode == 1, failed.stdout
        assert "/stays'" in failed.stderr and "chattr -i" in failed.stderr and "deleting data is tried again in " in failed.stderr
    assert not data(tree, "web").exists()
    (name,) = hidden(tree)
    shown = tree.ctl_json("app", "web")["instance"]
    assert shown["action"] == "destroy"
    assert shown["replicas"][0]["state"] == "destroying" and "/stays'" in shown["replicas"][0]["message"]
    assert shown["replicas"][0]["step"] == "deleting data"
    assert "/stays'" in tree.ctl("app", "web").stdout and "/stays'" in tree.ctl("apps").stdout
    status = tree.ctl("status").stdout
    assert "1 cannot be finished" in status and name in status and "/stays'" in status
    (deletion,) = tree.ctl_json("status")["deletions"]
    assert deletion["container"] == "i8k_web_0" and deletion["path"].endswith(name)
    report = tree.ctl("quota", "report").stdout
    assert "not_deleted" in report and name in report and "/stays'" in report
    assert f"cannot remove '{tree.prefix}/apps/{name}/opt/stays'" in tree.log()

    tree.restart()  # every process has it after a restart too
    assert App(tree, "web").get()["action"] == "destroy"
    ground.wait_until(lambda: "/stays'" in (App(tree, "web").replica().get("message") or ""), 30, "the problem is reported again")

    immutable.end()
    ground.wait_until(lambda: App(tree, "web").get() is None, 30, "the act is retried automatically")
    assert hidden(tree) == [] and data(tree, "other").is_dir()
    assert "deletions" not in tree.ctl("status").stdout
    assert "not_deleted" not in tree.ctl("quota", "report").stdout
    assert tree.ctl("destroy", "other", "--purge").stdout.endswith("other: destroyed\n")


def test_data_of_replicas_removed_earlier_is_purged(make_tree):
    tree = make_tree(NULL).start()
    for replicas in (3, 1):
        tree.apply(app_manifest("web", replicas))
    tree.apply(app_manifest("web-1", 2))
    for _ in range(2):
        tree.apply(app_manifest("web-1"))
    left = sorted(path.name for path in (tree.prefix / "apps").iterdir() if ".removed-" in path.name)
    assert [name.split(".")[0] for name in left] == ["i8k_web-1_1", "i8k_web_1", "i8k_web_2"]
    tree.ctl("destroy", "web", "--purge")
    assert not hidden(tree)
    assert sorted(path.name.split(".")[0] for path in (tree.prefix / "apps").iterdir()) == ["i8k_web-1_0", "i8k_web-1_1"]
    assert "web" not in [item["name"] for item in tree.ctl_json("apps")]


def test_leftovers_of_an_earlier_run_are_deleted_without_a_request(make_tree):
    tree = make_tree(NULL)
    left = tree.prefix / "apps/.deleting-i8k_old_0-0123456789abcdef/opt"
    left.mkdir(parents=True)
    tree.prefix.chmod(0o755)
    tree.start()
    ground.wait_until(lambda: hidden(tree) == [], 30, "it is deleted")


def test_status_starts_no_provisioner(make_tree):
    tree = make_tree(NULL).start()
    assert "deletions" not in tree.ctl("status").stdout and tree.ctl_json("status")["deletions"] == []
    assert "provisioner" not in tree.children()


def test_a_purge_overrides_a_removal_in_progress(make_tree):
    """The second order arrives while the first is executed: the second decides."""
    tree = make_tree(NULL).start()
    tree.apply(app_manifest("web"))
    app, provisioner = App(tree, "web"), tree.pid("provisioner")
    os.kill(provisioner, signal.SIGSTOP)
    try:
        app.destroy()
        ground.wait_until(lambda: app.replica().get("step") == "putting data aside", 30, "its data is about to be kept")
        app.destroy(purge=True)
    finally:
        os.kill(provisioner, signal.SIGCONT)
    ground.wait_until(lambda: app.get() is None, 30, "it is gone")
    assert list((tree.prefix / "apps").iterdir()) == []


@pytest.mark.failpoints
def test_many_purges_delay_no_other_instance(make_tree):
    """All threads that delete hang: other instances are deployed, changed and destroyed, and few connections stay open."""
    tree = make_tree(NULL, environment={"HOSTLET_FAILPOINT": "remove.deleting:hang"}).start()
    tree.apply(app_manifest("old", replicas=30))
    before = len(os.listdir(f"/proc/{tree.pid('provisioner')}/fd"))
    App(tree, "old").destroy(purge=True)
    ground.wait_until(lambda: len(hidden(tree)) >= 8, 30, "purges begin")
    for i in range(3):
        tree.apply(app_manifest("web"))
        kept = tree.ctl("destroy", "web")
        assert kept.stdout.endswith("web: destroyed\n")
    assert len(os.listdir(f"/proc/{tree.pid('provisioner')}/fd")) < before + 20
    states = {r.get("step") for r in App(tree, "old").get()["replicas"]}
    assert states == {"deleting data", "waiting for its turn"}
    pid = tree.pid("provisioner")
    assert len(os.listdir(f"/proc/{pid}/task")) <= 1 + 4 + 2


@pytest.mark.failpoints
@pytest.mark.parametrize("point", ["remove.hidden", "remove.deleting", "remove.deleted"])
@pytest.mark.parametrize("action", ["kill", "error"])
def test_an_interrupted_purge_is_completed(make_tree, point, action):
    tree = make_tree(NULL).start(failpoint=f"{point}:{action}")
    tree.apply(app_manifest("web", replicas=3))
    App(tree, "web").destroy(purge=True)
    ground.wait_until(lambda: App(tree, "web").get() is None, 30, "it is gone")
    assert tree.failpoint_taken(point)
    assert list((tree.prefix / "apps").iterdir()) == []
