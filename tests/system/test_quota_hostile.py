"""Tests what tenants can do to the quotas of others, on XFS and ext4: they use up inodes, charge their files to other projects,
and use all project ids."""

import json
import re
import subprocess
import threading

import pytest
from filesystems import run
from lib.apps import App, manifest
from lib.varlink import VarlinkError
from quotas import MIB, Keeper, agree, as_tenant, carries, forget_projects, kernel

BASE = {"container-driver": {"runtime": "null"}}


@pytest.fixture(autouse=True)
def no_projects():
    forget_projects()
    yield
    forget_projects()


def make_keeper(make_tree, filesystem, reconciler=None, **quota):
    apps = filesystem.point / "apps"
    apps.mkdir(mode=0o755)
    settings = {**BASE, "quota-keeper": {"check_interval": "0", **quota}, "hostlet": {"app_path": apps}, "reconciler": reconciler or {}}
    return Keeper(make_tree(settings).start())


# Inodes

def files(directory, prefix, number):
    return as_tenant(directory, f"seq -f {prefix}%.0f {number} | xargs touch")


def test_a_tenant_cannot_use_all_inodes(filesystem, make_tree):
    most, quota = (16384, {}) if filesystem.kind == "xfs" else (1600, {"bytes_per_inode": "64K", "inodes_min": 100})
    keeper = make_keeper(make_tree, filesystem, **quota)
    hostile, other = keeper.make("i8k_hostile_0"), keeper.make("i8k_other_0")
    said = keeper.ensure("i8k_hostile_0", hard=100 * MIB)
    assert said["inodes"] == most and "inodes_soft" not in said
    assert keeper.ensure("i8k_other_0", hard=1024 * MIB)["inodes"] == (65536 if most == 16384 else 16384)
    said = files(hostile, "f", most + 600)
    assert said.returncode != 0 and ("No space left" in said.stderr or "quota exceeded" in said.stderr), said
    values = keeper.get("i8k_hostile_0")
    assert values["used_inodes"] == most and values["used"] < 10 * MIB and values["level"] == "full"
    assert files(other, "f", 100).returncode == 0
    table = keeper.tree.ctl("quota", "list").stdout.splitlines()
    assert table[0].split()[5:7] == ["INODES", "MAXIMUM"]
    assert any(line.startswith("i8k_hostile_0") and line.split().count(str(most)) == 2 for line in table)
    shown = {row["container"]: row for row in json.loads(keeper.tree.ctl("--json", "quota", "list").stdout)}
    assert (shown["i8k_hostile_0"]["used_inodes"], shown["i8k_hostile_0"]["inodes"]) == (most, most)
    agree(keeper, filesystem.point)


def test_a_replica_above_its_inode_limit_keeps_its_files_and_gets_no_more(filesystem, make_tree):
    """Files existed before the project, and a limit is lowered."""
    keeper = make_keeper(make_tree, filesystem, bytes_per_inode="1M", inodes_min=20)
    directory = keeper.make("i8k_web_0")
    assert files(directory, "before", 150).returncode == 0
    said = keeper.ensure("i8k_web_0", hard=100 * MIB)
    assert said["inodes"] == said["used_inodes"] == 152
    assert kernel(filesystem.point)[said["project"]]["inodes"] == 152
    assert as_tenant(directory, "touch one-more").returncode != 0
    assert as_tenant(directory, "rm before1 before2 && touch instead").returncode == 0
    assert keeper.ensure("i8k_web_0", hard=100 * MIB)["inodes"] == 151  # the limit follows the usage down
    assert keeper.ensure("i8k_web_0", hard=1000 * MIB)["inodes"] == 1000
    assert files(directory, "more", 500).returncode == 0
    assert keeper.ensure("i8k_web_0", hard=100 * MIB)["inodes"] == 651
    agree(keeper, filesystem.point)
    keeper.call("Release", container="i8k_web_0")
    assert kernel(filesystem.point)[said["project"]]["inodes"] == 0
    assert keeper.ensure("i8k_web_0", hard=2000 * MIB)["inodes"] == 2000
    agree(keeper, filesystem.point)


def test_a_ledger_without_limits_of_inodes_gets_them_with_the_next_start(filesystem, make_tree):
    keeper = make_keeper(make_tree, filesystem, bytes_per_inode=0)
    for number in range(3):
        keeper.make(f"i8k_web_{number}")
        assert "inodes" not in keeper.ensure(f"i8k_web_{number}", hard=(number + 1) * 1024 * MIB)
    path = keeper.tree.prefix / "etc/hostlet_vol_quota.json"
    before = path.read_text()
    assert "inodes" not in before
    keeper.tree.stop()
    keeper.tree.write_config({**keeper.tree.settings, "quota-keeper": {"check_interval": "0"}})  # the default
    keeper.tree.start()
    wanted = {f"i8k_web_{number}": (number + 1) * 65536 for number in range(3)}
    assert {name: values["inodes"] for name, values in keeper.list().items()} == wanted
    agree(keeper, filesystem.point)
    # Killed before the ledger had them: the next start does the same.
    keeper.tree.stop()
    path.write_text(before)
    keeper.tree.start()
    assert {name: values["inodes"] for name, values in keeper.list().items()} == wanted
    agree(keeper, filesystem.point)
    run("sync", "-f", filesystem.point)


