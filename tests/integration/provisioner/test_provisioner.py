"""Tests provisioner through its real process, as root, with hostile tenants."""

import contextlib
import json
import os
import select
import shutil
import signal
import stat
import subprocess
import threading
import time

import pytest
from lib import ground, varlink
from lib.tree import VARIANT, program
from lib.provisioner import (ACTION, CONTAINER, INTERFACE, Attacker, Provisioner, check_replica, make_nest,
                                 put, replica, snapshot)

sanitized = pytest.mark.sanitized


@pytest.fixture
def make(place):
    """make(settings) gives a Provisioner that is not started yet."""
    made = []

    def make_one(settings=None):
        made.append(Provisioner(place / "tree", settings))
        return made[-1]
    yield make_one
    for one in made:
        one.stop()


@pytest.fixture
def provisioner(make):
    return make().start()


@pytest.fixture
def canary(place):
    """Makes a directory that must not change, with the names that provisioner would write."""
    directory = place / "canary"
    directory.mkdir()
    for name in ("app_replica.json", "ininit", "inagent", "keep"):
        (directory / name).write_text(f"canary {name}\n")
    directory.chmod(0o755)
    return directory


@pytest.fixture
def tmpfs(place):
    """Provides tmpfs(size), which mounts one on the app path of a tree to be made."""
    apps = place / "tree/apps"

    def mount(size):
        apps.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755,nr_inodes=0", "tmpfs", apps], check=True)
        return apps
    yield mount
    ground.unmount_below(apps)


def refused(name, text, function, *arguments, **parameters):
    with pytest.raises(varlink.VarlinkError) as caught:
        function(*arguments, **parameters)
    assert caught.value.name == f"io.hostlet.{name}", caught.value
    assert text in caught.value.parameters["reason"], caught.value


# Making and filling

@sanitized
@pytest.mark.parametrize("umask", [0o022, 0o777, 0])
def test_owners_and_modes_whatever_the_umask(make, umask):
    provisioner = make().start(umask=umask)
    if umask == 0o777:
        provisioner.apps.chmod(0o755)  # made by provisioner only where it does not exist
    assert provisioner.provision() == {"path": str(provisioner.container())}
    check_replica(provisioner)
    provisioner.call("Update", container=CONTAINER, replica=replica(2))
    check_replica(provisioner)


def test_app_replica_json_has_the_contracts_form(provisioner):
    wanted = replica(7)
    provisioner.provision(replica=wanted)
    text = (provisioner.innerstack() / "app_replica.json").read_text()
    wanted["replica"]["state"] = "starting"
    assert json.loads(text) == wanted
    assert text == json.dumps(wanted, indent=2) + "\n"
    provisioner.call("Update", container=CONTAINER, replica=replica(8))
    assert provisioner.json() == replica(8)


def task_request(provisioner):
    return json.loads((provisioner.innerstack() / "task_request.json").read_text())


def test_a_request_of_a_task_is_a_file_that_only_root_can_replace(provisioner):
    provisioner.provision()
    path = provisioner.innerstack() / "task_request.json"
    for number in (1, 2):
        assert provisioner.call("RequestTask", container=CONTAINER, task="a/b \"\u00e4\"", id=f"id-{number}") == {}
        assert task_request(provisioner) == {"format": 1, "id": f"id-{number}", "task": "a/b \"\u00e4\""}
        found = path.lstat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, ACTION, 0o640)
    # What the tenant puts in its place is replaced, not followed.
    path.unlink()
    path.symlink_to(provisioner.innerstack() / "app_replica.json")
    provisioner.call("RequestTask", container=CONTAINER, task="x", id="id-3")
    assert task_request(provisioner)["id"] == "id-3" and provisioner.json()["app"]
    check_replica(provisioner)


def test_a_bad_request_of_a_task_is_refused(provisioner):
    provisioner.provision()
    for identity in ("", "A", "a b", "x" * 65):
        refused("Refused", "is no id of a request", provisioner.call, "RequestTask", container=CONTAINER, task="x", id=identity)
    refused("Refused", "at most 1000 bytes", provisioner.call, "RequestTask", container=CONTAINER, task="x" * 1001, id="a")
    refused("Refused", "is not a name of a replica's container", provisioner.call, "RequestTask", container="web", task="x", id="a")
    refused("NotFound", "there is no such replica", provisioner.call, "RequestTask", container="i8k_none_0", task="x", id="a")
    assert not (provisioner.innerstack() / "task_request.json").exists()


