"""A network of the test's own."""

import os
import subprocess


class Namespace:
    """A network namespace with a device "uplink", whose other end is a second namespace's."""

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

    def bridge(self, *words):
        return subprocess.run(["bridge", "-n", self.name, *words], check=True, capture_output=True, text=True).stdout

    def remove(self):
        for end in ("", "-far"):
            subprocess.run(["ip", "netns", "delete", self.name + end], capture_output=True, check=False)
