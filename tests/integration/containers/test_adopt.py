"""Tests conflicts with containers of the original agent, and the commands that end them: import, and adopt for one container. The runtime
simulates the containers; test_takeover.py has the story of a real one."""

import json

import pytest
from lib import ground
from lib.apps import App, manifest
from lib.manifests import Manifests, plain, shown
from lib.original import Plain
from lib.varlink import VarlinkError
from lib.zone import ZoneApp, join

A, B = "a" * 34, "b" * 34
REMEDY = "'hostletctl import DIR' takes over the machine of the original agent whose prefix is DIR, 'hostletctl adopt i8k_web_0' only this container"


@pytest.fixture
def machine(place, make_tree):
    """A machine whose tree met the zone's order before the original's container was adopted, with a long pause between two looks."""
    def make(settings):
        settings["reconciler"] |= {"retry_min": "60s", "retry_max": "60s"}
        return make_tree(settings)
    made = Plain(place, make)
    made.active({"i8k_web_0": 3}, {"i8k_web_0": A})
    return made


def conflict(machine, revision=3):
    tree = machine.tree
    join(tree, host_id=machine.host)
    tree.call("reconciler", "PutZoneState", instance=machine.order("web", revision))
    app = ZoneApp(tree)
    app.wait(lambda i: i["replicas"][0]["state"] == "conflict", "the conflict is shown")
    return app


def identity(machine):
    shown = machine.tree.call("container-driver", "Inspect", instance="web", replica_id=0, slot="current")["container"]
    return shown["id"]


def settled(machine, app, revision=3):
    """The container runs on, and no stage of the conflict is left."""
    app.running(revision)
    assert identity(machine) == machine.ids["web"]
    assert {stage["state"] for stage in app.stages().values()} == {"success"}, app.stages()


def replaced_while_down(machine):
    """Puts the original's container in the place of all containers."""
    machine.tree.stop()
    for path in machine.null.glob("*.json"):
        if path.name != "images.json":
            path.unlink()
    machine.container("web")
    machine.tree.start()


def refused(machine, *words, code=1):
    result = machine.tree.ctl("adopt", *words, check=False)
    assert result.returncode == code and not result.stdout, result
    return result.stderr


def test_conflict_names_the_commands_and_adopt_ends_it(machine):
    machine.container("web")
    machine.start()
    app = conflict(machine)
    replica = app.get()["replicas"][0]
    assert REMEDY in replica["message"] and REMEDY in app.stages()["container_create"]["message"]
    assert REMEDY in machine.tree.ctl("app", "web").stdout
    with pytest.raises(VarlinkError, match="'hostletctl adopt i8k_web_0' adopts it"):
        machine.tree.call("container-driver", "Stop", instance="web", replica_id=0, slot="current")
    assert "the revision of 'i8k_web_0' is not known: --from DIR" in refused(machine, "i8k_web_0")
    text = machine.tree.ctl("adopt", "i8k_web_0", "--from", machine.dir, "--dry-run").stdout
    assert "adopted as it runs" in text and "Nothing was changed." in text and machine.ledger() == {}
    text = machine.tree.ctl("adopt", "i8k_web_0", "--from", machine.dir).stdout
    assert "i8k_web_0 is adopted as it runs, with revision 3." in text and "it has no directory in the app path" in text
    settled(machine, app)
    assert machine.ledger() == {"i8k_web_0": 3} and machine.secrets() == {"i8k_web_0": A} and app.secret() == A
    assert "i8k_web_0 is already adopted, with revision 3." in machine.tree.ctl("adopt", "i8k_web_0").stdout
    shown = machine.tree.ctl_json("adopt", "i8k_web_0")
    assert shown["done"] and not shown["adopted"] and shown["what_happens"] == "already adopted" and shown["revision"] == 3
    machine.tree.call("reconciler", "PutZoneState", instance=machine.order("web", 4))
    app.running(4)
    assert identity(machine) != machine.ids["web"]
    assert "was made by this tree: there is nothing to adopt" in refused(machine, "i8k_web_0")


def test_import_ends_a_conflict_also_where_the_app_path_was_another(machine):
    machine.container("web", home=str(machine.apps / "i8k_web_0/home"))
    machine.file("web", revision=3, secret=A)
    machine.start()
    app = conflict(machine)
    assert f"its data is in '{machine.apps}/i8k_web_0/home', and not below the app path '{machine.tree.prefix}/apps'" in refused(
        machine, "i8k_web_0", "--from", machine.dir)
    assert "Taken over. 1 container of the original agent is adopted" in machine.tree.ctl("import", machine.dir).stdout
    settled(machine, app)
    file = machine.apps / "i8k_web_0/home/action/.innerstack/app_replica.json"
    ground.wait_until(lambda: json.loads(file.read_text())["hostlet_endpoint"]["secret_key"] == A, 20, "the application keeps its secret")
    # It stays applied when the ledger is lost and the container is adopted again: the conflict leaves no failed stage.
    (machine.tree.prefix / "var/hostlet/container-driver/adopted.json").unlink()
    machine.tree.kill_service("container-driver")
    app.wait(lambda i: i["replicas"][0]["state"] == "conflict", "without the ledger it is a conflict again")
    assert "i8k_web_0 is adopted" in machine.tree.ctl("adopt", "i8k_web_0").stdout
    settled(machine, app)