# Projects of other programs and tenants

SET_PROJECTS = """
import fcntl, itertools, os, struct, sys
files = {}
for word in sys.argv[2:]:
    name, project = word.rsplit(":", 1)
    files[name] = int(project)
def give(fd, project):
    attributes = bytearray(28)
    fcntl.ioctl(fd, 0x801c581f, attributes)  # FS_IOC_FSGETXATTR
    struct.pack_into("I", attributes, 12, project)
    fcntl.ioctl(fd, 0x401c5820, bytes(attributes))
open_files = {name: os.open(name, os.O_RDWR | os.O_CREAT, 0o644) for name in files}
for turn in itertools.count() if sys.argv[1] == "forever" else range(1):
    for name, fd in open_files.items():
        give(fd, files[name])
    if turn == 0:
        print("done", flush=True)
"""
AS_TENANT = ("setpriv", "--reuid", "2048", "--regid", "2048", "--clear-groups", "--bounding-set=-all")


def charge(directory, files, how="once"):
    """Makes files of the tenant, each with a project of the tenant's choice. 'forever': repeats it without end and returns the
    process."""
    as_tenant(directory, "true")
    words = [*AS_TENANT, "python3", "-c", SET_PROJECTS, how, *(f"{name}:{project}" for name, project in files.items())]
    if how == "once":
        run(*words, cwd=directory / "home")
        return None
    process = subprocess.Popen([str(word) for word in words], cwd=directory / "home", stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "done\n"
    return process


def findings(keeper, kind):
    return [finding for finding in keeper.report() if finding["kind"] == kind]


def test_files_charged_to_another_project_are_reported_and_corrected(filesystem, make_tree):
    keeper = make_keeper(make_tree, filesystem)
    hostile, victim = keeper.make("i8k_hostile_0"), keeper.make("i8k_victim_0")
    own = keeper.ensure("i8k_hostile_0", hard=20 * MIB)["project"]
    project = keeper.ensure("i8k_victim_0", hard=10 * MIB)["project"]
    assert as_tenant(hostile, "dd if=/dev/zero of=big bs=1M count=9 conv=fsync").returncode == 0
    charge(hostile, {"big": project})
    assert as_tenant(hostile, "dd if=/dev/zero of=own bs=1M count=19 conv=fsync").returncode == 0  # the tenant's own limit is full as well
    assert as_tenant(victim, "dd if=/dev/zero of=mine bs=1M count=5 conv=fsync").returncode != 0
    run("sync", "-f", filesystem.point)
    (said,) = findings(keeper, "charges_others")
    assert (said["container"], said["charged"], said["project"], said["used_inodes"]) == ("i8k_hostile_0", "i8k_victim_0", project, 1)
    assert 9 * MIB <= said["used"] < 10 * MIB and said["path"] == str(hostile / "home/big")
    assert not findings(keeper, "used_by_others")
    shown = keeper.tree.ctl("quota", "report").stdout
    assert "charged to i8k_victim_0" in shown and str(hostile / "home/big") in shown
    said = keeper.tree.ctl("quota", "recheck")
    assert "were charged to i8k_victim_0" in said.stdout and "i8k_victim_0: all files carry" in said.stdout
    assert carries(hostile / "home/big")[0] == own and keeper.get("i8k_hostile_0")["level"] == "over"
    assert keeper.get("i8k_hostile_0")["hard"] == 20 * MIB
    assert as_tenant(victim, "dd if=/dev/zero of=mine bs=1M count=5 conv=fsync").returncode == 0
    agree(keeper, filesystem.point)


def test_no_tenant_can_use_all_project_ids(filesystem, make_tree):
    """The tenant has files for all ids of the range, one of which another program uses too, and continues to make such files."""
    keeper = make_keeper(make_tree, filesystem, ids="100-160")
    theirs = filesystem.point / "theirs"
    theirs.mkdir()
    run("chattr", "+P", "-p", "130", theirs)
    (theirs / "file").write_bytes(bytes(MIB))
    run("xfs_quota", "-x", "-f", "-c", "limit -p bhard=9m 131", filesystem.point)
    hostile = keeper.make("i8k_hostile_0")
    keeper.ensure("i8k_hostile_0", hard=100 * MIB)
    keeper.make("i8k_without_0")  # has no project, and its files count as well
    charge(keeper.apps / "i8k_without_0", {f"more{project}": project for project in range(140, 161)})
    files = {f"file{project}": project for project in range(101, 140)}
    charge(hostile, files)
    assert len([row for row in kernel(filesystem.point).values() if row["used_inodes"]]) >= 61
    keeper.make("i8k_web_0")
    given = {keeper.ensure("i8k_web_0", hard=50 * MIB)["project"]}
    process = charge(hostile, files, "forever")
    try:
        for number in range(1, 4):
            keeper.make(f"i8k_web_{number}")
            said = keeper.ensure(f"i8k_web_{number}", hard=50 * MIB)
            assert "not_enforced" not in said and said["hard"] == 50 * MIB
            given.add(said["project"])
    finally:
        process.kill()
        process.wait()
    assert len(given) == 4 and not given & {100, 130, 131}
    keeper.ensure("i8k_without_0", hard=50 * MIB)
    keeper.tree.ctl("quota", "recheck")
    agree(keeper, filesystem.point, foreign={130, 131})
    assert carries(theirs) == (130, True) and carries(theirs / "file")[0] == 130
    assert not findings(keeper, "charges_others")
    assert {finding["project"] for finding in findings(keeper, "orphan_project")} == {130, 131}
    assert kernel(filesystem.point)[131]["hard"] == 9 * MIB


def test_without_a_free_id_the_users_of_ids_are_reported(xfs, make_tree):
    keeper = make_keeper(make_tree, xfs, ids="100-102")
    theirs = xfs.point / "theirs"
    theirs.mkdir()
    run("chattr", "+P", "-p", "101", theirs)
    run("xfs_quota", "-x", "-f", "-c", "limit -p bhard=9m 102", xfs.point)
    keeper.make("i8k_web_0")
    keeper.ensure("i8k_web_0", hard=MIB)
    keeper.make("i8k_web_1")
    with pytest.raises(VarlinkError, match="replicas have 1, 0 are named .* 2 have use or limits.*'hostletctl quota report'"):
        keeper.ensure("i8k_web_1", hard=MIB)
    assert carries(theirs) == (101, True)


def test_a_deploy_gets_its_limit_although_all_ids_are_in_use(xfs, make_tree):
    """Files of a replica: the deploy gets its limit at once. Files outside of the app path: the replica runs without, and gets
    its limit later, automatically."""
    keeper = make_keeper(make_tree, xfs, {"retry_min": "100ms", "retry_max": "500ms"}, ids="100-103")
    hostile = keeper.make("i8k_hostile_0")
    keeper.ensure("i8k_hostile_0", hard=100 * MIB)
    charge(hostile, {f"file{project}": project for project in range(101, 104)})
    first, second = App(keeper.tree, "first"), App(keeper.tree, "second")
    first.deploy(manifest(name="first", image="one:1", probation=0, deploy={"volume_limit": 120 * MIB}))
    assert first.replica()["quota"].startswith(f"{120 * MIB} bytes")
    theirs = [xfs.point / f"theirs{project}" for project in range(101, 104)]
    for project, path in zip(range(101, 104), theirs):
        if project != keeper.list()["i8k_first_0"]["project"]:
            path.mkdir()
            run("chattr", "+P", "-p", str(project), path)
    second.deploy(manifest(name="second", image="one:1", probation=0, deploy={"volume_limit": 120 * MIB}))
    assert second.replica()["quota"].startswith("not enforced (no project id is free between 100 and 103")
    for path in theirs:
        if path.exists():
            path.rmdir()
    second.wait(lambda i: i["replicas"][0]["quota"].startswith(f"{120 * MIB} bytes"), "it was asked for again", timeout=60)
    assert keeper.get("i8k_second_0")["hard"] == 120 * MIB


DEEP = """
import os, sys
name = "n" * int(sys.argv[2])
at = os.open(".", os.O_RDONLY)
for level in range(int(sys.argv[1])):
    os.mkdir(name, dir_fd=at)
    down = os.open(name, os.O_RDONLY, dir_fd=at)
    os.close(at)
    at = down
os.close(os.open("at the end", os.O_WRONLY | os.O_CREAT, dir_fd=at))
"""


def memory(keeper):
    """Returns the peak memory of quota-keeper in KiB."""
    status = open(f"/proc/{keeper.tree.pid('quota-keeper')}/status").read()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1])


