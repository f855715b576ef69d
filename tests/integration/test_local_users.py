"""What a user of this machine who has no rights can do to a tree, and what a worker can whose process is somebody else's by now."""

import fcntl
import os
import pwd
import select
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from lib import ground
from lib.services import run_hostletd
from lib.tree import SOURCE, VARIANT
from lib.worker import Worker


def run_as(user, program, *arguments, **options):
    """A Python program of one of the system's users, with nothing but his own group."""
    return subprocess.Popen(["setpriv", "--reuid", user, "--regid", user if user != "nobody" else "nogroup", "--clear-groups",
                             "--pdeathsig", "KILL", "--", sys.executable, "-ISBc", program, *map(str, arguments)],
                            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)


def said(process, timeout=30):
    """The next line that it prints."""
    assert select.select([process.stdout], [], [], timeout)[0], "it says nothing"
    return process.stdout.readline().strip()


# Locks

HOLD_ALL = """
import fcntl, os, sys
held = []
for directory, folders, files in os.walk(sys.argv[1]):
    for path in [directory, *(os.path.join(directory, name) for name in files)]:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held.append(path)
        except OSError:
            pass
print(len(held), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("user", ["nobody", "hostlet-rpc"])
def test_whoever_locks_all_that_he_can_open_stops_nothing(make_tree, repository, user):
    repository.add("tiny", "1.0.0", files={"bin/tiny": b"x"})
    tree = make_tree({"driver": {"runtime": "null"}, "fetcher": {"repositories": repository.url}}).start()
    tree.apply({"name": "first", "image": "demo:1", "packages": [{"name": "tiny"}]})
    tree.stop()
    # What an earlier version left.
    (tree.prefix / "run/hostletd.lock").touch(mode=0o644)
    with run_as(user, HOLD_ALL, tree.prefix) as holder:
        assert int(said(holder)) > 10
        tree.start()
        tree.apply({"name": "second", "image": "demo:1", "packages": [{"name": "tiny"}]})
        for service in ("provisioner", "fetcher", "unpacker"):
            tree.ctl("service", "restart", service)
        tree.ctl("destroy", "first", "--purge")
        tree.restart()
        ground.wait_until(lambda: "running" in tree.ctl("app", "second").stdout, 10, "the second one runs")
        holder.stdin.close()


def test_a_second_hostletd_names_the_first_and_may_be_tried_again(null_tree):
    """A start that fails so must not be the last: systemd starts nothing again after exit 100."""
    second = run_hostletd("--prefix", null_tree.prefix, "--services", SOURCE / "svc")
    assert second.returncode == 1
    assert f"this tree ({null_tree.prefix}) runs already: process {null_tree.process.pid} (hostletd) holds the lock" in second.stderr
    # What it holds does not lie where anybody may clean up.
    for path in (null_tree.prefix / "run").iterdir():
        if not path.is_socket():
            path.unlink()
    assert run_hostletd("--prefix", null_tree.prefix, "--services", SOURCE / "svc").returncode == 1


def lock_of(name, prefix):
    if name == "fetcher":
        return prefix / "var/hostlet/fetcher/lock"
    apps = (prefix / "apps").stat()
    return Path(f"/run/hostlet-apps-{os.major(apps.st_dev)}.{os.minor(apps.st_dev)}-{apps.st_ino}.lock")


@pytest.mark.parametrize("name", ["fetcher", "provisioner"])
def test_a_worker_waits_for_its_last_life(place, name):
    prefix = place / "tree"
    assert run_hostletd("--prefix", prefix, "--services", SOURCE / "svc", "--setup").returncode == 0
    worker = Worker(name, prefix)
    worker.start()
    lock = lock_of(name, prefix)
    information = lock.stat()
    assert information.st_mode & 0o777 == 0o600 and information.st_uid == lock.parent.stat().st_uid
    worker.kill()
    with open(lock, "rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        def release():
            ground.wait_until(lambda: "waiting for it" in worker.log(), 10, "it says whom it waits for")
            fcntl.flock(held, fcntl.LOCK_UN)
        thread = threading.Thread(target=release)
        thread.start()
        try:
            worker.start()
        finally:
            thread.join()
            worker.stop()
    assert f"process {os.getpid()} (" in worker.log() and str(lock) in worker.log()


# Planted links

PLACES = {"container-driver": ["hostlet/driver/null", "hostlet/driver"], "fetcher": ["ipk", "hostlet/fetcher"],
          "rpc-gateway": ["hostlet/zone"]}
FOR_HOSTLETD = ["hostlet", "hostlet/reconciler", "hostlet/driver", "hostlet/fetcher", "hostlet/unpacker", "hostlet/provisioner",
                "hostlet/quota-keeper", "hostlet/rpc-gateway", "hostlet/zone", "ipk", "ipk_install"]


@pytest.fixture
def precious(place):
    directory = place / "precious"
    directory.mkdir(mode=0o711)
    (directory / "file").touch(mode=0o604)
    before = {path: path.lstat() for path in (directory, directory / "file")}
    yield directory
    for path, was in before.items():
        now = path.lstat()
        assert (now.st_uid, now.st_gid, now.st_mode) == (was.st_uid, was.st_gid, was.st_mode), path
    assert sorted(entry.name for entry in directory.iterdir()) == ["file"]


@pytest.fixture
def ground_of(place):
    prefix = place / "tree"
    (prefix / "etc").mkdir(parents=True)
    assert run_hostletd("--prefix", prefix, "--services", SOURCE / "svc", "--setup").returncode == 0
    return prefix


def plant(link, target):
    """By the user whose directory it is, as a worker could whose process is somebody else's."""
    if link.is_dir():
        link.rename(link.with_name("aside"))
    owner = link.parent.stat()
    subprocess.run(["ln", "-s", target, link], check=True, user=owner.st_uid, group=owner.st_gid, extra_groups=[])


