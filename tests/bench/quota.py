"""Measures disk quotas of 200 replicas: Ensure and List, against xfs_quota(8) as the original agent calls it (two shells for each
project) and batched in one process. It needs an XFS mounted with prjquota: scripts/vm run has one at /srv/xfs.
$HOSTLET_BENCH_QUOTA names another."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from lib import ground, varlink
from lib.tree import Tree

PROJECTS = 200
LIMIT = 1 << 30
BATCH_IDS = 200000  # beyond the ids of hostlet


def find_filesystem():
    named = os.environ.get("HOSTLET_BENCH_QUOTA")
    if named:
        return Path(named)
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind, options, *_ = line.split()
        if kind == "xfs" and {"prjquota", "pquota"} & set(options.split(",")):
            return Path(point)
    return None


CONTAINERS = [f"i8k_bench{n}_0" for n in range(PROJECTS)]


def make_directories(base):
    """Makes 200 directories as a provisioner leaves them, with a few files in each."""
    directories = [base / container for container in CONTAINERS]
    for directory in directories:
        (directory / "opt").mkdir(parents=True)
        (directory / "home/action/.innerstack").mkdir(parents=True)
        for name in ("app_replica.json", "ininit", "inagent"):
            (directory / "home/action/.innerstack" / name).write_text("x")
    return directories


def remove_directories(directories):
    for directory in directories:
        shutil.rmtree(directory)


def ensure_at_once(tree):
    """Calls as the reconciler does: one connection for each call, all of them at the same time."""
    clients = [varlink.Varlink(tree.socket("quota-keeper"), 120) for _ in CONTAINERS]
    begun = time.perf_counter()
    for client, container in zip(clients, CONTAINERS):
        client.send({"method": "io.hostlet.QuotaKeeper.Ensure", "parameters": {"container": container, "soft": LIMIT, "hard": LIMIT}})
    for client in clients:
        assert client.receive()["parameters"]["hard"] == LIMIT
    seconds = time.perf_counter() - begun
    for client in clients:
        client.close()
    return seconds * 1000


def ensure_in_a_row(tree):
    begun = time.perf_counter()
    for container in CONTAINERS:
        with varlink.Varlink(tree.socket("quota-keeper"), 120) as client:
            client.call("io.hostlet.QuotaKeeper.Ensure", container=container, soft=LIMIT, hard=LIMIT)
    return (time.perf_counter() - begun) * 1000


def list_all(tree):
    begun = time.perf_counter()
    with varlink.Varlink(tree.socket("quota-keeper"), 120) as client:
        found = [a["quota"] for a in client.stream("io.hostlet.QuotaKeeper.List") if a.get("quota")]
    assert len(found) == PROJECTS and all(q["hard"] == LIMIT for q in found)
    return (time.perf_counter() - begun) * 1000


def remove_all(tree):
    for container in CONTAINERS:
        with varlink.Varlink(tree.socket("quota-keeper"), 120) as client:
            client.call("io.hostlet.QuotaKeeper.Remove", container=container)


def run(*words):
    result = subprocess.run([str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert result.returncode == 0, result.stdout
    return result.stdout


def original(point, directories):
    """Runs two shells for each project, as the original agent does."""
    begun = time.perf_counter()
    for n, directory in enumerate(directories):
        project = BATCH_IDS + n
        run("sh", "-c", f"xfs_quota -x -c 'project -s -p {directory} {project}' {point}")
        run("sh", "-c", f"xfs_quota -x -c 'limit -p bsoft={LIMIT} bhard={LIMIT} {project}' {point}")
    return (time.perf_counter() - begun) * 1000


def batched(point, directories, first):
    commands = []
    for n, directory in enumerate(directories):
        commands += ["-c", f"project -s -p {directory} {first + n}", "-c", f"limit -p bsoft={LIMIT} bhard={LIMIT} {first + n}"]
    begun = time.perf_counter()
    run("xfs_quota", "-x", *commands, point)
    return (time.perf_counter() - begun) * 1000


def report(point):
    begun = time.perf_counter()
    text = run("xfs_quota", "-x", "-c", "report -p -b -N", point)
    assert len(text.splitlines()) >= PROJECTS
    return (time.perf_counter() - begun) * 1000


def idle(tree):
    """Returns the CPU time in ms and the context switches of quota-keeper in ten seconds without a change."""
    process = Path(f"/proc/{tree.pid('quota-keeper')}")

    def used():
        fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
        switches = sum(int(line.split()[1]) for line in (process / "status").read_text().splitlines() if "ctxt_switches" in line)
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK"), switches
    before = used()
    ground.let_pass(10)  # the measured condition is that nothing happens in this time
    after = used()
    return after[0] - before[0], after[1] - before[1]


def measure(place, results, runs):
    point = find_filesystem()
    if not point:
        results.say("skipped: no XFS with prjquota is mounted; scripts/vm run has one, see HACKING.md")
        return
    base = Path(point) / f"bench-{os.getpid()}"
    base.mkdir()
    tree = Tree(base / "tree", {"container-driver": {"runtime": "null"}}).start()
    try:
        apps = base / "tree/apps"
        once = make_directories(base / "original")
        peer = results.add(f"xfs_quota, two shells a project: {PROJECTS} projects", [original(point, once)], "ms")
        remove_directories(once)
        rows, lists, reports, times = {}, [], [], {"batch": [], "row": [], "once": []}
        for n in range(runs):
            directories = make_directories(base / f"batch{n}")
            times["batch"].append(batched(point, directories, BATCH_IDS + (n + 1) * 1000))
            reports.append(report(point))
            remove_directories(directories)
            for kind, ensure in (("row", ensure_in_a_row), ("once", ensure_at_once)):
                directories = make_directories(apps)
                times[kind].append(ensure(tree))
                lists.append(list_all(tree))
                remove_all(tree)
                remove_directories(directories)
        rows["batch"] = results.add(f"xfs_quota, all in one process: {PROJECTS} projects", times["batch"], "ms", peer)
        once = results.add(f"Ensure, {PROJECTS} calls at once", times["once"], "ms", rows["batch"], "1.0x")
        results.compare(once, peer, "0.02x")
        row = results.add(f"Ensure, {PROJECTS} calls in a row, each durable", times["row"], "ms", rows["batch"])
        results.compare(row, peer, "0.02x")
        shown = results.add("xfs_quota report", reports, "ms")
        results.add(f"List of {PROJECTS}", lists, "ms", shown, "1.0x")
        cpu, switches = idle(tree)
        results.add("CPU of quota-keeper in 10 s in which nothing changes", [cpu], "ms", aim="0 ms")
        results.add("its wake-ups in that time", [switches], "", aim="0")
    finally:
        tree.stop()
        ground.remove(base)
