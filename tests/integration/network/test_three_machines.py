"""Tests the zone's network on three machines: network namespaces at one LAN, each with a real Docker daemon that filters packets and a
whole tree, and one leader. Each machine has one application, "one", "two" and "three"."""

import contextlib
import os
import signal
import socket
import threading
from concurrent import futures

import pytest
from google.protobuf import json_format
from lib import ground, images, zone_proto
from lib.leader import Leader, Member
from lib.net_keeper import Kernel
from lib.netns import Lan
from lib.resolver import Resolver
from lib.tree import Tree
from lib.varlink import Closed, VarlinkError
from lib.vpc_machine import PORT, SERVE, World, VpcMachine, network_of
from lib.zone import ZoneApp, instance

WORLD = "192.168.60.99"  # the leader's machine, which the zone's network does not contain
NAME_SERVER = "192.0.2.53"  # each machine's own, on lo
KILLS = 17  # on each machine: 51
COUNT = "/cgi-bin/count"
SCRIPT = f"""mkdir -p /home/action/www/cgi-bin
cat >/home/action/www{COUNT} <<'END'
#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
i=0
while echo $i; do i=$((i+1)); sleep 0.1; done
END
chmod +x /home/action/www{COUNT}
{SERVE}"""


class Machine(VpcMachine):
    """A machine whose tree is a member of the leader's zone."""

    def __init__(self, lan, number, place, leader):
        super().__init__(lan, number, place)
        self.name = ("one", "two", "three")[number - 1]
        self.leader = leader
        self.namespace.batch([f"address add {NAME_SERVER}/32 dev lo", f"route add default via {WORLD}"])
        self.kernel = Kernel(self.namespace)
        self.tree = Tree(self.place / "tree", {
            "container-driver": {"runtime": "docker", "docker_socket": str(self.docker.socket)},
            "reconciler": {"probation": "100ms", "retry_min": "100ms", "retry_max": "200ms"},
            "zone": {"enable": "yes", "interval": "200ms", "dns_servers": NAME_SERVER}})
        self.tree.wrapper = self.namespace.wrapper
        self.names = self.tree.prefix / "etc/indns_conf.d/innerstack.toml"
        self.resolver = Resolver(self.namespace, NAME_SERVER, self.names)
        self.application = ZoneApp(self.tree, self.name)

    def assign(self):
        """Makes the leader order this machine's application."""
        port = [{"name": "who", "port": PORT}]
        order = instance(self.name, image=images.BUSYBOX, spec={"tasks": [{"name": "main", "on_startup": True, "script": SCRIPT}], "service_ports": port},
                         replica={"vpc_ipv4": self.container(), "host_id": self.id, "host_ipv4": self.address,
                                  "service_ports": [{**port[0], "host_port": 20080, "lan_addr": self.address}]})
        message = json_format.ParseDict(order, self.leader.messages.app.AppInstance())
        member = self.leader.members[self.id] = Member((self.bridge, self.cidr))
        member.instances = [message]

    def join(self):
        self.tree.call("rpc-gateway", "ZoneInit", host_id=self.id, access_key=f"ak_{self.id}_{self.leader.members[self.id].secret}", hosts=[self.leader.address])

    def left(self):
        """Returns what of the network exists on the machine."""
        routes = [r for r in self.namespace.json("-4", "route", "show", "table", "all") if r.get("dev") == "invpc2_vxlan.10"]
        stored = self.tree.prefix / "var/hostlet/net-keeper/network.json"
        return [what for what, there in [("device", self.kernel.link()), ("routes", routes), ("table", self.nft.stands()),
                                         ("names", self.names.exists()), ("state", stored.exists())] if there]

    def looks_up(self, name):
        """Returns the address that this machine's container finds for a name."""
        said = self.engine.execute(f"i8k_{self.name}_0", "nslookup", "-type=a", name)[1]
        return said.split()[-1] if "Name:" in said else said

    def asks(self, address, port=PORT, name=None):
        return super().asks(address, port, name or self.name)

    def stop(self):
        self.tree.stop()
        self.resolver.stop()
        self.docker.stop()


