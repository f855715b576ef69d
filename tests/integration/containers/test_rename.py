"""Tests containers that another program renames, and containers that carry copies of our labels."""

from lib import ground, images
from lib.apps import App, manifest

WAITS = ["/bin/sh", "-c", "trap exit TERM; while :; do sleep 0.05; done"]


def simple(name="web", **options):
    return manifest(name, init="image", **{"command": WAITS, **options})


def rename(engine, name, new):
    engine.request("POST", f"/containers/{name}/rename", b"", query={"name": new})


def identity(engine, name="i8k_web_0"):
    """Returns what shows that a container is the same and was not restarted."""
    made = engine.inspect(name)
    return made and (made["Id"], made["State"]["Pid"], made["State"]["StartedAt"], made["State"]["Status"])


def named_again(engine, before, name="i8k_web_0"):
    ground.wait_until(lambda: identity(engine, name) == before, 10, f"the container is named {name} again")


def test_a_renamed_container_gets_its_name_again_and_runs_on(tree, engine, busybox_image):
    app = App(tree)
    app.deploy(simple())
    before = identity(engine)
    for new in ("other", "i8k_web_7", "i8k_web_0.old", "i8k_not-known_0"):
        rename(engine, "i8k_web_0", new)
        named_again(engine, before)
    seen = app.running(1)
    assert engine.names() == ["i8k_web_0"] and not seen["replicas"][0].get("message")
    # While nothing watches: the id in the record tells.
    tree.stop()
    rename(engine, "i8k_web_0", "other")
    tree.start()
    named_again(engine, before)
    app.running(1)
    # The same for a container that does not run.
    app.stop()
    app.stopped()
    before = identity(engine)
    rename(engine, "i8k_web_0", "other")
    named_again(engine, before)
    app.stopped()
    # One that was removed is made again.
    rename(engine, "i8k_web_0", "other")
    named_again(engine, before)
    engine.remove("i8k_web_0")
    app.start()
    app.running(1)
    only = [engine.inspect("i8k_web_0")["Id"]]
    ground.wait_until(lambda: app.record()["replicas"][0].get("containers") == only, 5, "the record has the id of the container that exists")


def test_a_renamed_container_is_destroyed_and_its_port_is_free(tree, engine, busybox_image):
    app, port = App(tree), ground.free_port()
    app.deploy(simple(ports={"http": 80}, host_ports={0: {80: port}}))
    tree.ctl("service", "stop", "reconciler")
    rename(engine, "i8k_web_0", "other")
    tree.ctl("service", "start", "reconciler")
    tree.ctl("destroy", "web", timeout=30)
    assert engine.names() == [] and not ground.connects(port)
    # The same when a foreign container has got the name, which is not touched.
    app.deploy(simple(ports={"http": 80}, host_ports={0: {80: port}}))
    tree.ctl("service", "stop", "reconciler")
    rename(engine, "i8k_web_0", "other")
    foreign = engine.run(busybox_image, WAITS, name="i8k_web_0")
    before = identity(engine)
    tree.ctl("service", "start", "reconciler")
    seen = app.wait(lambda i: i["replicas"][0]["state"] == "conflict", "the conflict is shown")
    assert "own container is named 'other'" in seen["replicas"][0]["message"]
    assert engine.inspect("other")["State"]["Running"]
    tree.ctl("destroy", "web", timeout=30)
    assert engine.names() == ["i8k_web_0"] and not ground.connects(port)
    assert identity(engine) == before and before[0] == foreign


