"""Runs one process of the tree without the others: started as an administrator does by hand, on a socket of its own."""

import os
import select
from pathlib import Path

from . import ground, varlink
from .tree import BUILD, SOURCE, ini, program


class Worker:
    """The program 'name' of the tree below 'prefix'; 'settings' as for Tree."""

    def __init__(self, name, prefix, settings=None):
        self.name = name
        self.prefix = Path(prefix)
        self.log_path = self.prefix.parent / f"{name}.log"
        self.socket = self.prefix / "run" / f"{name}.sock"
        self.process = None
        self.wrapper = []  # a command that runs it elsewhere: in a network namespace
        for directory in ("etc", "run", "var/hostlet/agents"):
            (self.prefix / directory).mkdir(parents=True, exist_ok=True)
        (self.prefix / "etc/hostlet.conf").write_text(ini(settings or {}))

    def start(self, failpoint=None, timeout=20):
        """Starts it and waits for its readiness; 'failpoint' is NAME:ACTION."""
        environment = {**os.environ}
        environment.pop("NOTIFY_SOCKET", None)
        if failpoint:
            environment["HOSTLET_FAILPOINT"] = failpoint
        self.socket.unlink(missing_ok=True)
        reading, writing = os.pipe()
        try:
            self.process = ground.start([*self.wrapper, program(self.name), "--prefix", self.prefix, "--services", SOURCE / "svc",
                                         "--libexec", BUILD, "--notification-fd", writing],
                                        self.log_path, environment=environment, pass_fds=[writing])
        finally:
            os.close(writing)
        ready, _, _ = select.select([reading], [], [], timeout)
        told = os.read(reading, 1) if ready else b""
        os.close(reading)
        assert told, f"{self.name} is not ready (exit status {self.process.poll()}):\n{self.log()}"
        return self

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def stop(self):
        return ground.stop(self.process) if self.process else None

    def kill(self):
        self.process.kill()
        return self.process.wait()

    def connect(self, timeout=20):
        return varlink.Varlink(self.socket, timeout)

    def call(self, method, **parameters):
        with self.connect() as connection:
            return connection.call(method, **parameters)

    def stream(self, method, **parameters):
        with self.connect() as connection:
            return list(connection.stream(method, **parameters))