class Zone:
    """The LAN, the leader, and 'members': those machines that are in the zone."""

    def __init__(self, lan, place, messages):
        self.world = World(lan, WORLD)
        self.leader = Leader(messages, host=WORLD, space=self.world.namespace)
        self.machines = [Machine(lan, number, place, self.leader) for number in (1, 2, 3)]
        self.members = []
        self.revision = 0

    def map(self):
        """Sends the map of the members."""
        self.revision += 1
        self.leader.map_network({m.id: (m.address, m.bridge, m.cidr.partition("/")[0]) for m in self.members},
                                {f"{m.name}_0": m.container() for m in self.members}, self.revision, bridges="192.168.10.0/24", instances="10.10.0.0/16")

    def joins(self, *machines):
        self.members += machines
        self.map()
        for machine in machines:
            machine.assign()
            machine.join()

    def leaves(self, machine):
        self.members.remove(machine)
        del self.leader.members[machine.id]
        self.map()
        machine.tree.ctl("zone", "leave", check=False)  # net-keeper may be killed meanwhile

    def moves(self, machine, address):
        """Gives the machine another address in the LAN."""
        machine.address = address
        machine.namespace.batch(["address flush dev eth0", f"address add {address}/24 dev eth0", f"route add default via {WORLD}"])
        self.map()

    def hosts(self):
        return [{"id": m.id, "peer": m.address, "bridge": m.bridge, "instance": m.cidr} for m in self.members]

    def is_made(self, timeout=30):
        """Waits until each member's kernel has exactly the members' network."""
        for m in self.members:
            m.kernel.becomes({"host_id": m.id, "bridge_ip": m.bridge, "hosts": self.hosts()}, timeout)

    def is_connected(self):
        """Each member's application finds each other's by name, which sees its own address."""
        for a in self.members:
            for b in self.members:
                if a is not b:
                    found = lambda: a.looks_up(f"{b.name}_0.zone") == b.container() or a.looks_up(f"{b.name}_0.zone")
                    ground.wait_until(lambda: found() is True, 30, f"{a.name} finds {b.name}")
                    ground.wait_until(lambda: a.asks(b.container()) == a.container(), 30, f"{a.name} reaches {b.name}")


@pytest.fixture(scope="module")
def zone(session_place):
    """Machines one and two are members; three has a Docker daemon and a tree."""
    place = session_place / "three"
    place.mkdir()
    # A daemon ends with the thread that started it (lib/ground.py): the pool remains.
    with futures.ThreadPoolExecutor(3) as pool, Lan("hostlet-three") as lan:
        made = Zone(lan, place, zone_proto.Messages(session_place / "messages-three"))
        try:
            list(pool.map(Machine.start, made.machines))
            for machine in made.machines:
                machine.tree.start()
            made.joins(*made.machines[:2])
            for machine in made.members:
                machine.application.running()
            yield made
        finally:
            made.leader.stop()
            list(pool.map(Machine.stop, made.machines))


@pytest.fixture(autouse=True)
def logs(zone, request):
    """A failed test shows the trees' logs (lib/hooks.py)."""
    request.node.hostlet_trees = [machine.tree for machine in zone.machines]


class Stream(threading.Thread):
    """A TCP connection over which an application counts; any number that is missing, a reset, and a pause of 60 s fail."""

    def __init__(self, source, target):
        super().__init__(daemon=True)
        self.what = f"the stream from {target.name} to {source.name}"
        pid = source.engine.inspect(f"i8k_{source.name}_0")["State"]["Pid"]
        with network_of(pid):
            self.socket = socket.create_connection((target.container(), PORT), 30)
        self.socket.settimeout(60)
        self.socket.sendall(f"GET {COUNT} HTTP/1.0\r\n\r\n".encode())
        self.count = 0
        self.ending = False
        self.problem = None
        self.start()

    def run(self):
        try:
            lines = self.socket.makefile()
            while lines.readline().strip():
                pass  # the header
            for line in lines:
                assert int(line) == self.count, f"{line!r} follows {self.count - 1}"
                self.count += 1
            assert self.ending, "it was closed"
        except (AssertionError, OSError, ValueError) as error:
            self.problem = None if self.ending else error

    def works(self):
        """Waits for more numbers."""
        before = self.count
        ground.wait_until(lambda: self.problem or self.count > before + 1, 60, f"{self.what} continues")
        assert not self.problem, f"{self.what}, after {self.count} numbers: {self.problem!r}"

    def close(self):
        self.ending = True
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.join()
        self.socket.close()


