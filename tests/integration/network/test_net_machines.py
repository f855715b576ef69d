"""Tests net-keeper on several machines: packets that cross, a zone of 250 machines, and the sign of life of another machine."""

import contextlib
import errno
import socket
import threading

import pytest
from lib import ground
from lib.net_keeper import NetKeeper, host, messages, network
from lib.netns import Lan
from lib.varlink import VarlinkError


@pytest.fixture
def lan():
    with Lan() as made:
        yield made


@pytest.fixture
def make_keeper(place):
    with contextlib.ExitStack() as stack:
        def make(machine, settings=None):
            keeper = NetKeeper(place / machine.name, machine, settings)
            stack.callback(keeper.stop)
            return keeper
        yield make


@pytest.fixture
def pair(lan, make_keeper):
    """Two machines of a zone whose network is made; 'machine.keeper', and a container's address 10.78.N.2."""
    made = []
    for number in (1, 2):
        machine = lan.machine(f"m{number}", f"192.168.60.{number}/24")
        machine.batch(["link add bridge0 type bridge", "link set bridge0 up", f"address add 10.78.{number}.2/24 dev bridge0"])
        machine.keeper = make_keeper(machine).start()
        machine.keeper.set(network(number, [3 - number]))
        made.append(machine)
    return made


# Packets

def exchange(pair, size):
    """Sends a datagram of 'size' bytes with DF from a container's address of one machine to that of the other. Returns the address
    of the sender as the receiver sees it."""
    with pair[1].entered():
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with pair[0].entered():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.bind(("10.78.2.2", 4000))
        receiver.settimeout(0.5)
        sender.bind(("10.78.1.2", 0))
        sender.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
        sender.sendto(b"x" * size, ("10.78.2.2", 4000))
        data, address = receiver.recvfrom(2000)
        assert len(data) == size
        return address[0]


def test_packets_of_full_size_cross(pair):
    assert ground.wait_until(lambda: exchange(pair, 100), 10, "a small packet crosses") == "10.78.1.2"
    assert ground.wait_until(lambda: exchange(pair, 1450 - 28), 10, "a packet of full size crosses") == "10.78.1.2"
    with pytest.raises(OSError) as caught:
        exchange(pair, 1450 - 27)
    assert caught.value.errno == errno.EMSGSIZE


def test_a_unicast_packet_reaches_its_machine_alone(lan, make_keeper):
    made = []
    for number in (1, 2, 3):
        machine = lan.machine(f"m{number}", f"192.168.60.{number}/24")
        machine.batch(["link add bridge0 type bridge", "link set bridge0 up", f"address add 10.78.{number}.2/24 dev bridge0"])
        make_keeper(machine).start().set(network(number, {1, 2, 3} - {number}))
        made.append(machine)

    def received(machine):
        return machine.json("-statistics", "link", "show", "dev", "eth0")[0]["stats64"]["rx"]["packets"]
    ground.wait_until(lambda: exchange(made[:2], 100), 10, "packets cross")
    before = [received(machine) for machine in made]
    for _ in range(300):
        exchange(made[:2], 1000)
    after = [received(machine) for machine in made]
    assert after[1] - before[1] >= 300 and after[2] - before[2] < 100, (before, after)


# A connection lives through everything that does not concern it

class Connection:
    """A TCP connection between the machines' containers' addresses, over which bytes go back and forth."""

    def __init__(self, pair):
        with pair[1].entered():
            self.listener = socket.create_server(("10.78.2.2", 4001))
        with pair[0].entered():
            self.client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.client.bind(("10.78.1.2", 0))
        self.client.settimeout(20)
        self.client.connect(("10.78.2.2", 4001))
        self.server, _ = self.listener.accept()
        self.thread = threading.Thread(target=self.echo, daemon=True)
        self.thread.start()

    def echo(self):
        while data := self.server.recv(100):
            self.server.sendall(data)

    def works(self):
        self.client.sendall(b"x")
        return self.client.recv(100) == b"x"

    def close(self):
        self.client.close()
        self.thread.join()
        self.server.close()
        self.listener.close()


def test_no_connection_breaks_while_nothing_about_it_changes(pair):
    ground.wait_until(lambda: exchange(pair, 100), 10, "packets cross")
    connection = Connection(pair)
    keeper, before = pair[0].keeper, pair[0].keeper.state()["link"]
    for number in range(10, 20):
        keeper.set(network(1, [2, number]))
        assert connection.works()
        keeper.kill()
        keeper.start()
        assert connection.works()
    assert keeper.state()["link"] == before
    connection.close()


