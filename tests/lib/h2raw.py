"""Implements raw HTTP/2, for frames that no correct peer sends. Headers are literal, without table and Huffman coding."""

import contextlib
import socket
import struct
import threading

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def hpack(headers):
    out = b""
    for name, value in headers:
        name, value = name.encode(), value.encode() if isinstance(value, str) else value
        out += b"\x00" + length(len(name)) + name + length(len(value)) + value
    return out


def length(n):
    if n < 127:
        return bytes([n])
    out, n = b"\x7f", n - 127
    while n >= 128:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def message(data, flag=0, size=None):
    return bytes([flag]) + struct.pack(">I", len(data) if size is None else size) + data


def request_headers(path, **changes):
    headers = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "test", "te": "trailers",
               "content-type": "application/grpc", **changes}
    return [(name.replace("_", "-"), value) for name, value in headers.items() if value is not None]


class Connection:
    """A raw connection; 'send' sends frames, 'frames' yields the received ones: (kind, flags, stream, payload)."""

    def __init__(self, sock):
        self.socket = sock
        self.buffer = b""

    @classmethod
    def to(cls, port, preface=True, source="127.0.0.1", settings=b""):
        connection = cls(socket.create_connection(("127.0.0.1", port), 10, (source, 0)))
        if preface:
            connection.send(PREFACE, frame(SETTINGS, payload=settings))
        return connection

    def settle(self):
        """Waits for the peer's settings: its larger windows and its limits apply from then on."""
        while not (found := self.read_frame())[1] & ACK:
            if found[0] == SETTINGS:
                self.send(frame(SETTINGS, ACK))
        return self

    def close(self):
        self.socket.close()

    def send(self, *pieces):
        self.socket.sendall(b"".join(pieces))

    def read_frame(self):
        """Returns the next frame; None at the end of the connection."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            try:
                more = self.socket.recv(65536)
            except ConnectionError:
                return None
            if not more:
                return None
            self.buffer += more
        size = int.from_bytes(self.buffer[:3], "big")
        kind, flags, stream = self.buffer[3], self.buffer[4], int.from_bytes(self.buffer[5:9], "big")
        payload, self.buffer = self.buffer[9:9 + size], self.buffer[9 + size:]
        return kind, flags, stream, payload

    def wait_for(self, kind, stream=None):
        """Returns the next frame of this kind and answers settings and pings meanwhile; None at the end."""
        while found := self.read_frame():
            if found[0] in (SETTINGS, PING) and not found[1] & ACK and kind != found[0]:
                with contextlib.suppress(OSError):
                    self.send(frame(found[0], ACK, 0, found[3] if found[0] == PING else b""))
            if found[0] == kind and stream in (None, found[2]):
                return found
        return None

    def ends(self, timeout=10):
        """Reports whether the peer closes the connection."""
        self.socket.settimeout(timeout)
        with contextlib.suppress(TimeoutError):
            while True:
                if self.read_frame() is None:
                    return True
        return False


class Server:
    """Listens, and passes each connection, after its preface, to 'on_connection(connection, count)' in a thread."""

    def __init__(self, on_connection, port=0, preface=True):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.on_connection = on_connection
        self.preface = preface
        self.count = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.count += 1
                threading.Thread(target=self._serve, args=(client, self.count), daemon=True).start()

    def _serve(self, client, count):
        client.settimeout(20)
        connection = Connection(client)
        with contextlib.suppress(OSError):
            if self.preface:
                preface = b""
                while len(preface) < len(PREFACE):
                    preface += client.recv(len(PREFACE) - len(preface))
                connection.send(frame(SETTINGS))
            self.on_connection(connection, count)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
