"""Runs a real lxcfs for the test, on a mount point of its own."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

from . import ground


class Lxcfs:
    def __init__(self, place):
        self.place = Path(place)
        self.mount_point = self.place / "mnt"
        self.process = None

    def start(self):
        """Returns None, or the reason why it cannot run here."""
        if not shutil.which("lxcfs"):
            return "it is not installed"
        if not os.path.exists("/dev/fuse"):
            return "there is no /dev/fuse"
        self.mount_point.mkdir(parents=True, exist_ok=True)
        self.process = ground.start(["lxcfs", "-f", "-p", self.place / "pid", self.mount_point], self.place / "log")
        try:
            ground.wait_until(lambda: self.process.poll() is not None or (self.mount_point / "proc/meminfo").exists(), 10, "it is mounted")
        except AssertionError as error:
            self.stop()
            return str(error)
        if self.process.poll() is not None:
            return (self.place / "log").read_text(errors="replace").strip().splitlines()[-1:]
        return None

    def stop(self):
        if self.process:
            ground.stop(self.process)
        with contextlib.suppress(OSError):
            subprocess.run(["umount", "-l", self.mount_point], capture_output=True, check=False)
