"""Tests three machines of a zone, in network namespaces at one LAN: each with a real Docker daemon and a tree, all led by one
leader. Their applications reach each other by their own addresses while machines join, leave and change their address, and while
net-keeper is killed; what does not change keeps its connections."""

import contextlib
import json
import os
import signal
import socket
import threading
import tomllib

import pytest
from google.protobuf import json_format
from lib import ground, images
from lib.leader import Leader, Member
from lib.net_keeper import Kernel
from lib.netns import Lan
from lib.vpc_machine import PORT, WHO, VpcMachine, network_of
from lib.zone import ZoneApp, instance
from lib.zone_proto import Messages

LEADER = "192.168.60.254"
KILLS = 50
PORTS = [PORT, 9001, 9002]  # of the application, and of the test's connections
NAMES = "etc/indns_conf.d/innerstack.toml"


class Zone:
    """The machines that belong to the zone at the moment, and the leader's map of them."""

    def __init__(self, lan, place, messages):
        self.messages = messages
        self.machines = [VpcMachine(lan, number, place) for number in (1, 2, 3)]
        self.leader = Leader(messages, host=LEADER, space=lan.switch)
        self.members = []
        self.revision = 0

    def start(self):
        for machine in self.machines:
            machine.start()
            machine.namespace.inside("route", "add", "default", "via", LEADER)
            # The gateway finds the machine's address, which one of them changes.
            machine.start_tree({"zone": {"lan_addr": None, "interval": "200ms", "dns_servers": "192.0.2.53"}})
            machine.tree.ctl("service", "start", "rpc-gateway")

    def stop(self):
        for machine in self.machines:
            machine.stop()
        self.leader.stop()

    def map(self):
        self.revision += 1
        self.leader.map_network({m.id: (m.address, m.bridge, f"10.10.{m.number}.0") for m in self.members},
                                {f"web{m.number}_0": m.container() for m in self.members}, self.revision,
                                bridges="192.168.10.0/24", instances="10.10.0.0/16")

    def join(self, machine):
        """Makes the machine a member that runs web{number}."""
        name = f"web{machine.number}"
        member = self.leader.members[machine.id] = Member((machine.bridge, machine.cidr))
        # Docker's own rules admit packets of other machines to published ports alone.
        order = instance(name, 1, image=images.BUSYBOX, spec=WHO, ports={port: 20000 + port for port in PORTS}, replica={"vpc_ipv4": machine.container(), "host_id": machine.id})
        member.instances = [json_format.Parse(json.dumps(order), self.messages.app.AppInstance(), ignore_unknown_fields=True)]
        self.members.append(machine)
        self.map()
        machine.tree.call("rpc-gateway", "ZoneInit", host_id=machine.id, access_key=f"ak_{machine.id}_{member.secret}",
                          hosts=[self.leader.address])
        ZoneApp(machine.tree, name).running()

    def leave(self, machine):
        machine.tree.ctl("zone", "leave")
        self.members.remove(machine)
        self.map()

    def all_reach_each_other(self):
        """Every application reaches every other one, which sees the application's own address."""
        def look(a, b):
            seen = a.asks(b.container(), name=f"web{a.number}")
            assert seen == a.container(), (a.number, b.number, seen, a.tree.ctl("zone", "network", check=False).stdout)
            return True
        for a in self.members:
            for b in self.members:
                if a is not b:
                    ground.wait_until(lambda a=a, b=b: look(a, b), 60, f"machine {b.number} sees the application of machine {a.number}")

    def names_are_known(self):
        wanted = {f"web{m.number}_0.zone": [m.container()] for m in self.members}

        def look():
            for machine in self.members:
                found = {r["name"]: r["ips"] for r in tomllib.loads((machine.tree.prefix / NAMES).read_text())["records"]}
                assert found == wanted, found
            return True
        ground.wait_until(look, 30, "all machines know the names")


@pytest.fixture(scope="module")
def zone(session_place):
    place = session_place / "three"
    place.mkdir()
    with Lan("hostlet-three") as lan:
        lan.switch.inside("address", "add", f"{LEADER}/24", "dev", "lan")
        made = Zone(lan, place, Messages(session_place / "messages-three"))
        try:
            made.start()
            yield made
        finally:
            made.stop()


class Connection:
    """A connection between the applications' network namespaces of two machines; the other side sends back what it receives."""

    def __init__(self, a, b, port):
        with network_of(self.pid(b)):
            self.listener = socket.create_server((b.container(), port))
        threading.Thread(target=self._serve, daemon=True).start()
        with network_of(self.pid(a)):
            self.socket = socket.create_connection((b.container(), port), 30)
        assert self.socket.getsockname()[0] == a.container()

    @staticmethod
    def pid(machine):
        return int(machine.engine.inspect(f"i8k_web{machine.number}_0")["State"]["Pid"])

    def _serve(self):
        with contextlib.suppress(OSError):
            connection, _ = self.listener.accept()
            with connection:
                while data := connection.recv(100):
                    connection.sendall(data)

    def lives(self, timeout=60):
        self.socket.settimeout(timeout)
        self.socket.sendall(b"x")
        assert self.socket.recv(100) == b"x"

    def close(self):
        self.socket.close()
        self.listener.close()


class Killer:
    """Kills net-keeper of all machines in turn, KILLS times at least. Each runs for more than a second, so that hostletd starts it
    again at once."""

    def __init__(self, machines):
        self.machines = machines
        self.kills = 0
        self.ended = False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.ended or self.kills < KILLS:
            for machine in self.machines:
                pid = machine.tree.children().get("net-keeper")
                if pid:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        self.kills += 1
                ground.let_pass(0.5)

    def end(self):
        self.ended = True
        self.thread.join(120)
        assert not self.thread.is_alive() and self.kills >= KILLS


@pytest.mark.limit(600)
def test_applications_find_each_other_while_machines_come_and_go(zone):
    one, two, three = zone.machines
    zone.join(one)
    zone.join(two)
    zone.all_reach_each_other()
    zone.names_are_known()
    between = Connection(one, two, 9001)
    connections = [between]
    killer = Killer(zone.machines)
    try:
        zone.join(three)
        zone.all_reach_each_other()
        zone.names_are_known()
        between.lives()
        others = Connection(one, three, 9002)
        connections.append(others)

        # Machine 2 gets another address. Nothing changes between 1 and 3, and between 1 and 2 the addresses stay the same.
        space = two.namespace
        space.inside("address", "del", "192.168.60.2/24", "dev", "eth0")
        others.lives()
        two.address = "192.168.60.22"
        space.inside("address", "add", f"{two.address}/24", "dev", "eth0")
        space.inside("route", "add", "default", "via", LEADER)
        zone.map()
        zone.all_reach_each_other()
        between.lives()
        others.lives()

        zone.leave(two)
        others.lives()
        zone.all_reach_each_other()
        zone.names_are_known()
    finally:
        killer.end()
        for connection in connections:
            connection.close()
    ground.wait_until(lambda: Kernel(two.namespace).link() is None and not two.nft.stands() and not (two.tree.prefix / NAMES).exists(), 60,
                      "nothing of the network is left on machine 2")
    for machine in zone.members:
        ground.wait_until(lambda m=machine: not m.tree.ctl_json("zone", "status").get("problems"), 60, "no problem is left")
        assert Kernel(machine.namespace).state()["entries"] == [m.address for m in zone.members if m is not machine]
    two.tree.ctl("zone", "leave")
    zone.join(two)
    zone.all_reach_each_other()
