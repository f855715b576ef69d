"""Tests quota-keeper in a real kernel, on XFS and ext4: its replies against the output of foreign tools."""

import errno
import fcntl
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest
from filesystems import run
from lib import ground
from lib.varlink import VarlinkError
from quotas import MIB, PROJECTS, PROJID, Keeper, agree, as_tenant, carries, fill, forget_projects, kernel, lines, names_of_projects

NULL = {"container-driver": {"runtime": "null"}, "quota-keeper": {"check_interval": "0"}}


@pytest.fixture(autouse=True)
def no_projects():
    forget_projects()
    yield
    forget_projects()


def start(make_tree, filesystem, name="tree"):
    """The quota-keeper of a tree of which only the app path is on the file system."""
    apps = filesystem.point / name
    apps.mkdir(mode=0o755)
    return Keeper(make_tree({**NULL, "hostlet": {"app_path": apps}}, name).start())


@pytest.fixture
def keeper(filesystem, make_tree):
    return start(make_tree, filesystem)


# Limits

def test_limits_are_set_in_the_kernel_and_read_back(keeper, filesystem):
    directory = keeper.make("i8k_web_0")
    (directory / "there before").write_bytes(bytes(3 * MIB))
    said = keeper.ensure("i8k_web_0", soft=8 * MIB, hard=10 * MIB, inodes_soft=15, inodes=20)
    assert (said["soft"], said["hard"], said["inodes_soft"], said["inodes"]) == (8 * MIB, 10 * MIB, 15, 20)
    assert said["filesystem"] == filesystem.kind and said["mount_point"] == str(filesystem.point)
    assert "not_enforced" not in said and said["directory"] == str(directory)
    project = said["project"]
    assert carries(directory) == (project, True) and carries(directory / "there before")[0] == project
    run("sync", "-f", filesystem.point)
    assert kernel(filesystem.point)[project] == {"used": keeper.get("i8k_web_0")["used"], "soft": 8 * MIB, "hard": 10 * MIB,
                                                 "used_inodes": 2, "inodes_soft": 15, "inodes": 20}
    assert 3 * MIB <= keeper.get("i8k_web_0")["used"] < 4 * MIB
    agree(keeper, filesystem.point)


def test_a_tenant_cannot_write_past_the_limit(keeper, filesystem):
    directory = keeper.make("i8k_web_0")
    keeper.ensure("i8k_web_0", hard=10 * MIB, inodes=30)
    said = as_tenant(directory, "dd if=/dev/zero of=fill bs=64k count=320")
    assert said.returncode != 0 and ("No space left" in said.stderr or "quota exceeded" in said.stderr), said
    values = keeper.get("i8k_web_0")
    assert 9 * MIB < values["used"] <= 10 * MIB and values["level"] == "full"
    as_tenant(directory, "rm fill")
    said = as_tenant(directory, "for i in $(seq 40); do : >file$i || exit 1; done")
    assert said.returncode != 0 and ("No space left" in said.stderr or "quota exceeded" in said.stderr), said
    assert keeper.get("i8k_web_0")["used_inodes"] == 30
    agree(keeper, filesystem.point)


def test_limits_are_raised_lifted_and_lowered_below_the_usage(keeper, filesystem):
    directory = keeper.make("i8k_web_0")
    keeper.ensure("i8k_web_0", hard=10 * MIB)
    write = "dd if=/dev/zero of=fill bs=1M count=20 conv=fsync"
    assert as_tenant(directory, write).returncode != 0
    keeper.ensure("i8k_web_0", hard=40 * MIB)
    assert as_tenant(directory, write).returncode == 0
    lowered = keeper.ensure("i8k_web_0", hard=5 * MIB)
    assert lowered["level"] == "over" and lowered["used"] >= 20 * MIB and lowered["hard"] == 5 * MIB
    assert as_tenant(directory, "echo more >more").returncode != 0 or filesystem.kind == "xfs"
    assert as_tenant(directory, "dd if=/dev/zero of=more bs=1M count=1").returncode != 0
    lifted = keeper.ensure("i8k_web_0")
    assert not lifted.get("hard") and lifted.get("level", "below") == "below"
    assert as_tenant(directory, "dd if=/dev/zero of=more bs=1M count=1").returncode == 0
    agree(keeper, filesystem.point)


