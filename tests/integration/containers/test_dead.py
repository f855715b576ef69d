"""Tests containers that Docker failed to remove (state "dead"), which only another removal ends."""

import contextlib
import subprocess
from pathlib import Path

import pytest
from lib import ground, images
from lib.apps import App, manifest
from lib.engine import EngineError
from lib.volumes import identity, make_earlier, wanted

REASON = "failed to remove root filesystem"


@pytest.fixture
def undeletable(engine):
    """undeletable(container) makes a file in the container's layer immutable, so that Docker fails to remove the container, and returns
    a function that ends this."""
    made = []

    def end(path):
        subprocess.run(["chattr", "-i", path], check=False, capture_output=True)

    def make(name):
        layer = engine.inspect(name)["GraphDriver"]["Data"] or {}
        if "UpperDir" not in layer:
            pytest.skip("the storage driver of this dockerd has no directory for a container's layer")
        path = Path(layer["UpperDir"]) / "undeletable"
        path.touch()
        made.append(path)
        result = subprocess.run(["chattr", "+i", path], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            pytest.skip(f"this filesystem has no immutable files: {result.stderr.strip()}")
        return lambda: end(path)
    yield make
    for path in made:
        end(path)


@pytest.fixture
def quick_tree(make_tree, docker_settings, engine):
    """A tree whose pauses between attempts stay short."""
    return make_tree({**docker_settings, "reconciler": {"retry_max": "1s"}}).start()


def remove_in_vain(engine, name):
    with pytest.raises(EngineError, match=REASON):
        engine.request("DELETE", f"/containers/{name}", query={"force": "1"})
    assert engine.inspect(name)["State"]["Status"] == "dead"


def image(version="1.0.0", **options):
    return manifest(init="image", command=["/bin/sh", "-c", "trap exit TERM; while :; do sleep 0.05; done"], spec={"version": version}, **options)


def test_a_dead_container_is_removed_again_and_never_started(quick_tree, engine, busybox_image, undeletable):
    tree, app = quick_tree, App(quick_tree)
    app.deploy(image())
    free = undeletable("i8k_web_0")
    dead = engine.inspect("i8k_web_0")["Id"]
    remove_in_vain(engine, "i8k_web_0")
    seen = app.wait(lambda i: i["replicas"][0]["state"] == "failed" and i["replicas"][0].get("next_retry"), "the failure is shown")
    assert REASON in seen["replicas"][0]["message"] and "i8k_web_0" in seen["replicas"][0]["message"]
    assert any(s["name"] == "container_create" and s["state"] == "failed" and REASON in s["message"] for s in seen["replicas"][0]["stages"])
    # Every command ends, and names the reason.
    started = tree.ctl("start", "web", check=False, timeout=30)
    assert started.returncode == 1 and REASON in started.stderr
    tree.ctl("stop", "web", timeout=30)
    assert app.replica()["state"] == "stopped" and "is dead" in app.replica()["message"] and REASON in app.replica()["message"]
    # The same after a restart of the tree.
    tree.restart()
    app.stopped()
    started = tree.ctl("start", "web", check=False, timeout=30)
    assert started.returncode == 1 and REASON in started.stderr
    assert engine.inspect("i8k_web_0")["Id"] == dead and "marked for removal" not in tree.log()
    free()
    app.running(1)
    assert engine.inspect("i8k_web_0")["Id"] != dead
    # The same for a destroy.
    free = undeletable("i8k_web_0")
    destroyed = tree.ctl("destroy", "web", check=False, timeout=30)
    assert destroyed.returncode == 1 and REASON in destroyed.stderr
    assert engine.inspect("i8k_web_0")["State"]["Status"] == "dead"
    free()
    app.gone()
    assert engine.inspect("i8k_web_0") is None


def test_a_container_that_was_replaced_and_cannot_be_removed_does_not_fail_the_update(quick_tree, engine, busybox_image, undeletable):
    tree, app = quick_tree, App(quick_tree)
    app.deploy(image(replicas=2))
    free = undeletable("i8k_web_0")
    # Both replicas are switched, and the first shows what is left.
    assert tree.apply(image("2.0.0", replicas=2), timeout=60).returncode == 0
    seen = app.running(2)
    assert REASON in seen["replicas"][0]["message"] and not seen["replicas"][1].get("message")
    assert engine.inspect("i8k_web_0.old")["State"]["Status"] == "dead"
    # The next update needs the name: nothing is stopped before that is free.
    before = engine.inspect("i8k_web_0")["State"]["Pid"]
    update = tree.apply(image("3.0.0", replicas=2), check=False, timeout=60)
    assert update.returncode == 1 and REASON in update.stderr
    assert engine.inspect("i8k_web_0")["State"]["Pid"] == before
    free()
    app.running(3)
    assert engine.inspect("i8k_web_0.old") is None


def test_a_removal_by_hand_ends_the_pause(tree, engine, busybox_image, undeletable):
    """With the default pauses, which grow to minutes: the event of the removal ends them."""
    app = App(tree)
    app.deploy(image())
    free = undeletable("i8k_web_0")
    dead = engine.inspect("i8k_web_0")["Id"]
    remove_in_vain(engine, "i8k_web_0")
    app.wait(lambda i: i["replicas"][0].get("attempt", 0) >= 3, "three attempts failed")
    free()
    with contextlib.suppress(EngineError):
        engine.request("DELETE", "/containers/i8k_web_0", query={"force": "1"})
    ground.wait_until(lambda: (engine.inspect("i8k_web_0") or {"Id": dead})["Id"] != dead, 3, "a new container is made at once")
    app.running(1)


def test_a_copy_of_volumes_that_cannot_be_removed_does_not_fail_the_switch(quick_tree, engine, undeletable):
    tree, app = quick_tree, App(quick_tree)
    images.load_volumes(engine, volumes=("/data",))
    app.deploy(wanted("one"))
    make_earlier(tree, engine, app)
    engine.execute("i8k_web_0", "/bin/sh", "-c", "mkdir /data/many; cd /data/many; i=0; while [ $i -lt 20000 ]; do : > f$i; i=$((i+1)); done")
    tree.start()
    name = f"hostlet_{identity(tree)}_i8k_web_0.copy"

    def pause():
        with contextlib.suppress(EngineError):
            engine.request("POST", f"/containers/{name}/pause", b"")
            return True
    app.apply(wanted("two"))
    ground.wait_until(pause, 30, "the copy runs", 0.002)
    free = undeletable(name)
    engine.request("POST", f"/containers/{name}/unpause", b"")
    app.running(2)
    assert (app.directory() / "volumes/data/log").read_text().split() == ["one", "two"]
    assert engine.inspect(name)["State"]["Status"] == "dead" and f"{REASON}" in tree.log()
    destroyed = tree.ctl("destroy", "web", check=False, timeout=30)
    assert destroyed.returncode == 1 and REASON in destroyed.stderr
    free()
    app.gone()
    assert engine.names() == []
