"""Tests that a tree makes again what is deleted, moved or changed in its run directory, and that its callers do not notice."""

import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess

import pytest
from lib import ground
from lib.services import Call, reload, run_hostletd, status, supervise, wait_for
from lib.tree import SOURCE
from lib.varlink import VarlinkError
from lib.worker import Worker

NOBODY = pwd.getpwnam("nobody")


def rights(path):
    information = path.lstat()
    with contextlib.suppress(OSError):
        return information.st_uid, information.st_mode, os.getxattr(path, "system.posix_acl_access")
    return information.st_uid, information.st_mode, b""


def run_of(tree):
    information = (tree.prefix / "run").stat()
    return {"": (information.st_uid, information.st_mode & ~stat.S_ISVTX)} | {
        path.name: rights(path) for path in (tree.prefix / "run").iterdir()}


def reaches(tree, service):
    """Reports whether the path leads to the process. A file of before can be there, at which no process listens."""
    with contextlib.suppress(ConnectionRefusedError), tree.connect(service, 5) as connection:
        return connection.call("org.varlink.service.GetInfo")["interfaces"]
    return False


def is_whole(tree, before):
    def look():
        with contextlib.suppress(FileNotFoundError):
            now = run_of(tree)
            return now if now != before else "whole"
        return "there is no run directory"
    ground.wait_until(lambda: look() == "whole", 10, "the run directory is as before")
    for service in ("hostletd", "container-driver", "quota-keeper", "reconciler"):
        ground.wait_until(lambda s=service: reaches(tree, s), 10, f"{service} is reached")
    assert (tree.prefix / "run/hostletd.pid").read_text() == f"{tree.process.pid}\n"


def remove_directory(run):
    """hostletd can make a file again between the removal of the files and of the directory."""
    ground.wait_until(lambda: subprocess.run(["rm", "-rf", run], stderr=subprocess.DEVNULL).returncode == 0, 10, "it is removed")


def take_directory(run):
    run.rename(run.with_name("taken"))
    with contextlib.suppress(FileExistsError):
        run.mkdir(mode=0o700)
    os.chown(run, NOBODY.pw_uid, NOBODY.pw_gid)
    shutil.rmtree(run.with_name("taken"))


def replace_by_a_file(run):
    (run / "file").write_text("not a socket")
    (run / "file").rename(run / "reconciler.sock")


def replace_by_another_socket(run):
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(run / "other"))
        other.listen()
        (run / "other").rename(run / "reconciler.sock")


DAMAGES = {
    "one socket": lambda run: (run / "reconciler.sock").unlink(),
    "the supervisor's": lambda run: (run / "supervisor.sock").unlink(),
    "everything": lambda run: subprocess.run(f"rm -rf {run}/*", shell=True, check=True),
    "the directory": remove_directory,
    "the directory, which is another user's then": take_directory,
    "a socket, by renaming": lambda run: ((run / "reconciler.sock").rename(run / "away"), (run / "away").unlink()),
    "a file in its place": replace_by_a_file,
    "a socket in its place": replace_by_another_socket,
    "its mode": lambda run: (run / "reconciler.sock").chmod(0),
    "its mode, for all": lambda run: (run / "supervisor.sock").chmod(0o777),
    "its owner": lambda run: os.chown(run / "container-driver.sock", NOBODY.pw_uid, NOBODY.pw_gid),
    "its access list": lambda run: os.removexattr(run / "container-driver.sock", "system.posix_acl_access"),
    "the directory's mode": lambda run: run.chmod(0o700),
    "the directory's owner": lambda run: os.chown(run, NOBODY.pw_uid, NOBODY.pw_gid),
    "the pid file": lambda run: (run / "hostletd.pid").unlink(),
}


