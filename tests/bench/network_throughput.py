"""Measures TCP between containers of two machines of a zone, with all that net-keeper makes, against a bare VXLAN device that
is made with iproute2. Machines and containers are network namespaces; the two cases take turns. Both have rules as those of
Docker, since every machine with containers has them, and they make the kernel track connections."""

import subprocess
import sys
import time

from lib.net_keeper import NetKeeper, host, network
from lib.netns import Lan, Netns

SECONDS = 1
TURNS = 5  # of the two cases, in each run
SERVER = """
import socket
listener = socket.create_server(("0.0.0.0", 5001))
print("ready", flush=True)
while True:
    connection, _ = listener.accept()
    buffer = bytearray(1 << 20)
    while connection.recv_into(buffer):
        pass
"""
CLIENT = """
import socket, sys, time
connection = socket.create_connection((sys.argv[1], 5001))
data, end, sent = bytes(1 << 20), time.monotonic() + float(sys.argv[2]), 0
begun = time.monotonic()
while time.monotonic() < end:
    sent += connection.send(data)
print(sent / (time.monotonic() - begun) / 1e6)
"""


class Machine:
    """A machine of the zone with one container, which has no Docker around it."""

    def __init__(self, lan, number, place):
        self.number = number
        self.namespace = lan.machine(f"m{number}", f"192.168.60.{number}/24")
        self.keeper = NetKeeper(place / f"tree{number}" / "tree", self.namespace)
        self.container = Netns(f"{lan.name}-c{number}")
        lan.machines.append(self.container)
        self.namespace.inside("link", "add", "toward", "mtu", "1450", "type", "veth", "peer", "name", "eth0", "netns", self.container.name)
        self.namespace.inside("address", "add", f"10.78.{number}.1/24", "dev", "toward")
        self.namespace.inside("link", "set", "toward", "up")
        self.container.inside("link", "set", "eth0", "mtu", "1450", "up")
        self.container.inside("address", "add", f"10.78.{number}.2/24", "dev", "eth0")
        self.container.inside("route", "add", "default", "via", f"10.78.{number}.1")
        self.namespace.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        for rule in ("-t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", "-A FORWARD -i toward -j ACCEPT",
                     "-A FORWARD -o toward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"):
            self.namespace.run("iptables", *rule.split(), check=True)

    def by_hand(self, other):
        self.namespace.batch(["link add bare mtu 1450 type vxlan id 10 dstport 8472 dev eth0 nolearning",
                              f"address add 10.77.1.{self.number}/24 dev bare", "link set bare up",
                              f"route add 10.78.{other}.0/24 via 10.77.1.{other}"])
        self.namespace.bridge("fdb", "append", "00:00:00:00:00:00", "dev", "bare", "dst", f"192.168.60.{other}")

    def bare_removed(self):
        self.namespace.inside("link", "delete", "bare")


def rate(client, address):
    """Returns megabytes in a second."""
    return float(client.run(sys.executable, "-c", CLIENT, address, SECONDS, check=True).stdout)


def measure(place, results, runs):
    rates = {"bare": [], "ours": []}
    with Lan("hostlet-rate") as lan:
        a, b = Machine(lan, 1, place), Machine(lan, 2, place)
        server = subprocess.Popen([*b.container.wrapper, sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
        try:
            server.stdout.readline()
            for _ in range(runs * TURNS):
                a.by_hand(2)
                b.by_hand(1)
                rates["bare"].append(rate(a.container, "10.78.2.2"))
                a.bare_removed()
                b.bare_removed()
                for machine, other in ((a, b), (b, a)):
                    machine.keeper.start()
                    machine.keeper.set(network(machine.number, others=[other.number]))
                rates["ours"].append(rate(a.container, "10.78.2.2"))
                for machine in (a, b):
                    machine.keeper.set(None)
                    machine.keeper.stop()
        finally:
            server.kill()
            server.wait()
    peer = results.add("TCP between containers over a bare VXLAN device", rates["bare"], "MB/s")
    results.add("… over net-keeper's, with its table", rates["ours"], "MB/s", peer, aim="0.95x at least")
