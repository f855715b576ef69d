"""Tests quotas of applications: limits from the manifest to the kernel, in real containers, and of many replicas."""

import errno
import shutil
import time

import pytest
from filesystems import run
from lib import ground, images
from lib.apps import App, manifest
from lib.dockerd import Dockerd
from lib.tree import program
from quotas import MIB, Keeper, agree, forget_projects, kernel

LIMIT = 120 * MIB  # the contract's minimum is 100


@pytest.fixture(autouse=True)
def no_projects():
    forget_projects()
    yield
    forget_projects()


@pytest.fixture
def keeper(filesystem, make_tree):
    """The quota-keeper of a tree without containers, with its app path on the file system."""
    apps = filesystem.point / "apps"
    apps.mkdir()
    return Keeper(make_tree({"container-driver": {"runtime": "null"}, "hostlet": {"app_path": apps}}).start())


def wanted(limit=LIMIT, **options):
    return manifest(deploy={"volume_limit": limit}, **options)


def shown(app, number=0):
    return app.replica(number)["quota"]


# Without containers

@pytest.mark.limit(600)
def test_250_replicas_have_their_limits(xfs, make_tree):
    apps = xfs.point / "apps"
    apps.mkdir()
    keeper = Keeper(make_tree({"container-driver": {"runtime": "null"}, "hostlet": {"app_path": apps},
                               "reconciler": {"parallel_first": 8}}).start())
    instances = [App(keeper.tree, f"app{number}") for number in range(10)]
    started = time.monotonic()
    for app in instances:
        app.apply(wanted(name=app.name, image="one:1", replicas=25, probation=0))
    for app in instances:
        app.running(1, timeout=400)
    print(f"250 replicas deployed in {time.monotonic() - started:.0f} s")
    listed, rows = keeper.list(), kernel(xfs.point)
    assert len(listed) == 250
    assert all(values["hard"] == LIMIT == rows[values["project"]]["hard"] for values in listed.values())
    assert shown(instances[9], 24).startswith(f"{LIMIT} bytes")
    agree(keeper, xfs.point)
    for app in instances:
        app.destroy(purge=True)
    for app in instances:
        app.wait(lambda i: i is None, "it is gone", timeout=200)
    assert keeper.list() == {} and keeper.ledger() == {}
    assert not any(any(row.values()) for project, row in kernel(xfs.point).items() if project)


def test_limits_are_removed_with_the_application_and_restored_with_its_data(keeper, filesystem):
    app = App(keeper.tree)
    app.deploy(wanted(image="one:1", probation=0))
    project = keeper.get("i8k_web_0")["project"]
    assert kernel(filesystem.point)[project]["hard"] == LIMIT
    app.destroy()
    app.gone()
    values = keeper.get("i8k_web_0")
    assert values["released"] and values["project"] == project and ".removed-" in values["directory"]
    assert kernel(filesystem.point)[project]["hard"] == 0
    app.deploy(wanted(image="one:1", probation=0))
    values = keeper.get("i8k_web_0")
    assert (values["project"], values["hard"], values.get("released")) == (project, LIMIT, None)
    assert ".removed-" not in values["directory"]
    agree(keeper, filesystem.point)
    app.destroy(purge=True)
    app.gone()
    assert keeper.list() == {}


# In containers

def write_in(engine, path, megabytes, name="i8k_web_0"):
    """Writes a file in a container. Returns dd's message, '' when all was written."""
    code, said = engine.execute(name, "dd", "if=/dev/zero", f"of={path}", "bs=16k", f"count={megabytes * 64}", "conv=fsync")
    return said if code else ""


def refused(said):
    return "No space left on device" in said or "Disk quota exceeded" in said or "quota exceeded" in said.lower()


