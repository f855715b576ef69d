"""Tests volumes on a real Docker daemon: those of an image and of a manifest are data of the replica, whatever happens to its containers."""

import json
import os
import shutil

import pytest
from lib import ground, images
from lib.apps import App, driver_containers, manifest, names_below
from lib.zone import ZoneApp, facts

RUN = ["/bin/sh", "-c", 'echo "$WORD" >> /data/log; echo "$WORD" >> /var/lib/app/log; exec sleep 1000']


@pytest.fixture
def volumes_image(engine):
    return images.load_volumes(engine)


def wanted(word, image=images.VOLUMES, **more):
    return manifest(image=image, init="image", command=RUN, env={"WORD": word}, stop_timeout=100, **more)


def own_volumes(tree, engine):
    """Returns Docker's volumes of the tree by the last part of their names."""
    identity = (tree.prefix / "var/hostlet/tree.id").read_text().strip()
    return {name.rpartition("_")[2] if name.startswith(f"hostlet_{identity}_i8k_web_0_") else name: volume
            for name, volume in engine.volumes().items()}


def logged(app, volume="data"):
    return (app.directory() / "volumes" / volume / "log").read_text().split()


def kept(app):
    """Returns the kept directories of the replica."""
    return [name for name in names_below(app.tree.prefix / "apps") if name.startswith("i8k_web_0.removed-")]


def test_volumes_of_an_image_are_data_of_the_replica(tree, engine, volumes_image):
    app = App(tree)
    app.deploy(wanted("one"))
    volumes = app.directory() / "volumes"
    assert names_below(app.directory()) == ["volumes"] and names_below(volumes) == ["data", "var.lib.app"]
    assert (volumes.stat().st_uid, volumes.stat().st_mode & 0o777) == (0, 0o700)
    data = (volumes / "data").stat()
    assert (data.st_uid, data.st_gid, data.st_mode & 0o7777) == (1234, 1234, 0o750)  # as the image has it
    assert (volumes / "data/seed").read_text() == "of the image\n" and os.readlink(volumes / "data/link") == "seed"
    made = own_volumes(tree, engine)
    assert sorted(made) == ["data", "var.lib.app"]  # no anonymous one
    assert made["data"]["Options"]["device"] == str(volumes / "data")
    assert made["data"]["Labels"] == {"io.hostlet.tree": (tree.prefix / "var/hostlet/tree.id").read_text().strip(),
                                      "app_name": "web", "app_rep_id": "0"}

    app.deploy(wanted("two"))  # an update
    assert logged(app) == ["one", "two"] and logged(app, "var.lib.app") == ["one", "two"]
    assert sorted(own_volumes(tree, engine)) == ["data", "var.lib.app"]
    engine.remove("i8k_web_0")  # with its volumes
    ground.wait_until(lambda: logged(app) == ["one", "two", "two"], 30, "the container is made again with its data")
    app.running()

    app.destroy()
    app.gone()
    assert own_volumes(tree, engine) == {} and len(kept(app)) == 1 and names_below(app.directory()) == []
    app.deploy(wanted("three"))
    assert logged(app) == ["one", "two", "two", "three"] and kept(app) == []
    app.destroy(purge=True)
    app.gone()
    assert own_volumes(tree, engine) == {} and names_below(tree.prefix / "apps") == []


def test_a_manifest_adds_volumes_to_those_of_the_image(tree, engine, volumes_image):
    app, script = App(tree), "echo one >> /srv/log; exec sleep 1000"  # as the user action, whose /srv is
    app.deploy(manifest(image=volumes_image, script=script, volumes=["/srv", "/data", "/srv"]))
    assert names_below(app.directory()) == ["home", "opt", "volumes"]
    assert names_below(app.directory() / "volumes") == ["data", "srv", "var.lib.app"]
    ground.wait_until(lambda: logged(app, "srv") == ["one"], 10, "the task writes into its volume")
    assert (app.directory() / "volumes/data/seed").exists()
    assert app.record()["revisions"][0]["volumes"] == ["/data", "/var/lib/app"]
    # The order of the list is of no importance. Without /srv the revision is another one, and what was in it is kept.
    assert app.apply(manifest(image=volumes_image, script=script, volumes=["/data", "/srv"]))["changed"] is False
    app.deploy(manifest(image=volumes_image, script="exec sleep 1000"))
    assert engine.execute("i8k_web_0", "ls", "/srv")[0] != 0 and logged(app, "srv") == ["one"]