def test_containers_whose_names_were_exchanged_get_their_own_again(tree, engine, busybox_image):
    web, api = App(tree), App(tree, "api")
    web.deploy(simple())
    api.deploy(simple("api"))
    before = identity(engine, "i8k_web_0"), identity(engine, "i8k_api_0")
    tree.ctl("service", "stop", "reconciler")
    rename(engine, "i8k_web_0", "other")
    rename(engine, "i8k_api_0", "i8k_web_0")
    rename(engine, "other", "i8k_api_0")
    tree.ctl("service", "start", "reconciler")
    named_again(engine, before[0], "i8k_web_0")
    named_again(engine, before[1], "i8k_api_0")
    web.running(1)
    api.running(1)
    # One with the name of another instance that has no container.
    api.destroy()
    api.gone()
    rename(engine, "i8k_web_0", "i8k_api_0")
    named_again(engine, before[0], "i8k_web_0")
    assert engine.names() == ["i8k_web_0"]


def test_a_container_renamed_during_a_switch_is_rolled_back_to(tree, engine, busybox_image):
    app = App(tree)
    app.deploy(simple())
    old = engine.inspect("i8k_web_0")["Id"]
    app.apply(simple(command=["/bin/sh", "-c", "sleep 2; exit 3"], probation=60000))
    app.wait(lambda i: i["replicas"][0].get("step") == "on probation", "the new revision is on probation")
    new = identity(engine)
    rename(engine, "i8k_web_0.old", "other")
    ground.wait_until(lambda: (engine.inspect("i8k_web_0.old") or {}).get("Id") == old, 10, "the old one is put aside again")
    rename(engine, "i8k_web_0", "another")
    named_again(engine, new)
    app.fallen_back(1)
    assert engine.inspect("i8k_web_0")["Id"] == old and engine.names() == ["i8k_web_0"]


def test_containers_with_copied_labels_are_not_the_replicas(tree, engine, busybox_image):
    """A person runs an image that 'docker commit' made of our container, or copies its labels."""
    app = App(tree)
    app.deploy(simple())
    labels = engine.inspect("i8k_web_0")["Config"]["Labels"]
    engine.request("POST", "/commit", {}, query={"container": "i8k_web_0", "repo": "copy", "tag": "1"})
    assert engine.request("GET", "/images/copy:1/json")["Config"]["Labels"]["app_name"] == "web"
    copies = [engine.run("copy:1", WAITS, name="copy"), engine.run(images.BUSYBOX, WAITS, name="i8k_web_5", Labels=labels)]
    before = [identity(engine, copy) for copy in copies]
    # The exits of a copy are not the replica's.
    engine.run("copy:1", ["/bin/sh", "-c", "exit 3"], name="crashing", host={"RestartPolicy": {"Name": "always"}})
    ground.wait_until(lambda: engine.inspect("crashing")["RestartCount"] >= 4, 30, "the copy crashes")
    engine.remove("crashing")
    assert app.running(1)["replicas"][0].get("exits", 0) == 0
    # Neither an update, nor a new container, nor a destroy touches a copy.
    app.deploy(simple(spec={"version": "2"}))
    engine.remove("i8k_web_0")
    app.running(2)
    app.destroy()
    app.gone()
    assert [identity(engine, copy) for copy in copies] == before
    assert engine.names() == ["copy", "i8k_web_5"]
    engine.remove("copy")
    engine.remove_image("copy:1")


def test_of_two_containers_the_one_with_the_name_is_kept(tree, engine, busybox_image):
    """As programs do that replace containers: they rename the old one and make a new one with the same name and labels."""
    app = App(tree)
    app.deploy(simple())
    made = engine.inspect("i8k_web_0")
    tree.ctl("service", "stop", "reconciler")
    rename(engine, "i8k_web_0", "i8k_web_0_old")
    host = {key: made["HostConfig"][key] for key in ("NanoCpus", "Memory", "MemorySwap", "PidsLimit", "RestartPolicy")}
    new = engine.run(busybox_image, WAITS, name="i8k_web_0", Labels=made["Config"]["Labels"], host=host)
    tree.ctl("service", "start", "reconciler")
    ground.wait_until(lambda: engine.names() == ["i8k_web_0"], 10, "one is left")
    app.running(1)
    assert engine.inspect("i8k_web_0")["Id"] == new