def test_adopt_reads_the_file_of_the_container_where_nothing_else_is_known(machine):
    machine.container("web")
    machine.apps = machine.tree.prefix / "apps"
    machine.file("web", revision=3, secret=B)
    machine.start()
    app = conflict(machine)
    shown = machine.tree.ctl_json("adopt", "i8k_web_0")
    assert shown["done"] and shown["adopted"] and shown["revision"] == 3 and shown["secret"] and shown["known_from"] == ["directory", "docker"]
    settled(machine, app)
    assert machine.secrets() == {"i8k_web_0": B}


def test_unsuitable_containers_are_refused(machine):
    machine.container("other-tree", tree="another")
    machine.container("alien", labels=False)
    machine.container("renamed", app_name="web")
    machine.container("web")
    machine.start()
    for name, words in {"i8k_other-tree_0": "another hostlet tree", "i8k_alien_0": "lacks the labels", "i8k_renamed_0": "does not fit its labels",
                        "i8k_none_0": "there is no container 'i8k_none_0'"}.items():
        assert words in refused(machine, name, "--revision", "1")
    for name in ("web", "i8k_web_0.old", "i8k_web", "../i8k_web_0", "i8k_web_0\n"):
        assert "is no name of a container, i8k_NAME_N" in refused(machine, name, code=2)
    assert "no number from 0" in refused(machine, "i8k_web_0", "--revision", "-1", code=2)
    assert "is no prefix of the original agent" in refused(machine, "i8k_web_0", "--from", machine.dir / "etc")
    assert refused(machine, code=2) and "--revision N" in machine.tree.ctl("adopt", "--help").stdout
    machine.tree.ctl("service", "stop", "container-driver")
    assert refused(machine, "i8k_web_0", "--revision", "1", code=3)
    assert machine.ledger() == {} and machine.secrets() == {}


def test_file_in_conflict_replaces_the_container_after_its_adoption(machine, place):
    """Also the revisions of an instance of a file are not the original's."""
    files = Manifests(place / "manifests")
    settings = machine.tree.settings
    machine.tree.write_config({**settings, "reconciler": {**settings["reconciler"], "manifests": files.path}})
    machine.container("web")
    machine.start()
    app = App(machine.tree)
    files.put("web", plain("app:1", pull="missing"))
    shown(app, "after 'hostletctl adopt --revision 0 i8k_web_0' the manifest replaces it")
    machine.tree.ctl("adopt", "--revision", "0", "i8k_web_0")
    machine.tree.ctl("reload")
    app.running(1)
    assert identity(machine) != machine.ids["web"]
    replaced_while_down(machine)
    app.wait(lambda i: i["replicas"][0]["state"] == "conflict", "the conflict is shown")
    assert "can only be adopted with --revision 0" in refused(machine, "i8k_web_0", "--revision", "1")


def test_manifest_in_conflict_replaces_the_container_after_its_adoption(machine):
    """The numbers of the manifest's revisions are not the original's: revision 1 of it is not what the container runs."""
    machine.container("web")
    machine.start()
    app = App(machine.tree)
    wanted = manifest(image="app:1", pull="missing", init="image")
    result = machine.tree.apply(wanted, check=False)
    assert result.returncode == 1 and "after 'hostletctl adopt --revision 0 i8k_web_0' the manifest replaces it" in result.stdout + result.stderr
    machine.tree.ctl("adopt", "--revision", "0", "i8k_web_0")
    machine.tree.apply(wanted)
    app.running(1)
    assert identity(machine) != machine.ids["web"]


def test_local_instance_never_takes_the_container_for_its_own_revision(machine):
    machine.start()
    app = App(machine.tree)
    app.apply(manifest(image="app:1", pull="missing", init="image"))
    app.running(1)
    replaced_while_down(machine)
    app.wait(lambda i: i["replicas"][0]["state"] == "conflict", "the conflict is shown")
    assert "can only be adopted with --revision 0" in refused(machine, "i8k_web_0", "--revision", "1")
    machine.tree.ctl("adopt", "i8k_web_0")
    ground.wait_until(lambda: identity(machine) != machine.ids["web"], 20, "its manifest replaces the container")
    app.running(1)


