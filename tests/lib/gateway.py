"""Provides a gateway for tests, and raw HTTP over a socket of the test."""

import contextlib
import json
import socket
import subprocess
import threading

from . import ground
from .fakes import FakeService, Hangup, Refusal
from .worker import Worker

STATUS = "/in/api/v2/hostlet/inagent/status"
SECRET = "0123456789abcdef0123456789abcdef01"


def zone_settings(**more):
    return {"zone": {"enable": True, "listen": "0.0.0.0", "peer_port": ground.free_port(), "http_port": ground.free_port(),
                     **more},
            "container-driver": {"runtime": "null"}}


class Connection:
    """One TCP connection from a chosen address of this machine."""

    def __init__(self, port, source="127.0.0.1", timeout=15):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout, (source, 0))

    @classmethod
    def at(cls, path, timeout=15):
        """One connection to the agents' socket."""
        made = cls.__new__(cls)
        made.socket = socket.socket(socket.AF_UNIX)
        made.socket.settimeout(timeout)
        made.socket.connect(str(path))
        return made

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def rest(self):
        """Returns everything that arrives until the other side closes; data before a reset counts too."""
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := self.socket.recv(65536):
                data += chunk
        return data

    def answer(self):
        """Returns status, headers (names in lower case) and body of the one response; (0, {}, b"") if the connection ended
        without one."""
        data = self.rest()
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        if not lines[0]:
            return 0, {}, b""
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        return int(lines[0].split()[1]), headers, body


def ask(port, data, source="127.0.0.1"):
    """'port' is a number, or the path of the agents' socket."""
    with Connection(port, source) if isinstance(port, int) else Connection.at(port) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(data)
        return connection.answer()


def get(port, path, source="127.0.0.1"):
    return ask(port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n", source)


def post(port, body, secret=SECRET, method="POST", path=STATUS, version="1.0", source="127.0.0.1"):
    """Sends a report as the agents do; 'body' is bytes, text, or an object for JSON."""
    if not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    body = body.encode() if isinstance(body, str) else body
    lines = [f"{method} {path} HTTP/{version}", "Host: x", "Content-Type: application/json",
             f"Content-Length: {len(body)}", "Connection: close"]
    if secret is not None:
        lines.append(f"X-Secret-Key: {secret}")
    return ask(port, "\r\n".join(lines).encode() + b"\r\n\r\n" + body, source)


class Reconciler(FakeService):
    """A fake reconciler: it accepts reports with SECRET, for instance "web"."""

    def __init__(self, prefix, instances=()):
        self.instances = instances
        self.gone = threading.Event()
        super().__init__(prefix, "reconciler", {"Watch": self.watch, "AgentReport": self.report})
        self.path.chmod(0o666)  # for the gateway's user
        self.on_report = None

    def close(self):
        self.gone.set()
        super().close()

    def watch(self, _):
        for name in self.instances:
            yield {"instance": {"name": name, "origin": "zone", "action": "start", "revision": 1, "settled": True, "failed": False}}
        yield {"complete": True}
        yield {}  # a reply is sent when there is another one
        self.gone.wait(120)
        raise Hangup

    def report(self, parameters):
        if self.on_report:
            self.on_report(parameters)
        if parameters["instance_name"] != "web" or parameters["secret"] != SECRET:
            raise Refusal("Unauthorized", "no such replica, or not its secret")
        return {}


def curl(*words):
    return subprocess.run(["curl", "-s", "-S", "-m", "20", *map(str, words)], capture_output=True, text=True, timeout=30)


def agents_socket(tree):
    """Returns the path of the agents' socket of a tree or a worker."""
    return tree.prefix / "var/hostlet/agents/agent.sock"


def gateway(place, **zone):
    """A gateway alone, not started: a Worker with its port."""
    settings = zone_settings(**zone)
    worker = Worker("rpc-gateway", place / "tree", settings)
    worker.port = settings["zone"]["http_port"]
    return worker
