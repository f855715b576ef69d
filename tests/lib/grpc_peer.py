"""Runs grpc-peer (tests/peers): hostlet's gRPC library as a program, as a server or a client."""

import os
import queue
import subprocess
import threading

from . import ground
from .tree import program
from .zone_proto import KEY


class Server:
    def __init__(self, place, name="grpc-server", **options):
        self.port = ground.free_port()
        self.log_path = place / f"{name}.log"
        with open(self.log_path, "ab") as log:
            # Not by ground.start: Python code between fork and exec sometimes hangs in a process with grpc's threads. grpc-peer exits
            # automatically when this process does.
            self.process = subprocess.Popen(
                [program("grpc-peer"), "serve", *(f"{key}={value}" for key, value in options.items()), f"127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "HOSTLET_TEST_KEY": "ak_{}_{}".format(*KEY)})
        ground.wait_until(lambda: "serving\n" in self.log(), 10, "the server serves")

    def log(self):
        return self.log_path.read_text(errors="replace")

    def saw(self, text, timeout=10):
        ground.wait_until(lambda: text in self.log(), timeout, f"'{text}' in the server's log")

    def stop(self):
        return ground.stop(self.process)


class Client:
    """Makes calls by 'list' and 'watch' (grpc-peer documents the commands); results are waited for by id."""

    def __init__(self, place, address, name="grpc-client", environment=None, **options):
        self.log_path = place / f"{name}.log"
        self.log = open(self.log_path, "ab")  # pylint: disable=consider-using-with
        self.process = subprocess.Popen(
            [program("grpc-peer"), "call", *(f"{key}={value}" for key, value in options.items()), address],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env={**os.environ, **(environment or {})})
        self.events = {}
        threading.Thread(target=self._read, daemon=True).start()
        self.count = 0

    def _of(self, identity):
        return self.events.setdefault(identity, queue.Queue())

    def _read(self):
        for line in self.process.stdout:
            words = line.rstrip("\n").split(" ", 4)
            if words[0] == "done":
                self._of(words[1]).put((words[2], int(words[3]), words[4] if len(words) > 4 else ""))
            elif words[0] == "data":
                self._of(words[1]).put(int(words[2]))

    def send(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def start(self, name, timeout_ms=10000):
        self.count += 1
        identity = f"c{self.count}"
        self._of(identity)
        self.send(f"list {identity} {timeout_ms} {name}")
        return identity

    def watch(self, service):
        self.count += 1
        identity = f"c{self.count}"
        self._of(identity)
        self.send(f"watch {identity} {service}")
        return identity

    def wait(self, identity, timeout=20):
        """Returns (status, size, error), or a number: the next datum of a stream."""
        return self._of(identity).get(timeout=timeout)

    def call(self, name, timeout_ms=10000):
        return self.wait(self.start(name, timeout_ms))

    def stop(self):
        self.process.stdin.close()
        status = self.process.wait(15)
        self.log.close()
        return status