def test_another_machine_changes_its_address(pair, lan):
    ground.wait_until(lambda: exchange(pair, 100), 10, "packets cross")
    connection = Connection(pair)
    pair[1].batch(["address flush dev eth0", "address add 192.168.60.22/24 dev eth0"])
    moved = [host(1), host(2, peer="192.168.60.22")]
    pair[0].keeper.set(network(1, hosts=moved))
    pair[1].keeper.set(network(2, hosts=moved, lan_addr="192.168.60.22"))
    assert connection.works()
    connection.close()


# 250 machines

def test_the_messages_for_250_machines(lan, make_keeper, place):
    keeper = make_keeper(lan.machine("a", "192.168.60.1/24"))
    others = range(2, 251)
    log = place / "strace"
    keeper.traced(log)
    keeper.start()
    keeper.set(network(1, others))
    first = messages(log)
    assert len(first) == 2 + 1 + 3 * 249 and (first.count("RTM_NEWNEIGH"), first.count("RTM_NEWROUTE")) == (2 * 249, 249), first[:10]
    keeper.is_made(network(1, others))
    keeper.kill()
    log.unlink()
    keeper.start()
    assert keeper.ask("Info")["peers"] == 249 and messages(log) == []
    for change, most in (({"peer": "192.168.60.251"}, 3), ({"bridge": "10.77.1.251"}, 3), ({"instance": "10.78.251.0/24"}, 3),
                         ({"peer": "192.168.60.252", "bridge": "10.77.1.252"}, 4)):
        log.write_text("")
        wanted = network(1, hosts=[host(1), *(host(n) for n in others[:-1]), host(250, **change)])
        keeper.set(network(1, others))
        log.write_text("")
        keeper.set(wanted)
        assert 1 <= len(messages(log)) <= most, messages(log)
        keeper.is_made(wanted)


def test_250_machines_join_and_leave(lan, make_keeper):
    keeper = make_keeper(lan.machine("a", "192.168.60.1/24")).start()
    for others in (range(2, 251), [], range(2, 251, 2), range(3, 251, 2), range(2, 251)):
        keeper.set(network(1, others))
        keeper.is_made(network(1, others))
    keeper.set(None)
    assert not keeper.link()


# Signs of life

def test_another_machine_is_asked_for_a_sign_of_life(pair):
    keeper = pair[0].keeper
    target = host(2)["id"]
    pair[0].run("sysctl", "-w", "net.ipv4.ping_group_range=1 0", check=True)
    answer = keeper.ask("Ping", host=target)  # nothing listens there: a refusal is a sign of life, too
    assert (answer["address"], answer["method"]) == ("10.77.1.2", "tcp") and 0 < answer["usec"] < 3_000_000
    pair[0].run("sysctl", "-w", "net.ipv4.ping_group_range=0 2147483647", check=True)
    answer = keeper.ask("Ping", host=target)
    assert (answer["address"], answer["method"]) == ("10.77.1.2", "icmp") and 0 < answer["usec"] < 3_000_000
    with pytest.raises(VarlinkError, match="has no host 'other'"):
        keeper.ask("Ping", host="other")
    keeper.set(network(1, hosts=[host(1), host(2), host(3, instance="10.78.3.0/25")]))
    with pytest.raises(VarlinkError, match="host '000000000003' is not reachable: .* is not a private /24"):
        keeper.ask("Ping", host=host(3)["id"])


@pytest.mark.parametrize("groups, tried", [("1 0", "a TCP connection to port 9533 of 10.77.1.2"),
                                           ("0 2147483647", "3 ICMP echo requests to 10.77.1.2")])
def test_a_machine_that_is_silent_is_not_waited_for(pair, groups, tried):
    pair[0].run("sysctl", "-w", f"net.ipv4.ping_group_range={groups}", check=True)
    pair[1].inside("link", "set", "eth0", "down")
    keeper = pair[0].keeper
    target = host(2)["id"]
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(keeper.connect()) for _ in range(17)]
        for connection in waiting:
            connection.send({"method": "io.hostlet.NetKeeper.Ping", "parameters": {"host": target}})
        replies = [connection.receive() for connection in waiting]
        reasons = [reply["parameters"]["reason"] for reply in replies]
        assert sum("16 hosts are being asked" in reason for reason in reasons) == 1
        assert sum(f"host '{target}' is not reachable: {tried}" in reason for reason in reasons) == 16, reasons
        for connection in waiting:  # which hang up
            connection.send({"method": "io.hostlet.NetKeeper.Ping", "parameters": {"host": target}})
    assert keeper.ask("Info")["device_ok"]