def test_a_volume_of_another_owner_is_a_conflict_and_undoes_the_switch(tree, engine, busybox_image):
    app = App(tree)
    run = {"image": busybox_image, "init": "image", "command": ["/bin/sleep", "1000"], "stop_timeout": 100}
    app.deploy(manifest(**run))
    before = engine.inspect("i8k_web_0")
    identity = (tree.prefix / "var/hostlet/tree.id").read_text().strip()
    name = f"hostlet_{identity}_i8k_web_0_data"
    foreign = engine.make_volume(name)
    app.apply(manifest(**run, volumes=["/data"]))
    shown = app.fallen_back(1)
    assert f"volume {name} does not belong to this tree" in shown["replicas"][0]["message"]
    assert engine.inspect("i8k_web_0")["Id"] == before["Id"] and engine.volumes()[name] == {**foreign, **engine.volumes()[name]}
    engine.remove_volume(name)
    app.apply(manifest(**run, volumes=["/data"]))  # an equal manifest is a retry
    app.running(2)
    assert engine.volumes()[name]["Options"]["device"] == str(app.directory() / "volumes/data")


def test_an_own_volume_with_another_directory_is_made_again(tree, engine, volumes_image, place):
    app, other = App(tree), place / "elsewhere"
    other.mkdir()
    identity = (tree.prefix / "var/hostlet/tree.id").read_text().strip()
    engine.make_volume(f"hostlet_{identity}_i8k_web_0_data", other, {"io.hostlet.tree": identity})
    engine.make_volume(f"hostlet_{identity}_i8k_web_0_var.lib.app", None, {"io.hostlet.tree": identity})
    app.deploy(wanted("one"))
    assert logged(app) == ["one"] and logged(app, "var.lib.app") == ["one"] and names_below(other) == []


def test_volumes_move_with_the_app_path_at_the_next_switch(tree, engine, volumes_image, place):
    app, moved = App(tree), place / "moved"
    app.deploy(wanted("one"))
    tree.stop()
    os.rename(tree.prefix / "apps", moved)
    tree.settings["hostlet"] = {"app_path": str(moved)}
    tree.start()
    for word in ("two", "three"):
        app.deploy(wanted(word))
        used = {mount["Name"] for mount in engine.inspect("i8k_web_0")["Mounts"]}
        made = engine.volumes()
        assert {made[name]["Options"]["device"] for name in used} == {str(moved / "i8k_web_0/volumes" / key) for key in ("data", "var.lib.app")}
        assert all(name.endswith("_moved") == (word == "two") for name in used)
    assert (moved / "i8k_web_0/volumes/data/log").read_text().split() == ["one", "two", "three"]
    app.destroy()
    app.gone()
    assert engine.volumes() == {}


def test_a_failed_creation_leaves_no_volume_when_its_replica_is_destroyed(tree, engine, volumes_image):
    app = App(tree)
    app.apply(wanted("one", volumes=["/etc/passwd"]))  # a file of the image
    shown = app.wait(lambda i: i["failed"], "the deploy fails")
    assert "/etc/passwd" in shown["replicas"][0]["message"]
    app.destroy()
    app.gone()
    assert engine.volumes() == {}