@pytest.mark.limit(600)
def test_a_deep_tree_uses_no_memory_and_delays_no_call(xfs, make_tree):
    """Twenty of the names together are longer than a path can be. tests/unit tests trees that are deeper than what a walk stores."""
    keeper = make_keeper(make_tree, xfs)
    hostile = keeper.make("i8k_hostile_0")
    keeper.ensure("i8k_hostile_0", hard=4096 * MIB)
    as_tenant(hostile, "true")
    depth = 20000
    run(*AS_TENANT, "python3", "-c", DEEP, str(depth), "200", cwd=hostile / "home", timeout=400)
    keeper.make("i8k_web_0")
    keeper.ensure("i8k_web_0", hard=MIB)
    before, done = memory(keeper), []

    def recheck():
        done.append(keeper.call("Recheck", container="i8k_hostile_0"))
    thread = threading.Thread(target=recheck)
    thread.start()
    for number in range(1, 20):  # while the walk continues
        keeper.make(f"i8k_web_{number}")
        keeper.ensure(f"i8k_web_{number}", hard=MIB)
        keeper.get("i8k_web_0")
    assert not done, "other calls were answered before it ended"
    thread.join()
    assert not done[0].get("skipped") and done[0]["used_inodes"] == depth + 3
    assert memory(keeper) - before < 6000
    agree(keeper, xfs.point)
    assert memory(keeper) - before < 8000
