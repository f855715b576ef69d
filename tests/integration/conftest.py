"""Provides the fixtures that every integration test can request. The real daemons are in tests/lib."""

import os

import pytest
from lib import images, packages
from lib.dockerd import Dockerd
from lib.fixtures import make_tree, place, session_place  # noqa: F401
from lib.hooks import pytest_runtest_makereport, pytest_runtest_protocol  # noqa: F401
from lib.lxcfs import Lxcfs
from lib.namespace import Namespace
from lib.nginx import Nginx
from lib.registry import Registry
from lib.services import Services
from lib.zone import Vpc


def pytest_configure():
    if os.geteuid() != 0:
        raise pytest.UsageError("the integration tests start dockerd and hostletd: run them as root")


# Daemons

@pytest.fixture(scope="session")
def dockerd(session_place):
    """The session's private Docker daemon (lib/dockerd.py), with the three images of lib/images.py."""
    daemon = Dockerd(session_place / "docker")
    daemon.place.mkdir()
    try:
        daemon.start()
        images.load_busybox(daemon.engine)
        images.load_shell(daemon.engine)
        images.load_entry(daemon.engine)
        yield daemon
    finally:
        daemon.stop()


@pytest.fixture
def engine(dockerd, request):
    """Provides the API of the private daemon. Every container is removed when the test ends, after the test's trees have stopped,
    since a running tree would create it again."""
    yield dockerd.engine
    for tree in getattr(request.node, "hostlet_trees", []):
        tree.stop()
    if dockerd.process.poll() is not None:
        dockerd.start()
    dockerd.remove_containers()


@pytest.fixture
def busybox_image(engine):
    """Provides an image with /bin/sh, httpd, nc and the other applets; no entrypoint."""
    return images.BUSYBOX


@pytest.fixture
def shell_image(engine):
    """Provides an image with nothing but /bin/sh: no tools, no /etc/passwd, no /tmp."""
    return images.SHELL


@pytest.fixture
def debian_image(engine):
    """Provides an image with bash, coreutils, useradd and similar tools, from this machine's own packages."""
    if not engine.has_image(images.DEBIAN):
        images.load_debian(engine)
    return images.DEBIAN


@pytest.fixture
def entry_image(engine):
    """An ordinary image: ENTRYPOINT, CMD, USER 65534; serves /www on port 8080."""
    return images.ENTRY


@pytest.fixture(scope="session")
def registry(session_place):
    """An image registry on loopback without authentication."""
    server = Registry(session_place / "registry")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def private_registry(session_place):
    """An image registry on loopback that requires user "tester", password "secret"."""
    server = Registry(session_place / "private-registry", ("tester", "secret"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def nginx(place):
    """A web server of the directory nginx.root (lib/nginx.py lists its locations)."""
    server = Nginx(place / "nginx")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def repository(place):
    """An empty repository of packages in a directory (lib/packages.py)."""
    made = packages.Repository(place / "repository")
    made.url = f"file://{made.directory}"
    return made


# Trees

@pytest.fixture
def docker_settings(dockerd):
    """Settings of a tree on the private daemon. A test adds settings to a copy of its own."""
    return {"container-driver": {"runtime": "docker", "docker_socket": str(dockerd.socket)}}


@pytest.fixture
def tree(make_tree, docker_settings, engine, repository):
    """A started tree on the private daemon, with 'repository' as its repository of packages."""
    settings = {**docker_settings, "fetcher": {"repositories": repository.url}}
    return make_tree(settings).start()


@pytest.fixture
def null_tree(make_tree, repository):
    """A started tree with simulated containers (runtime = null), for tests that do not need Docker."""
    return make_tree({"container-driver": {"runtime": "null"}, "fetcher": {"repositories": repository.url}}).start()


# Trees of made services

@pytest.fixture
def services(place):
    """A folder for services made by the test (lib/services.py)."""
    return Services(place)


@pytest.fixture
def start(make_tree, services):
    """start(settings, …) starts a tree of the services made so far."""
    def go(settings=None, name="tree", environment=None, **options):
        return make_tree(settings, name, environment).start(arguments=services.arguments, **options)
    return go


# Resources of a zone

@pytest.fixture
def vpc(dockerd, engine, request):
    """A free private network for a zone's containers on the private daemon: 'vpc(n)' is an address in it, 'vpc.cidr' itself.
    Docker's network is removed afterwards, since its bridge would remain."""
    network = Vpc()
    yield network
    for tree in getattr(request.node, "hostlet_trees", []):
        tree.stop()
    dockerd.remove_containers()
    network.remove(engine)


@pytest.fixture
def lxcfs(place):
    """A real lxcfs, mounted for this test; skipped where it cannot run."""
    server = Lxcfs(place / "lxcfs")
    problem = server.start()
    if problem:
        pytest.skip(f"lxcfs cannot run here: {problem}")
    yield server
    server.stop()


@pytest.fixture
def namespace():
    made = Namespace("hostlet-test")
    yield made
    made.remove()
