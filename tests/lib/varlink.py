"""Implements a small Varlink client, independent of the product's: calls, streams, upgrades, and raw bytes for hostile tests."""

import json
import os
import socket


class VarlinkError(Exception):
    """The reply was an error; 'name' is its full name, 'parameters' are those of the error."""

    def __init__(self, name, parameters):
        super().__init__(f"{name} {json.dumps(parameters, ensure_ascii=False)}")
        self.name = name
        self.parameters = parameters


class Closed(Exception):
    """The other side closed the connection before a reply."""


class Varlink:
    def __init__(self, path, timeout=10):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.buffer = b""
        path = str(path)
        if len(path.encode()) <= 107:
            self.socket.connect(path)
        else:  # too long for sun_path: by way of its directory's descriptor
            directory = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
            try:
                self.socket.connect(f"/proc/self/fd/{directory}/{os.path.basename(path)}")
            finally:
                os.close(directory)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # Frames

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, message):
        self.send_raw(json.dumps(message).encode() + b"\0")

    def receive(self):
        """Returns the next message, parsed. Raises Closed at the end of the stream."""
        while b"\0" not in self.buffer:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError as error:
                raise Closed("reset") from error
            if not data:
                raise Closed(f"end of stream, {len(self.buffer)} bytes left over")
            self.buffer += data
        frame, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(frame)

    def at_end(self):
        """Waits until the other side has closed; reports whether it did within the timeout. Unread replies are dropped."""
        try:
            while True:
                data = self.socket.recv(65536)
                if not data:
                    return True
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    # Calls

    @staticmethod
    def _result(message):
        if "error" in message:
            raise VarlinkError(message["error"], message.get("parameters") or {})
        return message.get("parameters") or {}

    def call(self, method, **parameters):
        self.send({"method": method, "parameters": parameters})
        return self._result(self.receive())

    def stream(self, method, **parameters):
        """Makes a call with "more": yields the parameters of each reply until the last."""
        self.send({"method": method, "parameters": parameters, "more": True})
        while True:
            message = self.receive()
            yield self._result(message)
            if not message.get("continues"):
                return

    def oneway(self, method, **parameters):
        self.send({"method": method, "parameters": parameters, "oneway": True})

    def upgrade(self, method, **parameters):
        """Makes a call that turns the connection into a raw stream: returns the reply and the bytes that followed it; then use
        .socket."""
        self.send({"method": method, "parameters": parameters, "upgrade": True})
        result = self._result(self.receive())
        rest, self.buffer = self.buffer, b""
        return result, rest


def call(path, method, **parameters):
    """Makes one call on a connection of its own."""
    with Varlink(path) as connection:
        return connection.call(method, **parameters)
