"""Tests on a real Docker daemon that what a container made without volumes has in anonymous ones becomes data of the replica: at the first
switch, at the repair of a drift, and when it is destroyed."""

import contextlib
import subprocess
import threading

import pytest
from lib import ground, images
from lib.apps import App, manifest, names_below
from lib.container_driver import D
from lib.engine import EngineError
from lib.tree import VARIANT
from lib.volumes import identity, make_earlier, wanted

@pytest.fixture
def volumes_image(engine):
    return images.load_volumes(engine, volumes=("/data",))


@pytest.fixture
def earlier(tree, engine, volumes_image):
    """Makes an application that runs in a container of an earlier version. Returns (app, the container)."""
    app = App(tree)
    app.deploy(wanted("one"))
    container = make_earlier(tree, engine, app)
    tree.start()
    app.running(1)
    assert engine.inspect("i8k_web_0")["Id"] == container["Id"]  # the upgrade recreates nothing
    return app, container


def write(engine, script, name="i8k_web_0"):
    code, output = engine.execute(name, "/bin/sh", "-c", script)
    assert code == 0, output


@contextlib.contextmanager
def uncopiable(engine):
    """The container's volume has a tree that a copy refuses, inside of this context. No tool of the container can remove it."""
    write(engine, "cd /data; i=0; while [ $i -lt 2100 ]; do mkdir d; cd d; i=$((i+1)); done")
    place = next(mount["Source"] for mount in engine.inspect("i8k_web_0")["Mounts"] if mount["Destination"] == "/data")
    try:
        yield
    finally:
        subprocess.run(["rm", "-rf", f"{place}/d"], check=True)


def logged(app):
    return (app.directory() / "volumes/data/log").read_text().split()


def anonymous(engine):
    return [name for name in engine.volumes() if not name.startswith("hostlet_")]


def test_the_first_switch_copies_what_anonymous_volumes_contain(earlier, engine):
    app, _ = earlier
    write(engine, "mkdir -p /data/dir; echo deep > /data/dir/file; ln /data/dir/file /data/other; chown 55:66 /data/dir")
    app.deploy(wanted("two"))
    data = app.directory() / "volumes/data"
    assert logged(app) == ["one", "two"] and (data / "seed").read_text() == "of the image\n"
    assert (data / "other").stat().st_ino == (data / "dir/file").stat().st_ino and (data / "dir").stat().st_uid == 55
    assert (data.stat().st_uid, data.stat().st_mode & 0o7777) == (1234, 0o750)
    assert anonymous(engine) == [] and engine.names() == ["i8k_web_0"]
    ground.wait_until(lambda: "copied" not in app.record()["replicas"][0], 10, "the record no longer mentions the copy")
    assert names_below(app.directory() / "volumes") == ["data"]
    app.deploy(wanted("three"))  # without a copy
    assert logged(app) == ["one", "two", "three"]


def test_a_copy_that_fails_undoes_the_switch(earlier, engine):
    app, container = earlier
    with uncopiable(engine):
        app.apply(wanted("two"))
        shown = app.fallen_back(1)
        assert "cannot copy '/data': its directories are nested deeper than 2000 levels" in shown["replicas"][0]["message"]
        assert engine.inspect("i8k_web_0")["Id"] == container["Id"] and engine.names() == ["i8k_web_0"]
        assert names_below(app.directory() / "volumes") == []
    write(engine, "echo later >> /data/log")
    app.apply(wanted("two"))  # an equal manifest is a retry
    app.running(2)
    assert logged(app)[-2:] == ["later", "two"] and anonymous(engine) == []


def test_after_a_rollback_the_next_switch_copies_anew(earlier, engine):
    app, container = earlier
    app.apply(manifest(image=images.VOLUMES, init="image", command=["/bin/sh", "-c", "echo bad >> /data/log; exit 3"]))
    app.fallen_back(1)
    assert engine.inspect("i8k_web_0")["Id"] == container["Id"] and logged(app)[-1] == "bad"
    write(engine, "echo later >> /data/log")
    app.deploy(wanted("three"))
    assert "bad" not in logged(app) and logged(app)[-2:] == ["later", "three"]


def test_destroy_keeps_what_anonymous_volumes_contain(earlier, engine):
    app, _ = earlier
    app.destroy()
    app.gone()
    assert engine.volumes() == {} and engine.containers() == []
    app.deploy(wanted("two"))
    assert logged(app) == ["one", "two"]
    make_earlier(app.tree, engine, app)
    app.tree.start()
    app.running()
    app.destroy(purge=True)  # without a copy
    app.gone()
    assert engine.volumes() == {} and engine.containers() == [] and names_below(app.tree.prefix / "apps") == []
    assert app.tree.log().count("copies what container") == 1


def test_the_repair_of_a_drift_copies_what_anonymous_volumes_contain(tree, engine, volumes_image):
    app, port = App(tree), ground.free_port()
    more = {"ports": {"http": 8080}, "host_ports": {0: {8080: port}}}
    app.deploy(wanted("one", **more))
    before = make_earlier(tree, engine, app)  # without the port
    tree.start()
    ground.wait_until(lambda: (engine.inspect("i8k_web_0") or before)["Id"] != before["Id"], 30, "the container is recreated")
    app.running(1)
    assert logged(app) == ["one", "one"] and anonymous(engine) == []
    assert f"its port 8080 is not published on host port {port}" in tree.log()


