"""Counts the messages to the kernel's network configuration by an nlmon device, which sees those of a whole network namespace."""

import socket
import struct

ETH_P_ALL = 3
NAMES = {16: "RTM_NEWLINK", 17: "RTM_DELLINK", 19: "RTM_SETLINK", 20: "RTM_NEWADDR", 21: "RTM_DELADDR", 24: "RTM_NEWROUTE",
         25: "RTM_DELROUTE", 28: "RTM_NEWNEIGH", 29: "RTM_DELNEIGH"}
REQUEST = 1


class Monitor:
    """Requests in the namespace of 'machine' (lib/netns.py) that change something."""

    def __init__(self, machine):
        machine.batch(["link add nlmon0 type nlmon", "link set nlmon0 up"])
        with machine.entered():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
        self.socket.bind(("nlmon0", ETH_P_ALL))
        self.socket.setblocking(False)

    def requests(self):
        """Returns the types of the changing requests since the last call."""
        found = []
        while True:
            try:
                data, (_, family, *_) = self.socket.recvfrom(65536)
            except BlockingIOError:
                return found
            at = 0
            while family == 0 and at + 16 <= len(data):  # NETLINK_ROUTE
                length, kind, flags = struct.unpack_from("IHH", data, at)
                if length < 16:
                    break
                if flags & REQUEST and kind in NAMES:
                    found.append(NAMES[kind])
                at += (length + 3) & ~3

    def close(self):
        self.socket.close()
