"""Tests net-keeper alone: its calls, its file, and what it makes in the kernel, on machines that are network namespaces."""

import json
import os
import pwd
import signal

import pytest
from lib import ground
from lib.net_keeper import DEVICE, ZERO, NetKeeper, ethernet, host, network
from lib.netns import Lan
from lib.tree import VARIANT
from lib.varlink import VarlinkError


pytestmark = pytest.mark.sanitized


@pytest.fixture
def lan():
    with Lan() as made:
        yield made


@pytest.fixture
def machine(lan):
    return lan.machine("a", "192.168.60.1/24")


@pytest.fixture
def make_keeper(place):
    made = []

    def make(machine, settings=None):
        keeper = NetKeeper(place / f"tree{len(made)}", machine, settings)
        made.append(keeper)
        keeper.start()
        return keeper
    yield make
    for keeper in made:
        keeper.stop()


@pytest.fixture
def keeper(make_keeper, machine):
    return make_keeper(machine)


# Calls and file

def test_the_network_is_stored_and_removed(keeper):
    wanted = network()
    assert keeper.ask("Info") == {"network": False, "device_ok": False, "masquerade": False}
    assert keeper.set(wanted) == {"changed": True}
    assert json.loads(keeper.file.read_text()) == {"format": 1, "network": wanted}
    assert keeper.file.stat().st_mode & 0o777 == 0o600
    info = keeper.ask("Info")
    assert (info["network"], info["device"], info["underlay"], info["mtu"], info["device_ok"], info["peers"]) == (
        True, DEVICE, "eth0", 1450, True, 2)
    before = keeper.is_made(wanted)
    keeper.kill()
    keeper.start()
    assert keeper.ask("Info")["network"] and keeper.ask("Info").get("changes", 0) == 0
    assert keeper.state() == before
    assert keeper.set(None)["changed"] and not keeper.file.exists() and not keeper.link()
    assert keeper.set(None) == {"changed": False}


def test_sizes_are_limited(keeper):
    for member, item, most in (("hosts", host(2), 4096), ("records", {"name": "a", "address": "10.0.0.1"}, 65536)):
        with pytest.raises(VarlinkError, match=f"{most} are possible"):
            keeper.set({**network(), member: [item] * (most + 1)})
    with pytest.raises(VarlinkError, match="more than 253 bytes"):
        keeper.set(network(domain="x" * 254))
    assert not keeper.ask("Info")["network"] and not keeper.link()


def test_the_largest_network_is_accepted(keeper):
    """More machines than a /24 has addresses, and as many names as possible."""
    hosts = [host(1), host(2)] + [{"id": f"{n:012x}", "peer": f"192.168.{n // 200}.{n % 200 + 1}", "bridge": f"10.77.{n // 200}.{n % 200 + 1}",
                                   "instance": f"10.{100 + n // 200}.{n % 200}.0/24"} for n in range(400, 400 + 4094)]
    records = [{"name": f"{'x' * 40}_{n}", "address": "10.78.2.3"} for n in range(65536)]
    assert len(keeper.set(network(hosts=hosts, records=records))["problems"]) == 33
    keeper.is_made(network(others=(2,)))
    keeper.kill()
    keeper.start()
    assert len(keeper.hosts()) == 4095 and "changes" not in keeper.ask("Info")


@pytest.mark.parametrize("data", [b"\0", b"{\0", b"[]\0", b'{"method": 1}\0', b'{"method": "io.hostlet.NetKeeper.SetNetwork", "parameters": []}\0',
                                  b'{"method": "io.hostlet.NetKeeper.SetNetwork", "parameters": {"network": {"hosts": [null]}}}\0',
                                  b'{"method": "io.hostlet.NetKeeper.SetNetwork", "parameters": {"network": {', b"x" * 100000])
def test_a_caller_that_sends_nonsense_changes_nothing(keeper, data):
    before = keeper.set(network()) and keeper.state()
    with keeper.connect() as connection:
        connection.send_raw(data)
    assert keeper.ask("Info")["device_ok"] and keeper.state() == before and keeper.process.poll() is None