def test_a_volume_that_another_container_uses_does_not_prevent_a_destroy(tree, engine, volumes_image):
    app = App(tree)
    app.deploy(wanted("one"))
    name = next(name for name in engine.volumes() if name.endswith("_data"))
    engine.run(volumes_image, ["sleep", "1000"], name="backup", host={"Mounts": [{"Type": "volume", "Source": name, "Target": "/data"}]})
    app.destroy()
    app.gone()
    assert any(name in line and "it stays in Docker" in line for line in tree.log().splitlines()) and name in engine.volumes()
    app.deploy(wanted("two"))
    assert logged(app) == ["one", "two"]


def test_a_volume_over_a_mount_of_the_runtime_is_refused(tree, engine):
    app = App(tree)
    said = tree.apply(manifest(init="image", command=["/bin/sleep", "1000"], volumes=["/proc/x"]), check=False)
    assert said.returncode != 0 and "'/proc/x' cannot be a volume: it would replace /proc" in said.stderr
    assert app.get() is None
    image = images.load_volumes(engine, "hostlet-test/refused:1", ["/data", "/usr/innerstack"])
    app.apply(wanted("one", image=image))
    shown = app.wait(lambda i: i["failed"], "the preparation fails")
    assert "image 'hostlet-test/refused:1' has a VOLUME that hostlet refuses: '/usr/innerstack' cannot be a volume" in str(shown)
    assert engine.containers() == [] and engine.volumes() == {} and names_below(tree.prefix / "apps") == []


def simulated(word, **more):
    return manifest(image="null/volume-data:1", init="image", env={"WORD": word}, **more)


def test_a_container_that_was_made_without_volumes_runs_on_until_the_next_revision(null_tree):
    app = App(null_tree)
    app.deploy(simulated("one"))
    before = driver_containers(null_tree)["i8k_web_0"]
    assert before["volumes"] == ["/data"] and names_below(app.directory()) == ["volumes"]
    null_tree.stop()
    # As an earlier version made it, which did not know the image's volumes.
    files = list((null_tree.prefix / "var/hostlet/container-driver/null").glob("[0-9a-f]*.json"))
    content = json.loads(files[0].read_text())
    content["container"]["anonymous_volumes"] = [{"path": path, "name": "0" * 64} for path in content["container"].pop("volumes")]
    files[0].write_text(json.dumps(content))
    record = app.record()
    del record["revisions"][0]["volumes"]
    (null_tree.prefix / "var/hostlet/reconciler/instances/web.json").write_text(json.dumps(record))
    shutil.rmtree(app.directory())
    null_tree.start()
    app.running(1)
    after = driver_containers(null_tree)["i8k_web_0"]
    assert (after["id"], after["config"]) == (before["id"], before["config"]) and names_below(app.directory()) == []
    assert "not enforced" not in null_tree.log().rpartition("hostletd: ready")[2]
    app.deploy(simulated("two"))
    assert driver_containers(null_tree)["i8k_web_0"]["volumes"] == ["/data"] and names_below(app.directory()) == ["volumes"]


def test_an_ordinary_image_has_a_limit_of_disk_space_only_if_its_manifest_has_one(make_tree, repository):
    tree = make_tree({"container-driver": {"runtime": "null"}, "reconciler": {"quota": "required"}}).start()
    app = App(tree)
    app.deploy(simulated("one"))  # although this filesystem enforces no limits
    assert app.replica()["quota"].startswith("no limit")
    app.apply(simulated("two", resources={"volume_limit": "10Mi"}))
    shown = app.fallen_back(1)
    assert "quota" in shown["replicas"][0]["message"]


def test_volumes_of_a_zones_image_are_data_of_its_replica(null_tree):
    app = ZoneApp(null_tree, "web")
    app._insist("PutZoneState", facts=facts())
    app.put(1, image="null/volume-data:1")
    app.running(1)
    assert driver_containers(null_tree)["i8k_web_0"]["volumes"] == ["/data"]
    assert names_below(null_tree.prefix / "apps/i8k_web_0") == ["home", "opt", "volumes"]