def test_equal_content_is_not_written(provisioner):
    provisioner.provision()
    before = snapshot(provisioner.container())
    assert provisioner.provision() == {"path": str(provisioner.container())}
    state = replica()
    state["replica"]["state"] = "starting"
    provisioner.call("Update", container=CONTAINER, replica=state)
    assert snapshot(provisioner.container()) == before
    provisioner.provision(replica=replica(2))
    after = snapshot(provisioner.container())
    json_path, inner = "home/action/.innerstack/app_replica.json", "home/action/.innerstack"
    assert {path for path in after if after[path] != before[path]} == {json_path, inner}


def test_changes_by_hand_are_corrected(provisioner):
    provisioner.provision()
    inner = provisioner.innerstack()
    (inner / "ininit").write_text("echo wrong\n")
    (inner / "app_replica.json").chmod(0o666)
    os.chown(inner / "inagent", ACTION, ACTION)
    inner.chmod(0o777)
    provisioner.container().chmod(0o777)
    provisioner.provision()
    check_replica(provisioner)


def test_files_of_the_tenant_are_left_unchanged(provisioner):
    provisioner.provision()
    provisioner.action().chmod(0o700)
    os.chown(provisioner.container() / "opt", 1234, 1234)
    provisioner.provision(replica=replica(2))
    assert provisioner.action().stat().st_mode & 0o777 == 0o700
    assert (provisioner.container() / "opt").stat().st_uid == 1234


def test_inagent_is_replaced_while_it_runs(make):
    provisioner = make()
    own = provisioner.prefix / "bin/inagent-linux-amd64"
    own.parent.mkdir()
    shutil.copy("/bin/sleep", own)
    provisioner.start()
    provisioner.provision()
    inner = provisioner.innerstack() / "inagent"
    running = subprocess.Popen([inner, "60"])
    try:
        shutil.copy(program("inagent-linux-amd64"), own)
        provisioner.provision()
        assert inner.read_bytes() == own.read_bytes()
        assert running.poll() is None
    finally:
        running.kill()
        running.wait()


def test_architectures(make):
    provisioner = make().start()
    own = provisioner.prefix / "bin/inagent-linux-arm64"
    refused("Failed", "inagent-linux-riscv64", provisioner.provision, arch="riscv64")
    assert not provisioner.container().exists() and provisioner.hidden() == []
    own.parent.mkdir()
    own.write_text("another machine's\n")
    own.chmod(0o755)
    for name in ("arm64", "aarch64"):
        provisioner.provision(arch=name)
        assert (provisioner.innerstack() / "inagent").read_text() == "another machine's\n"
    provisioner.provision(arch="x86_64")
    check_replica(provisioner)
    for name in ("../../etc/x", "", "x" * 40, "amd64/"):
        refused("Refused", "no architecture", provisioner.provision, arch=name)


@sanitized
def test_bad_requests_name_what_is_wrong(provisioner):
    for name in ("", "web", "../i8k_web_0", "i8k_web_0/", "i8k_web_1000", "i8k_WEB_0", ".making-i8k_web_0",
                 "i8k_web_0.removed-20261123T210640", "i8k_web_0\n"):
        for method in ("Provision", "Update", "Remove"):
            more = {} if method == "Remove" else {"replica": replica()}
            refused("Refused", "is not a name of a replica's container", provisioner.call, method, container=name, **more)
    refused("Refused", "that of 'i8k_other_0'", provisioner.provision, replica=replica(name="other"))
    refused("Refused", "that of 'i8k_web_1'", provisioner.provision, replica=replica(number=1))
    refused("Refused", "lacks app.meta.name", provisioner.provision, replica={})
    refused("NotFound", "i8k_none_0: there is no such replica", provisioner.call, "Update", container="i8k_none_0",
            replica=replica(name="none"))
    refused("Refused", "must set 'more'", provisioner.call, "List")
    assert list(provisioner.apps.iterdir()) == []


# The app path

def test_app_path_behind_a_symlink(make, place):
    (place / "disk").mkdir()
    (place / "link").symlink_to("disk")
    provisioner = make({"hostlet": {"app_path": place / "link/apps"}}).start()
    provisioner.apps = place / "disk/apps"
    assert provisioner.provision() == {"path": str(place / "link/apps" / CONTAINER)}
    check_replica(provisioner)
    assert provisioner.call("Remove", container=CONTAINER, purge=True) == {}


@pytest.mark.parametrize("uid, mode", [(0, 0o777), (0, 0o1777), (0, 0o775), (ACTION, 0o755)])
def test_an_app_path_that_others_can_write_is_refused(make, uid, mode):
    provisioner = make()
    provisioner.apps.mkdir()
    provisioner.apps.chmod(mode)
    os.chown(provisioner.apps, uid, uid)
    with pytest.raises(AssertionError, match="exit 100"):
        provisioner.start()
    assert f"the app path '{provisioner.apps}' belongs to user {uid} and has mode {mode:04o}" in provisioner.log()


