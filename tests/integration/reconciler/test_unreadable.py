"""Tests files that the reconciler cannot read: only the object that the file describes is affected, and the reconciler does not
overwrite the file."""

import json
import os
import shutil
import time

import pytest
from lib import ground, packages
from lib.apps import App, driver_containers, manifest, names_below
from lib.varlink import VarlinkError
from lib.zone import ZoneApp, assign, facts, instance, join

INSTANCES = "var/hostlet/reconciler/instances"
MIB = 1 << 20
FAST = {"probation": "50ms", "retry_min": "20ms", "retry_max": "100ms"}


@pytest.fixture
def tree(make_tree, repository):
    made = make_tree({"container-driver": {"runtime": "null"}, "reconciler": FAST, "fetcher": {"repositories": repository.url}})
    made.repository = repository
    return made.start()


def path_of(tree, name="web"):
    return tree.prefix / INSTANCES / f"{name}.json"


def spoil(tree, data, name="web"):
    """Writes the file while the tree is stopped."""
    tree.stop()
    path = path_of(tree, name)
    record = path.read_text()
    if callable(data):
        record = json.loads(record)
        data = json.dumps(data(record) or record)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    tree.start()


def without(key):
    return lambda record: record.pop(key) and record


def changed(**members):
    return lambda record: {**record, **members}


SPOILED = {
    "empty": "", "half": '{"format": 1, "na', "nothing": "{}", "zeros": b"\0" * 4096, "a list": "[]", "deep": "[" * 100_000,
    "no text": b'{"format": 1, "name": "\xff"}', "large": "x" * (33 * MIB), "newer": changed(format=99), "another's": changed(name="other"),
    "no action": without("action"), "no revision": changed(revision=7), "no manifest": lambda r: r["revisions"][0].update(manifest={}),
    "no spec": lambda r: r["revisions"][0]["manifest"]["app"].pop("spec") and None,
    "no image": lambda r: r["revisions"][0]["manifest"]["app"]["spec"].pop("image") and None,
    "a package without a name": lambda r: r["revisions"][0]["manifest"]["app"]["spec"].update(packages=[{}]),
    "a stage without a name": lambda r: r["replicas"][0]["stages"][0].pop("name") and None,
    "no known origin": changed(origin="elsewhere"), "no known action": changed(action="started"), "no known order": changed(next={}),
    "replica 999": lambda r: r["replicas"][0].update(id=999), "replica twice": lambda r: r["replicas"].append(r["replicas"][0]),
}


def with_neighbour(tree):
    """Makes the instance web, and another one that must continue."""
    web, other = App(tree), App(tree, "other")
    web.deploy(manifest(image="app:1", ports={"http": 20080}))
    other.deploy(manifest(name="other", image="app:1"))
    return web, other


def is_managed(other, image):
    other.apply(manifest(name=other.name, image=image))
    other.running(other.get()["revision"])


@pytest.mark.parametrize("how", SPOILED)
def test_an_unreadable_record_affects_one_instance(tree, how):
    web, other = with_neighbour(tree)
    before = driver_containers(tree)["i8k_web_0"]
    spoil(tree, SPOILED[how])
    is_managed(other, "app:2")
    shown = web.get()
    assert shown["failed"] and str(path_of(tree)) in shown["problem"] and "hostletctl destroy web" in shown["problem"]
    for command in (["apps"], ["app", "web"], ["status"]):
        said = tree.ctl(*command, check=False).stdout
        assert "cannot be read" in said and "web.json" in said, (command, said)
    for act in (lambda: web.apply(manifest(image="app:9")), web.start, web.stop, web.hold if hasattr(web, "hold") else web.stop):
        with pytest.raises(VarlinkError, match="cannot be read"):
            act()
    for name, ports in (("new", {"http": 20080}),):
        with pytest.raises(VarlinkError, match="20080 is in use by instance web"):
            App(tree, name).apply(manifest(name=name, image="app:1", ports=ports))
    now = driver_containers(tree)["i8k_web_0"]
    assert {k: now.get(k) for k in ("id", "started_at", "state", "restart")} == {k: before.get(k) for k in ("id", "started_at", "state", "restart")}
    # The state is the same after every restart, until an administrator acts.
    tree.kill_service("reconciler")
    ground.wait_until(lambda: web.get()["failed"], 10, "it is shown again")
    web.destroy()
    ground.wait_until(lambda: web.get() is None, 30, "it is destroyed")
    assert "i8k_web_0" not in driver_containers(tree) and (tree.prefix / INSTANCES / "web.json.unreadable").exists()
    web.deploy(manifest(image="app:3", ports={"http": 20080}))


