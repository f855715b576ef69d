"""Runs the real inagent as process 1 of fresh pid and mount namespaces, in roots made on the fly.

A container here is a directory with a home and an /opt bound over a root of one of three kinds: "busybox" (what an image
of that name has), "bare" (nothing but /bin/sh), "debian" (this machine's own root, read-only). Docker is not needed.
"""
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess

from . import ground

ACTION = 2048
HOST_ID = "0123456789abcdef"
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HOSTLET_BUILD", SOURCE))
INAGENT = BUILD / f"inagent-linux-{ARCH}"
ININIT = SOURCE / "src/inagent/ininit"
BUSYBOX = shutil.which("busybox")


def wait_until(what, condition, seconds=15):
    """Waits until condition() is true and returns its value."""
    return ground.wait_until(condition, seconds, what)


def specification(tasks, **more):
    """Returns an AppReplicaInstance with these tasks."""
    replica = {"id": 1, "host_id": HOST_ID, "host_ipv4": "10.1.2.3",
               "service_ports": [{"name": "http", "port": 8000, "host_port": 20001}]}
    document = {
        "app": {
            "meta": {"name": "demo"},
            "spec": {"name": "demo", "resources": {"cpu_limit": "100m"}, "packages": [{"name": "tiny-app"}],
                     "tasks": tasks},
            "deploy": {"revision": 3, "replica_cap": 1, "replicas": [replica],
                       "configs": [{"name": "cfg/greeting", "value": "hello world"}]},
        },
    }
    document.update(more)
    return document


def task(name, script, **more):
    return {"name": name, "script": script, "on_startup": True, **more}


class Container:
    """One container; as a context manager it is removed at the end, whatever happened."""

    def __init__(self, directory, kind="busybox"):
        self.directory = pathlib.Path(directory)
        self.kind = kind
        self.root = self.directory / "root"
        self.home = self.directory / "home"
        self.opt = self.directory / "opt"
        self.log_path = self.directory / "log"
        self.ours = self.home / "action/.innerstack"
        for path in (self.root, self.ours, self.opt):
            path.mkdir(parents=True)
        self.process = None
        self.more_mounts = ""
        getattr(self, "_make_" + kind)()
        shutil.copy(INAGENT, self.ours / "inagent")
        shutil.copy(ININIT, self.ours / "ininit")

    def _make_bare(self):
        (self.root / "bin").mkdir()
        shutil.copy(BUSYBOX, self.root / "bin/sh")

    def _make_busybox(self):
        for name in ("bin", "etc", "tmp", "dev", "proc"):
            (self.root / name).mkdir()
        shutil.copy(BUSYBOX, self.root / "bin/busybox")
        for name in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split():
            if name != "busybox":
                (self.root / "bin" / name).symlink_to("busybox")
        (self.root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh")  # no newline at the end, as some images have it
        (self.root / "etc/group").write_text("root:x:0:\n")

    def _make_debian(self):
        pass  # bound in start()

    def write_spec(self, document):
        """Writes the file as the provisioner does: by rename, 0640 root:2048."""
        text = document if isinstance(document, (str, bytes)) else json.dumps(document)
        temporary = self.ours / ".app_replica.json.new"
        temporary.write_bytes(text if isinstance(text, bytes) else text.encode())
        os.chmod(temporary, 0o640)
        os.chown(temporary, 0, ACTION)
        os.rename(temporary, self.ours / "app_replica.json")

    def start(self, tasks=None, probation=0.0, environment=None, before="", proc=True, inside=()):
        """Starts it as Docker does: /bin/sh ininit. 'before' is shell that runs after the mounts, as process 1; 'inside' is a
        command that runs the rest of its arguments."""
        if tasks is not None:
            self.write_spec(specification(tasks))
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "APP_HOST_ID": HOST_ID,
               "APP_NAME": "demo", "APP_REP_ID": "1", "HOSTLET_PROBATION": str(probation)}
        env.update(environment or {})
        arguments = [f"{name}={value}" for name, value in env.items() if value is not None]
        root = self.root
        lines = ["set -e"]
        if self.kind == "debian":
            lines += [f"mount --rbind / {root}", f"mount -o remount,bind,ro {root}"]
        else:
            lines += [f"mount --bind {root} {root}", f"mkdir -p {root}/proc {root}/home {root}/opt {root}/dev",
                      f"touch {root}/dev/null", f"mount --bind /dev/null {root}/dev/null"]
        lines += [f"mount --bind {self.home} {root}/home", f"mount --bind {self.opt} {root}/opt"]
        if proc:
            lines.append(f"mount -t proc proc {root}/proc")
        lines += [self.more_mounts, before,
                  f"exec env -i {' '.join(arguments)} chroot {root} /bin/sh /home/action/.innerstack/ininit"]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*inside, "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "sh", "-c",
                 "\n".join(lines)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.wait()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_log(self, text, seconds=15):
        try:
            wait_until(text, lambda: text in self.log(), seconds)
        except AssertionError:
            raise AssertionError(f"'{text}' is not in the log:\n{self.log()}") from None

    def wait_file(self, name):
        """Waits for a file below /home/action that ends in a newline, and returns its text."""
        path = self.home / "action" / name
        try:
            return wait_until(name, lambda: path.exists() and path.read_text().endswith("\n") and path.read_text())
        except AssertionError:
            raise AssertionError(f"no file '{name}'; the log:\n{self.log()}") from None

    def first_process(self):
        """Returns inagent's pid in this machine's pid namespace."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(wait_until("a child of unshare", lambda: children.read_text().split())[0])

    def processes(self):
        """Returns pid → (name, state letter) of everything in the container, with pids of this machine's namespace."""
        namespace = os.readlink(f"/proc/{self.first_process()}/ns/pid")
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if os.readlink(entry / "ns/pid") == namespace:
                    name, rest = (entry / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
                    found[int(entry.name)] = (name, rest.split()[0])
            except OSError:
                continue
        return found

    def signal(self, number=signal.SIGTERM):
        os.kill(self.first_process(), number)

    def wait_exit(self, seconds=20):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s; the log:\n{self.log()}") from None