def test_one_provisioner_per_app_path(make, place):
    first = make().start()
    second = Provisioner(place / "second", {"hostlet": {"app_path": first.apps}})
    with pytest.raises(AssertionError, match="exit 1"):
        second.start()
    assert f"another provisioner works in the app path '{first.apps}'" in second.log()


def test_foreign_files_in_the_app_path_are_left_alone(provisioner, canary):
    before = snapshot(canary)
    (provisioner.apps / CONTAINER).symlink_to(canary)
    (provisioner.apps / "lost+found").mkdir()
    refused("Conflict", f"'{CONTAINER}' in the app path is in the way", provisioner.provision)
    refused("Conflict", "in the way", provisioner.call, "Remove", container=CONTAINER)
    refused("Conflict", "in the way", provisioner.call, "Remove", container=CONTAINER, purge=True)
    (provisioner.apps / CONTAINER).unlink()
    provisioner.provision()
    (provisioner.container() / "opt").rmdir()
    (provisioner.container() / "opt").symlink_to(canary)  # an administrator's: no tenant can write here
    refused("Conflict", "'opt' is in the way", provisioner.provision)
    assert snapshot(canary) == before
    assert (provisioner.apps / "lost+found").is_dir()


# A hostile tenant

BAD = ["link", "link to a file", "fifo", "socket", "device", "file", "directory", "full directory"]


@sanitized
@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("where", ["home/action", "home/action/.innerstack", "home/action/.innerstack.new",
                                   "home/action/.innerstack/app_replica.json",
                                   "home/action/.innerstack/.app_replica.json.new",
                                   "home/action/.innerstack/inagent", "home/.action.new"])
def test_foreign_objects_under_names_of_hostlet_are_not_followed(provisioner, canary, where, kind):
    provisioner.provision()
    before = snapshot(canary)
    path = provisioner.container() / where
    if path.is_dir():
        path.rename(provisioner.container() / "home/elsewhere")
    elif path.exists():
        path.unlink()
    directory = os.open(path.parent, os.O_RDONLY)
    put(directory, kind, path.name, str(canary))
    os.close(directory)
    provisioner.call("Update", container=CONTAINER, replica=replica(2))
    assert provisioner.json()["app"]["deploy"]["revision"] == 2
    provisioner.provision(replica=replica(3))
    assert provisioner.json()["app"]["deploy"]["revision"] == 3
    if where != "home/action" or "directory" not in kind:
        check_replica(provisioner)
    assert snapshot(canary) == before
    assert provisioner.call("Remove", container=CONTAINER, purge=True) == {}
    assert snapshot(canary) == before
    assert list(provisioner.apps.iterdir()) == []


@sanitized
@pytest.mark.limit(240)
@pytest.mark.parametrize("privileged", [False, True], ids=["action", "root"])
def test_a_tenant_that_swaps_its_directories_for_symlinks(provisioner, place, canary, privileged):
    provisioner.provision()
    before = snapshot(canary)
    attacker = Attacker(place, provisioner.action(), canary, privileged)
    counts = {"done": 0, "refused": 0}
    calls, deadline = (400, 45) if VARIANT == "sanitized" else (2000, 30)
    try:
        ground.wait_until(lambda: attacker.count() >= 50, 30, "the attacker swaps")
        started = time.monotonic()
        with varlink.Varlink(provisioner.socket, timeout=30) as connection:
            for i in range(calls):
                if i % 100 == 99:
                    assert connection.call(INTERFACE + "Remove", container=CONTAINER)["kept"]
                method = "Update" if i % 3 and i % 100 else "Provision"
                try:
                    connection.call(INTERFACE + method, container=CONTAINER, replica=replica(i + 1))
                    counts["done"] += 1
                except varlink.VarlinkError as error:
                    assert error.name in ("io.hostlet.RetryLater", "io.hostlet.Failed", "io.hostlet.NotFound"), error
                    counts["refused"] += 1
                if time.monotonic() - started > deadline and i > calls / 4:
                    break
        assert snapshot(canary) == before
        assert attacker.count() > 100
        # Meanwhile everything is deleted.
        provisioner.call("Remove", container=CONTAINER, purge=False)
        for _ in range(20):
            with contextlib.suppress(varlink.VarlinkError):
                provisioner.call("Remove", container=CONTAINER, purge=True)
                break
    finally:
        attacker.stop()
    assert snapshot(canary) == before
    assert counts["done"] > 0, counts
    provisioner.call("Remove", container=CONTAINER, purge=True)
    provisioner.kill()
    provisioner.start()

    def deleted():
        left = [str(path) for path in list(provisioner.apps.rglob("*"))[:20]]
        assert not left, f"{left}; the log ends with {provisioner.log()[-1000:]}"
        return True
    ground.wait_until(deleted, 60, "all is deleted")
    provisioner.provision()
    check_replica(provisioner)
    assert snapshot(canary) == before


