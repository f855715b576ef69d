"""Provides the fixtures of the tests inside of the virtual machine (scripts/vm test). Outside of one they are only collected."""

import time
from pathlib import Path

import pytest
from filesystems import Filesystem, run
from installed import Installed, remove_containers
from lib import images, tree
from lib.engine import Engine
from lib.fixtures import make_tree, place, session_place  # noqa: F401
from lib.hooks import pytest_runtest_makereport, pytest_runtest_protocol  # noqa: F401


def pytest_runtest_setup(item):
    if not Path("/payload/source").is_dir():
        pytest.fail("a system test runs in its virtual machine: scripts/vm test")


@pytest.fixture(autouse=True)
def build_under_test(request, monkeypatch):
    """Trees are of the hardened build unless the test is marked 'failpoints'."""
    if request.node.get_closest_marker("failpoints"):
        monkeypatch.setattr(tree, "BUILD", Path("/payload/failpoints"))
        monkeypatch.setattr(tree, "VARIANT", "failpoints")


@pytest.fixture
def set_clock():
    """set_clock(seconds) sets the machine's clock forward, or back; it is right again after the test."""
    offset = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    yield lambda seconds: time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)
    time.clock_settime(time.CLOCK_REALTIME, offset + time.clock_gettime(time.CLOCK_BOOTTIME))


# File systems with project quotas. A test names them before make_tree, so that its trees have ended when they are unmounted.

def _fresh(kind):
    filesystem = Filesystem(kind, f"/srv/{kind}")
    filesystem.unmount()
    return filesystem.make().mount()


@pytest.fixture
def xfs():
    """An empty XFS with prjquota, mounted at .point until the test ends."""
    filesystem = _fresh("xfs")
    yield filesystem
    filesystem.unmount()


@pytest.fixture
def ext4():
    """An empty ext4 with project quotas, mounted at .point until the test ends."""
    filesystem = _fresh("ext4")
    yield filesystem
    filesystem.unmount()


@pytest.fixture(params=["xfs", "ext4"])
def filesystem(request):
    """Provides one file system after the other."""
    return request.getfixturevalue(request.param)


# The installed hostlet, and the machine's Docker

@pytest.fixture
def hostlet(request):
    """The installed hostlet (installed.py), not started; afterwards it is reset to the state after installation."""
    installed = Installed()
    installed.forget()
    installed.mark()
    request.node.hostlet_trees = [installed]
    yield installed
    installed.forget()


@pytest.fixture(scope="session")
def docker():
    """The machine's own Docker, with the images of lib/images.py: its API."""
    run("systemctl", "start", "docker.service", timeout=170)
    engine = Engine("/run/docker.sock")
    images.load_busybox(engine)
    return engine


@pytest.fixture
def engine(docker):
    """The same, without containers after the test."""
    yield docker
    remove_containers(docker)