def test_released_limits_and_removed_projects_no_longer_exist(keeper, filesystem):
    directory = keeper.make("i8k_web_0")
    project = keeper.ensure("i8k_web_0", hard=10 * MIB)["project"]
    (directory / "file").write_bytes(bytes(MIB))
    keeper.call("Release", container="i8k_web_0")
    assert kernel(filesystem.point)[project]["hard"] == 0 and carries(directory) == (project, True)
    assert keeper.get("i8k_web_0")["released"] and fill(directory / "more", 15 * MIB) is None
    keeper.call("Remove", container="i8k_web_0")
    keeper.call("Remove", container="i8k_web_0")  # again: succeeds
    assert carries(directory) == (0, False) and carries(directory / "file")[0] == 0
    assert not any(kernel(filesystem.point).get(project, {}).values())
    assert keeper.ledger() == {} and keeper.list() == {}
    with pytest.raises(VarlinkError, match="NotFound"):
        keeper.get("i8k_web_0")
    keeper.make("i8k_other_0")
    assert keeper.ensure("i8k_other_0", hard=MIB)["project"] == project  # the gap is used again


def test_a_directory_removed_by_another_program_is_reported_and_dropped(keeper, filesystem):
    for name in ("i8k_web_0", "i8k_web_1"):
        keeper.make(name)
        keeper.ensure(name, hard=10 * MIB)
    shutil.rmtree(keeper.apps / "i8k_web_0")
    found = {(finding["kind"], finding.get("container")) for finding in keeper.report()}
    assert ("without_directory", "i8k_web_0") in found
    values = keeper.get("i8k_web_0")
    assert "directory" not in values and keeper.get("i8k_web_1")["directory"]
    keeper.tree.kill_service("quota-keeper")
    ground.wait_until(lambda: set(keeper.list()) == {"i8k_web_1"}, 30, "the next run releases its project")
    agree(keeper, filesystem.point)


# Many