def test_what_is_deleted_or_changed_is_made_again_and_no_process_restarts(null_tree):
    run, before = null_tree.prefix / "run", run_of(null_tree)
    processes = null_tree.children()
    null_tree.ctl("services")
    with null_tree.connect("reconciler", 60) as follower:
        follower.send({"method": "io.hostlet.Reconciler.Watch", "more": True})
        while not follower.receive()["parameters"].get("complete"):
            pass
        for what, damage in DAMAGES.items():

            damage(run)
            try:
                is_whole(null_tree, before)
            except AssertionError as error:
                raise AssertionError(f"after the loss of {what}: {error}") from error
        assert null_tree.children() == processes
        # The workers reach each other by these paths, and a call from before goes on.
        null_tree.apply({"name": "web", "image": "demo:1"}, "--no-wait")
        while follower.receive()["parameters"]["instance"]["replicas"][0]["state"] != "running":
            pass
    assert null_tree.log().count("reconciler: its socket") >= 6
    assert null_tree.log().count("had other rights") == 4
    # The lock is elsewhere.
    assert run_hostletd("--prefix", null_tree.prefix, "--services", SOURCE / "svc").returncode == 1


def test_other_file_systems_over_the_directory_and_below_it(null_tree):
    run, before = null_tree.prefix / "run", run_of(null_tree)
    processes = null_tree.children()
    subprocess.run(["mount", "-t", "tmpfs", "none", run], check=True)
    try:
        is_whole(null_tree, before)
        os.rename(null_tree.prefix, null_tree.prefix.with_name("away"))
        os.rename(null_tree.prefix.with_name("away"), null_tree.prefix)
        is_whole(null_tree, before)
    finally:
        subprocess.run(["umount", "--lazy", run], check=True)
    is_whole(null_tree, before)
    assert null_tree.children() == processes


def test_callers_who_wait_at_the_old_socket_are_served(null_tree):
    pid = null_tree.pid("reconciler")
    path = null_tree.socket("reconciler")
    os.kill(pid, signal.SIGSTOP)
    try:
        earlier = Call(null_tree, "reconciler", "io.hostlet.Reconciler.Info")
        for _ in range(3):
            inode = path.stat().st_ino
            path.unlink()
            ground.wait_until(lambda was=inode: path.exists() and path.stat().st_ino != was, 10, "it is bound again")
            later = Call(null_tree, "reconciler", "io.hostlet.Reconciler.Info")
            assert not later.answered(0.05)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert "parameters" in earlier.answer() and "parameters" in later.answer()
    assert null_tree.pid("reconciler") == pid


def test_a_service_that_does_not_run_keeps_its_socket_and_its_reason(null_tree):
    for service in ("fetcher", "unpacker"):
        null_tree.socket(service).unlink()
    ground.wait_until(null_tree.socket("fetcher").exists, 10, "it is bound again")
    ground.wait_until(null_tree.socket("unpacker").exists, 10, "it is bound again")
    assert reaches(null_tree, "fetcher"), "the call starts it"
    assert status(null_tree, "fetcher")["state"] == "ready" and status(null_tree, "unpacker")["state"] == "listening"
    null_tree.ctl("service", "stop", "unpacker")
    null_tree.socket("unpacker").unlink()
    ground.wait_until(null_tree.socket("unpacker").exists, 10, "it is bound again")
    with pytest.raises(VarlinkError, match="'unpacker' is stopped"):
        null_tree.call("unpacker", "Unpack", name="a", version="1")


def test_the_process_of_a_stopped_service_can_be_run_by_hand(null_tree):
    """So it is debugged, as HACKING.md describes."""
    null_tree.ctl("service", "stop", "unpacker")
    worker = Worker("unpacker", null_tree.prefix, null_tree.settings)
    worker.start()
    inode = worker.socket.stat().st_ino
    (null_tree.prefix / "run/hostletd.pid").unlink()
    ground.wait_until((null_tree.prefix / "run/hostletd.pid").exists, 10, "hostletd has examined the directory")
    assert worker.socket.stat().st_ino == inode
    assert worker.call("org.varlink.service.GetInfo")["product"]
    null_tree.ctl("service", "start", "unpacker")
    assert worker.process.wait(10) == 1 and "was deleted or replaced" in worker.log()
    assert reaches(null_tree, "unpacker") and status(null_tree, "unpacker")["state"] == "ready"


