"""Tests two trees on one Docker daemon: each manages only its own containers."""

import pytest
from lib import ground
from lib.apps import App, answers, driver_containers, manifest, server
from lib.varlink import VarlinkError


@pytest.fixture
def trees(make_tree, docker_settings, engine, busybox_image):
    return [make_tree(docker_settings, name=name).start() for name in ("red", "blue")]


def test_trees_have_ids_of_their_own_and_keep_them(trees):
    ids = [(tree.prefix / "var/hostlet/tree.id").read_text() for tree in trees]
    assert ids[0] != ids[1]
    trees[0].restart()
    assert (trees[0].prefix / "var/hostlet/tree.id").read_text() == ids[0]


def test_same_name_in_both_is_a_reported_conflict_for_the_second(trees, engine):
    red, blue = (App(tree) for tree in trees)
    port = ground.free_port()
    red.deploy(manifest(script=server("red", port), ports={"http": port}))
    answers(port, "red")
    before = engine.inspect("i8k_web_0")
    refused = trees[1].apply(manifest(script="exec sleep 1000"), check=False)
    assert refused.returncode != 0
    said = refused.stdout + refused.stderr
    assert "i8k_web_0" in said and "does not belong to this tree" in said and (trees[0].prefix / "var/hostlet/tree.id").read_text().strip() in said
    assert blue.get() is None
    after = engine.inspect("i8k_web_0")
    assert (after["Id"], after["State"]["Pid"]) == (before["Id"], before["State"]["Pid"])


def test_a_name_that_the_other_tree_uses_later_is_a_conflict_and_its_container_is_never_touched(trees, engine):
    red, blue = (App(tree) for tree in trees)
    wanted = manifest(script="exec sleep 1000")
    blue.deploy(wanted)
    trees[1].stop()
    engine.remove("i8k_web_0")
    red.deploy(wanted)
    before = engine.inspect("i8k_web_0")
    trees[1].start()
    seen = blue.wait(lambda i: i["replicas"][0]["state"] == "conflict", "the conflict is reported")
    assert "does not belong to this tree" in seen["replicas"][0]["message"]
    with pytest.raises(VarlinkError) as refused:
        blue.apply(manifest(script="exec sleep 2000"))
    assert "does not belong to this tree" in str(refused.value)
    blue.stop()
    blue.start()
    blue.destroy(purge=True)
    blue.gone()
    after = engine.inspect("i8k_web_0")
    assert (after["Id"], after["State"]["Pid"], after["RestartCount"]) == (before["Id"], before["State"]["Pid"], 0)
    red.running(1)


def test_containers_of_the_other_tree_are_left_alone(trees, engine):
    red, blue = App(trees[0], "red"), App(trees[1], "blue")
    red.deploy(manifest("red", script="exec sleep 1000"))
    blue.deploy(manifest("blue", script="exec sleep 1000"))
    before = engine.inspect("i8k_red_0")
    blue.deploy(manifest("blue", script="exec sleep 2000"))
    trees[1].restart()
    blue.running(2)
    blue.destroy(purge=True)
    blue.gone()
    after = engine.inspect("i8k_red_0")
    assert (after["Id"], after["State"]["Pid"]) == (before["Id"], before["State"]["Pid"])
    assert engine.names() == ["i8k_red_0"]
    listed = driver_containers(trees[1])
    assert not any(item["ours"] for item in listed.values())
    assert App(trees[1], "red").get() is None


def test_port_of_the_other_tree_is_refused(trees):
    port = ground.free_port()
    App(trees[0], "red").deploy(manifest("red", script=server("red", port), ports={"http": port}))
    answers(port, "red")
    with pytest.raises(VarlinkError) as refused:
        App(trees[1], "blue").apply(manifest("blue", script="exec sleep 1", ports={"http": port}))
    assert str(port) in str(refused.value)
