"""Tests purges on file systems with project quotas: the data is deleted with any projects, depth and usage that a tenant gave it,
and id and limits are removed with the last of it, not before."""

import errno
import fcntl
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from lib import ground
from lib.apps import App, manifest
from quotas import MIB, Keeper, agree, fill, forget_projects, kernel

LIMIT = 120 * MIB
FSGETXATTR, FSSETXATTR, INHERIT = 0x801c581f, 0x401c5820, 0x200
ACTION = 2048


@pytest.fixture(autouse=True)
def no_projects():
    forget_projects()
    yield
    forget_projects()


@pytest.fixture
def keeper(filesystem, make_tree):
    apps = filesystem.point / "apps"
    apps.mkdir()
    yield Keeper(make_tree({"container-driver": {"runtime": "null"}, "hostlet": {"app_path": apps},
                            "reconciler": {"retry_min": "50ms", "retry_max": "500ms"}}).start())
    subprocess.run(["chattr", "-R", "-f", "-i", apps], check=False)


def set_project(fd, project, inherit=True):
    """Sets the project as the owner of a file can, in the machine's initial user namespace."""
    attributes = bytearray(fcntl.ioctl(fd, FSGETXATTR, bytes(28)))
    flags = struct.unpack_from("I", attributes)[0]
    struct.pack_into("I", attributes, 0, flags | INHERIT if inherit else flags & ~INHERIT)
    struct.pack_into("I", attributes, 12, project)
    fcntl.ioctl(fd, FSSETXATTR, bytes(attributes))


def as_tenant(work):
    """Runs work() as the application's user."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setgroups([])
            os.setresgid(ACTION, ACTION, ACTION)
            os.setresuid(ACTION, ACTION, ACTION)
            work()
            status = 0
        except BaseException as error:  # pylint: disable=broad-except
            print(f"the tenant failed: {error!r}", file=sys.stderr)
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def nest(directory, levels, project=None):
    """Makes nested directories, with two alternating names of 200 bytes; with 'project' each has the next project, which its
    content inherits."""
    fd = os.dup(directory)
    for level in range(levels):
        if project:
            set_project(fd, project + level % 7)
        name = ("a" if level % 2 else "b") * 200
        os.mkdir(name, dir_fd=fd)
        os.close(os.open(f"file{level}", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        fd, old = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd), fd
        os.close(old)
    os.close(fd)


def deploy(keeper, name="web"):
    App(keeper.tree, name).deploy(manifest(name, "one:1", probation=0, deploy={"volume_limit": LIMIT}))
    return keeper.apps / f"i8k_{name}_0"


def opened_beforehand(path):
    """The tenant reaches the directory by a mount; here the directory above is closed to the tenant."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY)


def test_projects_of_a_tenant_do_not_block_a_purge(keeper, filesystem):
    data = deploy(keeper)
    opt, home = opened_beforehand(data / "opt"), opened_beforehand(data / "home/action")

    def attack():
        set_project(opt, 5000)
        os.mkdir("sub", dir_fd=opt)
        set_project(home, 6000)
        nest(opt, 100, 5000)
        nest(home, 100, 6000)
        os.mkdir("empty", dir_fd=home)
    as_tenant(attack)
    os.close(opt)
    os.close(home)
    assert keeper.tree.ctl("destroy", "web", "--purge").stdout.endswith("web: destroyed\n")
    assert list(keeper.apps.iterdir()) == []
    assert keeper.list() == {} and keeper.ledger() == {}
    assert not any(any(row.values()) for project, row in kernel(filesystem.point).items() if project)
    assert "ledger, kernel and directories are consistent" in keeper.tree.ctl("quota", "report").stdout


def test_a_full_quota_does_not_block_a_purge(keeper, filesystem):
    """Its limits stay until it is deleted, and moving a directory up needs space."""
    data = deploy(keeper)
    opt = opened_beforehand(data / "opt")

    def attack():
        nest(opt, 400)
        assert fill(Path(f"/proc/self/fd/{opt}/filler"), 2 * LIMIT) in (errno.EDQUOT, errno.ENOSPC)
    as_tenant(attack)
    os.close(opt)
    keeper.tree.ctl("destroy", "web", "--purge")
    assert list(keeper.apps.iterdir()) == [] and keeper.ledger() == {}
    assert not any(any(row.values()) for project, row in kernel(filesystem.point).items() if project)


def test_limits_and_id_stay_until_the_data_is_deleted(keeper, filesystem):
    data = deploy(keeper)
    project = keeper.get("i8k_web_0")["project"]
    stays = data / "opt/stays"
    stays.write_bytes(bytes(MIB))
    subprocess.run(["chattr", "+i", stays], check=True)
    failed = keeper.tree.ctl("destroy", "web", "--purge", check=False)
    assert failed.returncode == 1 and "/stays'" in failed.stderr and "chattr -i" in failed.stderr
    row = kernel(filesystem.point)[project]
    assert row["hard"] == LIMIT and row["used"] >= MIB
    assert keeper.ledger()["i8k_web_0"]["id"] == project
    (left,) = [f for f in keeper.report() if f["kind"] == "not_deleted"]
    assert left["container"] == "i8k_web_0" and left["project"] == project and left["used"] >= MIB
    report = keeper.tree.ctl("quota", "report").stdout
    assert "not_deleted" in report and "/stays'" in report
    assert keeper.call("Remove", container="i8k_web_0") == {}, "the data is deleted for every caller"
    assert kernel(filesystem.point)[project]["hard"] == LIMIT and "i8k_web_0" in keeper.ledger()
    deploy(keeper, "other")
    assert keeper.get("i8k_other_0")["project"] != project

    subprocess.run(["chattr", "-R", "-f", "-i", keeper.apps], check=False)
    ground.wait_until(lambda: App(keeper.tree).get() is None, 60, "the act is retried automatically")
    assert "i8k_web_0" not in keeper.ledger() and not any(kernel(filesystem.point).get(project, {}).values())
    agree(keeper, filesystem.point)