def test_a_damaged_file_changes_nothing_until_the_zone_sends_the_network(keeper):
    before = keeper.set(network()) and keeper.state()
    keeper.stop()
    for text in ("{", '{"format": 2}', '{"format": 1, "network": {}}', "[" * 100000):
        keeper.file.write_text(text)
        keeper.start()
        assert keeper.state() == before
        assert "stays as it is" in keeper.problems()[0]
        keeper.stop()
    keeper.start()
    assert keeper.set(network(others=(2,)))["changed"] and not keeper.problems()
    keeper.is_made(network(others=(2,)))
    assert keeper.file.with_name("network.json.unreadable").exists()


@pytest.mark.skipif(VARIANT == "sanitized", reason="the sanitized build has no jail")
def test_its_rights_are_one_capability_and_a_list_of_system_calls(keeper):
    fields = dict(line.split(":", 1) for line in open(f"/proc/{keeper.process.pid}/status"))
    assert fields["Uid"].split() == [str(pwd.getpwnam("hostlet-net-keeper").pw_uid)] * 4
    assert {fields[name].strip() for name in ("CapPrm", "CapEff", "CapBnd")} == {f"{1 << 12:016x}"}  # CAP_NET_ADMIN
    assert fields["NoNewPrivs"].strip() == "1" and fields["Seccomp"].strip() == "2"


# What is made

def test_only_what_changed_is_changed(keeper):
    keeper.set(network(others=(2, 3, 4)))
    before = keeper.ask("Info")["changes"]
    for wanted, changes in ((network(others=(2, 3, 4, 5)), 3), (network(others=(2, 3, 5)), 3),
                            (network(hosts=[host(1), host(2), host(3), host(5, peer="192.168.60.99")]), 3),
                            (network(hosts=[host(1), host(2), host(3), host(5, bridge="10.77.1.99")]), 4),
                            (network(hosts=[host(1), host(2), host(3), host(5, instance="10.78.99.0/24")]), 2),
                            (network(hosts=[host(1), host(2), host(3), host(5, instance="10.78.99.0/24")], domain="x.y"), 0)):
        assert keeper.set(wanted) == {"changed": True}
        keeper.is_made(wanted)
        after = keeper.ask("Info")["changes"]
        assert after - before == changes, wanted
        before = after


def test_another_address_of_this_machine_is_taken_over(keeper):
    keeper.set(network())
    index = keeper.link()["ifindex"]
    for bridge in ("10.77.1.200", "10.77.2.1"):
        hosts = [host(1, bridge=bridge)] + [host(n, bridge=f"{bridge.rpartition('.')[0]}.{n}") for n in (2, 3)]
        wanted = network(hosts=hosts, bridge_ip=bridge)
        assert keeper.set(wanted) == {"changed": True}
        assert keeper.is_made(wanted)["link"][0] == index


def test_a_running_originals_device_is_taken_over(machine, make_keeper):
    machine.batch([f"link add {DEVICE} mtu 1500 type vxlan id 10 dstport 8472 dev eth0 nolearning", f"link set {DEVICE} up",
                   f"address add 10.77.1.1/24 dev {DEVICE}", "route add 10.78.2.0/24 via 10.77.1.2", "route add 10.78.9.0/24 via 10.77.1.9"])
    machine.bridge("fdb", "append", ZERO, "dst", "192.168.60.2", "dev", DEVICE)
    machine.bridge("fdb", "append", ZERO, "dst", "192.168.60.9", "dev", DEVICE)
    keeper = make_keeper(machine)
    before = keeper.state()
    wanted = network(others=(2,))
    # the mark, IPv6, and the entries of the others' Ethernet addresses
    assert keeper.set(network(others=(2, 9))) == {"changed": True} and keeper.ask("Info")["changes"] == 4
    after = keeper.state()
    assert after["link"][:5] == before["link"][:5] and after["link"][5] == "hostlet 11111111-2222-4333-8444-555555555555"
    assert {**after, "link": 0, "unicasts": 0} == {**before, "link": 0, "unicasts": 0}
    keeper.set(wanted)
    assert keeper.is_made(wanted)["link"] == after["link"] and keeper.ask("Info")["changes"] == 7