def put_in_place(path, what):
    """Puts an object that is no regular file in place of one."""
    path.unlink() if path.is_file() else shutil.rmtree(path, ignore_errors=True)
    if what == "directory":
        (path / "below").mkdir(parents=True)
    elif what == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(what)


NO_FILES = ["directory", "fifo", "/etc/passwd", "/nonexistent"]


@pytest.mark.parametrize("what", NO_FILES)
def test_an_object_in_place_of_a_record_affects_one_instance(tree, what):
    """Runs twice: the first file that was set aside makes space for the next."""
    web, other = with_neighbour(tree)
    for image in ("app:2", "app:3"):
        tree.stop()
        put_in_place(path_of(tree), what)
        tree.start()
        is_managed(other, image)
        assert web.get()["failed"] and "cannot be read" in tree.ctl("status", check=False).stdout
        web.destroy()
        ground.wait_until(lambda: web.get() is None, 30, "it is destroyed")
        web.deploy(manifest(image="app:1", ports={"http": 20080}))


@pytest.mark.parametrize("what", NO_FILES)
def test_an_object_in_place_of_zone_json_affects_no_local_instance(tree, what):
    join(tree)
    zone, other = ZoneApp(tree), App(tree, "other")
    zone.put(1)
    zone.running(1)
    other.deploy(manifest(name="other", image="app:1"))
    for image in ("app:2", "app:3"):
        tree.stop()
        put_in_place(tree.prefix / "var/hostlet/reconciler/zone.json", what)
        tree.start()
        is_managed(other, image)
        ground.wait_until(lambda: join(tree), 10, "the facts are delivered again")
        zone.running(1)


def test_a_repaired_record_is_read_after_a_restart(tree):
    web, other = with_neighbour(tree)
    good, before = path_of(tree).read_bytes(), driver_containers(tree)["i8k_web_0"]["id"]
    spoil(tree, "{")
    assert web.get()["failed"]
    path_of(tree).write_bytes(good)
    tree.ctl("service", "restart", "reconciler")
    web.running(1)
    assert driver_containers(tree)["i8k_web_0"]["id"] == before
    is_managed(other, "app:2")


@pytest.mark.parametrize("options", [[], ["--purge"]])
def test_destroy_of_an_instance_with_an_unreadable_record_ends(tree, options):
    web, _ = with_neighbour(tree)
    spoil(tree, "{")
    shown = tree.ctl("app", "web").stdout
    assert shown.count("cannot be read") == 1 and "revision" not in shown and "spec " not in shown
    lost = tree.ctl("logs", "web", check=False)
    assert lost.returncode == 1 and "no replica of 'web' is known" in lost.stderr and "cannot be read" in lost.stderr
    assert "web: destroyed" in tree.ctl("destroy", *options, "web").stdout
    assert web.get() is None and path_of(tree).with_name("web.json.unreadable").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="another user's file")
def test_a_record_of_another_user_affects_no_other_instance(tree):
    web, other = with_neighbour(tree)
    tree.stop()
    os.chown(path_of(tree), 0, 0)
    path_of(tree).chmod(0o600)
    tree.start()
    is_managed(other, "app:2")
    if web.get()["failed"]:  # a tree without a jail reads it
        web.destroy()
        ground.wait_until(lambda: web.get() is None, 30, "it is destroyed")


def test_packages_stay_while_a_record_is_unreadable(tree):
    """The reconciler does not know which packages the instance uses."""
    for version in ("1.0.0", "2.0.0"):
        tree.repository.add("site", version, files={"file": version.encode()})
    web, other = App(tree), App(tree, "other")
    web.deploy(manifest(image="app:1", packages=[("site", "1.0")]))
    other.deploy(manifest(name="other", image="app:1", packages=[("site", "1.0")]))
    spoil(tree, "{")
    other.apply(manifest(name="other", image="app:1", packages=[("site", "2.0")]))
    other.running(2)
    installed = lambda: names_below(tree.prefix / "var/ipk_install/site")
    assert installed() == [packages.package_id("site", v) for v in ("1.0.0", "2.0.0")]
    other.destroy()
    ground.wait_until(lambda: other.get() is None, 30, "the other one is removed")
    assert packages.package_id("site", "1.0.0") in installed()


