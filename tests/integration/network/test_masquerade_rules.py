"""Tests the nftables table that net-keeper keeps, in a network namespace of its own."""

import copy
import socket
import subprocess

import pytest
from lib import ground
from lib.nft import TABLE, Nft
from lib.worker import Worker

NETWORK = {"host_id": "0123456789ab", "lan_addr": "192.168.60.1", "bridge_ip": "192.168.10.1", "instance_cidr": "10.10.1.0/24",
           "vpc_bridge_cidr": "192.168.10.0/24", "vpc_instance_cidr": "10.10.0.0/16",
           "hosts": [{"id": "0123456789ab", "peer": "192.168.60.1", "bridge": "192.168.10.1", "instance": "10.10.1.0/24"},
                     {"id": "0123456789ac", "peer": "192.168.60.2", "bridge": "192.168.10.2", "instance": "10.10.2.0/24"}]}
THEIRS = """
table inet theirs {
    set blocked { type ipv4_addr; elements = { 192.0.2.7 }; }
    chain input { type filter hook input priority filter; policy accept; ip saddr @blocked drop; }
}
table ip hostlet_vpc_other { chain c { }; }
"""


@pytest.fixture
def keeper(place, namespace):
    worker = Worker("net-keeper", place / "tree")
    worker.wrapper = namespace.wrapper
    worker.start()
    yield worker
    worker.stop()


@pytest.fixture
def nft(namespace):
    return Nft(namespace.wrapper)


def put(keeper, network):
    return keeper.call("io.hostlet.NetKeeper.SetNetwork", network=network)


def info(keeper):
    return keeper.call("io.hostlet.NetKeeper.Info")


def start(keeper):
    """Starts it again, and waits until it has compared the table: it does so before its first reply."""
    keeper.start()
    info(keeper)


def grown(number):
    """The network with a further host."""
    made = copy.deepcopy(NETWORK)
    made["hosts"].append({"id": f"{number:012x}", "peer": f"192.168.60.{number}", "bridge": f"192.168.10.{number}",
                          "instance": f"10.10.{number}.0/24"})
    return made


def elements(nft, name):
    return {address: counter for address, counter in nft.table()["map", name].get("elem", [])}


def test_the_table_is_made_and_replaced_only_if_it_differs(keeper, nft):
    assert not nft.stands() and info(keeper)["masquerade"] is False
    put(keeper, NETWORK)
    assert info(keeper)["masquerade"] and info(keeper)["instance_cidr"] == "10.10.1.0/24"
    first = nft.handle()
    assert nft.table()["set", "inside"]["elem"] == [{"prefix": {"addr": "10.10.0.0", "len": 16}}, {"prefix": {"addr": "192.168.10.0", "len": 24}}]
    assert elements(nft, "sent") == {"192.168.60.2": "sent_0123456789ac"}
    put(keeper, NETWORK)
    keeper.kill()
    assert nft.handle() == first  # it stays while net-keeper does not run
    start(keeper)
    put(keeper, NETWORK)
    assert nft.handle() == first and info(keeper)["masquerade"]
    put(keeper, grown(3))
    assert nft.handle() != first and set(elements(nft, "received")) == {"192.168.60.2", "192.168.60.3"}
    keeper.call("io.hostlet.NetKeeper.SetNetwork")
    assert not nft.stands() and not info(keeper)["masquerade"]


def test_a_change_while_net_keeper_does_not_run_is_corrected_at_its_start(keeper, nft):
    put(keeper, NETWORK)
    wanted = nft.table()["rule", "to_outside"]["expr"]
    for change in (["flush", "chain", "ip", TABLE, "to_outside"], ["delete", "table", "ip", TABLE],
                   ["add", "rule", "ip", TABLE, "to_outside", "accept"],
                   ["insert", "rule", "ip", TABLE, "sent", "drop"],
                   ["add", "element", "ip", TABLE, "inside", "{ 172.16.0.0/12 }"],
                   ["delete", "element", "ip", TABLE, "inside", "{ 10.10.0.0/16 }"]):
        keeper.kill()
        nft.run(*change)
        start(keeper)
        assert nft.table()["rule", "to_outside"]["expr"] == wanted, change
        assert len([o for o in nft._objects("list", "table", "ip", TABLE) if "rule" in o]) == 3
        assert len(nft.table()["set", "inside"]["elem"]) == 2


@pytest.mark.parametrize("destroy", [
    ["nft", "flush", "ruleset"],
    ["nft", "delete", "table", "ip", TABLE],
    ["nft", "flush", "table", "ip", TABLE],
    ["sh", "-c", "printf 'flush ruleset\\ntable inet filter { chain input { type filter hook input priority 0; }; }\\n' | nft -f -"],
], ids=["ruleset", "table", "rules", "firewall"])
def test_the_table_is_made_again_when_another_program_removes_it(keeper, nft, namespace, destroy):
    put(keeper, NETWORK)
    subprocess.run([*namespace.wrapper, *destroy], check=True)
    ground.wait_until(lambda: ("rule", "to_outside") in (nft.table() or {}), 10, "the table is complete again")
    ground.wait_until(lambda: info(keeper)["masquerade"] and info(keeper)["repairs"] == 1, 10, "the repair is counted")
    assert "was changed by 'nft'" in keeper.log()