@pytest.fixture
def streams(zone):
    """Connections between machines one and two, in both directions."""
    one, two = zone.machines[:2]
    ground.wait_until(lambda: one.asks(two.container()) and two.asks(one.container()), 30, "the applications serve")
    made = []
    try:
        made += [Stream(one, two), Stream(two, one)]
        yield made
    finally:
        for stream in made:
            stream.close()


class Killer(threading.Thread):
    """Kills a machine's net-keeper KILLS times."""

    def __init__(self, machine):
        super().__init__(daemon=True)
        self.tree = machine.tree
        self.kills = 0
        self.problem = None
        self.start()

    def run(self):
        try:
            while self.kills < KILLS:
                pid = self.tree.pid("net-keeper", 60)
                self.tree.call("net-keeper", "Info")  # it is ready
                ground.let_pass(1.2)  # one that was ready for a second is started again at once
                os.kill(pid, signal.SIGKILL)
                self.kills += 1
                ground.wait_until(lambda p=pid: not ground.alive(p), 30, "net-keeper ends")
        except (AssertionError, OSError, Closed, VarlinkError) as error:
            self.problem = error

    def check(self):
        self.join()
        assert not self.problem and self.kills == KILLS, (self.problem, self.kills)


def indices(machines):
    return [machine.kernel.link()["ifindex"] for machine in machines]


def test_a_third_machine_joins_and_every_pair_is_connected(zone, streams):
    """The original connects one pair of three: it adds the second entry of the all-zero address exclusively."""
    zone.is_connected()
    before = indices(zone.members)
    zone.joins(zone.machines[2])
    zone.machines[2].application.running()
    zone.is_made()
    zone.is_connected()
    assert indices(zone.machines[:2]) == before
    for stream in streams:
        stream.works()


def test_the_world_sees_the_machines(zone):
    for machine in zone.members:
        ground.wait_until(lambda m=machine: m.asks(WORLD) == m.address, 30, f"the world sees {machine.name}'s machine")


def test_a_segment_of_full_size_crosses_between_every_pair(zone):
    """In one packet with DF set, as the target's container receives it."""
    for a, b in ((a, b) for a in zone.members for b in zone.members if a is not b):
        source, target = (m.engine.inspect(f"i8k_{m.name}_0")["State"]["Pid"] for m in (a, b))
        with network_of(target):
            sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        sniffer.settimeout(30)
        with sniffer, network_of(source), socket.create_connection((b.container(), PORT), 30) as connection:
            connection.sendall(b"x" * connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
            packet = ground.wait_until(lambda s=sniffer: (lambda p: len(p) >= 1450 and p)(s.recv(65536)), 30, "it arrives")
            assert connection.getsockopt(socket.IPPROTO_IP, 14) == 1450  # IP_MTU
        assert len(packet) == 1450 and packet[6] & 0x40 and socket.inet_ntoa(packet[12:16]) == a.container()


@pytest.mark.limit(300)
def test_machines_leave_join_and_move_while_net_keeper_is_killed(zone, streams):
    one, two, three = zone.machines
    before = indices([one, two])
    killers = [Killer(machine) for machine in zone.machines]
    while any(killer.is_alive() for killer in killers):
        zone.leaves(three)
        ground.wait_until(lambda: not three.left(), 60, "nothing is left of the network")
        zone.is_made(60)
        for stream in streams:
            stream.works()
        zone.joins(three)
        zone.is_made(60)
        zone.moves(two, "192.168.60.22" if two.address == "192.168.60.2" else "192.168.60.2")
        zone.is_made(60)
        for stream in streams:
            stream.works()
    for killer in killers:
        killer.check()
    zone.is_made(60)
    zone.is_connected()
    assert indices([one, two]) == before
    for stream in streams:
        stream.works()
    for machine in zone.members:
        ground.wait_until(lambda m=machine: not m.tree.ctl_json("zone", "status").get("problems"), 60, f"{machine.name} has no problem")
