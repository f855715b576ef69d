"""Implements a Docker daemon that misbehaves in a chosen way, for failures that a real one rarely has."""

import socket
import threading

VERSION = b'{"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10.0"}'


def answer(body=b"", status=200, headers=()):
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class HostileDaemon:
    """Answers GET /version correctly, and everything else with 'reply': bytes, which are sent unchanged, or a function of
    (request line, connection) that returns bytes, or None if it handled the connection itself. 'hang' sends nothing at all, not
    even to /version. 'bodies' are those of the requests, in order."""

    def __init__(self, path, reply=b"", hang=False, version=None):
        self.path = path
        self.version = version
        self.reply = reply
        self.hang = hang
        self.requests = []
        self.bodies = []
        self.open = []
        self.done = threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(64)
        path.chmod(0o666)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _read_request(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                while len(body) < int(line.split(b":")[1]):
                    body += connection.recv(65536)
        self.bodies.append(body)
        return head.split(b"\r\n")[0].decode().rpartition(" ")[0]

    def _serve(self, connection):
        try:
            while (line := self._read_request(connection)):
                self.requests.append(line)
                if self.hang:
                    continue
                reply = answer(self.version or VERSION) if line == "GET /version" else self.reply
                if callable(reply):
                    reply = reply(line, connection)
                if reply is None:
                    return
                connection.sendall(reply)
                if b"Content-Length" not in reply:
                    break
        except OSError:
            pass
        finally:
            connection.close()

    def close(self):
        self.done.set()
        self.listener.close()
        for connection in self.open:
            connection.close()
        self.path.unlink(missing_ok=True)