def test_what_is_not_ours_is_never_touched(keeper, machine):
    keeper.set(network())
    machine.batch([f"address add 172.20.0.1/24 dev {DEVICE}", f"address add 10.77.1.77/32 dev {DEVICE}", "route add 172.21.0.0/24 via 10.77.1.2",
                   "route add 10.78.2.128/25 via 10.77.1.3", "route add 10.78.2.0/24 via 10.77.1.3 metric 7",
                   "route add 10.78.77.0/24 via 10.77.1.3 proto ospf", "route add 10.78.78.0/24 via 192.168.60.9"])
    machine.bridge("fdb", "add", "02:00:00:00:00:01", "dst", "192.168.60.7", "dev", DEVICE)

    def others():
        return machine.inside("-4", "address"), machine.inside("route"), machine.bridge("fdb", "show", "dev", DEVICE)
    before = others()
    keeper.kill()
    keeper.start()
    keeper.set(network(domain="other"))
    assert others() == before
    assert keeper.ask("Info").get("changes", 0) == 0 and keeper.ask("Info").get("repairs", 0) == 0


# Repairs

REMOVALS = {
    "the device": [f"link delete {DEVICE}"], "an entry": ZERO, "the entry of an Ethernet address": ethernet(host(2)["id"]), "a route": ["route delete 10.78.2.0/24"],
    "the address": [f"address delete 10.77.1.1/24 dev {DEVICE}"], "the device is set down": [f"link set {DEVICE} down"],
    "the MTU": [f"link set {DEVICE} mtu 1280"], "another gateway": ["route replace 10.78.2.0/24 via 10.77.1.3"],
    "learning": [f"link set {DEVICE} type vxlan id 10 learning"], "a renamed device": [f"link set {DEVICE} down", f"link set {DEVICE} name gone",
                                                                                         "link delete gone"]}


@pytest.mark.parametrize("what", REMOVALS)
def test_what_another_program_removes_is_repaired(keeper, machine, what):
    wanted = network()
    keeper.set(wanted)
    before = keeper.is_made(wanted)
    if isinstance(REMOVALS[what], list):
        machine.batch(REMOVALS[what])
    else:
        machine.bridge("fdb", "delete", REMOVALS[what], "dst", "192.168.60.2", "dev", DEVICE)
    ground.wait_until(lambda: keeper.ask("Info").get("repairs", 0) >= 1, 10, "a repair")
    after = keeper.becomes(wanted)
    assert after["link"][1] == before["link"][1], "the others remember the Ethernet address"
    if what not in ("the device", "a renamed device"):
        assert after["link"][0] == before["link"][0]
    assert "was changed by another program" in keeper.log() and not keeper.problems()


def test_a_foreign_entry_of_our_device_is_removed(keeper, machine):
    wanted = network()
    keeper.set(wanted)
    machine.bridge("fdb", "append", ZERO, "dst", "192.168.60.77", "port", "4789", "dev", DEVICE)
    keeper.becomes(wanted)


def test_the_entry_of_an_ethernet_address_follows_its_host(keeper, machine):
    """Another program's entry of it, too, leads to the host; a host that comes with another id leaves none."""
    keeper.set(network())
    machine.bridge("fdb", "replace", ethernet(host(2)["id"]), "dst", "192.168.60.77", "dev", DEVICE)
    keeper.becomes(network())
    again = network(hosts=[host(1), host(2), host(3, id="again")])
    keeper.set(again)
    keeper.is_made(again)
    keeper.kill()
    keeper.file.write_text(keeper.file.read_text().replace('"again"', '"again2"'))
    keeper.start()
    keeper.becomes(network(hosts=[host(1), host(2), host(3, id="again2")]))


def test_two_fighters_do_not_spin(keeper, machine):
    """Another program deletes a route as soon as it exists."""
    keeper.set(network())
    for _ in range(7):
        machine.inside("route", "delete", "10.78.2.0/24")
        ground.wait_until(lambda: "10.78.2.0/24" in keeper.routes(), 20, "the route is repaired")
    assert any("again and again" in problem for problem in keeper.problems())
    machine.inside("route", "delete", "10.78.2.0/24")
    repairs = keeper.ask("Info")["repairs"]
    ground.let_pass(1)
    assert keeper.ask("Info")["repairs"] == repairs, "the pause after seven corrections is longer than six seconds"
    keeper.becomes(network(), 30)