def test_the_peer_agrees_on_200_projects(keeper, filesystem):
    wanted, projects = {}, 200 if filesystem.kind == "xfs" else 50
    for number in range(projects):
        name = f"i8k_many{number % 2}_{number // 2}"
        directory = keeper.make(name)
        wanted[name] = (number + 1) * MIB
        (directory / "data").write_bytes(bytes(number * 4096))
    started = time.monotonic()
    for name, hard in wanted.items():
        keeper.ensure(name, hard=hard, soft=hard // 2, inodes=1000 + hard // MIB)
    set_seconds = time.monotonic() - started
    run("sync", "-f", filesystem.point)
    started = time.monotonic()
    listed = keeper.list()
    list_seconds = time.monotonic() - started
    started = time.monotonic()
    peer = kernel(filesystem.point)
    peer_seconds = (time.monotonic() - started) / 2
    print(f"{filesystem.kind}: {projects} Ensure {set_seconds:.2f} s, List {list_seconds * 1000:.0f} ms, "
          f"one xfs_quota report {peer_seconds * 1000:.0f} ms")
    assert set(listed) == set(wanted)
    for name, values in listed.items():
        row = peer[values["project"]]
        assert values["hard"] == row["hard"] == wanted[name]
        for member in ("used", "soft", "used_inodes", "inodes"):
            assert values.get(member, 0) == row[member], f"{name}: {member}"
    assert set(wanted) < names_of_projects(filesystem.point)
    agree(keeper, filesystem.point)


def test_two_trees_on_one_file_system_never_share_an_id(xfs, make_tree):
    keepers = [start(make_tree, xfs, name) for name in ("one", "two")]
    failures = []

    def work(keeper, part):
        try:
            for number in range(25):
                name = f"i8k_{keeper.apps.name}_{part * 25 + number}"
                directory = keeper.make(name)
                keeper.ensure(name, hard=MIB)
                if number % 5 == 4:
                    keeper.call("Remove", container=name)
                    directory.rmdir()
        except BaseException as error:
            failures.append(error)
    threads = [threading.Thread(target=work, args=(keeper, part)) for keeper in keepers for part in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    ledgers = [keeper.ledger() for keeper in keepers]
    ids = [item["id"] for ledger in ledgers for item in ledger.values()]
    assert len(ids) == len(set(ids)) == 80
    for keeper, other in zip(keepers, reversed(ledgers)):
        agree(keeper, xfs.point, foreign={item["id"] for item in other.values()})


# The machine's lock

LOCK, WRITABLE_BY_ALL = Path("/run/hostlet-quota-keeper.lock"), ("/run/lock", "/tmp", "/var/tmp", "/dev/shm")
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")


def test_no_local_user_can_block_the_assignment_of_ids(xfs, make_tree):
    """Before any file of hostlet exists, a user makes lock files in every writable directory, and locks them."""
    names = [f"{directory}/{name}" for directory in WRITABLE_BY_ALL for name in ("hostlet-quota-keeper.lock", "hostlet-quota-keeper")]
    held = []
    try:
        for name in names:
            process = subprocess.Popen([*NOBODY, "flock", "--verbose", name, "sh", "-c", "echo held; exec sleep 600"], text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            held.append(process)
            assert any("held" in line for line in iter(process.stdout.readline, ""))
        keeper = start(make_tree, xfs)
        keeper.make("i8k_web_0")
        assert keeper.ensure("i8k_web_0", hard=10 * MIB)["hard"] == 10 * MIB
        status = LOCK.stat()
        assert (status.st_uid, status.st_mode & 0o777) == (0, 0o600)
        assert run(*NOBODY, "flock", "--nonblock", LOCK, "true", check=False).returncode != 0
        assert run(*NOBODY, "flock", "--nonblock", "--shared", LOCK, "true", check=False).returncode != 0
    finally:
        for process in held:
            process.kill()
            process.wait()
        for name in names:
            Path(name).unlink(missing_ok=True)


def test_the_holder_of_the_lock_is_named_and_waited_for(xfs, make_tree):
    keeper = start(make_tree, xfs)
    keeper.make("i8k_web_0")
    keeper.ensure("i8k_web_0", hard=10 * MIB)
    with open(LOCK, "rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(VarlinkError, match=f"process {os.getpid()} .*hostlet-quota-keeper.lock") as refused:
            with keeper.tree.connect("quota-keeper", 60) as connection:
                connection.call("io.hostlet.QuotaKeeper.Ensure", container="i8k_web_0", hard=20 * MIB)
        assert refused.value.name == "io.hostlet.RetryLater"
        assert keeper.get("i8k_web_0")["hard"] == 10 * MIB, "a call that only reads needs no lock"
    assert keeper.ensure("i8k_web_0", hard=20 * MIB)["hard"] == 20 * MIB


# Other programs

FOREIGN_PROJECTS = b"# by hand\n101:/srv/theirs\n102:/srv/more of theirs:with a colon\nnonsense\n\n7:/etc"
FOREIGN_PROJID = b"theirs:101\r\n# a comment\nbad line\nunused:103\nnobody:x\n"


def test_foreign_lines_and_foreign_projects_survive(filesystem, make_tree):
    PROJECTS.write_bytes(FOREIGN_PROJECTS)
    PROJID.write_bytes(FOREIGN_PROJID)
    os.chmod(PROJID, 0o640)
    theirs = filesystem.point / "theirs"
    theirs.mkdir()
    run("chattr", "+P", "-p", "104", theirs)
    (theirs / "file").write_bytes(bytes(MIB))
    run("xfs_quota", "-x", "-f", "-c", "limit -p bhard=9m 105", filesystem.point)
    run("xfs_quota", "-x", "-f", "-c", "limit -p bhard=8m 104", filesystem.point)
    run("sync", "-f", filesystem.point)
    before = {project: kernel(filesystem.point)[project] for project in (104, 105)}
    keeper = start(make_tree, filesystem)
    projects = []
    for number in range(6):
        keeper.make(f"i8k_web_{number}")
        projects.append(keeper.ensure(f"i8k_web_{number}", hard=MIB)["project"])
    # 101 and 102 are named in projects, 103 in projid, 104 is in use, 105 has a limit.
    assert sorted(projects) == [100, 106, 107, 108, 109, 110]
    assert PROJECTS.read_bytes().startswith(FOREIGN_PROJECTS + b"\n") and PROJID.read_bytes().startswith(FOREIGN_PROJID)
    assert PROJID.stat().st_mode & 0o7777 == 0o640
    orphans = {finding["project"] for finding in keeper.report() if finding["kind"] == "orphan_project"}
    assert orphans == {104, 105}
    agree(keeper, filesystem.point, foreign={104, 105})
    for number in range(6):
        keeper.call("Remove", container=f"i8k_web_{number}")
    assert PROJECTS.read_bytes().rstrip(b"\n") == FOREIGN_PROJECTS and PROJID.read_bytes() == FOREIGN_PROJID
    assert {project: kernel(filesystem.point)[project] for project in (104, 105)} == before
    assert carries(theirs) == (104, True)


def test_edits_of_a_foreign_writer_are_merged(xfs, make_tree):
    keeper = start(make_tree, xfs)
    done = threading.Event()
    written = []

    def write():
        """Acts as an editor does: reads, writes beside the file, renames over it. Not faster than a change of hostlet takes: an
        editor that reads before that change and writes after it removes the changes of others, whatever they do."""
        number = 200000
        while not done.wait(0.5):
            text = PROJECTS.read_text() if PROJECTS.exists() else ""
            line = f"{number}:/srv/theirs/{number}"
            beside = PROJECTS.with_name("projects.by-hand")
            beside.write_text(text + line + "\n")
            beside.rename(PROJECTS)
            written.append(line)
            number += 1
    writer = threading.Thread(target=write)
    writer.start()
    try:
        number = 0
        while len(written) < 12:
            name = f"i8k_web_{number % 100}"
            if not (keeper.apps / name).exists():
                keeper.make(name)
            keeper.ensure(name, hard=(number + 1) * MIB)
            number += 1
    finally:
        done.set()
        writer.join()
    # A foreign edit that began before hostlet's and ended after it may have removed lines of hostlet: the next change restores them.
    keeper.make("i8k_last_0")
    keeper.ensure("i8k_last_0", hard=MIB)
    missing = set(written) - set(lines(PROJECTS))
    assert not missing, f"{len(missing)} of {len(written)} foreign edits are lost"
    agree(keeper, xfs.point)


# Mounts

def test_a_mount_without_quotas_is_noticed_and_one_with_them_again(keeper, filesystem):
    directory = keeper.make("i8k_web_0")
    keeper.ensure("i8k_web_0", hard=10 * MIB)
    assert keeper.call("Info")["enforced"]
    filesystem.unmount()
    filesystem.mount("noquota" if filesystem.kind == "xfs" else "defaults")
    info, values = keeper.call("Info"), keeper.get("i8k_web_0")
    assert not info.get("enforced") and "prjquota" in info["reason"] + info["remedy"]
    assert info["reason"] in values["not_enforced"]
    with pytest.raises(VarlinkError, match="NotSupported"):
        keeper.ensure("i8k_web_0", hard=10 * MIB)
    assert "not_enforced" in {finding["kind"] for finding in keeper.report()}
    filesystem.unmount()
    filesystem.mount()
    assert keeper.call("Info")["enforced"] and "not_enforced" not in keeper.get("i8k_web_0")
    keeper.ensure("i8k_web_0", hard=10 * MIB)
    assert fill(directory / "fill", 20 * MIB) == errno.ENOSPC or filesystem.kind == "ext4"
    agree(keeper, filesystem.point)