def test_a_repair_whose_copy_fails_is_undone(tree, engine, volumes_image):
    app, port = App(tree), ground.free_port()
    more = {"ports": {"http": 8080}, "host_ports": {0: {8080: port}}}
    app.deploy(wanted("one", **more))
    before = make_earlier(tree, engine, app)
    with uncopiable(engine):
        tree.start()
        shown = app.wait(lambda i: i and i["settled"] and i["replicas"][0].get("message"), "the repair is undone")
        assert "nested deeper" in shown["replicas"][0]["message"] and shown["replicas"][0]["state"] == "running"
        after = engine.inspect("i8k_web_0")
        assert after["Id"] == before["Id"] and after["State"]["Running"] and after["HostConfig"]["RestartPolicy"]["Name"] == "always"
    app.deploy(wanted("two", **more))
    assert logged(app)[-1] == "two"


def pause_copy(tree, engine):
    """Pauses the container of the next copy as soon as it runs. Returns the thread."""
    name = f"hostlet_{identity(tree)}_i8k_web_0.copy"

    def attempt():
        try:
            engine.request("POST", f"/containers/{name}/pause", b"")
            return True
        except EngineError:
            return False
    thread = threading.Thread(target=lambda: ground.wait_until(attempt, 30, "the copy runs", 0.002))
    thread.start()
    return thread


def test_a_copy_is_cancelled_by_a_stop_and_begun_anew_after_a_crash(earlier, engine):
    app, container = earlier
    write(engine, "mkdir /data/many; cd /data/many; i=0; while [ $i -lt 20000 ]; do : > f$i; i=$((i+1)); done")
    paused = pause_copy(app.tree, engine)
    app.apply(wanted("two"))
    paused.join()
    assert app.get()["replicas"][0]["step"] == "copying volumes"
    app.stop()
    app.stopped()
    ground.wait_until(lambda: engine.names() == ["i8k_web_0"], 20, "the container of the copy is removed")
    assert engine.inspect("i8k_web_0")["Id"] == container["Id"] and names_below(app.directory() / "volumes") == []
    paused = pause_copy(app.tree, engine)
    app.start()
    paused.join()
    app.tree.kill()
    assert len(engine.names()) == 2  # the copy of the killed tree
    app.tree.start()
    app.running(2)
    assert logged(app)[-1] == "two" and len(names_below(app.directory() / "volumes/data/many")) == 20000
    assert anonymous(engine) == [] and engine.names() == ["i8k_web_0"] and names_below(app.directory() / "volumes") == ["data"]


def test_a_copys_container_that_another_program_renames_or_kills_is_removed(earlier, engine):
    app, container = earlier
    write(engine, "mkdir /data/many; cd /data/many; i=0; while [ $i -lt 20000 ]; do : > f$i; i=$((i+1)); done")
    paused = pause_copy(app.tree, engine)
    app.apply(wanted("two"))
    paused.join()
    engine.request("POST", f"/containers/hostlet_{identity(app.tree)}_i8k_web_0.copy/rename", b"", query={"name": "other"})
    engine.kill("other")
    shown = app.fallen_back(1)
    assert "the copy of the volumes failed: it exited with code 137" in shown["replicas"][0]["message"]
    assert engine.inspect("i8k_web_0")["Id"] == container["Id"] and engine.names() == ["i8k_web_0"] and len(anonymous(engine)) == 1


def test_the_driver_copies_what_is_down_and_belongs_to_the_tree(driver, engine, volumes_image):
    """Here of a container that the original agent made, which has none of the tree's labels."""
    engine.run(volumes_image, ["sleep", "1000"], name="i8k_web_0", Labels={"app_name": "web", "app_rep_id": "0"})
    copying = driver.prefix / "apps/i8k_web_0/volumes/.copying-data"
    copying.mkdir(parents=True)

    def copy(path="/data"):
        return driver.call(D + "CopyVolumes", instance="web", replica_id=0, slot="current", volumes=[path])
    assert driver.refused(copy)[0] == "Conflict"
    driver.call(D + "Adopt", instance="web", replica_id=0, revision=5)
    assert [volume["path"] for volume in driver.inspect()["anonymous_volumes"]] == ["/data"]
    assert driver.refused(copy)[0] == "RetryLater"
    engine.request("POST", "/containers/i8k_web_0/kill", b"")
    driver.wait_state("exited")
    name, reason = driver.refused(copy, "/etc")
    assert name == "Refused" and "container 'i8k_web_0' has no anonymous volume at '/etc'" in reason
    helper = f"hostlet_{driver.tree_id}_i8k_web_0.copy"
    foreign = engine.run(volumes_image, ["sleep", "1000"], name=helper)
    name, reason = driver.refused(copy)
    assert name == "Conflict" and helper in reason and engine.inspect(foreign)["State"]["Running"]
    engine.remove(foreign)
    engine.run(volumes_image, ["sleep", "1000"], name=helper, Labels={"io.hostlet.copy": driver.tree_id})  # a killed driver left it
    copy()
    assert (copying / "seed").read_text() == "of the image\n" and copying.stat().st_uid == 1234 and engine.names() == ["i8k_web_0"]
    driver.on("Remove", keep_volumes=True)
    assert len(anonymous(engine)) == 1 and engine.names() == []


@pytest.mark.failpoints
@pytest.mark.skipif(VARIANT != "failpoints", reason="failpoints are compiled in by --enable-failpoints alone")
@pytest.mark.parametrize("point", ["driver.after_copy_volumes", "copy.begun", "copy.replaced", "step.copy.after"])
def test_a_first_switch_completes_when_a_process_is_killed(tree, engine, volumes_image, point):
    app = App(tree)
    app.deploy(wanted("one"))
    make_earlier(tree, engine, app)
    tree.start(failpoint=f"{point}:kill")
    app.running(1)
    app.deploy(wanted("two"))
    assert tree.failpoint_taken(point)
    assert logged(app) == ["one", "two"] and names_below(app.directory() / "volumes") == ["data"]
    assert anonymous(engine) == [] and engine.names() == ["i8k_web_0"]
