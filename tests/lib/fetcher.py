"""Runs the fetcher alone, started by hand as an administrator would to debug it, and servers that misbehave."""

import contextlib
import http.server
import os
import select
import signal
import socket
import threading

from . import ground, varlink
from .tree import SOURCE, ini, program

INTERFACE = "io.hostlet.Fetcher"


class Fetcher:
    """'settings' are those of [fetcher]; 'environment' is added to its own."""

    def __init__(self, prefix, settings, environment=None):
        self.prefix = prefix
        self.settings = {"retry_min": "10ms", "attempts": 3, **settings}
        self.environment = environment or {}
        self.extra = {}  # other sections of hostlet.conf
        self.config_mode = 0o600 if "@" in str(settings) else 0o644
        self.command = []  # the command that runs it, such as nsenter
        self.process = None
        self.socket = prefix / "run" / "fetcher.sock"
        self.store = prefix / "var" / "ipk"
        self.partial = self.store / ".partial"
        self.log_path = prefix.parent / f"{prefix.name}.log"
        self.once = prefix.parent / f"{prefix.name}.once"

    def start(self, wait=True, failpoint=None):
        for name in ("etc", "run"):
            (self.prefix / name).mkdir(parents=True, exist_ok=True)
        config = self.prefix / "etc" / "hostlet.conf"
        config.write_text(ini({"hostlet": {"log_level": "debug"}, "fetcher": self.settings, **self.extra}))
        config.chmod(self.config_mode)
        environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        environment |= self.environment
        if failpoint:
            self.once.mkdir(exist_ok=True)
            self.once.chmod(0o1777)
            environment |= {"HOSTLET_FAILPOINT": failpoint, "HOSTLET_FAILPOINT_ONCE": str(self.once)}
        reading, writing = os.pipe()
        self.process = ground.start(
            [*self.command, program("fetcher"), "--prefix", self.prefix, "--services", SOURCE / "svc", "--notification-fd", writing],
            self.log_path, environment=environment, pass_fds=[writing])
        os.close(writing)
        try:
            if wait:
                ready, _, _ = select.select([reading], [], [], 15)
                assert ready and os.read(reading, 1), f"the fetcher is not ready:\n{self.log()}"
        finally:
            os.close(reading)
        return self

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def stop(self):
        return ground.stop(self.process) if self.process else None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def wait(self, timeout=20):
        return self.process.wait(timeout)

    # Calls

    def connect(self, timeout=60):
        return varlink.Varlink(self.socket, timeout)

    def call(self, method, **parameters):
        with self.connect() as connection:
            return connection.call(f"{INTERFACE}.{method}", **parameters)

    def resolve(self, name, version=None, **parameters):
        if version is not None:
            parameters["version"] = version
        return self.call("Resolve", name=name, **parameters)["package"]

    def fetch(self, package):
        """Returns all replies; the last one contains the path."""
        with self.connect() as connection:
            return list(connection.stream(f"{INTERFACE}.Fetch", package=package))

    def begin(self, package):
        """A Fetch in progress: the connection, to read from or to close."""
        connection = self.connect()
        connection.send({"method": f"{INTERFACE}.Fetch", "parameters": {"package": package}, "more": True})
        return connection

    def finish(self, connection):
        """Returns the remaining replies of begin()."""
        answers = []
        while True:
            message = connection.receive()
            answers.append(connection._result(message))
            if not message.get("continues"):
                connection.close()
                return answers

    def list(self):
        with self.connect() as connection:
            return [item for item in connection.stream(f"{INTERFACE}.List") if item]

    # Files

    def partial_size(self, package):
        try:
            return (self.partial / f"{package['id']}.ipk").stat().st_size
        except FileNotFoundError:
            return 0

    def wait_for_bytes(self, package, count, timeout=30):
        return ground.wait_until(lambda: self.partial_size(package) >= count, timeout, f"{count} bytes were received", 0.001)


def messages(answers):
    return " | ".join(answer["message"] for answer in answers if answer.get("message"))


class Hostile:
    """An HTTP server on loopback whose every response is made by 'answer(request)', a BaseHTTPRequestHandler. 'seen' has (path,
    Range) of each request, 'headers' its headers, 'reached' the local address of each connection."""

    def __init__(self, answer, address="127.0.0.1"):
        self.answer = answer
        self.seen = []
        self.headers = []
        self.reached = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.seen.append((self.path, self.headers.get("Range")))
                outer.headers.append(self.headers)
                self.close_connection = True
                with contextlib.suppress(OSError):
                    outer.answer(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

            def get_request(self):
                made = super().get_request()
                outer.reached.append(made[0].getsockname()[0].removeprefix("::ffff:"))
                return made

            def handle_error(self, *_):
                pass

        self.server = Server((address, 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def send(request, status, body=b"", *, length=None, **headers):
    """Sends a response; 'length' replaces the true length of the body, False leaves it out (the end of the connection ends the
    body)."""
    request.send_response_only(status)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    if length is not False:
        request.send_header("Content-Length", str(len(body) if length is None else length))
    request.send_header("Connection", "close")
    request.end_headers()
    request.wfile.write(body)


class ConnectProxy:
    """A proxy that implements CONNECT alone, and records the targets."""

    def __init__(self):
        self.seen = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client):
        with contextlib.suppress(OSError, ValueError, IndexError), client:
            head = b""
            while b"\r\n\r\n" not in head:
                data = client.recv(4096)
                if not data:
                    return
                head += data
            method, target = head.split()[:2]
            self.seen.append((method.decode(), target.decode()))
            host, port = target.decode().rsplit(":", 1)
            with socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 established\r\n\r\n")
                while True:
                    for source in select.select([client, server], [], [])[0]:
                        data = source.recv(65536)
                        if not data:
                            return
                        (server if source is client else client).sendall(data)

    def stop(self):
        self.listener.close()