@pytest.mark.limit(400)
def test_a_container_cannot_write_past_its_limit(filesystem, engine, make_tree):
    apps = filesystem.point / "apps"
    apps.mkdir()
    keeper = Keeper(make_tree({"hostlet": {"app_path": apps}}).start())
    app = App(keeper.tree)
    app.deploy(wanted(script="while :; do sleep 1000; done"))
    container = engine.inspect("i8k_web_0")["Id"]
    # The machine's own Docker is on ext4, where it cannot limit its layers: the reported state is the true one.
    assert shown(app) == f"{LIMIT} bytes; partial: writable layer unlimited"
    assert write_in(engine, "/opt/some", 40) == ""
    said = write_in(engine, "/home/action/more", 100)
    assert refused(said), said
    values = keeper.get("i8k_web_0")
    assert LIMIT - MIB < values["used"] <= LIMIT and values["level"] in ("threshold", "full")

    # Another limit needs no new container.
    app.deploy(wanted(2 * LIMIT, script="while :; do sleep 1000; done"))
    ground.wait_until(lambda: keeper.get("i8k_web_0")["hard"] == 2 * LIMIT, 30, "the new limit")
    assert engine.inspect("i8k_web_0")["Id"] == container
    assert write_in(engine, "/home/action/more", 100) == ""
    app.deploy(wanted(script="while :; do sleep 1000; done"))
    ground.wait_until(lambda: keeper.get("i8k_web_0")["hard"] == LIMIT, 30, "the old limit")
    app.wait(lambda i: "over quota" in i["replicas"][0]["quota"], "it is shown as over quota")
    assert "over quota" in keeper.tree.ctl("app", "web").stdout
    assert refused(write_in(engine, "/opt/other", 1))
    assert engine.inspect("i8k_web_0")["Id"] == container

    app.destroy(purge=True)
    app.gone()
    assert keeper.list() == {} and not any(any(row.values()) for project, row in kernel(filesystem.point).items() if project)


def project_of(path):
    return int(run("lsattr", "-p", path).stdout.split()[0])


@pytest.mark.limit(400)
def test_a_tenant_cannot_move_files_to_another_project(filesystem, engine, make_tree):
    """Root in a container owns the files there, which is the kernel's only condition."""
    apps = filesystem.point / "apps"
    apps.mkdir()
    tree = make_tree({"hostlet": {"app_path": apps}}).start()
    app = App(tree)
    opt = apps / "i8k_web_0/opt"

    def try_it(file):
        shutil.copy(program("tenant-probe"), opt / "probe")
        code, output = engine.execute("i8k_web_0", "/opt/probe", "", f"/opt/{file}")
        assert code == 0, output
        lines = [line.split() for line in output.replace("\r", "").splitlines()]
        return {line[0]: int(line[1]) for line in lines if len(line) == 2}

    app.deploy(wanted(script="while :; do sleep 1000; done"))
    project = Keeper(tree).get("i8k_web_0")["project"]
    found = try_it("mine")
    setting = {name for name in found if ".ioctl." in name and "set" in name and "x32" not in name}
    assert {"64.ioctl.fssetxattr", "32.ioctl.setflags32.bit32"} <= setting
    assert {name: found[name] for name in setting} == {name: errno.EPERM for name in setting}
    assert project_of(opt / "mine") == project
    # The same with the engine's own profile: so hostlet's profile prevented it.
    tree.write_config({**tree.settings, "container-driver": {"seccomp": "runtime"}})
    tree.restart()
    app.deploy(wanted(script="while :; do sleep 1001; done"))
    assert try_it("stolen")["64.ioctl.fssetxattr"] == 0
    assert project_of(opt / "stolen") == 4711
    app.destroy(purge=True)
    app.gone()


@pytest.fixture
def docker_on_xfs(xfs):
    """A Docker daemon whose storage is on XFS with project quotas: there it can limit writable layers."""
    daemon = Dockerd(xfs.point / "docker")
    daemon.place.mkdir()
    daemon.storage = ("overlay2", False)
    try:
        daemon.start()
        images.load_busybox(daemon.engine)
        yield daemon
    finally:
        daemon.stop()


@pytest.mark.limit(400)
def test_the_writable_layer_is_limited_where_docker_can(docker_on_xfs, make_tree, xfs):
    apps = xfs.point / "apps"
    apps.mkdir()
    tree = make_tree({"hostlet": {"app_path": apps}, "container-driver": {"docker_socket": docker_on_xfs.socket, "layer_size": "20M"}}).start()
    app = App(tree)
    app.deploy(wanted(script="while :; do sleep 1000; done"))
    assert shown(app) == f"{LIMIT} bytes"
    said = write_in(docker_on_xfs.engine, "/etc/big", 30)
    assert refused(said), said
    assert write_in(docker_on_xfs.engine, "/opt/big", 30) == ""
    agree(Keeper(tree), xfs.point)  # Docker's own projects begin at 1, beside those of hostlet