@pytest.mark.parametrize("name, path", [(name, path) for name, paths in PLACES.items() for path in paths])
def test_no_worker_follows_a_planted_link_as_root(ground_of, precious, name, path):
    link = ground_of / "var" / path
    plant(link, precious)
    worker = Worker(name, ground_of, {"driver": {"runtime": "null"}, "zone": {
        "enable": True, "peer_port": ground.free_port(), "http_port": ground.free_port()}})
    with pytest.raises(AssertionError, match="is not ready"):
        worker.start()
    assert worker.process.wait(10) == 100
    assert worker.log().count(str(link)) == 1, worker.log()
    link.unlink()
    worker.start()
    assert worker.stop() == 0


@pytest.mark.parametrize("path", FOR_HOSTLETD)
def test_hostletd_follows_no_planted_link(ground_of, precious, path):
    link = ground_of / "var" / path
    plant(link, precious)
    result = run_hostletd("--prefix", ground_of, "--services", SOURCE / "svc", "--setup")
    assert result.returncode == 100 and f"'{link}' is not a directory" in result.stderr
    link.unlink()
    assert run_hostletd("--prefix", ground_of, "--services", SOURCE / "svc", "--setup").returncode == 0


@pytest.mark.skipif(VARIANT == "sanitized", reason="the sanitized build has no jail, and takes no group")
@pytest.mark.parametrize("owner, taken", [("root", True), ("hostlet-driver", False)])
def test_the_group_of_dockers_socket_is_not_chosen_by_the_driver(ground_of, place, owner, taken):
    """The name of the socket leads to any socket of the machine, whose group root would give to the driver."""
    target, link = place / "other.sock", ground_of / "var/hostlet/driver/docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(target))
        os.chown(target, 0, 54321)
        link.parent.chmod(0o755)
        os.chown(link.parent, 0, 0)
        link.symlink_to(target)
        os.chown(link, pwd.getpwnam(owner).pw_uid, 0, follow_symlinks=False)
        worker = Worker("container-driver", ground_of, {"driver": {"runtime": "docker", "docker_socket": str(link)}})
        worker.start()
        try:
            status = Path(f"/proc/{worker.process.pid}/status").read_text()
            groups = next(line for line in status.splitlines() if line.startswith("Groups:")).split()[1:]
            assert ("54321" in groups) == taken
            assert ("its group is not taken" in worker.log()) == (not taken)
        finally:
            worker.stop()
