"""Mounts the machine's two spare disks as file systems with project quotas, and reads the kernel's view of them."""

import contextlib
import subprocess
from pathlib import Path

from lib import ground

DISKS = Path("/dev/disk/by-id")
MAKE = {"xfs": ["mkfs.xfs", "-q", "-f"],
        "ext4": ["mkfs.ext4", "-q", "-F", "-O", "quota,project", "-E", "lazy_itable_init=1,quotatype=prjquota"]}


def run(*words, check=True, **options):
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, **options)
    assert not check or result.returncode == 0, f"{words}: exit {result.returncode}\n{result.stdout}{result.stderr}"
    return result


class Filesystem:
    def __init__(self, kind, point):
        self.kind, self.point = kind, Path(point)
        self.disk = DISKS / f"virtio-{kind}"

    def make(self):
        run(*MAKE[self.kind], self.disk)
        return self

    def mount(self, options="prjquota"):
        self.point.mkdir(parents=True, exist_ok=True)
        run("mount", "-o", options, self.disk.resolve(), self.point)
        return self

    def mounted(self):
        return any(line.split()[4] == str(self.point) for line in Path("/proc/self/mountinfo").read_text().splitlines())

    def unmount(self):
        """Unmounts it and everything mounted below; waits for processes that have files open there."""
        for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
            point = line.split()[4]
            if point.startswith(f"{self.point}/"):
                run("umount", "--lazy", point)
        with contextlib.suppress(FileNotFoundError):
            if self.mounted():
                ground.wait_until(lambda: run("umount", self.point, check=False).returncode == 0, 20, f"{self.point} is free")