def test_a_reader_never_sees_half_a_file(provisioner):
    wanted = replica()
    wanted["app"]["spec"]["description"] = "x" * 200000
    provisioner.provision(replica=wanted)
    path = provisioner.innerstack() / "app_replica.json"
    stop, seen, problems = threading.Event(), set(), []

    def read():
        while not stop.is_set():
            try:
                seen.add(json.loads(path.read_text())["app"]["deploy"]["revision"])
            except (ValueError, OSError, KeyError) as error:
                problems.append(repr(error)[:200])
                return
    reader = threading.Thread(target=read)
    reader.start()
    try:
        for revision in range(2, 150):
            wanted["app"]["deploy"]["revision"] = revision
            wanted["app"]["spec"]["description"] = "y" * (revision * 1000)
            provisioner.call("Update", container=CONTAINER, replica=wanted)
    finally:
        stop.set()
        reader.join()
    assert problems == []
    assert len(seen) > 5


# Removal

def test_data_is_kept_and_restored(provisioner):
    provisioner.provision()
    (provisioner.action() / "data").write_text("first\n")
    kept = provisioner.call("Remove", container=CONTAINER)["kept"]
    assert not provisioner.container().exists()
    assert kept.startswith(f"{provisioner.container()}.removed-")
    assert provisioner.call("Remove", container=CONTAINER) == {"kept": kept}  # called again: the same reply
    assert [(entry["container"], entry["path"], entry["removed"]) for entry in provisioner.list()] == [
        (CONTAINER, kept, True)]
    assert abs(provisioner.list()[0]["removed_at"] - time.time()) < 60
    assert provisioner.provision() == {"path": str(provisioner.container()), "restored": True}
    check_replica(provisioner)
    assert (provisioner.action() / "data").read_text() == "first\n"
    assert provisioner.list() == [{"container": CONTAINER, "path": str(provisioner.container())}]
    assert provisioner.provision() == {"path": str(provisioner.container())}


def test_the_newest_of_several_kept_directories_is_restored(provisioner):
    for date in ("20200103T000000-9", "20200103T000000-10", "20200103T000000", "20200102T235959", "20191231T000000-11"):
        home = provisioner.apps / f"{CONTAINER}.removed-{date}" / "home/action"
        home.mkdir(parents=True)
        (home / "data").write_text(date)
    assert provisioner.provision()["restored"]
    assert (provisioner.action() / "data").read_text() == "20200103T000000-10"


def test_removals_within_one_second_keep_all_data(provisioner):
    provisioner.provision()
    now = time.time()
    for second in range(-1, 10):  # the names of the next seconds are in use, some twice
        date = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now + second))
        (provisioner.apps / f"{CONTAINER}.removed-{date}").mkdir()
        (provisioner.apps / f"{CONTAINER}.removed-{date}-1").mkdir()
    assert provisioner.call("Remove", container=CONTAINER)["kept"].endswith("-2")


def test_removing_an_absent_container_succeeds(provisioner):
    assert provisioner.call("Remove", container="i8k_none_0") == {}
    assert provisioner.call("Remove", container="i8k_none_0", purge=True) == {}


def test_purge_deletes_earlier_removals_too(provisioner):
    provisioner.provision()
    shutil.copytree(provisioner.call("Remove", container=CONTAINER)["kept"],
                    f"{provisioner.container()}.removed-20200101T000000-2")
    provisioner.provision()
    (provisioner.apps / f"{CONTAINER}.removed-20200101T000000").mkdir()
    provisioner.provision(container="i8k_other_0", replica=replica(name="other"))
    assert provisioner.call("Remove", container=CONTAINER, purge=True) == {}
    assert [entry.name for entry in provisioner.apps.iterdir()] == ["i8k_other_0"]