def test_the_path_is_lent_before_the_process_run_by_hand_has_bound_it(null_tree):
    """The process takes the lock, removes the socket and binds its own: hostletd can look between any two of these."""
    def examine():
        (null_tree.prefix / "run/hostletd.pid").unlink()
        ground.wait_until((null_tree.prefix / "run/hostletd.pid").exists, 10, "hostletd has examined the directory")
    null_tree.ctl("service", "stop", "unpacker")
    path = null_tree.socket("unpacker")
    with open(f"{path}.lock", "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path.unlink()
        examine()
        assert not path.exists()
    examine()
    ground.wait_until(path.exists, 10, "hostletd has bound it again")


def test_a_program_that_does_not_take_sockets_is_restarted(start, services):
    """service.conf(5) lets an administrator add such a program."""
    services.add("plain")
    tree = start()
    first = status(tree, "plain")["pid"]
    waiting = Call(tree, "plain")
    assert waiting.answer()["parameters"]["pid"] == first
    tree.socket("plain").unlink()
    ground.wait_until(lambda: status(tree, "plain").get("pid") not in (None, first), 10, "it is another process")
    wait_for(tree, "plain", "ready")
    assert Call(tree, "plain").answer()["parameters"]["pid"] == status(tree, "plain")["pid"]
    assert "plain: is restarted, to listen on its new socket" in tree.log()


def test_what_cannot_be_bound_is_shown_and_bound_when_that_is_possible(start, services):
    services.add("plain")
    tree = start()
    path = tree.socket("plain")
    tree.process.send_signal(signal.SIGSTOP)
    path.unlink()
    path.mkdir()
    tree.process.send_signal(signal.SIGCONT)
    reason = ground.wait_until(lambda: status(tree, "plain").get("reason"), 10, "the service has a reason")
    assert status(tree, "plain")["state"] == "ready"
    assert "no caller reaches it" in reason and f"'{path}'" in reason and "Is a directory" in reason
    ground.wait_until(lambda: "tried again" in tree.log(), 10, "it is logged")
    assert tree.log().count("Is a directory") == 2
    path.rmdir()
    ground.wait_until(lambda: path.is_socket() and "reason" not in status(tree, "plain"), 10, "it is bound again")
    assert "pid" in Call(tree, "plain").answer()["parameters"]


def test_a_link_in_place_of_the_directory_is_refused_until_it_is_removed(start, services, place):
    services.add("plain")
    tree = start()
    run = tree.prefix / "run"
    (place / "elsewhere").mkdir()
    tree.process.send_signal(signal.SIGSTOP)
    shutil.rmtree(run)
    run.symlink_to(place / "elsewhere")
    tree.process.send_signal(signal.SIGCONT)
    ground.wait_until(lambda: f"'{run}' is not a directory" in tree.log(), 10, "the link is refused")
    assert not list((place / "elsewhere").iterdir())
    run.unlink()
    ground.wait_until(lambda: tree.socket("plain").exists() and reaches(tree, "hostletd"), 10, "the directory is made again")


# A machine without a free inotify instance, and one without a free watch.
NO_INSTANCE = "int inotify_init1(int flags) { return (void)flags, errno = EMFILE, -1; }"
NO_WATCH = "int inotify_add_watch(int fd, const char *path, unsigned mask) { return (void)fd, (void)path, (void)mask, errno = ENOSPC, -1; }"


@pytest.mark.parametrize("lack, limit, problem", [(NO_INSTANCE, "instances", "Too many open files"),
                                                  (NO_WATCH, "watches", "No space left on device")])
def test_without_inotify_it_is_looked_at_regularly_and_by_a_reload_and_a_start(make_tree, services, place, lack, limit, problem):
    services.add("plain", "ready()\nrest()\n")
    (place / "none.c").write_text(f"#include <errno.h>\n{lack}\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", place / "none.so", place / "none.c"], check=True)
    tree = make_tree(environment={"LD_PRELOAD": str(place / "none.so")}).start(arguments=services.arguments)
    message = f"cannot watch the path '{tree.prefix}/run' (a user's limit is fs.inotify.max_user_{limit}): {problem}"
    assert message in tree.log()
    tree.socket("plain").unlink()
    ground.wait_until(tree.socket("plain").exists, 20, "it is bound again")
    assert tree.log().count(message) == 1
    for path in (tree.prefix / "run").iterdir():
        path.unlink()
    reload(tree, "configuration read anew")
    assert tree.socket("plain").exists()
    supervise(tree, "Stop", "plain")
    tree.socket("plain").unlink()
    supervise(tree, "Start", "plain")
    assert tree.socket("plain").exists()