@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit", "throw"])
def test_a_route_that_drops_packets_takes_the_place_of_ours(keeper, machine, kind):
    """The kernel sends no message that the replaced route is gone."""
    keeper.set(network())
    machine.inside("route", "replace", kind, "10.78.2.0/24")
    ground.wait_until(lambda: any("a route to 10.78.2.0/24 in the network of its containers that drops" in p for p in keeper.problems()), 10,
                      "the problem")
    assert not keeper.hosts()["000000000002"]["present"]
    machine.inside("route", "delete", kind, "10.78.2.0/24")
    keeper.becomes(network())


def test_a_device_in_another_network_namespace(keeper, machine, lan):
    """The kernel makes no second device of the same id for the namespace in which the first one was made."""
    keeper.set(network())
    other = lan.machine("other")
    machine.inside("link", "set", DEVICE, "netns", other.name)
    ground.wait_until(lambda: any("moved into another network namespace" in p for p in keeper.problems()), 10, "the problem")
    other.inside("link", "delete", DEVICE)
    keeper.becomes(network(), 30)


def test_a_refused_change_does_not_delay_repairs(keeper, machine, lan):
    """A change that the kernel refuses is repeated after pauses of up to a minute."""
    keeper.set(network())
    other = lan.machine("other")
    machine.inside("link", "set", DEVICE, "netns", other.name)
    ground.wait_until(lambda: any("moved into another network namespace" in p for p in keeper.problems()), 10, "the problem")
    ground.let_pass(16)  # pauses of 1, 2, 4, 8 and 16 seconds: the last one ends after 31 seconds
    other.inside("link", "set", DEVICE, "netns", machine.name)
    keeper.becomes(network(), 10)


@pytest.mark.skipif(not os.path.exists("/proc/sys/net/ipv6"), reason="the kernel has no IPv6")
def test_no_ipv6_on_the_device(keeper, machine):
    """Another machine could announce itself as the router of this one."""
    def families():
        return {item["family"] for item in machine.json("address", "show", "dev", DEVICE)[0]["addr_info"]}
    keeper.set(network())
    changes = keeper.ask("Info")["changes"]
    machine.run("sysctl", "-w", f"net/ipv6/conf/{DEVICE}/disable_ipv6=0", check=True)
    ground.wait_until(lambda: "inet6" in families(), 10, "an address of IPv6")
    assert keeper.set(network()) == {"changed": True}
    assert families() == {"inet"} and keeper.ask("Info")["changes"] == changes + 1 and not keeper.problems()
    machine.inside("link", "delete", DEVICE)
    keeper.becomes(network())
    ground.let_pass(2)  # a link-local address would be added after the check for duplicates
    assert families() == {"inet"}


def test_lost_notifications_are_replaced_by_reading_everything(keeper, machine):
    keeper.set(network())
    pid = keeper.ask("Info") and int(ground.processes_naming(str(keeper.prefix))[0])
    os.kill(pid, signal.SIGSTOP)
    machine.batch(["route add 172.16.0.0/12 via 192.168.60.9"] + [
        f"route add 172.{16 + n // 65536}.{n // 256 % 256}.{n % 256}/32 via 192.168.60.9" for n in range(4000)])
    machine.inside("route", "delete", "10.78.2.0/24")
    os.kill(pid, signal.SIGCONT)
    keeper.becomes(network())


# The device below

def test_the_address_moves_to_another_device(keeper, machine, lan):
    wanted = network()
    keeper.set(wanted)
    index = keeper.link()["ifindex"]
    lan.connect(machine, "eth1")
    machine.inside("address", "delete", "192.168.60.1/24", "dev", "eth0")
    ground.wait_until(lambda: any("no device has" in p for p in keeper.problems()), 10, "the problem is shown")
    keeper.is_made(wanted)
    machine.inside("address", "add", "192.168.60.1/24", "dev", "eth1")
    assert keeper.becomes(wanted, lower="eth1")["link"][0] == index
    assert keeper.ask("Info").get("repairs", 0) == 0 and not keeper.problems()