def test_an_order_of_the_zone_waits_for_an_unreadable_record(tree):
    web, other = with_neighbour(tree)
    spoil(tree, "{")
    join(tree)
    zone = ZoneApp(tree)
    said = zone.put(3)
    assert said["managed"] and "cannot be read" in said["problem"]
    assert not assign(tree, "web").get("unknown")
    clash = zone.get()["clash"][0]
    assert (clash["replica_id"], clash["stages"][0]["name"], clash["stages"][0]["state"]) == (0, "host_recv", "failed")
    assert "cannot be read" in clash["stages"][0]["message"] and clash["stages"][0]["revision"] == 3
    assert "i8k_web_0" in driver_containers(tree)
    web.destroy()
    zone.wait(lambda i: i and i["origin"] == "zone" and i["settled"] and i["replicas"][0]["state"] == "running", "the zone's order is accepted")
    is_managed(other, "app:2")


def test_an_unreadable_record_of_a_zones_instance(tree):
    join(tree)
    zone, other = ZoneApp(tree), App(tree, "other")
    zone.put(1)
    zone.running(1)
    other.deploy(manifest(name="other", image="app:1"))
    before = driver_containers(tree)["i8k_web_0"]["id"]
    spoil(tree, changed(format=99))
    assign(tree)  # absence is no order, for this instance neither
    is_managed(other, "app:2")
    assert zone.get()["failed"] and driver_containers(tree)["i8k_web_0"]["id"] == before


@pytest.mark.parametrize("data", ["{", "{}", '{"format": 99, "zone": {"host_id": "0123456789ab"}}', "x" * 100_000, '{"format":1,"zone":{"host_id":"evil/.."}}'],
                         ids=["half", "nothing", "newer", "large", "no id"])
def test_unreadable_facts_of_the_zone_affect_no_local_instance(tree, data):
    join(tree)
    zone, other = ZoneApp(tree), App(tree, "other")
    zone.put(1)
    zone.running(1)
    other.deploy(manifest(name="other", image="app:1"))
    before = driver_containers(tree)["i8k_web_0"]["id"]
    tree.stop()
    path = tree.prefix / "var/hostlet/reconciler/zone.json"
    path.write_text(data)
    tree.start()
    is_managed(other, "app:2")
    shown = zone.get()
    assert shown["failed"] and "zone.json" in shown["message"] and driver_containers(tree)["i8k_web_0"]["id"] == before
    # rpc-gateway delivers it again.
    ground.wait_until(lambda: join(tree), 10, "the facts are delivered")
    zone.running(1)
    zone.put(2, image="app:2")
    zone.running(2)
    assert (path.parent / "zone.json.unreadable").read_text() == data and json.loads(path.read_text())["zone"]["host_id"] == facts()["host_id"]


def test_an_unreadable_host_id_is_not_replaced(tree):
    """A new id would recreate every local container."""
    join(tree)
    zone, web = ZoneApp(tree, "zoned"), App(tree)
    web.deploy(manifest(image="app:1"))
    before = driver_containers(tree)["i8k_web_0"]["id"]
    path = tree.prefix / "var/hostlet/reconciler/host_id"
    good = path.read_text()
    for data in ("", "no id\n", "0123456789abcdef0123456789abcdef" * 4):
        tree.stop()
        path.write_text(data)
        tree.start()
        ground.wait_until(lambda: web.get()["failed"] and "host_id" in web.get()["message"], 10, "it is shown")
        with pytest.raises(VarlinkError, match="host_id"):
            web.apply(manifest(image="app:2"))
        assert driver_containers(tree)["i8k_web_0"]["id"] == before and path.read_text() == data
    zone.put(1)  # the zone has another id for this machine
    zone.running(1)
    path.write_text(good)
    tree.ctl("service", "restart", "reconciler")
    is_managed(web, "app:2")


# Limits of what is written

def text_of(size):
    return "x" * size


def too_large(app, *words):
    def said(i):
        stage = {s["name"]: s for s in i["replicas"][0].get("stages", [])}.get("host_recv", {})
        return stage.get("state") == "failed" and all(w in stage["message"] for w in words)
    return app.wait(said, f"host_recv contains {words}")


