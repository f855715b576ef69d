"""Tests what an unprivileged user of this machine can do to a tree, and what an attacker can who controls a worker."""

import fcntl
import grp
import json
import os
import pwd
import select
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from lib import ground
from lib.services import reload, run_hostletd
from lib.tree import SOURCE, VARIANT, program
from lib.worker import Worker


def run_as(user, program, *arguments, **options):
    """Starts a Python program as one of the system's users, with nothing but its own group."""
    command = ["setpriv", "--reuid", user, "--regid", user if user != "nobody" else "nogroup", "--clear-groups", "--pdeathsig",
               "KILL", "--"]
    return start_python(command, program, *arguments, **options)


def start_python(command, program, *arguments, **options):
    return subprocess.Popen([*command, sys.executable, "-ISBc", program, *map(str, arguments)],
                            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)


def said(process, timeout=30):
    """Returns the next line that it prints."""
    assert select.select([process.stdout], [], [], timeout)[0], "the process logs nothing"
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


@pytest.mark.parametrize("user", ["nobody", "hostlet-rpc-gateway"])
def test_locks_of_an_unprivileged_user_stop_nothing(make_tree, repository, user):
    repository.add("tiny", "1.0.0", files={"bin/tiny": b"x"})
    tree = make_tree({"container-driver": {"runtime": "null"}, "fetcher": {"repositories": repository.url}}).start()
    tree.apply({"name": "first", "image": "demo:1", "packages": [{"name": "tiny"}]})
    tree.stop()
    # Left by an earlier version.
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


def test_a_second_hostletd_names_the_first_and_can_be_retried(null_tree):
    """Such a failure must not prevent a later start: systemd starts nothing again after exit 100."""
    second = run_hostletd("--prefix", null_tree.prefix, "--services", SOURCE / "svc")
    assert second.returncode == 1
    holder = ground.holder_of_locks(null_tree.prefix, null_tree.process.pid, "hostletd")
    assert f"this tree ({null_tree.prefix}) runs already: {holder} holds the lock" in second.stderr
    # Its lock is not in a directory that other users can clean up.
    for path in (null_tree.prefix / "run").iterdir():
        if not path.is_socket():
            path.unlink()
    assert run_hostletd("--prefix", null_tree.prefix, "--services", SOURCE / "svc").returncode == 1


def lock_of(name, prefix):
    if name == "fetcher":
        return prefix / "var/hostlet/fetcher/lock"
    apps = (prefix / "apps").stat()
    return Path(f"/run/hostlet-apps-{os.major(apps.st_dev)}.{os.minor(apps.st_dev)}-{apps.st_ino}.lock")


def test_a_provisioner_whose_lock_is_deleted_exits_and_locks_again(null_tree):
    """Otherwise another tree could work in the same app path."""
    null_tree.call("provisioner", "org.varlink.service.GetInfo")
    first, lock = null_tree.pid("provisioner"), lock_of("provisioner", null_tree.prefix)
    lock.unlink()
    ground.wait_until(lambda: not ground.alive(first), 10, "it exits")
    ground.wait_until(lambda: f"the lock '{lock}' was deleted or replaced" in null_tree.log(), 10, "its last line is in the log")
    null_tree.call("provisioner", "org.varlink.service.GetInfo")
    assert lock.exists() and null_tree.pid("provisioner") != first


@pytest.mark.parametrize("name", ["fetcher", "provisioner"])
def test_a_worker_waits_for_the_exit_of_its_predecessor(place, name):
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
            ground.wait_until(lambda: "waiting for it" in worker.log(), 10, "the process names the process that it waits for")
            fcntl.flock(held, fcntl.LOCK_UN)
        thread = threading.Thread(target=release)
        thread.start()
        try:
            worker.start()
        finally:
            thread.join()
            worker.stop()
    name = Path("/proc/self/comm").read_text().strip()
    assert ground.holder_of_locks(lock.parent, os.getpid(), name) in worker.log() and str(lock) in worker.log()


