"""Tests many replicas: one download, ports of their own, one switch after the other, and where a rollout stops."""

import json
import socket

import pytest
from lib import ground, packages
from lib.apps import App, answers, driver_containers, manifest, server


def null_settings(**reconciler):
    return {"container-driver": {"runtime": "null"}, "reconciler": reconciler}


def ports(app):
    return {r["id"]: {p["port"]: p["host_port"] for p in r.get("ports", [])} for r in app.get()["replicas"]}


def free_range(count):
    """Returns the first of 'count' consecutive ports on which no program listens."""
    def search():
        first = ground.free_port()
        for port in range(first, first + count):
            with socket.socket() as probe:
                try:
                    probe.bind(("0.0.0.0", port))
                except OSError:
                    return None
        return first
    return ground.wait_until(search, 10, "a free range of ports")


def test_ten_replicas_make_one_download(make_tree, nginx):
    repository = packages.Repository(nginx.root)
    repository.add("site", "1.0.0", files={"file": b"x" * 100000})
    tree = make_tree({**null_settings(), "fetcher": {"repositories": nginx.url}}).start()
    app = App(tree)
    app.deploy(manifest(image="one:1", packages=["site"], replicas=10))
    assert sorted(driver_containers(tree)) == sorted(f"i8k_web_{n}" for n in range(10))
    file = packages.package_id("site", "1.0.0") + ".ipk"
    asked = [r for r in nginx.requests() if r["uri"].endswith(file)]
    assert [r["status"] for r in asked] == [200], asked
    assert len([r for r in nginx.requests() if r["uri"].endswith("index.json")]) == 1
    # A second instance of the same package requests only the index from outside.
    nginx.forget_requests()
    App(tree, "more").deploy(manifest("more", image="one:1", packages=["site"], replicas=2))
    assert not [r for r in nginx.requests() if r["uri"].endswith(file)]


@pytest.mark.limit(240)
def test_ten_replicas_answer_on_ports_of_their_own_after_one_download(make_tree, docker_settings, engine, nginx, busybox_image):
    repository = packages.Repository(nginx.root)
    repository.add("site", "1.0.0", files={"www/index.html": b"from the package\n"})
    first = free_range(12)
    tree = make_tree({**docker_settings, "fetcher": {"repositories": nginx.url},
                      "reconciler": {"host_ports": f"{first}-{first + 11}"}}).start()
    app = App(tree)
    app.deploy(manifest(script="exec httpd -f -p 80 -h /usr/innerstack/site/www", packages=["site"], ports={"http": 80},
                        replicas=10, tasks=[], probation=0))
    given = ports(app)
    assert sorted(given) == list(range(10))
    assert len({p[80] for p in given.values()}) == 10 and all(first <= p[80] <= first + 11 for p in given.values())
    for port in given.values():
        answers(port[80], "from the package")
    file = packages.package_id("site", "1.0.0") + ".ipk"
    assert [r["status"] for r in nginx.requests() if r["uri"].endswith(file)] == [200]
    containers = {item["Names"][0]: item["Id"] for item in engine.containers()}
    tree.restart()
    app.running(1)
    assert ports(app) == given, "host ports are durable"
    assert {item["Names"][0]: item["Id"] for item in engine.containers()} == containers


def test_allocated_ports_are_kept_by_updates_and_assigned_once(make_tree):
    first = free_range(8)
    tree = make_tree(null_settings(host_ports=f"{first}-{first + 7}")).start()
    app = App(tree)
    app.deploy(manifest(image="one:1", ports={"http": 80, "admin": 81}, replicas=2))
    given = ports(app)
    assert sorted(p for r in given.values() for p in r.values()) == list(range(first, first + 4))
    app.deploy(manifest(image="two:1", ports={"http": 80, "admin": 81}, replicas=2))
    assert ports(app) == given
    other = App(tree, "other")
    other.deploy(manifest("other", image="one:1", ports={"http": 80}, replicas=2))
    assert not {p for r in ports(other).values() for p in r.values()} & {p for r in given.values() for p in r.values()}
    # Ports of removed replicas are free, and assigned again.
    app.destroy()
    app.gone()
    third = App(tree, "third")
    third.deploy(manifest("third", image="one:1", ports={"http": 80}, replicas=6))
    assert len({p for r in ports(third).values() for p in r.values()}) == 6


def test_range_without_a_free_port_is_refused(make_tree):
    first = free_range(2)
    tree = make_tree(null_settings(host_ports=f"{first}-{first + 1}")).start()
    refused = tree.apply(manifest(image="one:1", ports={"http": 80}, replicas=3), check=False)
    assert refused.returncode != 0 and str(first) in refused.stdout + refused.stderr
    assert App(tree).get() is None