def test_orders_of_8_mib_are_refused(tree):
    """The instance has a running revision, a desired one, and one that waits."""
    join(tree)
    app, local = ZoneApp(tree), App(tree, "local")
    local.deploy(manifest(name="local", image="app:1"))
    app.put(1)
    app.running(1)
    for order in (2, 3, 4):
        said = app.put(order, spec={"description": text_of(8 * MIB - 5000 + order)})
        assert "at most 4194304 are accepted" in said["problem"]
        too_large(app, "at most 4194304 are accepted")
    app.put(4, spec={"description": "small again"})
    app.running(1 if app.get()["revision"] == 1 else 4)
    fresh = ZoneApp(tree, "fresh")
    fresh.put(1, spec={"description": text_of(6 * MIB)})
    too_large(fresh, "at most 4194304 are accepted")
    assert all(path.stat().st_size < MIB for path in (tree.prefix / INSTANCES).iterdir())
    tree.stop()
    tree.start()
    is_managed(local, "app:2")
    too_large(fresh, "at most 4194304 are accepted")
    # A small order under the number that was refused is accepted.
    fresh.put(1)
    fresh.running(1)
    assert fresh.stages()["host_recv"]["state"] == "success"


def test_orders_that_the_gateway_refused_are_reported(tree):
    join(tree)
    app = ZoneApp(tree)
    app.put(1)
    app.running(1)
    one = instance(revision=2)
    stub = {"meta": {"name": "web"}, "deploy": {"revision": 2, "replicas": one["deploy"]["replicas"]}}
    for _ in range(2):
        said = tree.call("reconciler", "PutZoneState", instance=stub, refused="has more than 8 MiB: not taken")
        assert said["problem"] == "has more than 8 MiB: not taken" and said["managed"]
    too_large(app, "has more than 8 MiB")
    assert app.get()["replicas"][0]["revision"] == 1 and app.get()["replicas"][0]["state"] == "running"
    app.put(3)
    app.running(3)


def test_the_largest_accepted_orders_can_be_read_again(tree):
    """Three orders of this size are a record that can be read again."""
    join(tree)
    app, local = ZoneApp(tree), App(tree, "local")
    local.deploy(manifest(name="local", image="app:1"))
    for order in (1, 2):
        app.put(order, spec={"description": text_of(4 * MIB - 3000 - order), **({"image": "null/exit-3:1"} if order == 2 else {})})
        if order == 1:
            app.running(1)
    app.hold()
    app.put(3, spec={"description": text_of(4 * MIB - 3003)})
    tree.stop()
    assert path_of(tree).stat().st_size > 11 * MIB
    tree.start()
    is_managed(local, "app:2")
    assert app.get()["hold"] and tree.ctl("apps").returncode == 0


@pytest.mark.parametrize("spec, words", [
    ({"packages": [{"name": f"p{n}", "version": "1.0"} for n in range(80_000)]}, "at most 1000"),
    ({"service_ports": [{"name": f"p{n}", "port": n % 60000 + 1} for n in range(80_000)]}, "at most 100"),
    ({"tasks": [{"name": f"t{n}"} for n in range(80_000)]}, "at most 1000"),
    ({"version": text_of(300_000)}, "/spec/version"), ({"name": text_of(300_000)}, "/spec/name"),
    ({"service_ports": [{"name": text_of(300_000), "port": 80}]}, "/spec/service_ports/name"),
], ids=["packages", "ports", "tasks", "version", "name", "port"])
def test_orders_beyond_a_limit_are_refused(tree, spec, words):
    join(tree)
    app, local = ZoneApp(tree), App(tree, "local")
    local.deploy(manifest(name="local", image="app:1"))
    app.put(1, spec=spec)
    too_large(app, words)
    tree.stop()
    tree.start()
    is_managed(local, "app:2")
    too_large(app, words)


@pytest.mark.parametrize("unreadable", [False, True])
def test_a_clash_of_many_replicas_fits_into_a_reply(tree, unreadable):
    """The report of the clash fits into a reply."""
    web, other = with_neighbour(tree)
    if unreadable:
        spoil(tree, "{")
    join(tree)
    one = instance("web", 3)
    one["deploy"]["replicas"] = [{"host_id": facts()["host_id"], "id": n % 1000} for n in range(80_000)]
    assert tree.call("reconciler", "PutZoneState", instance=one)["problem"]
    assert [c.get("replica_id", 0) for c in web.get()["clash"]] == list(range(128))
    assert tree.ctl("apps").returncode == 0
    is_managed(other, "app:2")


