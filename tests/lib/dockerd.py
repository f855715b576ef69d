"""Runs a private Docker daemon: real, with --live-restore, on a socket and a bridge of its own, removed afterwards."""

import contextlib
import os
import random
import signal
import subprocess
from pathlib import Path

from . import ground
from .engine import Engine, EngineError

# (storage driver, whether its data are on a tmpfs), in the order in which they are tried. overlay2 needs a directory that is not itself on
# an overlay, as the root of a container is; vfs works everywhere and copies the whole image for each container.
STORAGE = (("overlay2", False), ("overlay2", True), ("vfs", False))


class DockerdEnded(Exception):
    """The daemon exited instead of answering. wait_until() stops waiting."""


class Dockerd:
    """One daemon in the directory 'place'. It does not change the machine's packet filter: docker-proxy serves published ports
    and needs no rules, so it works where iptables is missing or broken. With 'filters' it does, as an ordinary daemon: for a
    network namespace ('wrapper')."""

    def __init__(self, place, wrapper=(), filters=False):
        self.filters = filters
        self.wrapper = list(wrapper)  # a command that runs it elsewhere: in a network namespace
        self.place = Path(place)
        self.socket = self.place / "docker.sock"
        self.log = self.place / "dockerd.log"
        self.pid_file = self.place / "docker.pid"
        self.engine = Engine(self.socket)
        self.process = None
        self.bridge = self.address = None
        self.storage = None  # (storage driver, whether its data are on a tmpfs), once it has started

    def _make_bridge(self):
        """Chooses a bridge and a network of its own, so that two test runs do not collide."""
        for _ in range(50):
            name = f"hl{random.randrange(16 ** 8):08x}"
            network = f"10.{random.randint(128, 250)}.{random.randint(0, 250)}"
            routes = subprocess.run([*self.wrapper, "ip", "-4", "route", "show", f"{network}.0/24"], capture_output=True, text=True,
                                    check=True).stdout
            if routes.strip():
                continue
            subprocess.run([*self.wrapper, "ip", "link", "add", name, "type", "bridge"], check=True)
            subprocess.run([*self.wrapper, "ip", "address", "add", f"{network}.1/24", "dev", name], check=True)
            subprocess.run([*self.wrapper, "ip", "link", "set", name, "up"], check=True)
            self.bridge = name
            self.address = f"{network}.1"  # the machine's, as its containers reach it
            (self.place / "bridge").write_text(name)
            return
        raise AssertionError("no free network for a bridge")

    def _command(self, driver):
        return [*self.wrapper, "dockerd", "--live-restore", "--data-root", self.place / "data", "--exec-root", self.place / "exec",
                "--pidfile", self.pid_file, "--host", f"unix://{self.socket}", "--bridge", self.bridge,
                *(() if self.filters else ("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false")),
                "--storage-driver", driver, "--group", "root", "--shutdown-timeout", "3"]

    def start(self):
        """Starts it and waits until it answers; the storage is the first of STORAGE that works here."""
        if not self.bridge:
            self._make_bridge()
        for storage in [self.storage] if self.storage else STORAGE:
            with contextlib.suppress(DockerdEnded, subprocess.CalledProcessError):
                self._start_on(*storage)
                self.storage = storage
                return
        log = self.log.read_text(errors="replace")[-4000:]
        raise AssertionError(f"dockerd does not start: {(log.splitlines() or ['no reason given'])[-1]}\nThe end of its log:\n{log}")

    def _start_on(self, driver, tmpfs):
        # Files of an earlier daemon of the tests that was killed prevent the next one from starting.
        for stale in (self.pid_file, self.place / "exec/containerd/containerd.pid"):
            self._end(stale)
        data = self.place / "data"
        if tmpfs and not os.path.ismount(data):
            data.mkdir(exist_ok=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=75%", "tmpfs", data], check=True)
        self.process = ground.start(self._command(driver), self.log)
        try:
            ground.wait_until(self._answers, 60, "dockerd answers")
        except DockerdEnded:
            if tmpfs:
                ground.unmount_below(data)
            raise

    def _answers(self):
        if self.process.poll() is not None:
            raise DockerdEnded(f"dockerd ended with status {self.process.returncode}")
        return self.engine.request("GET", "/_ping", timeout=2) == b"OK"

    @staticmethod
    def _end(pid_file):
        """Ends the process that a pid file names, and removes the file."""
        with contextlib.suppress(OSError, ValueError):
            pid = int(pid_file.read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if str(pid_file.parent).encode() in command:
                os.kill(pid, signal.SIGKILL)
                ground.wait_until(lambda: not ground.alive(pid), 10, f"process {pid} ends")
        pid_file.unlink(missing_ok=True)

    def kill(self):
        """Sends SIGKILL to dockerd alone. Containers and their shims keep running."""
        self.process.kill()
        self.process.wait()

    def restart(self, number=signal.SIGKILL):
        """Ends the daemon with a signal and starts it again; live-restore recovers the containers."""
        self.process.send_signal(number)
        self.process.wait(60)
        self.start()

    @contextlib.contextmanager
    def stopped(self):
        """The daemon hangs (SIGSTOP) inside of this context: it accepts connections and never answers."""
        self.process.send_signal(signal.SIGSTOP)
        tasks = Path(f"/proc/{self.process.pid}/task")
        ground.wait_until(lambda: all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T"
                                      for task in tasks.iterdir()), 10, "every thread of dockerd has stopped")
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def remove_containers(self):
        for item in self.engine.containers():
            with contextlib.suppress(EngineError):
                self.engine.request("POST", f"/containers/{item['Id']}/update", {"RestartPolicy": {"Name": "no"}})
            self.engine.remove(item["Id"])
        for name in self.engine.volumes():
            with contextlib.suppress(EngineError):
                self.engine.remove_volume(name)

    def stop(self):
        if self.process and self.process.poll() is None:
            with contextlib.suppress(OSError, EngineError):
                self.remove_containers()
            ground.stop(self.process, 20)
        ground.kill_processes_naming(str(self.place / "exec"))
        ground.unmount_below(self.place)
        if self.bridge:
            subprocess.run([*self.wrapper, "ip", "link", "delete", self.bridge], check=False)
            self.bridge = None