def test_an_object_that_cannot_be_a_lock_is_named_in_the_message(ground_of):
    """The object is planted where the fetcher's lock is: the message names the object, and not another fetcher."""
    lock = ground_of / "var/hostlet/fetcher/lock"
    owner = lock.parent.stat()
    subprocess.run(["mkfifo", lock], check=True, user=owner.st_uid, group=owner.st_gid, extra_groups=[])
    worker = Worker("fetcher", ground_of)
    with pytest.raises(AssertionError, match="is not ready"):
        worker.start()
    assert worker.process.wait(10) == 1
    assert f"'{lock}' is no regular file" in worker.log() and "another fetcher" not in worker.log()


# Planted links

PLACES = {"container-driver": ["hostlet/container-driver/null", "hostlet/container-driver"], "fetcher": ["ipk", "hostlet/fetcher"],
          "rpc-gateway": ["hostlet/zone"]}
FOR_HOSTLETD = ["hostlet", "hostlet/reconciler", "hostlet/container-driver", "hostlet/fetcher", "hostlet/unpacker", "hostlet/provisioner",
                "hostlet/quota-keeper", "hostlet/net-keeper", "hostlet/rpc-gateway", "hostlet/zone", "ipk", "ipk_install"]


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
    """The user who owns the directory plants it, as an attacker could who controls a worker."""
    if link.is_dir():
        link.rename(link.with_name("aside"))
    owner = link.parent.stat()
    subprocess.run(["ln", "-s", target, link], check=True, user=owner.st_uid, group=owner.st_gid, extra_groups=[])