@pytest.mark.parametrize("name", ["reconciler", "quota-keeper", "provisioner"])
@pytest.mark.parametrize("act", [
    lambda run, socket: (run / socket).rename(run / "away"),
    lambda run, socket: (run / socket).unlink(),
    lambda run, socket: (run / "other").rename(run / socket),
    lambda run, socket: shutil.rmtree(run),
    lambda run, socket: run.rename(run.parent / "away"),
    lambda run, socket: subprocess.run(["mount", "-t", "tmpfs", "none", run], check=True),
], ids=["moved", "deleted", "replaced", "with its directory", "its directory moved", "below a mount"])
def test_a_worker_that_bound_its_socket_itself_exits_when_that_is_deleted(place, name, act):
    """Its jail does not let it bind the socket: its supervisor starts it again, and it binds the socket then."""
    prefix = place / "tree"
    assert run_hostletd("--prefix", prefix, "--services", SOURCE / "svc", "--setup").returncode == 0
    worker = Worker(name, prefix)
    worker.start()
    (prefix / "run/other").touch()
    run = prefix / "run"
    try:
        act(run, f"{name}.sock")
        assert worker.process.wait(10) == 1
        assert f"the socket '{worker.socket}' was deleted or replaced" in worker.log()
    finally:
        subprocess.run(["umount", "-q", run], check=False)
    assert run_hostletd("--prefix", prefix, "--services", SOURCE / "svc", "--setup").returncode == 0
    worker.start()
    assert worker.stop() == 0


def test_a_hostletd_whose_lock_was_deleted_is_not_joined(start, services):
    """People delete locks that are in their way. Two would take the sockets from each other for ever."""
    services.add("plain")
    tree = start()
    (tree.prefix / "var/hostlet/hostletd.lock").unlink()
    for path in (tree.prefix / "run").iterdir():
        path.unlink()
    ground.wait_until(tree.socket("hostletd").exists, 10, "it is bound again")
    second = run_hostletd("--prefix", tree.prefix, *services.arguments)
    assert second.returncode == 1
    assert f"runs already: process {tree.process.pid} listens on '{tree.socket('hostletd')}'" in second.stderr
    assert (tree.prefix / "run/hostletd.pid").read_text() == f"{tree.process.pid}\n"
    tree.kill()
    tree.start(arguments=services.arguments)


def test_a_hostletd_of_an_earlier_version_is_not_joined(make_tree, services, place):
    """Its lock is in the run directory. Another program that holds this file does not count."""
    services.add("plain")
    tree = make_tree().start(arguments=services.arguments)
    tree.stop()
    lock = tree.prefix / "run/hostletd.lock"
    for name in ("hostletd", "another"):
        shutil.copy(shutil.which("flock"), place / name)
        with subprocess.Popen([place / name, lock, "cat"], stdin=subprocess.PIPE) as holder:
            ground.wait_until(lambda: subprocess.run(["flock", "-n", lock, "true"]).returncode, 10, "the lock is held")
            (tree.prefix / "run/hostletd.pid").write_text(f"{holder.pid}\n")
            if name == "hostletd":
                second = run_hostletd("--prefix", tree.prefix, *services.arguments)
                assert second.returncode == 1
                assert f"runs already: process {holder.pid} is the hostletd of an earlier version" in second.stderr
            else:
                tree.start(arguments=services.arguments)
            holder.stdin.close()