@pytest.mark.parametrize("mtu", [1400, 9000])
def test_the_address_moves_to_a_device_of_another_mtu(keeper, machine, lan, mtu):
    wanted = network()
    keeper.set(wanted)
    index = keeper.link()["ifindex"]
    lan.connect(machine, "eth1")
    machine.batch([f"link set eth1 mtu {mtu}", "address delete 192.168.60.1/24 dev eth0", "address add 192.168.60.1/24 dev eth1"])
    assert keeper.becomes(wanted, lower="eth1", mtu=mtu - 50)["link"][0] == index
    assert not keeper.problems()


@pytest.mark.parametrize("made", ["dev lo mtu 1500 learning", "", "dev eth0 ttl 5 local 192.168.60.1"])
def test_a_device_that_was_made_by_hand_is_corrected_in_place(keeper, machine, made):
    words = made.split()
    mtu = ["mtu", "1500"] if "mtu" in words else []
    machine.inside("link", "add", DEVICE, *mtu, "type", "vxlan", "id", "10", "dstport", "8472", *(["nolearning"] if "learning" not in words else []),
                   *[word for word in words if word not in ("mtu", "1500", "learning")])
    index = keeper.link()["ifindex"]
    assert not keeper.set(network()).get("problems")
    assert keeper.is_made(network())["link"][0] == index


def test_the_address_appears_late(lan, make_keeper):
    machine = lan.machine("late")
    keeper = make_keeper(machine)
    assert "no device has this machine's address in the zone, 192.168.60.1" in keeper.set(network())["problems"][0]
    assert not keeper.link()
    machine.inside("address", "add", "192.168.60.1/24", "dev", "eth0")
    keeper.becomes(network())
    assert not keeper.problems()


def test_the_device_below_goes_down_and_up_and_away(keeper, machine, lan):
    wanted = network()
    keeper.set(wanted)
    index = keeper.link()["ifindex"]
    machine.inside("link", "set", "eth0", "down")
    machine.inside("link", "set", "eth0", "up")
    assert keeper.becomes(wanted)["link"][0] == index
    machine.inside("link", "delete", "eth0")  # the kernel deletes what it carries
    ground.wait_until(lambda: any("no device has" in p for p in keeper.problems()), 10, "the problem is shown")
    assert not keeper.link()
    lan.connect(machine, "eth0", "192.168.60.1/24")
    keeper.becomes(wanted)


def test_two_devices_have_the_address(keeper, machine, lan):
    wanted = network()
    lan.connect(machine, "eth1", "192.168.60.1/24")
    assert "'eth0' and 'eth1' have this machine's address" in keeper.set(wanted)["problems"][0]
    keeper.is_made(wanted)
    machine.inside("link", "set", "eth0", "down")
    keeper.becomes(wanted, lower="eth1")
    machine.inside("link", "set", "eth0", "up")
    machine.inside("link", "set", "eth1", "alias", "an event")
    ground.wait_until(lambda: keeper.is_made(wanted, lower="eth1"), 10, "it stays where it is")


def test_the_mtu_follows_the_device_below(keeper, machine):
    wanted = network()
    keeper.set(wanted)
    index = keeper.link()["ifindex"]
    for mtu in (1400, 1500, 1300):
        machine.inside("link", "set", "eth0", "mtu", mtu)
        assert keeper.becomes(wanted, mtu=mtu - 50)["link"][0] == index
        ground.wait_until(lambda mtu=mtu: keeper.ask("Info")["mtu"] == mtu - 50, 10, "Info shows it")
    machine.inside("link", "set", "eth0", "mtu", 500)
    ground.wait_until(lambda: any("too small" in p for p in keeper.problems()), 10, "the problem is shown")


@pytest.mark.parametrize("configured, mtu, problem", [(1400, 1400, None), (1500, 1450, "mtu = 1500 does not fit into the MTU of 'eth0'")])
def test_the_mtu_is_configured(make_keeper, machine, configured, mtu, problem):
    keeper = make_keeper(machine, {"mtu": configured})
    problems = keeper.set(network()).get("problems", [])
    keeper.is_made(network(), mtu=mtu)
    assert [problem in p for p in problems] == [True] if problem else not problems