def test_purge_refuses_a_foreign_mount(provisioner, place):
    provisioner.provision()
    data = provisioner.action() / "a b"
    data.mkdir()
    (place / "foreign").mkdir()
    (place / "foreign/canary").write_text("mine\n")
    subprocess.run(["mount", "--bind", place / "foreign", data], check=True)
    try:
        refused("Refused", f"'{data}' is a mount point", provisioner.call, "Remove", container=CONTAINER, purge=True)
        assert (place / "foreign/canary").read_text() == "mine\n"
        check_replica(provisioner)
        assert provisioner.hidden() == []
    finally:
        subprocess.run(["umount", data], check=True)
    assert provisioner.call("Remove", container=CONTAINER, purge=True) == {}
    assert list(provisioner.apps.iterdir()) == []
    assert (place / "foreign/canary").read_text() == "mine\n"


def test_work_in_a_mount_point_is_refused(provisioner, place):
    provisioner.provision()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", provisioner.action()], check=True)
    try:
        refused("Refused", "'action' is a mount point", provisioner.provision)
        assert list(provisioner.action().iterdir()) == []
    finally:
        subprocess.run(["umount", provisioner.action()], check=True)


@pytest.mark.limit(300)
def test_purge_of_a_hostile_tree_while_others_are_served(make, tmpfs, canary):
    tmpfs("1g")
    provisioner = make().start()
    provisioner.provision()
    home = provisioner.action()
    before = snapshot(canary)
    for name, levels in (("deep", 100000), ("deep2", 5000)):
        (home / name).mkdir()
        make_nest(home / name, levels)
    (home / "wide").mkdir()
    for i in range(20000):
        (home / "wide" / f"{i}".rjust(200, "n")).touch()
    for i in range(2000):
        (home / f"dir{i}/sub").mkdir(parents=True)
        (home / f"dir{i}").chmod(0)
    (home / b"\xff\xfe\n".decode(errors="surrogateescape")).symlink_to(canary)
    (home / "loop").symlink_to(".")
    os.mknod(home / "device", stat.S_IFBLK | 0o666, os.makedev(7, 0))
    os.mkfifo(home / "fifo")
    for path in (home / "wide", home):
        path.chmod(0)
    purge = provisioner.send("Remove", container=CONTAINER, purge=True)
    answered = 0
    while not select.select([purge.socket], [], [], 0)[0]:
        provisioner.provision(container="i8k_other_0", replica=replica(answered + 1, name="other"))
        answered += 1
    assert purge.receive() == {"parameters": {}}
    assert answered > 3, "the loop answered while it deleted"
    assert [entry.name for entry in provisioner.apps.iterdir()] == ["i8k_other_0"]
    assert snapshot(canary) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_an_interrupted_deletion_is_finished_at_the_next_start(make, tmpfs, number):
    tmpfs("1g")
    provisioner = make().start()
    provisioner.provision()
    make_nest(provisioner.action(), 60000)
    waiting = provisioner.send("Remove", container=CONTAINER, purge=True)
    ground.wait_until(lambda: provisioner.hidden() and not provisioner.container().exists(), 10, "deletion begins")
    provisioner.process.send_signal(number)
    provisioner.process.wait(20)
    assert waiting.at_end()
    assert provisioner.hidden(), "the deletion ended too soon to be interrupted"
    provisioner.start()
    assert provisioner.provision() == {"path": str(provisioner.container())}
    ground.wait_until(lambda: provisioner.hidden() == [], 60, "the deletion is finished")
    ground.wait_until(lambda: "finished the deletion of .deleting-" in provisioner.log(), 10, "the end is logged")


@pytest.fixture
def immutable(place):
    """Provides immutable(path), which makes a file that only chattr can release; immutable.end(directory) releases everything
    below."""
    def begin(path):
        if subprocess.run(["chattr", "+i", path], check=False, capture_output=True).returncode:
            pytest.skip("this filesystem has no immutable files")
    begin.end = lambda directory: subprocess.run(["chattr", "-R", "-f", "-i", directory], check=False)
    yield begin
    begin.end(place)


def stuck_at(provisioner, path, immutable):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    immutable(path)


def test_an_undeletable_file_is_reported_and_blocks_no_other(provisioner, immutable):
    provisioner.provision()
    stuck_at(provisioner, provisioner.action() / "sub/immutable", immutable)
    (provisioner.action() / "other").touch()
    refused("Failed", "chattr -i", provisioner.call, "Remove", container=CONTAINER, purge=True)
    (hidden,) = provisioner.hidden()
    left = [path for path in (provisioner.apps / hidden).rglob("*") if path.is_file()]
    assert [path.name for path in left] == ["immutable"]
    assert provisioner.provision() == {"path": str(provisioner.container())}
    immutable.end(provisioner.apps)
    provisioner.stop()
    provisioner.start()
    ground.wait_until(lambda: provisioner.hidden() == [], 10, "the next start finishes it")


