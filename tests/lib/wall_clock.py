"""Sets the wall clock of a tree's processes, and of nothing else on the machine (tests/peers/wall-clock.c)."""

import struct
import time

from .tree import BUILD


class WallClock:
    """'environment' is for the tree's processes; their clock is the machine's until the first set()."""

    def __init__(self, place):
        self.path = place / "wall-clock"
        self.path.write_bytes(bytes(8))
        self.path.chmod(0o644)
        self.environment = {"LD_PRELOAD": str((BUILD / "wall-clock.so").resolve()), "HOSTLET_WALL_CLOCK": str(self.path)}

    def set(self, seconds):
        """Sets the clock 'seconds' ahead of the machine's, or behind it if the number is negative."""
        with open(self.path, "r+b") as file:
            file.write(struct.pack("=q", int(seconds * 1000000)))

    def set_to(self, unix_seconds):
        self.set(unix_seconds - time.time())
