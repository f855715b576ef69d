"""Runs provisioner alone, and tenants that attack it."""

import contextlib
import ctypes
import itertools
import json
import os
import select
import signal
import stat
import subprocess
import time
from pathlib import Path

from . import ground, varlink
from .tree import BUILD, SOURCE, ini, program

ACTION = 2048
CONTAINER = "i8k_web_0"
INTERFACE = "io.hostlet.Provisioner."


def replica(revision=1, name="web", number=0, **more):
    """Returns the desired content of app_replica.json."""
    return {"app": {"meta": {"name": name}, "spec": {"name": name, "resources": {"cpu_limit": "500m"}},
                    "deploy": {"revision": revision}},
            "replica": {"id": number} if number else {},
            "hostlet_endpoint": {"secret_key": "ab" * 17}, **more}


class Provisioner:
    """The process, started by hand as root: it binds its own socket and never ends when idle."""

    def __init__(self, prefix, settings=None):
        self.prefix = prefix
        self.apps = prefix / "apps"
        self.settings = settings or {}
        self.process = None
        self.log_path = prefix.parent / "provisioner.log"
        self.once = prefix.parent / "once"
        for name in ("etc", "run"):
            (prefix / name).mkdir(parents=True, exist_ok=True)
        prefix.chmod(0o755)

    def start(self, failpoint=None, umask=None, once=True):
        (self.prefix / "etc" / "hostlet.conf").write_text(ini(self.settings))
        environment = {**os.environ, "HOSTLET_DATA": str(SOURCE / "src/inagent")}
        if failpoint:
            self.once.mkdir(exist_ok=True)
            environment |= {"HOSTLET_FAILPOINT": failpoint}
            if once:
                environment |= {"HOSTLET_FAILPOINT_ONCE": str(self.once)}
        reading, writing = os.pipe()
        old = os.umask(umask) if umask is not None else None
        try:
            self.process = ground.start(
                [program("provisioner"), "--prefix", self.prefix, "--services", SOURCE / "svc", "--libexec", BUILD,
                 "--notification-fd", writing], self.log_path, environment=environment, pass_fds=[writing])
        finally:
            if old is not None:
                os.umask(old)
            os.close(writing)
        ready, _, _ = select.select([reading], [], [], 20)
        is_ready = bool(ready and os.read(reading, 1))
        os.close(reading)
        if not is_ready:
            raise AssertionError(f"provisioner is not ready (exit {self.process.wait(20)}):\n{self.log()}")
        return self

    def stop(self):
        return ground.stop(self.process) if self.process else None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    @property
    def socket(self):
        return self.prefix / "run" / "provisioner.sock"

    def call(self, method, timeout=30, **parameters):
        with varlink.Varlink(self.socket, timeout=timeout) as connection:
            return connection.call(INTERFACE + method, **parameters)

    def send(self, method, **parameters):
        """A call whose answer is received later."""
        connection = varlink.Varlink(self.socket, timeout=60)
        connection.send({"method": INTERFACE + method, "parameters": parameters})
        return connection

    def provision(self, container=CONTAINER, **more):
        return self.call("Provision", container=container, replica=more.pop("replica", replica()), **more)

    def list(self):
        with varlink.Varlink(self.socket) as connection:
            return [entry for entry in connection.stream(INTERFACE + "List") if entry]

    def deletions(self):
        with varlink.Varlink(self.socket) as connection:
            return [entry for entry in connection.stream(INTERFACE + "Deletions") if entry]

    # Its directories

    def container(self, name=CONTAINER):
        return self.apps / name

    def action(self, name=CONTAINER):
        return self.container(name) / "home/action"

    def innerstack(self, name=CONTAINER):
        return self.action(name) / ".innerstack"

    def json(self, name=CONTAINER):
        return json.loads((self.innerstack(name) / "app_replica.json").read_text())

    def hidden(self):
        return sorted(entry.name for entry in self.apps.iterdir() if entry.name.startswith("."))


def look(path):
    """Returns the fields that change when the file is touched."""
    st = os.lstat(path)
    return (st.st_ino, st.st_mode, st.st_uid, st.st_gid, st.st_size, st.st_mtime_ns, st.st_ctime_ns)


def snapshot(directory):
    """Returns metadata and contents of a directory and all below it. Files are read without changing their times."""
    entries = {".": look(directory)}
    for path in sorted(Path(directory).rglob("*")):
        entries[str(path.relative_to(directory))] = (look(path), path.read_bytes() if path.is_file() else None)
    return entries


