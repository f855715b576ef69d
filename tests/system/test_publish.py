"""Tests packages on file systems with project quotas: files that the unpacker's user charges to a tenant's project are not
published."""

import fcntl
import os
import struct
import subprocess

import pytest
from lib import ground, packages
from lib.apps import names_below
from lib.varlink import VarlinkError

GET, SET = 0x801C581F, 0x401C5820  # FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR
INHERIT = 0x200
ID = packages.package_id("site", "1.0.0")
NAMED = {"name": "site", "id": ID}


def project(path, number, inherited=False):
    fd = os.open(path, os.O_RDONLY)
    try:
        flags, *rest = struct.unpack("5I8s", fcntl.ioctl(fd, GET, bytes(28)))
        rest[2] = number
        fcntl.ioctl(fd, SET, struct.pack("5I8s", flags | (INHERIT if inherited else 0), *rest))
    finally:
        os.close(fd)


@pytest.fixture
def store(filesystem, make_tree):
    """A tree whose packages are on a filesystem of their own."""
    tree = make_tree({"container-driver": {"runtime": "null"}})
    store = tree.prefix / "var/ipk_install"
    store.mkdir(parents=True)
    subprocess.run(["mount", "--bind", filesystem.point, store], check=True)
    yield tree.start(), store
    tree.stop()
    subprocess.run(["umount", store], check=True)


def stage(store):
    path = store / ".staging" / ID
    subprocess.run(["setpriv", "--reuid=hostlet-unpacker", "--regid=hostlet-unpacker", "--init-groups", "sh", "-c",
                    'mkdir -p "$1/bin" && echo good > "$1/bin/tool"', "sh", path], check=True)
    return path


@pytest.mark.parametrize("what", ["file", "directory", "top", "inherited"])
def test_a_foreign_project_is_refused(store, what):
    tree, place = store
    path = stage(place)
    project({"file": path / "bin/tool", "directory": path / "bin", "top": path, "inherited": path / "bin"}[what],
            0 if what == "inherited" else 4711, what == "inherited")
    with pytest.raises(VarlinkError, match="disk project") as refusal:
        tree.call("provisioner", "Publish", **NAMED)
    assert refusal.value.name == "io.hostlet.Refused"
    assert not (place / "site" / ID).exists() and not path.exists()
    ground.wait_until(lambda: names_below(place / ".publishing") == [], 30, "the refused package is deleted")
    stage(place)
    assert tree.call("provisioner", "Publish", **NAMED)["path"] == str(place / "site" / ID)


def test_a_project_of_the_administrator_is_inherited_and_kept(store):
    tree, place = store
    for path in (place, place / ".staging"):
        project(path, 4712, True)
    path = stage(place)
    assert tree.call("provisioner", "Publish", **NAMED)["path"] == str(place / "site" / ID)
    path = stage(place)
    tree.call("provisioner", "Unpublish", **NAMED)
    path = stage(place)
    project(path / "bin/tool", 4711)
    with pytest.raises(VarlinkError, match="disk project"):
        tree.call("provisioner", "Publish", **NAMED)
