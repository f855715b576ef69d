"""Measures what passing on the output of tasks costs in inagent: throughput through its pipes, names and files, against a program
that writes to the same kind of log itself, and against 'cat' in between, which only copies; and its memory afterwards."""

import os
import re
import subprocess
import sys
from pathlib import Path

from lib import ground
from lib.inagent import Container, task

SIZE = 512 << 20  # bytes of each run
WRITER = """
import os, sys, time
line = b"x" * ({length} - 1) + b"\\n"
data = line * max(1, 65536 // {length})
begun = time.monotonic()
for _ in range({size} // len(data)):
    at = 0
    while at < len(data):
        at += os.write(1, data[at:])
with open({out!r} + ".new", "w") as file:
    file.write("%f\\n" % (time.monotonic() - begun))
os.rename({out!r} + ".new", {out!r})
"""


def writer(place, length, out):
    path = place / f"writer-{length}.py"
    path.write_text(WRITER.format(length=length, size=SIZE, out=out))
    return path


def reader():
    """Returns a process that reads a pipe and drops the data, as fast as a log driver can at best, and the pipe's other end."""
    reading, writing = os.pipe()
    process = subprocess.Popen(["cat"], stdin=reading, stdout=subprocess.DEVNULL)
    os.close(reading)
    return process, writing


def direct(place, length, *between):
    """Returns MB/s of a program that writes to the log itself, or to a command that copies to the log."""
    out = place / "elapsed"
    process, log = reader()
    copier = subprocess.Popen(between, stdin=subprocess.PIPE, stdout=log) if between else None
    subprocess.run([sys.executable, writer(place, length, str(out))], stdout=copier.stdin if copier else log, check=True)
    if copier:
        copier.stdin.close()
        copier.wait()
    os.close(log)
    process.wait()
    return SIZE / float(out.read_text()) / 1e6


def relayed(place, length):
    """Returns MB/s of the same program as a task, and inagent's resident memory afterwards in KiB."""
    process, log = reader()
    with Container(place / "container", "debian") as container:
        script = writer(container.home, length, "/home/action/elapsed")
        container.log_path = Path(f"/proc/self/fd/{log}")
        container.start([task("app", f"exec python3 /home/{script.name}"), task("rest", "exec sleep 1000")])
        elapsed = container.home / "action/elapsed"
        ground.wait_until(elapsed.exists, 120, "the task has written everything")
        pid = container.first_process()
        ground.wait_until(lambda: "python3" not in [name for name, _ in container.processes().values()], 20, "the task ended")
        resident = int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])
        speed = SIZE / float(elapsed.read_text()) / 1e6
    os.close(log)
    process.wait()
    ground.remove(place / "container")
    return speed, resident


def measure(place, results, runs):
    runs = max(1, min(runs, 5))
    memory = []
    for length in (100, 10000):
        peer = results.add(f"a program itself, lines of {length} bytes", [direct(place, length) for _ in range(runs)], "MB/s")
        copied = results.add("the same through cat", [direct(place, length, "cat") for _ in range(runs)], "MB/s", peer)
        found = [relayed(place, length) for _ in range(runs)]
        results.add(f"as a task of inagent, lines of {length} bytes", [speed for speed, _ in found], "MB/s", copied)
        memory += [resident for _, resident in found]
    results.add("inagent's resident memory afterwards", memory, "KiB", aim=400)