def nested(depth):
    item = {"name": "x"}
    for _ in range(depth):
        item = {"name": "x", "items": [item]}
    return item


def test_orders_that_are_nested_too_deeply_are_refused(tree):
    join(tree)
    app, local = ZoneApp(tree), App(tree, "local")
    local.deploy(manifest(name="local", image="app:1"))
    for depth in (100, 400):
        app.put(1, deploy={"configs": [nested(depth)]})
        too_large(app, "nested deeper than 64")
    tree.stop()
    tree.start()
    is_managed(local, "app:2")


@pytest.mark.parametrize("change, words", [
    (lambda m: m["app"]["spec"].update(description=text_of(15 * MIB)), "at most 4194304"),
    (lambda m: m["app"]["spec"].update(packages=[{"name": f"p{n}"} for n in range(80_000)]), "at most 1000"),
    (lambda m: m["app"]["spec"].update(version=text_of(1000)), "/app/spec/version"),
    (lambda m: m.setdefault("hostlet", {}).update(env={f"V{n}": text_of(4000) for n in range(2000)}), "at most 4194304"),
], ids=["description", "packages", "version", "env"])
def test_local_manifests_beyond_a_limit_are_refused(tree, change, words):
    app, other = App(tree), App(tree, "other")
    other.deploy(manifest(name="other", image="app:1"))
    wanted = manifest(image="app:1")
    change(wanted)
    with pytest.raises(VarlinkError, match=words):
        app.apply(wanted)
    assert app.get() is None and names_below(tree.prefix / INSTANCES) == ["other.json"]
    is_managed(other, "app:2")


def test_reports_of_agents_are_bounded(tree):
    """One instance has many replicas, in which every agent reports as much as it can, in control characters alone."""
    join(tree)
    app = ZoneApp(tree)
    app.put(1, replicas=tuple(range(64)))
    app.running(1, timeout=120)
    loud = [{"name": f"task{n}", "owner": "inagent", "revision": 1, "state": "running", "message": "\1" * 2048} for n in range(32)]
    for number in range(64):
        app.report(app.secret(number), loud, number)
    told = [s["message"] for r in app.get()["replicas"] for s in r["stages"] if s["owner"] == "inagent" and s.get("message")]
    assert 0 < sum(len(json.dumps(m)) for m in told) < 3 * MIB
    tree.stop()
    tree.start()
    assert not app.get()["failed"]


@pytest.mark.failpoints
@pytest.mark.parametrize("point", ["store.before_save", "store.saved"])
def test_a_kill_while_a_record_is_set_aside_loses_nothing(make_tree, point):
    """The file has its second name by then, and the new record is written in one case and not in the other."""
    tree = make_tree({"container-driver": {"runtime": "null"}, "reconciler": FAST}).start()
    web = App(tree)
    web.deploy(manifest(image="app:1"))
    tree.stop()
    path_of(tree).write_text("{")
    tree.start(failpoint=f"{point}:kill")
    web.destroy()
    ground.wait_until(lambda: web.get() is None, 30, "it is destroyed")
    assert tree.failpoint_taken(point) and "i8k_web_0" not in driver_containers(tree)
    assert (tree.prefix / INSTANCES / "web.json.unreadable").read_text() == "{"


def test_frequent_reports_of_agents_are_written_rarely(tree):
    """Agents can report a change fifty times a second without end: the whole record is not written as often."""
    join(tree)
    app = ZoneApp(tree)
    app.put(1)
    app.running(1)
    secret, seen, number = app.secret(), set(), 0
    end = time.monotonic() + 12
    while time.monotonic() < end:
        number += 1
        app.report(secret, [{"name": "task", "owner": "inagent", "revision": 1, "state": "running", "message": str(number)}])
        seen.add(path_of(tree).stat().st_mtime_ns)
    assert 2 <= len(seen) <= 8, f"{number} reports, {len(seen)} records"
    # A change by hostlet itself writes the reports too, and so does a stop.
    app.hold()
    assert f'"{number}"' in path_of(tree).read_text()
    app.report(secret, [{"name": "task", "owner": "inagent", "revision": 1, "state": "running", "message": "last words"}])
    tree.stop()
    assert '"last words"' in path_of(tree).read_text()