def test_a_purge_has_succeeded_only_when_nothing_is_left(provisioner, immutable):
    provisioner.provision()
    stuck_at(provisioner, provisioner.container() / "opt/stays", immutable)
    provisioner.provision(container="i8k_web_10", replica=replica(number=10))  # the name of another container begins alike
    for _ in range(3):  # the later ones find no directory of the container any more
        refused("Failed", "/stays'", provisioner.call, "Remove", container=CONTAINER, purge=True)
    (deletion,) = provisioner.deletions()
    (hidden,) = provisioner.hidden()
    assert deletion["path"] == str(provisioner.apps / hidden) and deletion["container"] == CONTAINER
    assert "/stays'" in deletion["message"] and "chattr -i" in deletion["message"]
    assert deletion["attempts"] >= 3 and deletion["next_retry"] > 0
    assert "is not deleted: cannot remove" in provisioner.log() and "tried again in" in provisioner.log()
    assert provisioner.call("Remove", container="i8k_web_10", purge=True) == {}
    assert provisioner.call("Remove", container=CONTAINER) == {}
    immutable.end(provisioner.apps)
    ground.wait_until(lambda: provisioner.hidden() == [], 60, "the act is retried automatically")
    ground.wait_until(lambda: provisioner.deletions() == [], 10, "nothing is left to be shown")
    assert provisioner.call("Remove", container=CONTAINER, purge=True) == {}


def test_a_purge_deletes_leftovers_of_earlier_purges_and_killed_processes(make):
    provisioner = make()
    hidden = [f".deleting-{CONTAINER}-0123456789abcdef", f".deleting-{CONTAINER}.removed-20200101T000000-1-0123456789abcdef",
              f".making-{CONTAINER}"]
    provisioner.start()
    for name in hidden:
        (provisioner.apps / name / "opt/sub").mkdir(parents=True)
    (provisioner.apps / ".deleting-i8k_web_01-0123456789abcdef").mkdir()  # no name of a container
    (provisioner.apps / ".deleting-i8k_web_1-0123456789abcdef").mkdir()
    assert provisioner.call("Remove", container=CONTAINER, purge=True) == {}
    assert provisioner.hidden() == [".deleting-i8k_web_01-0123456789abcdef", ".deleting-i8k_web_1-0123456789abcdef"]
    provisioner.stop()
    provisioner.start()
    ground.wait_until(lambda: provisioner.hidden() == [], 20, "the next start deletes all of them")


def test_an_undeletable_unfinished_directory_blocks_no_deploy(make, immutable):
    provisioner = make()
    stuck = provisioner.apps / f".making-{CONTAINER}/opt/stays"
    stuck_at(provisioner, stuck, immutable)
    provisioner.start()
    assert provisioner.provision(container="i8k_other_0", replica=replica(name="other"))
    ground.wait_until(lambda: [d.get("message") for d in provisioner.deletions()] != [None], 20, "it is shown")
    assert "/stays'" in provisioner.deletions()[0]["message"]
    refused("Failed", "/stays'", provisioner.call, "Remove", container=CONTAINER, purge=True)


def test_expired_data_that_cannot_be_deleted_is_shown_and_retried(make, place):
    provisioner = make({"provisioner": {"keep_removed": "1d"}})
    mount = provisioner.apps / f"{CONTAINER}.removed-20200101T000000/home"
    mount.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mount], check=True)
    try:
        provisioner.start()
        ground.wait_until(lambda: any("is a mount point" in d.get("message", "") for d in provisioner.deletions()), 20,
                          "it is shown")
        assert str(mount) in provisioner.deletions()[0]["message"]
    finally:
        subprocess.run(["umount", mount], check=True)
    ground.wait_until(lambda: list(provisioner.apps.iterdir()) == [], 60, "the act is retried automatically")
    assert provisioner.deletions() == []


