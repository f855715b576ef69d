"""Provides a name server that knows what net-keeper's file of names contains, as the zone's own does."""

import contextlib
import socket
import threading
import tomllib

from .leader import number


class Resolver(threading.Thread):
    """Answers at port 53 of 'address' in the network namespace 'space' (lib/netns.py) until stop(). The file is read for each question."""

    def __init__(self, space, address, file):
        super().__init__(daemon=True)
        self.file = file
        with space.entered():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        self.start()

    def _records(self):
        with contextlib.suppress(FileNotFoundError):
            return {record["name"]: record["ips"] for record in tomllib.loads(self.file.read_text()).get("records", [])}
        return {}

    def _answer(self, question):
        """Returns the response to a message with one question, of whatever type."""
        end = question.index(b"\0", 12)
        labels, at = [], 12
        while at < end:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        addresses = self._records().get(".".join(labels).lower())
        kind = int.from_bytes(question[end + 1:end + 3], "big")
        found = (addresses or []) if kind == 1 else []
        code = 0 if addresses else 3  # NXDOMAIN
        head = question[:2] + bytes([0x85, code]) + b"\0\1" + len(found).to_bytes(2, "big") + b"\0\0\0\0"
        return head + question[12:end + 5] + b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + number(a).to_bytes(4, "big") for a in found)

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                question, asker = self.socket.recvfrom(2000)
                if not question:
                    return
                with contextlib.suppress(ValueError, IndexError):
                    self.socket.sendto(self._answer(question), asker)

    def stop(self):
        with contextlib.suppress(OSError):
            self.socket.sendto(b"", self.socket.getsockname())
        self.join()
        self.socket.close()
