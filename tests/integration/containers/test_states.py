"""Tests that states and reasons are shown as Docker has them: paused, killed for lack of memory."""

from lib import ground, images
from lib.apps import App, manifest

LIMIT = {"memory_limit": "64Mi"}
KILLED = "killed: out of memory, limit 64 MiB"
# dd needs a buffer beyond the limit: the kernel kills it.
HOG = "dd if=/dev/zero of=/dev/null bs=200M count=1"


def simple(script, **options):
    return manifest(init="image", command=["/bin/sh", "-c", script], **options)


def stages(instance):
    return {s["name"]: s for s in instance["replicas"][0]["stages"]}


def test_a_paused_container_is_shown_and_left_paused_until_something_else_is_desired(tree, engine, busybox_image):
    app, quiet = App(tree), "trap exit TERM; while :; do sleep 0.05; done"
    app.deploy(simple(quiet))
    engine.request("POST", "/containers/i8k_web_0/pause", b"")
    seen = app.wait(lambda i: i["replicas"][0]["state"] == "paused" and i["settled"], "it is paused")
    assert not seen["failed"] and "docker unpause i8k_web_0" in seen["replicas"][0]["message"]
    assert stages(seen)["container_running"]["state"] == "success"  # the zone receives the stages
    for words in (["apps"], ["app", "web"], ["status"]):
        assert "paused" in tree.ctl(*words).stdout, words
    # Other processes restart, and leave it paused.
    tree.kill_service("reconciler")
    app.wait(lambda i: i["replicas"][0]["state"] == "paused" and i["settled"], "it is still paused")
    assert engine.inspect("i8k_web_0")["State"]["Status"] == "paused"
    engine.request("POST", "/containers/i8k_web_0/unpause", b"")
    assert not app.running(1)["replicas"][0].get("message")
    # A stop, an update and a destroy do not wait for the end of the pause.
    engine.request("POST", "/containers/i8k_web_0/pause", b"")
    app.wait(lambda i: i["replicas"][0]["state"] == "paused", "it is paused")
    tree.ctl("stop", "web", timeout=30)
    assert engine.inspect("i8k_web_0")["State"]["ExitCode"] == 0  # it received SIGTERM
    tree.ctl("start", "web", timeout=30)
    engine.request("POST", "/containers/i8k_web_0/pause", b"")
    assert tree.apply(simple(quiet, spec={"version": "2"}), timeout=60).returncode == 0
    app.running(2)
    engine.request("POST", "/containers/i8k_web_0/pause", b"")
    tree.ctl("destroy", "web", timeout=30)
    assert engine.names() == []


def test_a_pause_is_shown_beside_the_failure_of_the_last_update(tree, engine, busybox_image):
    app = App(tree)
    app.deploy(simple("exec sleep 1000"))
    app.apply(simple("exit 3"))
    failure = app.fallen_back(1)["replicas"][0]["message"]
    for _ in range(2):
        engine.request("POST", "/containers/i8k_web_0/pause", b"")
        seen = app.wait(lambda i: i["settled"] and "is paused" in i["replicas"][0]["message"], "the pause is shown")
        assert seen["replicas"][0]["message"].endswith(f"continues it; the last failure: {failure}")
        assert "docker unpause i8k_web_0" in tree.ctl("app", "web").stdout
        engine.request("POST", "/containers/i8k_web_0/unpause", b"")
        app.wait(lambda i: i["settled"] and i["replicas"][0]["message"] == failure, "only the failure is shown")


def test_a_probation_does_not_end_during_a_pause(tree, engine, busybox_image):
    app = App(tree)
    app.apply(simple("exec sleep 1000", probation=2000))
    app.wait(lambda i: i["replicas"][0].get("step") == "on probation", "it is on probation")
    engine.request("POST", "/containers/i8k_web_0/pause", b"")
    seen = app.wait(lambda i: i["replicas"][0]["state"] == "paused", "it is paused")
    assert not seen["settled"] and stages(seen)["container_running"]["message"] == "the container is paused"
    ground.let_pass(2.5)
    assert app.replica()["state"] == "paused" and app.record()["replicas"][0].get("applied_revision", 0) == 0
    engine.request("POST", "/containers/i8k_web_0/unpause", b"")
    app.running(1)


def test_a_kill_for_lack_of_memory_is_the_reason_during_the_probation(tree, engine, busybox_image):
    app = App(tree)
    refused = tree.apply(simple(f"sleep 0.2; exec {HOG}", probation=5000, resources=LIMIT), check=False, timeout=60)
    assert refused.returncode == 1 and KILLED in refused.stderr and "137" not in refused.stderr
    seen = app.get()
    assert KILLED in seen["replicas"][0]["message"] and KILLED in stages(seen)["container_running"]["message"]
    app.destroy()
    app.gone()
    # The main process has a reason of its own, when another one was killed.
    refused = tree.apply(simple(f"{HOG}; exit 3", probation=5000, resources=LIMIT), check=False, timeout=60)
    assert f"exited with code 3 after one of its processes was {KILLED}" in refused.stderr


def test_a_kill_for_lack_of_memory_is_the_reason_after_the_probation(tree, engine, busybox_image):
    app = App(tree)
    app.deploy(simple(f"trap : USR1; trap '{HOG}' USR2; trap 'exec {HOG}' HUP; while :; do sleep 0.05; done", resources=LIMIT))
    # A kill of a child is no exit.
    engine.kill("i8k_web_0", "USR2")
    seen = app.wait(lambda i: i["replicas"][0].get("oom_kills") == 1, "the kill is counted")
    assert seen["replicas"][0]["state"] == "running" and not seen["replicas"][0].get("exits") and not seen["replicas"][0].get("last_exit")
    assert "killed for lack of memory" in tree.ctl("app", "web").stdout
    # The main process is killed once.
    engine.kill("i8k_web_0", "HUP")
    seen = app.wait(lambda i: i["settled"] and i["replicas"][0].get("exits") == 1 and i["replicas"][0].get("last_exit") == KILLED,
                    "the exit has its reason")
    assert seen["replicas"][0]["state"] == "running"
    shown = tree.ctl("app", "web").stdout
    assert KILLED in shown and "137" not in shown
    # It is killed again and again: a crash loop.
    for exits in (2, 3):
        ground.wait_until(lambda: engine.inspect("i8k_web_0")["State"]["Status"] == "running", 10, "Docker has started it again")
        engine.kill("i8k_web_0", "HUP")
        app.wait(lambda i: i["replicas"][0].get("exits") == exits, "the exit is counted")
    seen = app.wait(lambda i: i["replicas"][0]["state"] == "crash_looping" and KILLED in i["replicas"][0].get("message", ""),
                    "the loop has the reason")
    assert KILLED in stages(seen)["container_running"]["message"]
    for words in (["apps"], ["app", "web"], ["status"]):
        shown = tree.ctl(*words).stdout
        assert KILLED in shown and "137" not in shown, words


def test_a_container_with_inagent_shows_the_kill_for_lack_of_memory(tree, engine, debian_image):
    app = App(tree)
    refused = tree.apply(manifest(image=images.DEBIAN, script=f"sleep 0.2; exec {HOG}", probation=5000, resources=LIMIT),
                         check=False, timeout=60)
    assert refused.returncode == 1 and KILLED in refused.stderr
    assert KILLED in app.get()["replicas"][0]["message"]