@pytest.mark.failpoints
def test_calls_do_not_wait_for_deletions(make):
    """All threads of deletions hang: every other call continues, for the same container too."""
    provisioner = make().start(failpoint="remove.deleting:hang", once=False)
    names = [f"i8k_old_{i}" for i in range(6)]
    for number, name in enumerate(names):
        provisioner.provision(container=name, replica=replica(name="old", number=number))
    waiting = [provisioner.send("Remove", container=name, purge=True) for name in names]
    ground.wait_until(lambda: len(provisioner.hidden()) == len(names), 20, "all of them are hidden")
    assert len(provisioner.deletions()) == len(names)
    threads = list(os.scandir(f"/proc/{provisioner.process.pid}/task"))
    assert len(threads) <= 1 + 4 + 2, "however many purges there are"
    for number, name in enumerate(names):
        assert provisioner.provision(container=name, replica=replica(name="old", number=number)).get("restored") is None
        provisioner.call("Update", container=name, replica=replica(2, name="old", number=number))
    kept = provisioner.call("Remove", container=names[0])["kept"]
    assert os.path.isdir(kept)
    # The tenant chooses the size of the obstacle.
    inner = provisioner.innerstack(names[1])
    (inner / ".app_replica.json.new/sub").mkdir(parents=True)
    inner.with_name(".innerstack.new").mkdir()
    (inner.with_name(".innerstack.new") / "file").touch()
    provisioner.call("Update", container=names[1], replica=replica(3, name="old", number=1))
    assert provisioner.json(names[1])["app"]["deploy"]["revision"] == 3
    assert not select.select([connection.socket for connection in waiting], [], [], 0)[0]
    for connection in waiting:
        connection.close()
    provisioner.kill()
    provisioner.start()
    ground.wait_until(lambda: provisioner.hidden() == [], 20, "the next start deletes all of it")
    assert provisioner.container(names[1]).is_dir() and os.path.isdir(kept)


@pytest.mark.failpoints
def test_a_failed_deletion_is_retried_automatically(make):
    provisioner = make().start(failpoint="remove.deleting:error")
    provisioner.provision()
    refused("Failed", "failpoint", provisioner.call, "Remove", container=CONTAINER, purge=True)
    ground.wait_until(lambda: provisioner.hidden() == [] and provisioner.deletions() == [], 30, "the act is retried")
    assert "finished the deletion of .deleting-" in provisioner.log()


def test_kept_data_expires(make):
    provisioner = make({"provisioner": {"keep_removed": "1d"}})
    provisioner.apps.mkdir()
    names = {"old": time.time() - 90000, "young": time.time() - 3600}

    def keep(container, at):
        path = provisioner.apps / f"{container}.removed-{time.strftime('%Y%m%dT%H%M%S', time.gmtime(at))}"
        (path / "home").mkdir(parents=True)
        return path
    paths = {name: keep("i8k_web_0", at) for name, at in names.items()}
    other = keep("i8k_other_3", names["old"])
    provisioner.start()
    ground.wait_until(lambda: not paths["old"].exists() and not other.exists(), 10, "expired data is deleted at the start")
    assert paths["young"].exists()
    again = keep("i8k_other_3", names["old"])
    provisioner.provision(container="i8k_app_0", replica=replica(name="app"))
    kept = provisioner.call("Remove", container="i8k_app_0")["kept"]
    ground.wait_until(lambda: not again.exists() and not provisioner.hidden(), 10, "also after a removal")
    assert paths["young"].exists() and os.path.exists(kept)


def test_kept_data_does_not_expire_by_default(provisioner):
    path = provisioner.apps / f"{CONTAINER}.removed-19990101T000000"
    path.mkdir()
    provisioner.call("Remove", container="i8k_other_0")
    provisioner.stop()
    provisioner.start()
    assert path.exists()


# Full disks

def test_a_full_disk_leaves_the_old_file(make, tmpfs):
    apps = tmpfs("2m")
    provisioner = make().start()
    provisioner.provision()
    text = (provisioner.innerstack() / "app_replica.json").read_text()
    filler = open(apps / "filler", "wb")
    with contextlib.suppress(OSError), filler:
        while True:
            filler.write(b"x" * 4096)
            filler.flush()
    before = snapshot(provisioner.innerstack())
    wanted = replica(2)
    wanted["app"]["spec"]["description"] = "x" * 50000
    for method in ("Update", "Provision"):
        refused("RetryLater", "cannot write 'app_replica.json': No space left on device", provisioner.call, method,
                container=CONTAINER, replica=wanted)
    after = snapshot(provisioner.innerstack())
    assert after.keys() == before.keys()
    assert (provisioner.innerstack() / "app_replica.json").read_text() == text
    refused("RetryLater", "No space left on device", provisioner.provision, container="i8k_other_0",
            replica=replica(name="other"))
    assert provisioner.hidden() == [] and not provisioner.container("i8k_other_0").exists()
    # Deletion works on a full disk, and frees space.
    for i in range(5):
        (provisioner.action() / f"d{i}/sub").mkdir(parents=True)
    os.unlink(apps / "filler")
    provisioner.call("Update", container=CONTAINER, replica=wanted)
    with contextlib.suppress(OSError), open(apps / "filler", "wb") as filler:
        while True:
            filler.write(b"x" * 4096)
            filler.flush()
    assert provisioner.call("Remove", container=CONTAINER, purge=True) == {}
    provisioner.provision(container="i8k_other_0", replica=replica(name="other"))
    check_replica(provisioner, "i8k_other_0")


