"""Kills the reconciler at each failpoint of the steps that correct what other programs did to containers. A simulated container is
renamed, duplicated or left dead by a change of its file while the tree is stopped."""

import json
import os

import pytest
from lib import ground
from lib.apps import App, driver_containers, manifest
from lib.tree import VARIANT

SETTINGS = {"reconciler": {"retry_min": "20ms", "retry_max": "100ms", "probation": "50ms"}, "container-driver": {"runtime": "null"}}
STEPS = ["remove_dead", "rename_back", "rename_old", "rename_aside", "remove_renamed"]
COPY = "f" * 64


class Files:
    """The files of the containers of a tree that is stopped."""

    def __init__(self, tree):
        self.directory = tree.prefix / "var/hostlet/container-driver/null"

    def change(self, container, **members):
        """Changes a container; returns its content from before."""
        for path in self.directory.glob("*.json"):
            content = json.loads(path.read_text())
            if content.get("container", {}).get("name") == container:
                path.write_text(json.dumps({**content, "container": {**content["container"], **members}}))
                return content
        raise AssertionError(f"no container {container}")

    def add(self, content, **labels):
        """Adds a copy of a container."""
        path, owner = self.directory / f"{COPY}.json", self.directory.stat()
        path.write_text(json.dumps({**content, "container": {**content["container"], "id": COPY}, **labels}))
        os.chown(path, owner.st_uid, owner.st_gid)


def ids(tree):
    return {name: container["id"] for name, container in driver_containers(tree).items()}


def correct(tree, restart):
    """Takes a replica through all of the steps; restart(change) calls 'change' while the tree is stopped."""
    web, api, files = App(tree), App(tree, "api"), Files(tree)
    web.deploy(manifest(image="one:1", probation=0))
    first = ids(tree)["i8k_web_0"]
    restart(lambda: files.change("i8k_web_0", name="other"))  # rename_back
    web.running(1)
    assert ids(tree) == {"i8k_web_0": first}
    restart(lambda: files.change("i8k_web_0", state="dead", error="a file is immutable"))  # remove_dead
    web.running(1)
    second = ids(tree)
    assert second["i8k_web_0"] != first and len(second) == 1
    restart(lambda: files.add(files.change("i8k_web_0", name="other")))  # another one with the labels has the name: rename_old
    web.running(1)
    assert ids(tree) == {"i8k_web_0": COPY}
    # Two replicas have each other's name: rename_aside, rename_back.
    api.deploy(manifest("api", image="one:1", probation=0))
    before = ids(tree)

    def exchange():
        files.change("i8k_web_0", name="other")
        files.change("i8k_api_0", name="i8k_web_0")
        files.change("other", name="i8k_api_0")
    restart(exchange)
    web.running(1)
    api.running(1)
    assert ids(tree) == before
    api.destroy(purge=True)
    api.gone()
    # A foreign one has the name, when the replica is destroyed: remove_renamed.
    web.apply(manifest(image="two:1", probation=0))
    web.running(2)
    restart(lambda: files.add(files.change("i8k_web_0", name="other"), tree=None, app_name=None, app_rep_id=None))
    web.wait(lambda i: i["replicas"][0]["state"] == "conflict", "the conflict is shown")
    web.destroy()
    web.gone()
    assert ids(tree) == {"i8k_web_0": COPY}
    assert [p.stem for p in files.directory.glob("*.json") if len(p.stem) == 64] == [COPY]


def test_what_other_programs_did_to_containers_is_corrected(make_tree):
    tree = make_tree(SETTINGS).start()

    def restart(change):
        tree.stop()
        change()
        tree.start()
    correct(tree, restart)


@pytest.mark.failpoints
@pytest.mark.skipif(VARIANT != "failpoints", reason="failpoints are compiled in by --enable-failpoints alone")
@pytest.mark.parametrize("point", [f"step.{step}.{when}" for step in STEPS for when in ("before", "after")])
def test_containers_are_corrected_when_the_reconciler_is_killed_at(make_tree, point):
    tree = make_tree(SETTINGS)
    tree.start(failpoint=f"{point}:kill")

    def restart(change):
        tree.stop()
        change()
        tree.start(failpoint=f"{point}:kill")
    correct(tree, restart)
    ground.wait_until(lambda: tree.failpoint_taken(point), 1, f"the reconciler was killed at {point}")