def check_replica(provisioner, name=CONTAINER):
    """Returns owners and modes of a replica's directories and files, as the contract defines them."""
    expected = {
        "": (0, 0, stat.S_IFDIR | 0o700),
        "opt": (ACTION, ACTION, stat.S_IFDIR | 0o755),
        "home": (0, 0, stat.S_IFDIR | 0o755),
        "home/action": (ACTION, ACTION, stat.S_IFDIR | 0o755),
        "home/action/.innerstack": (0, ACTION, stat.S_IFDIR | 0o750),
        "home/action/.innerstack/app_replica.json": (0, ACTION, stat.S_IFREG | 0o640),
        "home/action/.innerstack/ininit": (0, 0, stat.S_IFREG | 0o755),
        "home/action/.innerstack/inagent": (0, 0, stat.S_IFREG | 0o755),
    }
    found = {}
    for path in expected:
        st = os.lstat(provisioner.container(name) / path)
        found[path] = (st.st_uid, st.st_gid, st.st_mode)
    assert found == expected
    assert (provisioner.innerstack(name) / "inagent").read_bytes() == program("inagent-linux-amd64").read_bytes()
    assert (provisioner.innerstack(name) / "ininit").read_bytes() == (SOURCE / "src/inagent/ininit").read_bytes()


# The attackers

_libc = ctypes.CDLL(None, use_errno=True)
RENAME_EXCHANGE = 2


def exchange(directory, a, b):
    return _libc.renameat2(directory, a.encode(), directory, b.encode(), RENAME_EXCHANGE)


def put(directory, kind, name, canary):
    """Creates a hostile object at a free name."""
    if kind == "link":
        os.symlink(canary, name, dir_fd=directory)
    elif kind == "link to a file":
        os.symlink(f"{canary}/app_replica.json", name, dir_fd=directory)
    elif kind == "fifo":
        os.mkfifo(name, 0o666, dir_fd=directory)
    elif kind == "socket":
        os.mknod(name, stat.S_IFSOCK | 0o666, dir_fd=directory)
    elif kind == "device":  # the console, a device that no privileged process should open; root of a container can make it
        os.mknod(name, stat.S_IFCHR | 0o666, os.makedev(5, 0), dir_fd=directory)
    elif kind == "file":
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o666, dir_fd=directory))
    elif kind == "directory":
        os.mkdir(name, 0o777, dir_fd=directory)
        for below in ("app_replica.json", ".app_replica.json.new", "ininit", ".inagent.new"):
            os.symlink(f"{canary}/app_replica.json", f"{name}/{below}", dir_fd=directory)
    elif kind == "full directory":
        os.makedirs(f"/proc/self/fd/{directory}/{name}/app_replica.json/a/b")
        os.mkfifo(f"{name}/.app_replica.json.new", dir_fd=directory)
    else:
        raise AssertionError(kind)


KINDS = ["link", "directory", "link to a file", "fifo", "full directory", "socket", "file"]


def _attack(action, canary, privileged, done):
    """Swaps without end. An existing object is moved to a new name each time."""
    kinds = itertools.cycle(KINDS + (["device"] if privileged else []))
    count = 0
    targets = itertools.cycle([".innerstack", ".innerstack", ".innerstack.new"])
    while os.getppid() != 1:
        count += 1
        kind, target, bad = next(kinds), next(targets), f"bad{count}"
        with contextlib.suppress(OSError):
            put(action, kind, bad, canary)
        for _ in range(6):  # to and fro, without a pause
            exchange(action, bad, target)
        with contextlib.suppress(OSError):
            os.rename(target, f"old{count}", src_dir_fd=action, dst_dir_fd=action)
        with contextlib.suppress(OSError):
            os.rename(bad, target, src_dir_fd=action, dst_dir_fd=action)
        if privileged:  # root of a container can write in .innerstack too
            with contextlib.suppress(OSError):
                inner = os.open(".innerstack", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=action)
                for name in ("app_replica.json", ".app_replica.json.new", "inagent"):
                    with contextlib.suppress(OSError):
                        put(inner, next(kinds), f"bad{count}", canary)
                        for _ in range(5):
                            exchange(inner, f"bad{count}", name)
                        os.rename(f"bad{count}", name, src_dir_fd=inner, dst_dir_fd=inner)
                os.close(inner)
        if count % 50 == 0:
            os.pwrite(done, str(count).encode(), 0)
            # Objects left behind are deleted to free space.
            subprocess.run(["sh", "-c", "rm -rf old* bad*"], check=False, stderr=subprocess.DEVNULL)


class Attacker:
    """A process in the tenant's home, as the user "action", or with the rights of a container's root."""

    def __init__(self, place, action, canary, privileged=False):
        self.count_path = place / f"attacks-{time.monotonic_ns()}"
        self.count_path.touch()
        self.pid = os.fork()
        if self.pid:
            return
        try:
            done = os.open(self.count_path, os.O_WRONLY)
            os.chdir(action)
            directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
            os.set_inheritable(directory, True)
            null = os.open("/dev/null", os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(null, number)
            if not privileged:
                os.setgroups([])
                os.setresgid(ACTION, ACTION, ACTION)
                os.setresuid(ACTION, ACTION, ACTION)
            _attack(directory, str(canary), privileged, done)
        finally:
            os._exit(0)

    def count(self):
        return int(self.count_path.read_text() or 0)

    def stop(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0


def make_nest(directory, levels):
    """Makes nested directories, deeper than any path is long."""
    at = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(levels):
        os.mkdir("d", 0o700, dir_fd=at)
        below = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
