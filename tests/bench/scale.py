"""Measures 100 instances of 5 replicas on the null runtime: the time until all run, the time of one change, and the use of memory
and CPU."""

import time

from lib import ground, varlink
from lib.tree import Tree
from supervision import pss

INSTANCES, REPLICAS = 100, 5


def manifest(n, note="a", replicas=REPLICAS):
    name = f"scale{n}"
    return {"app": {"meta": {"name": name},
                    "spec": {"name": name, "version": "1.0.0", "image": "null/image:1",
                             "resources": {"cpu_limit": "100m", "memory_limit": "64Mi"}},
                    "deploy": {"replicas": [{"id": i} for i in range(replicas)]}},
            "hostlet": {"init": "image", "env": {"NOTE": note}, "probation_given": True}}


def settled(instance, replicas, revision):
    return (instance["settled"] and not instance["failed"] and instance["revision"] == revision and
            len(instance["replicas"]) == replicas and
            all(r["state"] == "running" and r.get("revision") == revision for r in instance["replicas"]))


def wait_for_all(tree):
    def all_run():
        with tree.connect("reconciler", 60) as client:
            found = [a["instance"] for a in client.stream("io.hostlet.Reconciler.List") if a.get("instance")]
        return len(found) == INSTANCES and all(settled(i, REPLICAS, 1) for i in found)
    ground.wait_until(all_run, 120, "all replicas run", interval=0.05)


def change(tree, n, revision, note, replicas):
    """Returns the time in ms from the call of Apply until the watch shows all replicas of the instance at the new revision."""
    with tree.connect("reconciler", 60) as watching:
        watching.send({"method": "io.hostlet.Reconciler.Watch", "parameters": {"name": f"scale{n}"}, "more": True})
        watching.receive()
        assert watching.receive()["parameters"] == {"complete": True}
        begun = time.perf_counter()
        tree.call("reconciler", "Apply", manifest=manifest(n, note, replicas))
        while not settled(watching.receive()["parameters"]["instance"], replicas, revision):
            pass
        return (time.perf_counter() - begun) * 1000


def measure(place, results, runs):
    tree = Tree(place / "tree", {"container-driver": {"runtime": "null"}, "reconciler": {"probation": "0s"}}).start()
    try:
        begun = time.perf_counter()
        with varlink.Varlink(tree.socket("reconciler"), 60) as client:
            for n in range(INSTANCES):
                client.call("io.hostlet.Reconciler.Apply", manifest=manifest(n))
        wait_for_all(tree)
        results.add("100 instances x 5 replicas: apply to all running", [time.perf_counter() - begun], "s")
        tree.call("reconciler", "Apply", manifest=manifest(0, "a", 1))
        ones = [change(tree, 0, n + 2, f"b{n}", 1) for n in range(runs)]
        results.add("one replica among 500 changed: apply to running", ones, "ms", aim="20 ms")
        fives = [change(tree, 1, n + 2, f"b{n}", REPLICAS) for n in range(runs)]
        results.add("one instance of 5 replicas changed, one after the other", fives, "ms")
        for name in "reconciler", "container-driver", "hostletd":
            pid = tree.process.pid if name == "hostletd" else tree.pid(name)
            results.add(f"PSS with 500 replicas: {name}", [pss(pid) / 1024], "MiB")
        tree.stop()
        begun = time.perf_counter()
        tree.start()
        wait_until_known(tree)
        results.add("restart of the tree until all 500 are known again", [time.perf_counter() - begun], "s")
    finally:
        tree.stop()


def wait_until_known(tree):
    def known():
        with tree.connect("reconciler", 60) as client:
            found = [a["instance"] for a in client.stream("io.hostlet.Reconciler.List") if a.get("instance")]
        return all(i["settled"] and not i["failed"] for i in found)
    ground.wait_until(known, 60, "all replicas are listed", interval=0.02)