# Order and kills

@sanitized
def test_requests_for_one_container_are_executed_in_order(provisioner):
    connections = []
    for i in range(1, 31):
        method = ("Provision", "Update", "Remove")[i % 3]
        more = {} if method == "Remove" else {"replica": replica(i)}
        connections.append((method, provisioner.send(method, container=CONTAINER, **more)))
    for method, connection in connections:
        answer = connection.receive()
        if "error" in answer:  # an update of the removed container
            assert (method, answer["error"]) == ("Update", "io.hostlet.NotFound"), answer
        connection.close()
    provisioner.provision(replica=replica(99))
    check_replica(provisioner)
    assert provisioner.json()["app"]["deploy"]["revision"] == 99
    assert [entry for entry in provisioner.list() if entry.get("removed")] == []


def test_a_caller_that_leaves_changes_nothing(provisioner):
    for i in range(50):
        connection = provisioner.send("Provision", container=CONTAINER, replica=replica(i + 1))
        connection.close()
    provisioner.provision(replica=replica(99))
    check_replica(provisioner)
    assert provisioner.json()["app"]["deploy"]["revision"] == 99


def failpoints():
    """Walks the failpoints of replicas' directories; test_failpoint_walk.py and tests/unit/test_publish.c walk those of packages."""
    result = subprocess.run([program("provisioner"), "--failpoints"], capture_output=True, text=True, check=True)
    return [name for name in result.stdout.split() if not name.startswith(("publish.", "unpublish.", "copy."))]


STEPS = [
    ("Provision", {"replica": replica(1), "volumes": ["/data"]}),
    ("Update", {"replica": replica(2)}),
    ("RequestTask", {"task": "backup", "id": "0123-abc"}),
    ("Remove", {}),
    ("Provision", {"replica": replica(3), "volumes": ["/data"]}),
    ("Remove", {}),
    ("Provision", {"replica": replica(4), "volumes": ["/data"]}),
    ("Remove", {"purge": True}),
    ("Provision", {"replica": replica(5), "volumes": ["/data"]}),
]


def check_step(provisioner, number, saved):
    """Checks the invariants after a step, whatever happened during it."""
    method, parameters = STEPS[number]
    if method == "RequestTask":
        check_replica(provisioner)
        assert task_request(provisioner) == {"format": 1, **parameters}
        return saved
    if method != "Remove":
        check_replica(provisioner)
        assert provisioner.json()["app"]["deploy"]["revision"] == parameters["replica"]["app"]["deploy"]["revision"]
        assert not [entry for entry in provisioner.list() if entry.get("removed")]
        data = provisioner.action() / "data"
        assert data.exists() == saved
        data.write_text("the tenant's\n")
        return True
    assert not provisioner.container().exists()
    kept = [entry for entry in provisioner.list() if entry.get("removed")]
    assert len(kept) == (0 if parameters else 1)
    return not parameters


@pytest.mark.failpoints
@pytest.mark.parametrize("action", ["kill", "error"])
def test_each_failpoint(make, place, action):
    names = failpoints()
    assert len(names) > 5
    for name in names:
        for nth in ("", "@2", "@3"):
            if nth and name != "files.published":
                continue
            place_of_one = place / f"{name}{nth}"
            place_of_one.mkdir()
            provisioner = Provisioner(place_of_one / "tree")
            try:
                provisioner.start(failpoint=f"{name}{nth}:{action}")
                walk(provisioner, name)
            except AssertionError as error:
                raise AssertionError(f"at {name}{nth}: {error}\n{provisioner.log()}") from error
            finally:
                provisioner.stop()


def walk(provisioner, name):
    saved = False
    for number, (method, parameters) in enumerate(STEPS):
        for _ in range(3):
            try:
                provisioner.call(method, container=CONTAINER, **parameters)
                break
            except varlink.Closed:
                assert provisioner.process.wait(10) == -signal.SIGKILL
                provisioner.start(failpoint=f"{name}:kill")  # once: it passes now
            except varlink.VarlinkError as error:
                assert f"failpoint {name}" in str(error), error
        saved = check_step(provisioner, number, saved)
    provisioner.stop()
    provisioner.start()
    ground.wait_until(lambda: provisioner.hidden() == [], 10, "nothing is left over")
    inner = sorted(entry.name for entry in provisioner.innerstack().iterdir())
    assert inner == ["app_replica.json", "inagent", "ininit"]
    assert (provisioner.once / name).exists(), "the failpoint was reached"
