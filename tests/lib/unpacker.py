"""Runs the unpacker for its tests: a process with a store of packages."""

from . import packages
from .worker import Worker

UNPACK = "io.hostlet.Unpacker.Unpack"
REMOVE = "io.hostlet.Unpacker.Remove"
LIST = "io.hostlet.Unpacker.List"


class Unpacker(Worker):
    """An unpacker that reads from a store of packages."""

    def __init__(self, prefix, settings=None):
        super().__init__("unpacker", prefix, {"unpacker": settings or {}})
        self.packages = self.prefix / "var/ipk"
        self.installs = self.prefix / "var/ipk_install"
        self.staging = self.installs / ".staging"
        self.packages.mkdir()

    def add(self, name="demo", version="1.0.0", data=None, **options):
        """Puts a package into the store; returns its id."""
        if data is None:
            data, _ = packages.ipk(name, version, **options)
        identity = packages.package_id(name, version)
        directory = self.packages / name
        directory.mkdir(exist_ok=True)
        (directory / f"{identity}.ipk").write_bytes(data)
        return identity

    def left(self):
        """Returns everything in staging, hidden directories included."""
        return sorted(path.name for path in self.staging.glob("*"))
