"""Runs a whole hostlet tree under a prefix: starts it as an administrator would, and inspects it from outside."""

import contextlib
import json
import os
import select
import signal
import subprocess
from pathlib import Path

from . import ground, varlink

BUILD = Path(os.environ.get("HOSTLET_BUILD", "build/hardened"))
SOURCE = Path(os.environ.get("HOSTLET_SOURCE", Path(__file__).resolve().parents[2]))
VARIANT = os.environ.get("HOSTLET_VARIANT", "hardened")


def program(name):
    """Returns the path of a program of the build under test."""
    for path in (BUILD / name, *sorted(BUILD.glob(f"src/*/{name}"))):
        if path.is_file() and os.access(path, os.X_OK):
            return path.resolve()
    raise LookupError(f"program '{name}' is not in {BUILD}")


def has_program(name):
    with contextlib.suppress(LookupError):
        return bool(program(name))
    return False


def ini(sections):
    """Returns the text of hostlet.conf from {section: {key: value}}; None omits a key, a list is joined to one value."""
    lines = []
    for section, keys in sections.items():
        lines.append(f"[{section}]")
        for key, value in keys.items():
            if value is None:
                continue
            if isinstance(value, bool):
                value = "yes" if value else "no"
            if isinstance(value, (list, tuple)):
                value = " ".join(map(str, value))
            lines.append(f"{key} = {value}")
        lines.append("")
    return "\n".join(lines)


INTERFACES = {"hostletd": "Supervisor", "reconciler": "Reconciler", "fetcher": "Fetcher", "unpacker": "Unpacker",
              "provisioner": "Provisioner", "quota-keeper": "QuotaKeeper", "container-driver": "ContainerDriver",
              "net-keeper": "NetKeeper", "rpc-gateway": "RpcGateway"}


def full_method(service, method):
    return method if "." in method else f"io.hostlet.{INTERFACES[service]}.{method}"


class CommandFailed(AssertionError):
    def __init__(self, command, result):
        super().__init__(f"{' '.join(map(str, command))}: exit {result.returncode}\n{result.stdout}{result.stderr}")
        self.result = result