@pytest.mark.parametrize("name, path", [(name, path) for name, paths in PLACES.items() for path in paths])
def test_no_worker_follows_a_planted_link_as_root(ground_of, precious, name, path):
    link = ground_of / "var" / path
    plant(link, precious)
    worker = Worker(name, ground_of, {"container-driver": {"runtime": "null"}, "zone": {
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
@pytest.mark.parametrize("owner, taken", [("root", True), ("hostlet-container-driver", False)])
def test_the_driver_cannot_choose_the_group_of_dockers_socket(ground_of, place, owner, taken):
    """The socket's name can lead to any socket of the machine, whose group root would assign to the driver."""
    target, link = place / "other.sock", ground_of / "var/hostlet/container-driver/docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(target))
        os.chown(target, 0, 54321)
        link.parent.chmod(0o755)
        os.chown(link.parent, 0, 0)
        link.symlink_to(target)
        os.chown(link, pwd.getpwnam(owner).pw_uid, 0, follow_symlinks=False)
        worker = Worker("container-driver", ground_of, {"container-driver": {"runtime": "docker", "docker_socket": str(link)}})
        worker.start()
        try:
            status = Path(f"/proc/{worker.process.pid}/status").read_text()
            groups = next(line for line in status.splitlines() if line.startswith("Groups:")).split()[1:]
            assert ("54321" in groups) == taken
            assert ("does not get the socket's group" in worker.log()) == (not taken)
        finally:
            worker.stop()


# Sockets: who can open them, and how much memory their callers can use

WORKERS = {"hostlet-reconciler", "hostlet-fetcher", "hostlet-unpacker", "hostlet-container-driver", "hostlet-rpc-gateway"}
CONNECT = """
import socket, sys
for path in sys.argv[1:]:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
        print("yes", flush=True)
    except PermissionError:
        print("no", flush=True)
"""


def topology():
    """Returns who can open which socket, as the files in svc state: {socket: users}."""
    allowed, askers = {}, set()
    for path in (SOURCE / "svc").glob("*/service.conf"):
        conf = dict(line.split(" = ", 1) for line in path.read_text().splitlines() if " = " in line)
        allowed[conf["socket"]] = {peer.partition(":")[0] for peer in conf.get("peers", "").split()}
        if "supervisor" in conf:
            askers.add(conf["user"])
    return {**allowed, "supervisor": askers}


def who_can_open(prefix, users):
    sockets = sorted(path.stem for path in (prefix / "run").glob("*.sock"))
    can = {name: set() for name in sockets}
    for user in users:
        with run_as(user, CONNECT, *(prefix / f"run/{name}.sock" for name in sockets)) as process:
            for name in sockets:
                answer = said(process)
                assert answer in ("yes", "no"), answer
                if answer == "yes":
                    can[name].add(user)
    return can


def test_each_socket_opens_for_its_configured_peers_alone(make_tree):
    tree = make_tree({"container-driver": {"runtime": "null"}}).start()
    assert who_can_open(tree.prefix, [*WORKERS, "nobody"]) == topology()


def test_a_socket_that_a_worker_binds_itself(ground_of):
    worker = Worker("reconciler", ground_of)
    worker.start()
    try:
        assert who_can_open(ground_of, [*WORKERS, "nobody"]) == {"reconciler": {"hostlet-rpc-gateway"}}
    finally:
        worker.stop()


def test_a_reload_opens_and_closes_sockets(start, services):
    services.add("one", peers="nobody")
    services.add("two", user="hostlet-rpc-gateway", supervisor="List")
    tree = start()
    users = [*WORKERS, "nobody"]
    assert who_can_open(tree.prefix, users) == {"one": {"nobody"}, "two": set(), "supervisor": {"hostlet-rpc-gateway"}}
    services.write("one", exec=services.programs / "one", socket="one", peers="hostlet-fetcher hostlet-container-driver:Ping")
    services.write("two", exec=services.programs / "two", socket="two", peers="nobody")
    reload(tree, "2 services changed")
    after = {"one": {"hostlet-fetcher", "hostlet-container-driver"}, "two": {"nobody"}, "supervisor": set()}
    ground.wait_until(lambda: who_can_open(tree.prefix, users) == after, 10, "the sockets follow")


def test_without_access_lists_the_group_can_connect_and_each_call_is_checked(make_tree):
    tree = make_tree({"container-driver": {"runtime": "null"}})
    (tree.prefix / "run").mkdir(parents=True)
    subprocess.run(["mount", "-t", "ramfs", "none", tree.prefix / "run"], check=True)
    try:
        tree.start()
        assert tree.log().count("has no access lists") == 1
        for path in (tree.prefix / "run").glob("*.sock"):
            information = path.stat()
            some = bool(topology()[path.stem])
            assert information.st_mode & 0o777 == (0o660 if some else 0o600), path
            assert not some or information.st_gid == grp.getgrnam("hostlet").gr_gid
        tree.apply({"name": "web", "image": "demo:1"})  # workers reach each other
    finally:
        tree.stop()
        subprocess.run(["umount", tree.prefix / "run"], check=True)


UNFINISHED = """
import os, select, socket, sys, time
path, size = sys.argv[1], int(sys.argv[2])
data = b'{"method":"' + b"x" * size
left, end = {}, time.monotonic() + 5
for _ in range(128):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    connection.setblocking(False)
    left[connection] = memoryview(data)
sent = 0
while left and time.monotonic() < end:
    _, ready, _ = select.select([], list(left), [], 0.5)
    if not ready:
        break  # nobody reads on
    for connection in ready:
        try:
            n = connection.send(left[connection])
        except OSError:
            del left[connection]
            continue
        sent += n
        left[connection] = left[connection][n:]
        if not left[connection]:
            del left[connection]
print(sent, flush=True)
sys.stdin.read()
"""


def resident(pid):
    """Returns the peak of resident bytes of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise AssertionError(f"process {pid} has no memory")


@pytest.mark.parametrize("user, service", [("nobody", "hostletd"), ("nobody", "reconciler"), ("hostlet-rpc-gateway", "hostletd"),
                                           ("hostlet-rpc-gateway", "reconciler"), ("hostlet-rpc-gateway", "quota-keeper")])
def test_unfinished_messages_use_little_memory(make_tree, user, service):
    """Sends 128 messages of 15 MiB each: as an unprivileged user for whom the socket is open nevertheless, and as a worker with
    few rights."""
    tree = make_tree({"container-driver": {"runtime": "null"}}).start()
    pid = tree.process.pid if service == "hostletd" else tree.pid(service)
    before = resident(pid)
    start = start_python if user == "nobody" else run_as
    by = ground.as_user_who_opens_all("nobody", "nogroup") if user == "nobody" else user
    with start(by, UNFINISHED, tree.socket(service), 15 << 20) as sender:
        assert said(sender, 60).isdigit()
        assert resident(pid) - before < (8 << 20 if user == "nobody" else 64 << 20)
        assert tree.ctl("services").returncode == 0
        tree.apply({"name": "web", "image": "demo:1"})
        sender.stdin.close()


IDLE = """
import socket, sys
held = []
for _ in range(int(sys.argv[2])):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(sys.argv[1])
    held.append(connection)
print("connected", flush=True)
sys.stdin.readline()
# What asks for nothing gives way to what does.
last = socket.socket(socket.AF_UNIX)
last.settimeout(20)
last.connect(sys.argv[1])
last.sendall(b'{"method":"org.varlink.service.GetInfo"}\\0')
print("answered" if last.recv(65536) else "sent away", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("user, service", [("hostlet-rpc-gateway", "reconciler"), ("hostlet-rpc-gateway", "hostletd"), ("hostlet-rpc-gateway", "quota-keeper"),
                                           ("hostlet-reconciler", "container-driver")])
def test_idle_connections_of_a_worker_exclude_no_other_caller(make_tree, user, service):
    tree = make_tree({"container-driver": {"runtime": "null"}}).start()
    with run_as(user, IDLE, tree.socket(service), 600) as holder:
        assert said(holder) == "connected"
        assert tree.ctl("services").returncode == 0
        tree.apply({"name": "web", "image": "demo:1"})
        assert tree.call(service, "org.varlink.service.GetInfo")["product"]
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert said(holder) == "answered"
        holder.stdin.close()


@pytest.mark.limit(120)
def test_an_unfinished_message_has_a_time_limit(null_tree):
    """A byte now and then does not restart the time limit of a message. A caller that waits for the end loses no time by that."""
    with null_tree.connect("hostletd") as connection, null_tree.connect("hostletd", 60) as other:
        begun = time.monotonic()
        connection.send_raw(b" " * 50000)
        whole = json.dumps({"method": "org.varlink.service.GetInfo", "parameters": {"x": "x" * 60000}}).encode() + b"\0"
        other.send_raw(whole)
        while time.monotonic() - begun < 60:
            try:
                connection.send_raw(b" ")
            except (BrokenPipeError, ConnectionResetError):
                break
            if select.select([connection.socket], [], [], 2)[0] and connection.at_end():
                break
        assert 25 < time.monotonic() - begun < 45
        assert other.socket.recv(65536).startswith(b'{"parameters":')


def test_hostletctl_names_the_permitted_users(make_tree):
    tree = make_tree({"container-driver": {"runtime": "null"}}).start()

    def ask(command="services", by=("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--")):
        return subprocess.run([*by, program("hostletctl"), "--prefix", tree.prefix, command], text=True, capture_output=True,
                              timeout=30)
    closed = ask()
    assert closed.returncode == 1 and "this user may not open" in closed.stderr and "peers" in closed.stderr
    status = ask("status")
    assert status.returncode == 1 and status.stdout.count("this user may not open") >= 4 and "not enforced" not in status.stdout
    sent_away = ask(by=ground.as_user_who_opens_all("nobody", "nogroup"))
    assert sent_away.returncode == 1 and "this user may not call this service" in sent_away.stderr
