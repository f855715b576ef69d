"""Provides machines of a zone: network namespaces at one LAN, each with a real Docker daemon that filters packets, and a tree."""

import contextlib
import ctypes
import os
import socket
import threading

from . import images
from .dockerd import Dockerd
from .netns import CLONE_NEWNET
from .nft import Nft
from .tree import Tree
from .zone import Vpc, ZoneApp, join

PORT = 8080
PATH = "/cgi-bin/who"  # responds with the address from which the client connects
SERVE = f"""mkdir -p /home/action/www/cgi-bin
printf '#!/bin/sh\\nprintf "Content-Type: text/plain\\\\r\\n\\\\r\\n"\\necho "$REMOTE_ADDR"\\n' >/home/action/www{PATH}
chmod +x /home/action/www{PATH}
exec httpd -f -p {PORT} -h /home/action/www"""
WHO = {"tasks": [{"name": "main", "on_startup": True, "script": SERVE}]}


@contextlib.contextmanager
def network_of(pid):
    """Sockets that this thread makes in the context belong to the network namespace of a process: a container's."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        assert libc.setns(there, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        yield
    finally:
        assert libc.setns(home, CLONE_NEWNET) == 0
        os.close(there)
        os.close(home)


class World:
    """A host at the LAN that belongs to no zone: it answers with the address that it sees."""

    def __init__(self, lan, address):
        self.namespace = lan.machine("world", f"{address}/24")
        with self.namespace.entered():
            self.listener = socket.create_server((address, PORT))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, peer = self.listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(4096)
                    connection.sendall(f"HTTP/1.0 200 OK\r\n\r\n{peer[0]}\n".encode())

    def asks(self, address, port):
        """Returns what a server answers to this host; "": it cannot be reached."""
        with self.namespace.entered(), contextlib.suppress(OSError), socket.create_connection((address, port), 5) as connection:
            connection.sendall(f"GET {PATH} HTTP/1.0\r\n\r\n".encode())
            return connection.makefile().readlines()[-1].strip()
        return ""


class VpcMachine:
    """Machine 'number' (1 to 250) of the zone. start() starts its Docker daemon; the tree is started by start_tree()."""

    def __init__(self, lan, number, place):
        self.number = number
        self.id = f"{number:016x}"
        self.address = f"192.168.60.{number}"
        self.bridge = f"192.168.10.{number}"
        self.cidr = f"10.10.{number}.0/24"
        self.namespace = lan.machine(f"m{number}", f"{self.address}/24")
        self.place = place / f"m{number}"
        self.place.mkdir()
        self.place.chmod(0o755)
        self.docker = Dockerd(self.place / "docker", self.namespace.wrapper, filters=True)
        self.docker.place.mkdir()
        self.nft = Nft(self.namespace.wrapper)
        self.tree = None

    @property
    def engine(self):
        return self.docker.engine

    def start(self):
        self.docker.start()
        images.load_busybox(self.engine)
        return self

    def start_tree(self, settings=None):
        """Starts a new tree. It is no member of a zone: the test states the zone's facts and network itself."""
        settings = settings or {}
        self.tree = Tree(self.place / "tree", {
            **settings,
            "container-driver": {"runtime": "docker", "docker_socket": str(self.docker.socket), **settings.get("container-driver", {})},
            "reconciler": {"probation": "100ms", "retry_min": "100ms", "retry_max": "200ms"},
            "zone": {"enable": "yes", "lan_addr": self.address, **settings.get("zone", {})}})
        self.tree.wrapper = self.namespace.wrapper
        self.tree.start()
        self.tree.ctl("service", "stop", "rpc-gateway")  # it would report that there is no network
        return self.tree

    def put_network(self, machines, **changes):
        return self.tree.call("net-keeper", "SetNetwork", network=network(self, machines, **changes))

    def app(self, name="web", last=3, port=None, wait=True):
        """Starts an instance with the address .LAST that states who connects; 'port' is its host port."""
        join(self.tree, host_id=self.id, lan_addr=self.address, vpc_bridge_ip=self.bridge, vpc_instance_cidr=self.cidr)
        app = ZoneApp(self.tree, name)
        replica = {"vpc_ipv4": self.container(last), "host_id": self.id, "service_ports": []}
        spec = dict(WHO)
        if port:
            spec["service_ports"] = [{"name": "who", "port": PORT}]
            replica["service_ports"] = [{"name": "who", "port": PORT, "host_port": port, "lan_addr": self.address}]
        app.put(1, image=images.BUSYBOX, spec=spec, replica=replica)
        if wait:
            app.running()
        return app

    def container(self, last=3):
        return f"10.10.{self.number}.{last}"

    def asks(self, address, port=PORT, name="web"):
        """Returns the address that a server there sees when this machine's container connects; "": it cannot be reached."""
        ask = f"printf 'GET {PATH} HTTP/1.0\\r\\n\\r\\n' | nc -w 5 {address} {port}"  # busybox' wget, static, looks up names and crashes
        answer = self.engine.execute(f"i8k_{name}_0", "sh", "-c", ask)[1]
        return answer.strip().rpartition("\n")[2].replace("[::ffff:", "").strip("]")

    def remove_all(self):
        """Stops the tree, and removes its containers and what it made of the network."""
        if self.tree:
            self.tree.stop()
            self.tree = None
        self.docker.remove_containers()
        Vpc.remove(self.engine)

    def stop(self):
        self.remove_all()
        self.docker.stop()


def network(machine, machines, **changes):
    """The zone's network as it is for one of its machines."""
    return {"host_id": machine.id, "lan_addr": machine.address, "bridge_ip": machine.bridge, "instance_cidr": machine.cidr,
            "vpc_bridge_cidr": "192.168.10.0/24", "vpc_instance_cidr": "10.10.0.0/16",
            "hosts": [{"id": m.id, "peer": m.address, "bridge": m.bridge, "instance": m.cidr} for m in machines], **changes}