class Tree:
    """'settings' is {section: {key: value}} for hostlet.conf; 'environment' is added to hostletd's."""

    def __init__(self, prefix, settings=None, environment=None):
        self.prefix = Path(prefix)
        self.settings = settings or {}
        self.environment = environment or {}
        self.wrapper = []  # a command that runs it elsewhere: in a network namespace
        self.process = None
        self.log_path = self.prefix.parent / f"{self.prefix.name}.log"
        self.once = self.prefix.parent / f"{self.prefix.name}.once"

    # Start and stop

    def write_config(self, settings=None):
        """Writes hostlet.conf from 'settings' (which are kept)."""
        if settings is not None:
            self.settings = settings
        directory = self.prefix / "etc"
        directory.mkdir(parents=True, exist_ok=True)
        self.prefix.chmod(0o755)
        (directory / "hostlet.conf").write_text(ini(self.settings))

    def start(self, timeout=30, failpoint=None, wait=True, arguments=()):
        """Starts hostletd and waits for its readiness. 'failpoint' (NAME:ACTION) takes effect once, in the process that reaches
        it; a restarted process passes."""
        self.write_config()
        self.started_with = {"timeout": timeout, "failpoint": failpoint, "arguments": arguments}
        environment = {**os.environ, "HOSTLET_DATA": str(SOURCE / "src/inagent"), **self.environment}
        environment.pop("NOTIFY_SOCKET", None)
        if failpoint:
            self.once.mkdir(exist_ok=True)
            self.once.chmod(0o1777)
            environment |= {"HOSTLET_FAILPOINT": failpoint, "HOSTLET_FAILPOINT_ONCE": str(self.once)}
        reading, writing = os.pipe()
        try:
            self.process = ground.start(
                [*self.wrapper, program("hostletd"), "--prefix", self.prefix, "--services", SOURCE / "svc", "--libexec", BUILD,
                 "--notification-fd", writing, *arguments],
                self.log_path, environment=environment, pass_fds=[writing])
            os.close(writing)
            writing = -1
            if wait:
                ready, _, _ = select.select([reading], [], [], timeout)
                if not ready or not os.read(reading, 1):
                    status = self.process.poll()
                    raise AssertionError(f"hostletd is not ready after {timeout} s (exit status {status}):\n{self.log()}")
        finally:
            os.close(reading)
            if writing >= 0:
                os.close(writing)
        return self

    def stop(self, timeout=30):
        """Sends SIGTERM, as an administrator stops it; containers keep running. Returns the exit status."""
        return ground.stop(self.process, timeout) if self.process else None

    def kill(self):
        """Sends SIGKILL to hostletd; waits until its children have exited too."""
        children = self.children()
        self.process.kill()
        self.process.wait()
        ground.wait_until(lambda: not any(ground.alive(pid) for pid in children.values()), 10,
                          f"hostletd's children {children} end with it")

    def running(self):
        return self.process is not None and self.process.poll() is None

    def revive(self):
        """Starts hostletd again, as the machine's init would, if it was started here and has exited meanwhile."""
        if self.process and self.process.poll() not in (None, 0):
            self.start(**self.started_with)

    def restart(self, **options):
        self.stop()
        return self.start(**options)

    # Inspection

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def children(self):
        """Returns hostletd's direct children: {program name: pid}."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, IndexError):
                fields = (entry / "stat").read_text()
                name = fields[fields.index("(") + 1:fields.rindex(")")]
                state, parent = fields[fields.rindex(")") + 2:].split()[:2]
                if int(parent) == self.process.pid and state != "Z":
                    # The kernel cuts names at 15 characters: the path of the program is complete.
                    found[Path(os.readlink(entry / "exe")).name or name] = int(entry.name)
        return found

    def pid(self, service, timeout=10):
        """Waits for a running service and returns its process id."""
        return ground.wait_until(lambda: self.children().get(service), timeout, f"{service} runs")

    def kill_service(self, service, number=signal.SIGKILL):
        pid = self.pid(service)
        os.kill(pid, number)
        ground.wait_until(lambda: not ground.alive(pid), 10, f"{service} ends")
        return pid

    def hold_failpoint(self, name):
        """Lets all processes pass the failpoint until release_failpoint()."""
        self.once.mkdir(exist_ok=True)
        self.once.chmod(0o1777)
        (self.once / name).touch()

    def release_failpoint(self, name):
        (self.once / name).unlink()

    def failpoint_taken(self, name):
        """Reports whether a process has reached the failpoint 'name' given to start()."""
        return (self.once / name).exists()

    def socket(self, service):
        return self.prefix / "run" / f"{'supervisor' if service == 'hostletd' else service}.sock"

    def call(self, service, method, **parameters):
        """Makes one Varlink call to a service; a method without an interface is one of the service's own."""
        return varlink.call(self.socket(service), full_method(service, method), **parameters)

    def connect(self, service, timeout=10):
        """Opens a connection to a service, for streams and for messages that no correct client sends."""
        return varlink.Varlink(self.socket(service), timeout)

    # hostletctl

    def ctl(self, *words, check=True, timeout=120, environment=None, stdin=None, cwd=None):
        """Runs hostletctl; the result has returncode, stdout, stderr. With 'check', a failure is a CommandFailed."""
        command = [program("hostletctl"), "--prefix", self.prefix, *words]
        result = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=timeout, cwd=cwd,
                                input=stdin if stdin is not None else "", env={**os.environ, **(environment or {})})
        if check and result.returncode != 0:
            raise CommandFailed(command, result)
        return result

    def ctl_json(self, *words, **options):
        """Returns the parsed output of hostletctl with --json."""
        return json.loads(self.ctl(*words, "--json", **options).stdout)

    def apply(self, manifest, *words, **options):
        """Applies a manifest: a dict (as JSON), TOML text, or a Path."""
        if isinstance(manifest, Path):
            return self.ctl("apply", manifest, *words, **options)
        text = json.dumps(manifest) if isinstance(manifest, dict) else manifest
        return self.ctl("apply", "-", *words, stdin=text, **options)