def test_port_in_use_is_skipped(make_tree):
    first = free_range(3)
    tree = make_tree(null_settings(host_ports=f"{first}-{first + 2}")).start()
    with socket.create_server(("0.0.0.0", first)):
        app = App(tree)
        app.deploy(manifest(image="one:1", ports={"http": 80}, replicas=2))
        assert sorted(p[80] for p in ports(app).values()) == [first + 1, first + 2]


def test_single_replica_gets_the_same_port_outside(make_tree):
    port = ground.free_port()
    app = App(make_tree(null_settings()).start())
    app.deploy(manifest(image="one:1", ports={"http": port}))
    assert ports(app) == {0: {port: port}}


def watch_busy(app, wanted, until):
    """Applies and follows the instance until until(instance) is true. Returns the largest number of replicas that were between
    two revisions at the same time."""
    most = 0
    with app.tree.connect("reconciler", 60) as connection:
        stream = connection.stream("io.hostlet.Reconciler.Watch")
        if app.get():
            next(stream)
        assert next(stream) == {"complete": True}
        app.apply(wanted)
        for item in stream:
            instance = item["instance"]
            busy = sum(r.get("step") not in (None, "preparing", "waiting for its turn") for r in instance["replicas"])
            most = max(most, busy)
            if until(instance):
                return most
    raise AssertionError("the watch ended")


def all_at(revision):
    return lambda i: i["settled"] and all(r.get("revision") == revision and r["state"] == "running" for r in i["replicas"])


@pytest.mark.parametrize("parallel, first, update", [(None, 4, 1), (2, 2, 2)])
def test_the_rollout_bounds_how_many_replicas_switch_at_once(make_tree, parallel, first, update):
    app = App(make_tree(null_settings()).start())
    more = {"parallel": parallel} if parallel else {}
    assert watch_busy(app, manifest(image="one:1", replicas=6, **more), all_at(1)) == first
    assert watch_busy(app, manifest(image="two:1", replicas=6, **more), all_at(2)) == update


def test_update_stops_at_the_first_failure_and_shows_both_revisions(make_tree, place):
    """Replica 1's new container fails: 0 runs the new revision, 1 and 2 the old."""
    tree = make_tree(null_settings()).start()
    app = App(tree)
    app.deploy(manifest(image="one:1", replicas=3))
    before = {name: item["id"] for name, item in driver_containers(tree).items()}
    # The directory of replica 1 becomes one that provisioner refuses.
    directory = app.directory(1)
    (directory / "home").rename(directory / "elsewhere")
    (directory / "home").symlink_to("/etc")
    app.apply(manifest(image="two:1", replicas=3))
    seen = app.wait(lambda i: i["settled"] and i["failed"] and i["replicas"][1]["state"] == "failed"
                    or i["replicas"][1].get("next_retry"), "the rollout stops")
    revisions = {r["id"]: r.get("revision") for r in app.get()["replicas"]}
    assert revisions[0] == 2 and revisions[2] == 1
    after = {name: item["id"] for name, item in driver_containers(tree).items() if not name.endswith(".old")}
    assert after["i8k_web_0"] != before["i8k_web_0"] and after["i8k_web_2"] == before["i8k_web_2"]
    assert "stopped" in (app.get().get("message") or ""), json.dumps(seen)


def test_rollout_on_docker_stops_at_the_first_failure(tree, engine, busybox_image):
    """The second replica's port is in use."""
    first = free_range(6)
    app = App(tree)
    given = {n: {80: first + n} for n in range(3)}
    script = server("{}", 80)
    app.deploy(manifest(script=script.replace("{}", "one"), ports={"http": 80}, host_ports=given, replicas=3))
    before = {n: engine.inspect(f"i8k_web_{n}")["Id"] for n in range(3)}
    with socket.socket() as stranger:
        wanted = {0: given[0], 1: {80: first + 4}, 2: given[2]}
        app.apply(manifest(script=script.replace("{}", "two"), ports={"http": 80}, host_ports=wanted, replicas=3))
        app.wait(lambda i: i["replicas"][0].get("step"), "the first is being switched")
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("0.0.0.0", first + 4))
        stranger.listen()
        seen = app.wait(lambda i: i["settled"] and i["failed"], "the rollout stops")
        assert [r["revision"] for r in seen["replicas"]] == [2, 1, 1]
        assert [r["state"] for r in seen["replicas"]] == ["running", "failed", "running"]
        assert "stopped" in seen["message"]
        shown = tree.ctl("app", "web").stdout
        assert str(first + 4) in shown
        answers(first, "two")
        answers(first + 1, "one")
        answers(first + 2, "one")
        assert engine.inspect("i8k_web_1")["Id"] == before[1] and engine.inspect("i8k_web_2")["Id"] == before[2]
    app.start()
    app.running(2)
    for port in (first, first + 4, first + 2):
        answers(port, "two")