def test_a_saved_set_of_rules_can_be_loaded_again(keeper, nft):
    """As at the next start of the machine, by nftables.service."""
    put(keeper, NETWORK)
    saved = nft.run("list", "ruleset")
    keeper.kill()
    nft.run("-f", "-", text="flush ruleset\n" + saved)
    restored = nft.handle()
    start(keeper)
    assert nft.handle() == restored and info(keeper)["masquerade"]


def test_rules_of_others_stay(keeper, nft, namespace):
    iptables = [*namespace.wrapper, "iptables-nft"]
    subprocess.run([*iptables, "-t", "nat", "-A", "POSTROUTING", "-s", "172.30.0.0/16", "-j", "MASQUERADE"], check=True)
    nft.run("-f", "-", text=THEIRS)
    def others():
        return "\n".join(nft.run("-a", "list", "table", *table) for table in sorted(nft.tables() - {("ip", TABLE)}))
    before = others()
    put(keeper, NETWORK)
    assert others() == before
    first = nft.handle()
    # What other programs do with their own rules is no reason to look at hostlet's, nor to replace it.
    saved = subprocess.run([*namespace.wrapper, "iptables-nft-save"], check=True, capture_output=True, text=True).stdout
    subprocess.run([*namespace.wrapper, "iptables-nft-restore"], input=saved, text=True, check=True)
    subprocess.run([*iptables, "-F", "FORWARD"], check=True)
    nft.run("delete", "table", "inet", "theirs")
    nft.run("-f", "-", text=THEIRS.split("table ip hostlet")[0])
    assert nft.handle() == first and "repairs" not in info(keeper)
    keeper.call("io.hostlet.NetKeeper.SetNetwork")
    assert not nft.stands() and ("ip", "nat") in nft.tables() and ("inet", "theirs") in nft.tables()


def test_a_program_that_removes_the_table_again_and_again_is_named(keeper, nft):
    put(keeper, NETWORK)
    def fought():
        if nft.stands():
            nft.run("delete", "table", "ip", TABLE)
        shown = info(keeper)
        return not shown["masquerade"] and "'nft' keeps changing the nftables table" in shown.get("masquerade_problem", "") and shown
    shown = ground.wait_until(fought, 30, "net-keeper pauses")
    assert shown["masquerade_problem"] in shown["problems"]
    ground.wait_until(lambda: nft.stands() and info(keeper)["masquerade"], 60, "it is made again after the pause")


def send(namespace, address, n=1, vni=10):
    """Sends packets of the form of VXLAN."""
    with namespace.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(n):
            sender.sendto(bytes([8, 0, 0, 0, 0, 0, vni, 0]) + b"x" * 50, (address, 8472))


def test_counters_continue_over_a_replacement(keeper, nft, namespace):
    """Packets to a host are counted; those of another VXLAN network, or to an address that is no host's, are not."""
    # Without the address of the map there is no VXLAN device, which would send packets of its own.
    namespace.inside("address", "add", "192.168.60.200/24", "dev", "uplink")
    namespace.inside("link", "set", "uplink", "up")
    def listed():
        return {h["host"]["id"]: h["host"] for h in keeper.stream("io.hostlet.NetKeeper.List") if "host" in h}
    put(keeper, NETWORK)
    send(namespace, "192.168.60.2", 3)
    send(namespace, "192.168.60.2", vni=11)
    send(namespace, "192.168.60.77")
    assert listed()["0123456789ac"]["sent_packets"] == 3 and listed()["0123456789ac"]["sent_bytes"] == 3 * (20 + 8 + 58)
    first = nft.handle()
    put(keeper, grown(3))
    moved = grown(3)
    moved["hosts"][1]["peer"] = "192.168.60.9"
    put(keeper, moved)
    assert nft.handle() != first
    send(namespace, "192.168.60.2")  # the host's address of before
    send(namespace, "192.168.60.9")
    assert listed()["0123456789ac"]["sent_packets"] == 4 and listed()["000000000003"].get("sent_packets", 0) == 0
    keeper.kill()
    start(keeper)
    assert listed()["0123456789ac"]["sent_packets"] == 4
    # What was counted before somebody else deleted the table, and was listed, is not lost either.
    nft.run("delete", "table", "ip", TABLE)
    ground.wait_until(nft.stands, 10, "the table is made again")
    assert listed()["0123456789ac"]["sent_packets"] == 4


def test_a_network_that_is_not_private_is_not_masqueraded(keeper, nft):
    assert any("203.0.113.0/24" in p for p in put(keeper, {**NETWORK, "instance_cidr": "203.0.113.0/24"})["problems"])
    assert not nft.stands() and "203.0.113.0/24" in info(keeper)["masquerade_problem"]


def test_the_lan_is_not_masqueraded_as_the_network_of_containers(keeper, nft):
    """The machine can be the router of its LAN."""
    lan = NETWORK["lan_addr"].rsplit(".", 1)[0] + ".0/24"
    assert any("what this machine's containers send is not masq" in p for p in put(keeper, {**NETWORK, "instance_cidr": lan})["problems"])
    assert not nft.stands() and lan in info(keeper)["masquerade_problem"]


def test_two_hundred_and_fifty_hosts(keeper, nft):
    network = copy.deepcopy(NETWORK)
    network["hosts"] += [{"id": f"{i:012x}", "peer": f"192.168.61.{i}", "bridge": f"192.168.10.{i}", "instance": f"10.10.{i}.0/24"}
                         for i in range(3, 251)]
    put(keeper, network)
    assert len(elements(nft, "sent")) == len(elements(nft, "received")) == 249
    first = nft.handle()
    keeper.kill()
    start(keeper)
    assert nft.handle() == first
