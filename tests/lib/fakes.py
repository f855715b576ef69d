"""Provides fake services: a Varlink server in the test's own process, for replies that a real tree rarely sends."""

import contextlib
import json
import socket
import threading
from pathlib import Path


class Refusal(Exception):
    """Raised by a handler: the reply is the error io.hostlet.NAME (or NAME itself, if it has a dot)."""

    def __init__(self, name, reason):
        super().__init__(name, reason)
        self.name = name if "." in name else f"io.hostlet.{name}"
        self.reason = reason


class Hangup(Exception):
    """Raised by a handler: the connection is closed without a reply, as when the service crashes."""


class FakeService:
    """Serves 'handlers' {method: function(parameters)} on PREFIX/run/NAME.sock. A function returns the parameters of its reply,
    or is a generator of the replies of a stream, or, for an upgrade, returns bytes that are sent after the reply. 'calls'
    contains (method, parameters) of all calls."""

    def __init__(self, prefix, name, handlers):
        self.path = Path(prefix) / "run" / f"{name}.sock"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.handlers = handlers
        self.calls = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(16)
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)
        self.path.unlink(missing_ok=True)

    def called(self, method):
        return [parameters for name, parameters in self.calls if name == method]

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError, Hangup):
            buffer = b""
            while True:
                while b"\0" not in buffer:
                    data = connection.recv(65536)
                    if not data:
                        return
                    buffer += data
                frame, _, buffer = buffer.partition(b"\0")
                if self._answer(connection, json.loads(frame)):
                    return

    def _answer(self, connection, message):
        """Answers one call. Returns True when the connection must be closed after it."""
        method = message["method"].rpartition(".")[2]
        parameters = message.get("parameters") or {}
        self.calls.append((method, parameters))

        def send(answer):
            connection.sendall(json.dumps(answer).encode() + b"\0")

        try:
            if method not in self.handlers:
                raise Refusal("org.varlink.service.MethodNotFound", method)
            result = self.handlers[method](parameters)
            if isinstance(result, bytes):
                send({"parameters": {}})
                connection.sendall(result)
                return True
            if result is None or isinstance(result, dict):
                send({"parameters": result or {}})
                return False
            last = None
            for item in result:
                if last is not None:
                    send({"parameters": last, "continues": True})
                last = item
            # A stream that stays open ends with None: the connection is kept until the caller hangs up.
            if last is not None:
                send({"parameters": last})
            return False
        except Refusal as refusal:
            send({"error": refusal.name, "parameters": {"reason": refusal.reason}})
            return False


def listed(member, items):
    """Yields the replies of a list: one item each, and an empty one as its end."""
    for item in items:
        yield {member: item}
    yield {}