def adopted(machine, revision=3, **container):
    """A started machine with an order of the revision and the adopted container of revision 3, below the tree's app path."""
    machine.apps = machine.tree.prefix / "apps"
    machine.container("web", **container)
    machine.file("web", revision=3, secret=A)
    machine.start()
    tree = machine.tree
    join(tree, host_id=machine.host)
    tree.ctl("adopt", "i8k_web_0")
    return ZoneApp(tree)


@pytest.mark.parametrize("state", ["exited", "restarting"])
def test_a_container_that_does_not_run_is_started_and_not_replaced(machine, state):
    """The original has applied its revision: it is on no probation, which it would fail at once."""
    app = adopted(machine, state=state)
    machine.tree.call("reconciler", "PutZoneState", instance=machine.order("web", 3))
    app.wait(lambda i: i and i["settled"] and i["replicas"][0].get("revision") == 3, "the order is followed")
    assert identity(machine) == machine.ids["web"] and app.record()["replicas"][0]["applied_revision"] == 3
    assert "failed" not in {stage["state"] for stage in app.stages().values()}


def test_an_order_with_a_lower_number_is_no_switch(machine):
    """Root's hostlet_active.json states what was applied; a number that only the tenant's file states is not believed above the zone's."""
    machine.container("sly")
    app = adopted(machine)
    machine.file("sly", revision=1 << 62)
    machine.active({"i8k_web_0": 3}, {})
    for name in ("web", "sly"):
        machine.tree.ctl("adopt", f"i8k_{name}_0", "--from", machine.dir)
    for name in ("web", "sly"):
        machine.tree.call("reconciler", "PutZoneState", instance=machine.order(name, 2))
    app.running(3)
    sly = ZoneApp(machine.tree, "sly")
    sly.running(2)
    assert identity(machine) == machine.ids["web"] and {stage["revision"] for stage in app.stages().values()} == {2}
    assert [r["revision"] for r in sly.record()["revisions"]] == [2]
    machine.tree.restart()
    app.running(3)
    assert identity(machine) == machine.ids["web"]
    machine.tree.call("reconciler", "PutZoneState", instance=machine.order("web", 4))
    app.running(4)
    assert identity(machine) != machine.ids["web"]


def test_a_failed_first_switch_brings_the_adopted_container_back(machine):
    app = adopted(machine)
    machine.tree.call("reconciler", "PutZoneState", instance=machine.order("web", 4, image="null/exit-3:1"))
    app.wait(lambda i: i and i["settled"] and i["failed"] and i["replicas"][0].get("revision") == 3, "the adopted container is back")
    assert identity(machine) == machine.ids["web"] and app.stages()["container_running"]["state"] == "failed"
    machine.tree.restart()
    app.wait(lambda i: i and i["settled"] and i["failed"] and i["replicas"][0].get("revision") == 3, "nothing is tried again without an order")
    assert identity(machine) == machine.ids["web"]
    machine.tree.call("reconciler", "PutZoneState", instance=machine.order("web", 5))
    app.running(5)
    assert identity(machine) != machine.ids["web"]
    ground.wait_until(lambda: [r["revision"] for r in app.record()["revisions"]] == [5], 20, "the assumed revision is dropped")


def test_a_first_order_that_cannot_be_prepared_changes_nothing(machine):
    app = adopted(machine, cpu_limit=300)
    before = (machine.apps / "i8k_web_0/home/action/.innerstack/app_replica.json").read_text()
    machine.tree.call("reconciler", "PutZoneState", instance=machine.order("web", 4, image="missing/image:1"))
    app.wait(lambda i: i and i["failed"] and i["replicas"][0]["state"] == "running" and i["replicas"][0].get("revision") == 3, "it runs on")
    assert identity(machine) == machine.ids["web"] and (machine.apps / "i8k_web_0/home/action/.innerstack/app_replica.json").read_text() == before
    assert machine.tree.call("container-driver", "Inspect", instance="web", replica_id=0, slot="current")["container"]["cpu_limit"] == 300


def test_an_assumed_revision_is_never_made_anew(machine):
    """A container that another program removed is replaced by one of the zone's order."""
    app = adopted(machine)
    machine.tree.call("reconciler", "PutZoneState", instance=machine.order("web", 4, image="missing/image:1"))
    app.wait(lambda i: i and i["failed"] and i["replicas"][0].get("revision") == 3, "it runs on")
    machine.tree.call("container-driver", "Remove", instance="web", replica_id=0, slot="current")
    machine.tree.call("reconciler", "PutZoneState", instance=machine.order("web", 5))
    app.running(5)
