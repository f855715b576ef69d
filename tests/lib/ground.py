"""Provides what every daemon of the tests needs: a directory, a port, a wait with a time-out, and an end that leaves nothing
behind."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PREFIX = "hostlet-test-"
PLACE = Path("/var/tmp")


def wait_until(predicate, timeout=10.0, what="the condition", interval=0.01):
    """Calls 'predicate' until it returns something true, and returns that. After 'timeout' seconds it fails and shows 'what' and
    the predicate's last result or exception."""
    deadline = time.monotonic() + timeout
    last = None
    while True:
        try:
            last = predicate()
            if last:
                return last
        except (AssertionError, OSError, LookupError, ValueError) as error:
            last = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what}: not within {timeout} s; last seen: {last!r}")
        time.sleep(interval)
        interval = min(interval * 1.5, 0.2)


def let_pass(seconds):
    """Sleeps, if the time itself is the subject of a test: a measured idle time, a slow peer, a random pause; never to wait for a
    condition. No other file of the tests sleeps (scripts/lint)."""
    time.sleep(seconds)


_given_ports = set()


def free_port():
    """Returns a TCP port on which no program listens, below the range that the kernel assigns to outgoing connections, and
    never the same one twice: a test that needs several may ask before it uses the first one."""
    for _ in range(200):
        port = random.randint(10000, 32000)
        if port in _given_ports:
            continue
        with socket.socket() as probe:
            with contextlib.suppress(OSError):
                probe.bind(("0.0.0.0", port))
                _given_ports.add(port)
                return port
    raise AssertionError("no free TCP port found")


def connects(port, host="127.0.0.1"):
    """Reports whether a program accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


# Processes

def start(command, log, *, environment=None, **options):
    """Starts a daemon in a process group of its own, with its output in the file 'log'. It gets SIGTERM when the tests exit:
    setpriv arranges that, since Python code between fork and exec sometimes hangs if a library has threads."""
    with open(log, "ab") as output:
        return subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", *(str(word) for word in command)],
                                stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment,
                                start_new_session=True, **options)


def stop(process, timeout=15):
    """Sends SIGTERM, then SIGKILL to what 'start' started. Returns the exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def processes_naming(text):
    """Returns the process ids whose command line names 'text' (a unique path), without this process."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(entry.name) != os.getpid() and text.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def kill_processes_naming(text):
    def gone():
        pids = processes_naming(text)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not pids
    wait_until(gone, 10, f"the processes of {text} have exited")


# Runs a command in a mount namespace of its own, without the mounts of containers. Changes of the mount table wake hostletd up,
# since a mount can cover its run directory, and the removal of a mount's directory changes the tables of all namespaces.
WITHOUT_OTHER_MOUNTS = ["unshare", "--mount", "--propagation", "private", "sh", "-c", """
    while read -r _ _ _ _ at _; do
        case $at in */hostlet-test-*|*docker*|*containerd*|*/netns/*) umount --lazy "$at" ;; esac
    done </proc/self/mountinfo 2>/dev/null
    exec "$@" """, "-"]


def as_user_who_opens_all(user, group):
    """Returns a command that runs another as a user with its group, for whom no mode or access list closes a file: hostletd
    restores those of its sockets."""
    capability = "+dac_override"
    return ["setpriv", "--reuid", user, "--regid", group, "--clear-groups", "--inh-caps", capability, "--ambient-caps", capability,
            "--pdeathsig", "KILL", "--"]


def alive(pid):
    """Reports whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# Places

def holder_of_locks(path, pid, name):
    """Returns the owner of the lock at 'path' as a message names it. On an overlay /proc/locks has numbers of devices that stat()
    does not return."""
    kind = subprocess.run(["stat", "--file-system", "--format", "%T", path], capture_output=True, text=True, check=True).stdout
    return "another process" if kind.strip() == "overlayfs" else f"process {pid} ({name})"


def unmount_below(directory):
    """Unmounts everything that is mounted at or below a directory, innermost first."""
    directory = str(directory)
    points = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4].encode().decode("unicode_escape")
        if point == directory or point.startswith(directory + "/"):
            points.append(point)
    for point in sorted(points, key=len, reverse=True):
        subprocess.run(["umount", "--lazy", point], check=False)


def remove(directory):
    """Removes a directory into which daemons and containers wrote."""
    unmount_below(directory)
    with contextlib.suppress(FileNotFoundError):
        (Path(directory) / "owner").unlink()
    shutil.rmtree(directory, ignore_errors=True)


def _sweep():
    """Ends and removes the processes and files of an earlier run that was killed."""
    for place in PLACE.glob(PREFIX + "*"):
        try:
            owner = int((place / "owner").read_text())
        except (OSError, ValueError):
            continue
        if not alive(owner):
            kill_processes_naming(str(place))
            for bridge in place.glob("*/bridge"):
                subprocess.run(["ip", "link", "delete", bridge.read_text()], capture_output=True, check=False)
            remove(place)


def make_place(name):
    """Makes a directory below /var/tmp, which service users can enter, and which the next run removes if this one is killed."""
    _sweep()
    place = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{name}-", dir=PLACE))
    (place / "owner").write_text(str(os.getpid()))
    place.chmod(0o755)
    return place
