"""Makes services for a test: small programs that speak hostletd's protocol and follow the test's script."""

import contextlib
import os
import select
import shutil
import signal
import subprocess
from pathlib import Path

from . import ground
from .tree import SOURCE, program

PRELUDE = """#!/usr/bin/python3 -ISB
import json, os, signal, socket, sys, threading, time
NAME = {name!r}
PLACE = {place!r}

def record(what):
    with open(PLACE + "/events", "a") as events:
        events.write(f"{{NAME}} {{what}}\\n")

def flag(name):
    return os.path.exists(f"{{PLACE}}/{{name}}")

def until(name):
    while not flag(name):
        time.sleep(0.01)

def spend(seconds):
    time.sleep(seconds)

def ready():
    number = int(sys.argv[sys.argv.index("--notification-fd") + 1])
    record("ready")
    os.write(number, b"\\n")
    os.close(number)

def say(text):
    os.write(2, text.encode() + b"\\n")

def on_term(what):
    def handler(*_):
        what()
    signal.signal(signal.SIGTERM, handler)

def serve(requests=None):
    listener = socket.socket(fileno=3)
    listener.setblocking(True)
    while requests is None or requests > 0:
        connection, _ = listener.accept()
        with connection:
            data = b""
            while not data.endswith(b"\\0"):
                data += connection.recv(65536)
            connection.sendall(json.dumps({{"parameters": {{"pid": os.getpid()}}}}).encode() + b"\\0")
        if requests is not None:
            requests -= 1

def rest():
    while True:
        signal.pause()

record("start")
"""


class Services:
    """A folder of services for hostletd --services."""

    def __init__(self, place):
        self.place = Path(place)
        self.directory = self.place / "svc"
        self.programs = self.place / "programs"
        self.directory.mkdir()
        self.programs.mkdir()

    @property
    def arguments(self):
        return ["--services", self.directory]

    def write(self, name, **conf):
        """Makes service.conf alone, of a program that exists."""
        (self.directory / name).mkdir(exist_ok=True)
        lines = [f"{key} = {value}" for key, value in conf.items() if value is not None]
        (self.directory / name / "service.conf").write_text("\n".join(["[service]", *lines, ""]))

    def add(self, name, body="ready()\nserve()\n", **conf):
        """Makes a service whose program is the Python text 'body', behind the helpers above."""
        program = self.programs / name
        fresh = program.with_suffix(".new")
        fresh.write_text(PRELUDE.format(name=name, place=str(self.place)) + body)
        fresh.chmod(0o755)
        fresh.rename(program)
        self.write(name, **{"exec": program, "socket": name, **conf})

    def take(self, name, **changes):
        """Adds one of the product's services, with changes to its service.conf."""
        conf = {}
        for line in (SOURCE / "svc" / name / "service.conf").read_text().splitlines():
            key, _, value = line.partition(" = ")
            if value:
                conf[key] = value
        self.write(name, **{**conf, **changes})

    def drop(self, name):
        shutil.rmtree(self.directory / name)

    def set(self, flag):
        (self.place / flag).touch()

    def clear(self, flag):
        (self.place / flag).unlink()

    def events(self, *names):
        """Returns the records of the services, in order: 'NAME what'; of 'names' alone if given."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.place / "events").read_text().splitlines()
            return [line for line in lines if not names or line.split()[0] in names]
        return []

    def count(self, event):
        return self.events().count(event)


def identity(pid):
    """Returns fields of /proc/PID/status, and the network namespace, of a process."""
    fields = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    return fields, os.stat(f"/proc/{pid}/ns/net").st_ino


# The supervisor's view

def all_services(tree):
    with tree.connect("hostletd") as connection:
        answers = list(connection.stream("io.hostlet.Supervisor.List"))
    assert answers[-1] == {}
    return {answer["service"]["name"]: answer["service"] for answer in answers[:-1]}


def status(tree, name):
    return all_services(tree)[name]


def wait_for(tree, name, state, timeout=10):
    """Returns the service's status once it is in 'state'."""
    def look():
        found = status(tree, name)
        assert found["state"] == state, found
        return found
    return ground.wait_until(look, timeout, f"{name} is {state}")


def supervise(tree, method, name):
    return tree.call("hostletd", method, name=name)


class Call:
    """Sends a call whose reply is read later."""

    def __init__(self, tree, service, method="io.test.Ping", **parameters):
        self.connection = tree.connect(service, timeout=20)
        self.connection.send({"method": method, "parameters": parameters})

    def answered(self, timeout=0.0):
        return bool(select.select([self.connection.socket], [], [], timeout)[0])

    def answer(self):
        with self.connection:
            return self.connection.receive()


def reload(tree, expected):
    before = tree.log().count(expected)
    tree.process.send_signal(signal.SIGHUP)
    ground.wait_until(lambda: tree.log().count(expected) > before, 5, f"the log contains '{expected}'")


def run_hostletd(*arguments, **options):
    return subprocess.run([str(word) for word in (program("hostletd"), *arguments)], capture_output=True, text=True,
                          timeout=20, **options)
