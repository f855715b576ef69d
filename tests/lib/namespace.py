"""Provides a network namespace for the test."""

import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000


class Namespace:
    """A network namespace with a device "uplink", whose other end is in a second namespace."""

    def __init__(self, name):
        self.name = f"{name}-{os.getpid()}"
        for end in ("", "-far"):
            self.ip("netns", "add", self.name + end)
        self.inside("link", "add", "uplink", "type", "veth", "peer", "name", "far", "netns", self.name + "-far")
        self.inside("link", "set", "lo", "up")

    @staticmethod
    def ip(*words):
        return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout

    def inside(self, *words):
        return self.ip("-n", self.name, *words)

    @contextlib.contextmanager
    def entered(self):
        """Sockets that this thread makes in the context belong to the namespace."""
        libc = ctypes.CDLL(None, use_errno=True)

        def enter(path):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if libc.setns(fd, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"setns {path}")
            finally:
                os.close(fd)
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            enter(f"/run/netns/{self.name}")
            yield
        finally:
            enter(f"/proc/self/fd/{home}")
            os.close(home)

    def bridge(self, *words):
        return subprocess.run(["bridge", "-n", self.name, *words], check=True, capture_output=True, text=True).stdout

    @property
    def wrapper(self):
        """Returns a command that runs another in the namespace. ('ip netns exec' mounts a /sys without the cgroups.)"""
        return ["nsenter", f"--net=/run/netns/{self.name}"]

    def remove(self):
        for end in ("", "-far"):
            subprocess.run(["ip", "netns", "delete", self.name + end], capture_output=True, check=False)
