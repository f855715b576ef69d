"""Provides a network namespace for the test."""

import os

from .netns import Netns


class Namespace(Netns):
    """A network namespace with a device "uplink", whose other end is in a second namespace."""

    def __init__(self, name):
        super().__init__(f"{name}-{os.getpid()}")
        self.far = Netns(self.name + "-far")
        self.inside("link", "add", "uplink", "type", "veth", "peer", "name", "far", "netns", self.far.name)

    def remove(self):
        super().remove()
        self.far.remove()
