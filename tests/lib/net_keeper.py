"""Runs net-keeper alone on a machine of lib/netns.py, and shows what the kernel has of the zone's network."""

import re
from pathlib import Path

from . import ground
from .worker import Worker

DEVICE = "invpc2_vxlan.10"
ZERO = "00:00:00:00:00:00"


def host(number, lan="192.168.60", **changes):
    """Returns the entry of a host of the map."""
    return {"id": f"{number:012x}", "peer": f"{lan}.{number}", "bridge": f"10.77.1.{number}", "instance": f"10.78.{number}.0/24"} | changes


def network(own=1, others=(2, 3), hosts=None, **changes):
    """Returns the zone's network as machine 'own' gets it."""
    mine = host(own)
    return {"host_id": mine["id"], "lan_addr": mine["peer"], "bridge_ip": mine["bridge"], "instance_cidr": mine["instance"],
            "vpc_bridge_cidr": "10.77.0.0/16", "vpc_instance_cidr": "10.78.0.0/16",
            "hosts": hosts if hosts is not None else [mine, *(host(number) for number in others)]} | changes


def messages(log):
    """Returns the types of the messages to rtnetlink in a log of strace that change something."""
    return [kind for kind in re.findall(r"nlmsg_type=(RTM_\w+)", Path(log).read_text()) if not kind.startswith("RTM_GET")]


def ethernet(host):
    """Returns the Ethernet address that net-keeper gives the device of the host with this id."""
    value = 0xcbf29ce484222325
    for byte in host.encode():
        value = (value ^ byte) * 0x100000001b3 % 2 ** 64
    return ":".join(f"{byte:02x}" for byte in (2, *value.to_bytes(8, "little")[:5]))


class Kernel:
    """What the kernel has of the zone's network in the namespace 'machine'."""

    def __init__(self, machine):
        self.machine = machine

    def problems(self):
        return []

    def link(self):
        found = [link for link in self.machine.json("link", "show") if link["ifname"] == DEVICE]
        return found[0] if found else None

    def addresses(self):
        return [f"{item['local']}/{item['prefixlen']}" for item in self.machine.json("-4", "address", "show", "dev", DEVICE)[0]["addr_info"]]

    def entries(self):
        """Returns the peer addresses of the forwarding entries of the all-zero address."""
        return sorted(re.findall(rf"^{ZERO} dst (\S+)", self.machine.bridge("fdb", "show", "dev", DEVICE), re.M))

    def unicasts(self):
        """Returns {peer address: Ethernet address} of the other entries."""
        found = re.findall(r"^(\S+) dst (\S+)", self.machine.bridge("fdb", "show", "dev", DEVICE), re.M)
        return {peer: address for address, peer in found if address != ZERO}

    def routes(self):
        """Returns {network: gateway} of the routes by the device."""
        found = self.machine.json("-4", "route", "show", "dev", DEVICE)
        return {route["dst"]: route["gateway"] for route in found if "gateway" in route}

    def state(self):
        """Returns everything that the kernel has of the network, or None without a device."""
        link = self.link()
        if not link:
            return None
        return {"link": (link["ifindex"], link["address"], link["mtu"], "UP" in link["flags"], link["linkinfo"], link.get("ifalias")),
                "addresses": self.addresses(), "entries": self.entries(), "unicasts": self.unicasts(), "routes": self.routes()}

    def is_made(self, network, lower="eth0", mtu=1450):
        """Asserts that the kernel has exactly the network. Returns the state."""
        others = [h for h in network["hosts"] if h["id"] != network["host_id"]]
        link = self.link()
        assert link, f"no device; {self.problems()}"
        data = link["linkinfo"]["info_data"]
        assert (data["id"], data["port"], data.get("link"), data["learning"]) == (10, 8472, lower, False)
        assert link["mtu"] == mtu and "UP" in link["flags"], link
        assert self.addresses() == [network["bridge_ip"] + "/24"]
        assert self.entries() == sorted(h["peer"] for h in others)
        assert self.unicasts() == {h["peer"]: ethernet(h["id"]) for h in others}
        assert self.routes() == {h["instance"]: h["bridge"] for h in others}
        return self.state()

    def becomes(self, network, timeout=10, **expected):
        """Waits until the kernel has exactly the network."""
        return ground.wait_until(lambda: self.is_made(network, **expected), timeout, "the network is made")


class NetKeeper(Worker, Kernel):
    """net-keeper in the namespace 'machine'."""

    def __init__(self, prefix, machine, settings=None):
        Worker.__init__(self, "net-keeper", prefix, {"net-keeper": settings or {}})
        Kernel.__init__(self, machine)
        self.wrapper = machine.wrapper
        self.prefix.chmod(0o755)
        state = self.prefix / "var/hostlet"
        state.mkdir(parents=True, exist_ok=True)
        (state / "tree.id").write_text("11111111-2222-4333-8444-555555555555\n")
        self.file = state / "net-keeper/network.json"

    def traced(self, log):
        """Has strace write the messages that it sends into the file 'log', from its next start on."""
        self.wrapper = [*self.machine.wrapper, "strace", "-D", "-qq", "-A", "-o", log, "-e", "trace=sendmsg,sendto", "-e", "signal=none"]

    def ask(self, method, **parameters):
        return self.call(f"io.hostlet.NetKeeper.{method}", **parameters)

    def set(self, network):
        return self.ask("SetNetwork", **({"network": network} if network else {}))

    def problems(self):
        return self.ask("Info").get("problems", [])

    def hosts(self):
        return {reply["host"]["id"]: reply["host"] for reply in self.stream("io.hostlet.NetKeeper.List") if reply.get("host")}
