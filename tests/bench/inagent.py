"""Measures inagent, process 1 of containers: size, start, memory and wake-ups, against a plain shell and busybox's crond."""

import os
import subprocess
import time

from lib import ground
from lib.inagent import BUSYBOX, INAGENT, Container, task

IDLE_SECONDS = 60
TASKS = 1000


def status(pid, name):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name + ":"))


def switches(pid):
    """Returns how often the process has waited: each wake-up is followed by another wait."""
    return status(pid, "voluntary_ctxt_switches")


def wakeups(pid, seconds):
    before = switches(pid)
    ground.let_pass(seconds)
    return switches(pid) - before


def time_to(container, start):
    """Returns the ms from the start until the application's first file exists."""
    up = container.home / "action/up"
    begun = time.perf_counter()
    start()
    while not up.exists():
        if container.process and container.process.poll() is not None:
            raise AssertionError(container.log())
    return (time.perf_counter() - begun) * 1000


def start_times(place, runs, kind):
    times = []
    for i in range(runs):
        with Container(place / f"{kind}-{i}") as container:
            if kind == "shell":  # the same namespaces and root, without inagent
                (container.ours / "ininit").write_text(": > /home/action/up; exec sleep 1000\n")
                times.append(time_to(container, container.start))
            else:
                times.append(time_to(container, lambda c=container: c.start([task("app", ": > up; exec sleep 1000")])))
    return times


def nightly():
    return [{"name": f"t{i}", "cron": f"{i % 60} 3 * {1 + i % 12} *", "script": "true"} for i in range(TASKS)]


def idle(place, name, tasks):
    """Starts a container with an application and these tasks; returns RSS in KiB, the ms until the application runs, and
    wake-ups in a minute."""
    with Container(place / name) as container:
        took = time_to(container, lambda: container.start([task("app", ": > up; exec sleep 1000"), *tasks]))
        pid = container.first_process()
        ground.wait_until(lambda: container.log().count("started") == 1, 30, "the application's start")
        # The timer of the probation and the first writes are over.
        ground.let_pass(7)
        return status(pid, "VmRSS"), took, wakeups(pid, IDLE_SECONDS)


def crond(place):
    """Runs busybox's crond with as many lines; returns RSS in KiB and wake-ups in a minute."""
    tabs = place / "tabs"
    tabs.mkdir()
    (tabs / "root").write_text("".join(f"{i % 60} 3 * {1 + i % 12} * true\n" for i in range(TASKS)))
    process = subprocess.Popen([BUSYBOX, "crond", "-f", "-c", tabs, "-L", "/dev/null"])
    try:
        ground.let_pass(2)
        return status(process.pid, "VmRSS"), wakeups(process.pid, IDLE_SECONDS)
    finally:
        process.kill()
        process.wait()


def measure(place, results, runs):
    results.add("size of the binary", [os.path.getsize(INAGENT) / 1000], "kB", aim="300")
    shell = results.add("container with a shell as process 1, until it runs", start_times(place, runs, "shell"), "ms")
    results.add("container with inagent, until its task runs", start_times(place, runs, "inagent"), "ms", peer=shell)
    memory, _, woken = idle(place, "one", [])
    results.add("idle, resident", [memory], "KiB", aim="400")
    results.add(f"idle, wake-ups in {IDLE_SECONDS} s", [woken], "", aim="0")
    memory, took, woken = idle(place, "many", nightly())
    peer_memory, peer_woken = crond(place)
    peer = results.add(f"busybox crond with {TASKS} lines, resident", [peer_memory], "KiB")
    results.add(f"{TASKS} cron tasks idle, resident", [memory], "KiB", peer=peer)
    results.add(f"busybox crond with {TASKS} lines, wake-ups in {IDLE_SECONDS} s", [peer_woken], "")
    results.add(f"{TASKS} cron tasks idle, wake-ups in {IDLE_SECONDS} s", [woken], "", aim="0")
    results.add(f"{TASKS} cron tasks, until the first task runs", [took], "ms")
