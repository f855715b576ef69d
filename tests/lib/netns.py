"""Provides machines of a zone as network namespaces: each has a device "eth0" at one bridge, the LAN that connects them."""

import contextlib
import ctypes
import json
import os
import subprocess

CLONE_NEWNET = 0x40000000


class Netns:
    """A network namespace. It is removed with everything in it by remove()."""

    def __init__(self, name):
        self.name = name
        self.ip("netns", "add", name)
        self.inside("link", "set", "lo", "up")

    @staticmethod
    def ip(*words):
        return subprocess.run(["ip", *map(str, words)], check=True, capture_output=True, text=True).stdout

    def inside(self, *words):
        return self.ip("-n", self.name, *words)

    def json(self, *words):
        """Returns what 'ip -json WORDS' prints in the namespace."""
        return json.loads(self.ip("-n", self.name, "-json", "-details", *words) or "[]")

    def batch(self, lines):
        """Executes many lines of ip(8) in one process."""
        subprocess.run(["ip", "-n", self.name, "-batch", "-"], input="\n".join(lines), text=True, check=True, capture_output=True)

    @contextlib.contextmanager
    def entered(self):
        """Sockets that this thread makes in the context belong to the namespace."""
        libc = ctypes.CDLL(None, use_errno=True)

        def enter(path):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if libc.setns(fd, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"setns {path}")
            finally:
                os.close(fd)
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            enter(f"/run/netns/{self.name}")
            yield
        finally:
            enter(f"/proc/self/fd/{home}")
            os.close(home)

    def bridge(self, *words):
        return subprocess.run(["bridge", "-n", self.name, *map(str, words)], check=True, capture_output=True, text=True).stdout

    def run(self, *command, **options):
        """Runs a command in the namespace, and returns its result."""
        return subprocess.run([*self.wrapper, *map(str, command)], capture_output=True, text=True, **options)

    @property
    def wrapper(self):
        """Returns a command that runs another in the namespace. ('ip netns exec' mounts a /sys without the cgroups.)"""
        return ["nsenter", f"--net=/run/netns/{self.name}"]

    def remove(self):
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True, check=False)


class Lan:
    """A switch to which machines are connected. Used as a context, it removes them at its end."""

    def __init__(self, name="hostlet-lan", mtu=1500):
        self.name = f"{name}-{os.getpid()}"
        self.mtu = mtu
        self.machines = []
        self.switch = Netns(self.name)
        self.switch.inside("link", "add", "lan", "mtu", mtu, "type", "bridge")
        self.switch.inside("link", "set", "lan", "up")

    def machine(self, name, address=None):
        """Adds a machine with eth0 at the switch; 'address' is such as "192.168.60.1/24"."""
        made = Netns(f"{self.name}-{name}")
        self.machines.append(made)
        self.connect(made, "eth0", address)
        return made

    def connect(self, machine, device, address=None):
        """Gives the machine another device at the switch."""
        port = f"p{len(self.switch.json('link', 'show'))}"
        self.switch.inside("link", "add", port, "mtu", self.mtu, "type", "veth", "peer", "name", device, "netns", machine.name)
        machine.inside("link", "set", device, "mtu", self.mtu)
        self.switch.inside("link", "set", port, "master", "lan", "up")
        if address:
            machine.inside("address", "add", address, "dev", device)
        machine.inside("link", "set", device, "up")

    def remove(self):
        for machine in [*self.machines, self.switch]:
            machine.remove()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()
