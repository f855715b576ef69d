"""Measures restarts, starts on demand, memory and wake-ups of the tree, against s6-svscan and runsvdir with as many services."""

import os
import shutil
import signal
import time
from pathlib import Path

from lib import ground, varlink
from lib.tree import BUILD, SOURCE, Tree

RESIDENT = ["quota-keeper", "reconciler", "container-driver"]
DEMAND = ["provisioner", "unpacker", "fetcher"]
IDLE_SECONDS = 10


def answer(path, interface):
    """Connects, makes one call that every service answers, and returns after the reply."""
    with varlink.Varlink(path) as client:
        client.call("org.varlink.service.GetInfo")


def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))


def wakeups(pid):
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        for line in status.read_text().splitlines():
            if line.startswith(("voluntary_ctxt", "nonvoluntary_ctxt")):
                total += int(line.split()[1])
    return total


def time_to_answer(path, kill):
    """Returns the time in ms from SIGKILL to the first reply of the new process."""
    begun = time.perf_counter()
    kill()
    while True:
        try:
            answer(path, None)
            return (time.perf_counter() - begun) * 1000
        except (OSError, varlink.Closed):
            pass  # the connection that the killed process had accepted


def restart_times(tree, service, runs):
    times = []
    for _ in range(runs):
        pid = tree.pid(service)
        answer(tree.socket(service), service)
        ground.let_pass(1.1)  # A run of more than a second counts as healthy.
        times.append(time_to_answer(tree.socket(service), lambda: os.kill(pid, signal.SIGKILL)))
    return times


def children_of(pid):
    return [int(word) for task in Path(f"/proc/{pid}/task").glob("*/children") for word in task.read_text().split()]


def descendants(pid):
    found = [pid]
    for child in children_of(pid):
        found += descendants(child)
    return found


class Peer:
    """Runs quota-keeper, the smallest worker, under another supervisor: the same program, so that the supervisors are compared."""

    def __init__(self, place, prefix, count):
        self.place, self.prefix, self.count = place, prefix, count
        self.scan = place / "scan"
        (prefix / "run").mkdir(parents=True)
        (prefix / "var/hostlet").mkdir(parents=True)
        # hostletd passes an empty network namespace to its children. Under the peers each would make its own, which takes longer
        # than the restart. The peers skip it, so that supervisors are compared and not namespaces.
        self.services = place / "services"
        shutil.copytree(SOURCE / "svc/quota-keeper", self.services / "quota-keeper")
        conf = self.services / "quota-keeper/service.conf"
        conf.write_text(conf.read_text().replace("network = no", "network = yes"))
        self.socket = prefix / "run/quota-keeper.sock"
        for n in range(count):
            directory = self.scan / f"service{n}"
            directory.mkdir(parents=True)
            # Only the first is measured; the others make up as many services as the tree has.
            own = prefix if n == 0 else place / f"prefix{n}"
            (own / "run").mkdir(parents=True, exist_ok=True)
            self.write_run(directory, f"exec {BUILD}/quota-keeper --prefix {own} --services {self.services} --libexec {BUILD}")

    def write_run(self, directory, command):
        run = directory / "run"
        run.write_text(f"#!/bin/sh\n{command}{self.notification}\n")
        run.chmod(0o755)

    def start(self):
        self.process = ground.start([*self.command, str(self.scan)], self.place / "log")
        ground.wait_until(lambda: self.answers(), 20, f"{self.command[0]} starts its services")

    def answers(self):
        try:
            answer(self.socket, None)
            return True
        except (OSError, varlink.Closed):
            return False

    def pid(self):
        for pid in descendants(self.process.pid):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if command[0].endswith(b"quota-keeper") and str(self.prefix).encode() in command:
                return pid
        return None

    def restart_times(self, runs):
        times = []
        for _ in range(runs):
            pid = ground.wait_until(self.pid, 10, "the service runs")
            answer(self.socket, None)
            ground.let_pass(1.1)
            times.append(time_to_answer(self.socket, lambda: os.kill(pid, signal.SIGKILL)))
        return times

    def stop(self):
        every = descendants(self.process.pid)
        ground.stop(self.process)
        for pid in every:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


class S6(Peer):
    command = ["s6-svscan"]
    notification = " --notification-fd 3"

    def write_run(self, directory, command):
        super().write_run(directory, command)
        (directory / "notification-fd").write_text("3\n")


class Runit(Peer):
    command = ["runsvdir"]
    notification = ""


def measure(place, results, runs):
    tree = Tree(place / "tree", {"container-driver": {"runtime": "null"}})
    tree.wrapper = ground.WITHOUT_OTHER_MOUNTS  # an idle machine mounts nothing
    tree.start()
    peers = []
    try:
        # Measured alone: beside twelve more processes of hostlet it would be charged for a part of the shared pages only.
        own = memory(tree, results)
        for kind in S6, Runit:
            directory = place / kind.command[0]
            directory.mkdir()
            peers.append(kind(directory, directory / "prefix", len(RESIDENT) + len(DEMAND)))
            peers[-1].start()
        s6, runit = peers
        s6_row = results.add("SIGKILL to answer: quota-keeper under s6-supervise", s6.restart_times(runs), "ms")
        runit_row = results.add("SIGKILL to answer: quota-keeper under runsv", runit.restart_times(runs), "ms")
        for service in RESIDENT:
            aim = "10 ms" if service == "container-driver" else "3 ms"
            row = results.add(f"SIGKILL to answer: {service} under hostletd", restart_times(tree, service, runs), "ms",
                              s6_row, aim)
            results.compare(row, runit_row, "1.0x")
        for service in DEMAND:
            times = []
            for _ in range(runs):
                pid = tree.children().get(service)
                if pid:
                    os.kill(pid, signal.SIGTERM)
                    ground.wait_until(lambda: not ground.alive(pid), 10, f"{service} ends")
                begun = time.perf_counter()
                answer(tree.socket(service), service)
                times.append((time.perf_counter() - begun) * 1000)
            results.add(f"connect to first answer: {service} on demand", times, "ms")
        peer_memory(s6, runit, own, results)
    finally:
        tree.stop()
        for peer in peers:
            peer.stop()


def memory(tree, results):
    processes = {"hostletd": tree.process.pid, **tree.children()}
    sizes = {name: pss(pid) / 1024 for name, pid in processes.items()}
    for name, size in sizes.items():
        results.add(f"PSS idle: {name}", [size], "MiB")
    results.add("PSS idle: the whole tree", [sum(sizes.values())], "MiB", aim="12 MiB")
    before = {name: wakeups(pid) for name, pid in processes.items()}
    ground.let_pass(IDLE_SECONDS)
    woken = sum(wakeups(pid) - before[name] for name, pid in processes.items())
    results.add("wake-ups a second of the idle tree", [woken / IDLE_SECONDS], "/s", aim="0")
    return sizes


def peer_memory(s6, runit, own, results):
    """Measures the supervisors alone, without the services that they run."""
    def supervisors(peer):
        return sum(pss(pid) for pid in descendants(peer.process.pid)
                   if b"quota-keeper" not in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]) / 1024
    s6_row = results.add("PSS: s6-svscan and its supervises, as many services", [supervisors(s6)], "MiB")
    results.add("PSS: runsvdir and its runsvs, as many services", [supervisors(runit)], "MiB")
    results.add("PSS idle: hostletd, for the same services", [own["hostletd"]], "MiB", s6_row)
