"""Provides the installed hostlet, as systemd runs it in the machine, with the same methods as a tree below a prefix."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

from filesystems import run
from lib import ground
from lib.tree import CommandFailed, Tree, ini

UNIT = "hostlet.service"
DROP_IN = Path("/run/systemd/system/hostlet.service.d/test.conf")
PATIENCE = 60  # seconds; the machine's processor is emulated, on a host that is busy


class Installed(Tree):
    def __init__(self):
        super().__init__("/var/lib/hostlet")
        self.since = None

    # Start and stop

    def configure(self, settings=None, text=None):
        """Writes /etc/hostlet/hostlet.conf."""
        path = Path("/etc/hostlet/hostlet.conf")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text if text is not None else ini(settings or {}))

    def systemctl(self, verb, check=True):
        return run("systemctl", verb, UNIT, check=check, timeout=150)

    def drop_in(self, text):
        """Changes settings of the unit until the machine or the test ends."""
        DROP_IN.parent.mkdir(parents=True, exist_ok=True)
        DROP_IN.write_text(text)
        run("systemctl", "daemon-reload")

    def start(self, settings=None):
        self.configure(settings)
        self.systemctl("start")
        return self

    def stop(self, timeout=None):
        self.systemctl("stop")

    def revive(self):
        """Has no effect: systemd starts it."""

    def forget(self):
        """Restores the state after installation."""
        self.stop()
        run("systemctl", "reset-failed", UNIT, check=False)
        for path in ("/var/lib/hostlet", "/etc/hostlet"):
            shutil.rmtree(path, ignore_errors=True)
        if DROP_IN.exists():
            DROP_IN.unlink()
            run("systemctl", "daemon-reload")

    # Inspection

    def property(self, name):
        return run("systemctl", "show", UNIT, f"--property={name}", "--value").stdout.strip()

    def main_pid(self):
        return int(self.property("MainPID"))

    def state(self):
        return self.property("ActiveState")

    def active(self, without=None, timeout=PATIENCE):
        """Waits until the unit is active, with another main process than 'without'. Returns its id."""
        def now():
            pid = self.main_pid()
            return self.state() == "active" and pid not in (0, without) and pid
        return ground.wait_until(now, timeout, f"{UNIT} is active, and not as {without}")

    def processes(self):
        """Returns everything in its control group."""
        try:
            return {int(pid) for pid in Path("/sys/fs/cgroup/system.slice/hostlet.service/cgroup.procs").read_text().split()}
        except OSError:
            return set()

    def services(self):
        return {service["name"]: service for service in self.ctl_json("services")}

    def children(self):
        return {name: service["pid"] for name, service in self.services().items() if service.get("pid")}

    def signal(self, number):
        os.kill(self.main_pid(), number)

    def mark(self):
        """Marks the position from which journal() returns entries."""
        run("journalctl", "--sync")
        self.since = json.loads(run("journalctl", "-n", "1", "-o", "json").stdout)["__CURSOR"]

    def journal(self, priority=7):
        """Returns the unit's entries since mark() of this importance and above, with systemd's entries about it."""
        run("journalctl", "--sync")
        # Not -u: with it the first entry behind the cursor is left out where the cursor's own is not the unit's.
        text = run("journalctl", "-o", "json", "--after-cursor", self.since).stdout
        entries = [json.loads(line) for line in text.splitlines()]
        return [entry for entry in entries if UNIT in (entry.get("_SYSTEMD_UNIT"), entry.get("UNIT"))
                and int(entry.get("PRIORITY", 6)) <= priority]

    def log(self):
        with contextlib.suppress(AssertionError):
            return messages(self.journal())
        return ""

    # Calls

    def socket(self, service):
        return Path(f"/run/hostlet/{'supervisor' if service == 'hostletd' else service}.sock")

    def ctl(self, *words, check=True, timeout=120, environment=None, stdin=None, cwd=None):
        command = ["hostletctl", *map(str, words)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=cwd,
                                input=stdin if stdin is not None else "", env={**os.environ, **(environment or {})})
        if check and result.returncode != 0:
            raise CommandFailed(command, result)
        return result


def dies(pid, number=signal.SIGKILL):
    os.kill(pid, number)
    ground.wait_until(lambda: not ground.alive(pid), 20, f"process {pid} ends")


def messages(entries):
    return "\n".join(str(entry.get("MESSAGE")) for entry in entries)


def remove_containers(engine):
    for item in engine.containers():
        engine.request("POST", f"/containers/{item['Id']}/update", {"RestartPolicy": {"Name": "no"}})
        engine.remove(item["Id"])
