"""Tests hostletctl with the real tree, on the null runtime: an application from apply to destroy."""

import json
import os
import re
import signal
import subprocess

import pytest

from lib.ground import free_port, wait_until
from lib.tree import has_program, program

pytestmark = pytest.mark.skipif(not (has_program("hostletctl") and has_program("hostletd") and has_program("reconciler")
                                     and has_program("container-driver")), reason="this build has no whole tree")


PORT = free_port()


def manifest(image="ok:1", **hostlet):
    return {"name": "web", "image": image, "service_ports": [{"name": "http", "port": PORT}],
            "hostlet": {"init": "image", "probation": "200ms", **hostlet}}


def test_life_of_an_application(null_tree):
    tree = null_tree
    text = tree.apply(manifest()).stdout
    assert text.startswith("web: applied, revision 1\n") and text.endswith("web: revision 1 is running (1 replica)\n")
    assert re.search(r"^  web/0  container_running  success", text, re.MULTILINE)
    assert tree.apply(manifest()).stdout == "web: unchanged (revision 1)\n"

    assert "revision 2" in tree.ctl("plan", "-", stdin=json.dumps(manifest("ok:2"))).stdout
    assert "web: revision 2 is running (2 replicas)" in tree.apply(manifest("ok:2", replicas=2)).stdout
    assert re.search(r"web +running +2/2 +2 ", tree.ctl("apps").stdout)
    shown = tree.ctl_json("app", "web")
    assert [r["state"] for r in shown["instance"]["replicas"]] == ["running", "running"]
    assert tree.ctl("logs", "web").stdout.splitlines() == ["0 | started", "1 | started"]
    assert tree.ctl("logs", "web/1").stdout == "started\n"

    assert tree.ctl("stop", "web").stdout.endswith("web: stopped\n")
    assert re.search(r"web +stopped +0/2", tree.ctl("apps").stdout)
    assert "web: revision 2 is running" in tree.ctl("start", "web").stdout
    assert "web: destroyed" in tree.ctl("destroy", "web").stdout
    assert tree.ctl("apps").stdout == "no applications\n"


@pytest.mark.parametrize("image, stage, message", [
    ("missing/x:1", "image_pull", "cannot pull image 'missing/x:1'"),
    ("null/exit-7:1", "container_running", "exited with code 7"),
    ("null/start-fails:1", "container_start", "cannot be executed"),
])
def test_failed_update_ends_apply(null_tree, image, stage, message):
    """Exits non-zero at the first failed attempt, with the stage and its reason; the old revision keeps running."""
    null_tree.apply(manifest())
    result = null_tree.ctl("apply", "-", stdin=json.dumps(manifest(image)), check=False)
    assert result.returncode == 1
    assert re.search(rf"web: replica 0: {stage} failed: .*{re.escape(message)}", result.stderr), result.stderr

    def old_runs():
        shown = null_tree.ctl_json("app", "web")["instance"]["replicas"][0]
        return shown["revision"] == 1 and shown
    wait_until(old_runs, 10, "the old revision runs again")
    assert "failed" in null_tree.ctl("status").stdout


def test_apply_outlives_the_reconciler(null_tree):
    """The reconciler is killed while apply waits: it restarts and continues, and apply succeeds."""
    process = subprocess.Popen([program("hostletctl"), "--prefix", null_tree.prefix, "apply", "-"], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(json.dumps(manifest(probation="1500ms")))
    process.stdin.close()
    process.stdin = None
    wait_until(lambda: "web" in null_tree.ctl("apps").stdout, 10, "the manifest is accepted")
    os.kill(null_tree.pid("reconciler"), signal.SIGKILL)
    text, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert text.endswith("web: revision 1 is running (1 replica)\n")


def test_services_and_status(null_tree):
    names = {service["name"] for service in null_tree.ctl_json("services")}
    assert {"reconciler", "container-driver", "fetcher", "unpacker", "provisioner", "quota-keeper"} <= names
    assert null_tree.ctl("service", "restart", "reconciler").stdout == "reconciler: restarted\n"
    assert null_tree.ctl("service", "stop", "reconciler").stdout == "reconciler: stopped\n"
    result = null_tree.ctl("apps", check=False)
    assert result.returncode == 3 and "service 'reconciler' is stopped" in result.stderr
    result = null_tree.ctl("status", check=False)
    assert result.returncode == 3 and "reconciler is down" in result.stdout
    null_tree.ctl("service", "start", "reconciler")
    assert null_tree.ctl("apps").stdout == "no applications\n"
    assert null_tree.ctl("package", "list").stdout == "no packages\n"
    assert "null " in null_tree.ctl("status").stdout


def test_package_fetch(null_tree, repository, place):
    source = place / "files"
    source.mkdir()
    (source / "hello").write_text("hello\n")
    null_tree.ctl("package", "build", source, "--name", "hello", "--version", "1.0.1", "-o", repository.directory)
    null_tree.ctl("package", "index", repository.directory)
    text = null_tree.ctl("package", "fetch", "hello", "1.0").stdout
    assert re.fullmatch(r"hello_1\.0\.1_linux_\w+: .*/hello_1\.0\.1_linux_\w+\.ipk\n", text)
    assert "complete" in null_tree.ctl("package", "list").stdout
    result = null_tree.ctl("package", "fetch", "hello", "9", check=False)
    assert result.returncode == 1 and "hello" in result.stderr