# Devices of others

FOREIGN = {
    "another kind": (["link add {} type bridge"], "no VXLAN device"),
    "another id": (["link add {} type vxlan id 11 dstport 8472 dev eth0"], "the id 11"),
    "another port": (["link add {} type vxlan id 10 dstport 4789 dev eth0"], "the UDP port 4789"),
    "external": (["link add {} type vxlan dstport 8472 external"], "external"),
    "a remote": (["link add {} type vxlan id 10 dstport 8472 remote 192.168.60.9 dev eth0"], "the remote address 192.168.60.9"),
    "another tree's": (["link add {} type vxlan id 10 dstport 8472 dev eth0", "link set {} alias 'hostlet 9'"], "another tree"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_foreign_device_of_the_name_is_not_touched(keeper, machine, what):
    lines, problem = FOREIGN[what]
    machine.batch([line.format(DEVICE) for line in lines])
    before = machine.inside("-d", "link"), machine.inside("address"), machine.bridge("fdb")
    problems = keeper.set(network())["problems"]
    assert len(problems) == 1 and problem in problems[0] and "is left as it is" in problems[0]
    assert all(problem in state["problem"] and not state["present"] for state in keeper.hosts().values())
    assert not keeper.ask("Info")["device_ok"]
    keeper.set(network(others=(5,)))
    assert (machine.inside("-d", "link"), machine.inside("address"), machine.bridge("fdb")) == before
    machine.inside("link", "delete", DEVICE)
    keeper.becomes(network(others=(5,)))
    assert keeper.set(None)["changed"] and not keeper.link() and not keeper.file.exists()


def test_leaving_removes_the_device_that_was_renamed(keeper, machine):
    keeper.set(network())
    machine.batch([f"link set {DEVICE} down", f"link set {DEVICE} name other"])
    ground.wait_until(lambda: any("rename it to" in p for p in keeper.problems()), 10, "the problem")
    keeper.set(None)
    assert "other" not in [link["ifname"] for link in machine.json("link", "show")] and not keeper.file.exists()


def test_leaving_touches_no_foreign_device(keeper, machine):
    machine.inside("link", "add", DEVICE, "type", "bridge")
    keeper.set(network())
    keeper.set(None)
    assert keeper.link() and not keeper.file.exists()


def test_another_device_with_the_id_is_named(keeper, machine):
    machine.batch(["link add other type vxlan id 10 dstport 8472 dev eth0"])
    assert "the VXLAN device 'other' has the id 10" in keeper.set(network())["problems"][0]
    machine.inside("link", "delete", "other")
    keeper.becomes(network())


# Maps that are wrong in a part

def wrong(*others, **own):
    return network(hosts=[host(1), host(2), *others], **own)


PARTS = {
    "a peer that is this machine": (wrong(host(3, peer="192.168.60.1")), "peer address 192.168.60.1 is this machine's"),
    "a bridge that is this machine's": (wrong(host(3, bridge="10.77.1.1")), "bridge address 10.77.1.1 is this machine's"),
    "a bridge elsewhere": (wrong(host(3, bridge="10.77.2.3")), "not one of a host in 10.77.1.0/24"),
    "this machine's containers": (wrong(host(3, instance="10.78.1.0/24")), "overlaps that of this machine's"),
    "the network of the bridges": (wrong(host(3, instance="10.77.1.0/24")), "overlaps that of the bridge addresses"),
    "the LAN": (wrong(host(3, instance="192.168.60.0/24")), "contains this machine's address in the zone"),
    "a public network": (wrong(host(3, instance="8.8.8.0/24")), "is not a private /24"),
    "a small network": (wrong(host(3, instance="10.78.3.0/25")), "is not a private /24"),
    "a wide network": (wrong(host(3, instance="10.78.0.0/16")), "is not a private /24"),
    "no network": (wrong(host(3, instance="x\n")), "is not a private /24"),
    "a public peer": (wrong(host(3, peer="8.8.8.8")), "not a private IPv4 address"),
    "a peer in the zone's network": (wrong(host(3, peer="10.78.2.9")), "is within the network of the containers"),
    "a network of the machine": (wrong(host(3, instance="172.30.3.0/24")), "to which this machine is connected by 'eth9'"),
    "a route of the machine": (wrong(host(3, instance="172.31.3.0/24")), "has a route to 172.31.3.128/25"),
}


@pytest.mark.parametrize("what", PARTS)
def test_a_part_of_the_map_that_is_wrong_is_refused(keeper, machine, what):
    machine.batch(["link add eth9 type veth peer name eth8", "link set eth9 up", "link set eth8 up", "address add 172.30.3.1/20 dev eth9",
                   "route add 172.31.3.128/25 dev eth9"])
    wanted, problem = PARTS[what]
    problems = keeper.set(wanted)["problems"]
    assert len(problems) == 1 and problem in problems[0] and "host '000000000003' is not connected" in problems[0]
    keeper.is_made(network(others=(2,)))
    hosts = keeper.hosts()
    assert hosts["000000000002"]["present"] and not hosts["000000000002"].get("problem")
    assert not hosts["000000000003"]["present"] and problem in hosts["000000000003"]["problem"]
    keeper.set(wanted | {"domain": "x"})
    assert keeper.log().count("is not connected") == 1, "it is logged once"
    keeper.set(network())
    keeper.is_made(network())
    assert not keeper.problems()


@pytest.mark.parametrize("member", ["id", "peer", "bridge", "instance"])
def test_hosts_that_contradict_each_other_are_left_as_they_are(keeper, member):
    keeper.set(network(others=(2, 3)))
    contested = network(hosts=[host(1), host(2), host(3), host(4, **{member: host(3)[member]})])
    problems = keeper.set(contested)["problems"]
    assert len(problems) == 2 and all("has the same" in problem for problem in problems)
    keeper.is_made(network(others=(2, 3)))
    machine_knew = keeper.hosts()["000000000003"]
    assert "has the same" in machine_knew["problem"]
    keeper.set(None)
    keeper.set(contested)  # nothing is known of them: neither is connected
    keeper.is_made(network(others=(2,)))


UNUSABLE = {
    "a public address": (network(lan_addr="8.8.8.8"), "set [zone] lan_addr"), "no address": (network(lan_addr=""), "set [zone] lan_addr"),
    "a public bridge": (network(bridge_ip="8.8.8.8"), "bridge address '8.8.8.8'"), "a network's address": (network(bridge_ip="10.77.1.0"), "not one of a host"),
    "the LAN's": (network(bridge_ip="192.168.60.9"), "is within the network of the bridge addresses"),
    "the LAN as its containers'": (network(instance_cidr="192.168.60.0/24"), "contains this machine's address in the zone"),
    "its containers'": (network(instance_cidr="10.77.0.0/16"), "overlaps that of the bridge addresses"),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_a_map_that_is_wrong_about_this_machine_changes_nothing(keeper, what):
    wanted, problem = UNUSABLE[what]
    assert problem in keeper.set(wanted)["problems"][0]
    assert not keeper.link()
    keeper.set(network())
    before = keeper.is_made(network())
    assert problem in keeper.set(wanted)["problems"][0]
    assert keeper.state() == before


def test_a_network_of_bridges_that_the_machine_uses_is_not_made(keeper, machine):
    machine.batch(["link add eth9 type veth peer name eth8", "address add 10.77.1.9/24 dev eth9"])
    assert "overlaps 10.77.1.0/24, to which this machine is connected by 'eth9'" in keeper.set(network())["problems"][0]
    assert not keeper.link()
    machine.inside("link", "delete", "eth9")
    keeper.becomes(network())


def test_many_problems_are_counted(keeper):
    hosts = [host(1)] + [host(2, id=f"{n:012x}", instance="10.78.2.0/23") for n in range(100, 200)]
    problems = keeper.set(network(hosts=hosts))["problems"]
    assert len(problems) == 33 and problems[-1] == "68 more problems are not listed"
    assert len(keeper.hosts()) == 100
