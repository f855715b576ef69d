"""Tests what hostletctl shows of the zone's network, against fake services."""

import json
import subprocess

import pytest
from lib.fakes import FakeService, Refusal
from lib.tree import has_program, program

pytestmark = [pytest.mark.sanitized,
              pytest.mark.skipif(not has_program("hostletctl"), reason="this build has no hostletctl")]

OK, FAILED, USAGE, DOWN = 0, 1, 2, 3
INFO = {"network": True, "host_id": "0123456789ab", "lan_addr": "192.168.60.1", "bridge_ip": "192.168.10.3", "instance_cidr": "10.10.3.0/24",
        "device": "invpc2_vxlan.10", "underlay": "eth0", "mtu": 1450, "device_ok": True, "masquerade": True,
        "dns_file": "/etc/hostlet/indns_conf.d/innerstack.toml", "peers": 1, "repairs": 3, "changes": 12}
A = {"id": "aaaaaaaaaaaa", "peer": "192.168.60.2", "bridge": "192.168.10.4", "instance": "10.10.4.0/24", "present": True,
     "sent_bytes": 1536, "sent_packets": 3, "received_bytes": 5 << 20, "received_packets": 9}
B = {"id": "bbbbbbbbbbbb", "peer": "192.168.60.3", "bridge": "192.168.10.5", "instance": "10.10.4.0/24", "present": False,
     "problem": "its network 10.10.4.0/24 is that of host aaaaaaaaaaaa, too; neither is made until the zone's leader sends another map"}
SERVICE = {"name": "net-keeper", "state": "ready"}


@pytest.fixture
def fake(place):
    made = []

    def make(name, **handlers):
        made.append(FakeService(place, name, handlers))
        return made[-1]
    yield make
    for service in made:
        service.close()


@pytest.fixture
def ctl(place):
    def run(*words, expect=OK):
        result = subprocess.run([program("hostletctl"), "--prefix", place, *words], text=True, capture_output=True, timeout=60,
                                check=False, stdin=subprocess.DEVNULL)
        assert result.returncode == expect, (result.returncode, result.stdout, result.stderr)
        return result
    return run


def keeper(fake, info=None, hosts=(A, B), **more):
    return fake("net-keeper", Info=lambda _: info or INFO, List=lambda _: iter([*({"host": h} for h in hosts), {}]), **more)


ENGINE = {"masquerades": "the container engine masquerades", "closed": "drops what other machines send", "mtu": "network is 1500"}


@pytest.mark.parametrize("network, info, said", [
    ({"mtu": 1450, "masquerades": False, "closed": False}, INFO, []),
    ({"mtu": 1500, "masquerades": True, "closed": False}, INFO, ["masquerades", "mtu"]),  # the original agent's
    ({"mtu": 1450, "masquerades": False, "closed": True}, INFO, ["closed"]),  # made before Docker 28
    ({"mtu": 1450, "masquerades": True, "closed": False}, {**INFO, "masquerade": False}, []),  # as it has to be
    (None, INFO, []),
])
def test_what_the_network_of_the_engine_lacks(fake, ctl, network, info, said):
    keeper(fake, info)
    asked = fake("container-driver", CheckNetwork=lambda _: {"network": network} if network else {})
    fake("rpc-gateway", ZoneStatus=lambda _: {"state": "none", "hosts": []})
    for words in (["zone", "network"], ["zone", "status"], ["zone", "network", "--json"], ["zone", "status", "--json"]):
        text = ctl(*words).stdout
        for name, sentence in ENGINE.items():
            assert (sentence in text) == (name in said), (words, text)
    assert asked.called("CheckNetwork") == [{"cidr": "10.10.3.0/24"}] * 4


def test_a_range_that_the_machine_uses_is_a_problem(fake, ctl):
    keeper(fake)
    fake("container-driver", CheckNetwork=lambda _: {"problem": "it would take the place of 10.10.3.0/24 on eth1"})
    assert "take the place of 10.10.3.0/24 on eth1" in ctl("zone", "network").stdout


def test_the_network_with_its_machines(fake, ctl):
    keeper(fake)
    text = ctl("zone", "network").stdout
    lines = [line.split(maxsplit=1) for line in text.splitlines()[:7]]
    assert lines[:6] == [
        ["device", "invpc2_vxlan.10 on eth0, MTU 1450"], ["address", "192.168.10.3/24 at 192.168.60.1"], ["containers", "10.10.3.0/24"],
        ["masquerade", "by hostlet, of what leaves the zone's network"], ["names", INFO["dns_file"]],
        ["repairs", "3 since net-keeper started"]]
    row = next(line for line in text.splitlines() if line.startswith("aaaa")).split()
    assert row == ["aaaaaaaaaaaa", "192.168.60.2", "192.168.10.4", "10.10.4.0/24", "1.5", "KiB", "5.0", "MiB", "up"], row
    assert f"missing: {B['problem']}" in text
    shown = json.loads(ctl("--json", "zone", "network").stdout)
    assert shown["device"] == "invpc2_vxlan.10" and shown["hosts"] == [A, B]


def test_what_differs_is_shown_with_its_reason(fake, ctl):
    keeper(fake, {**INFO, "device_ok": False, "masquerade": False, "masquerade_problem": "the kernel has no nftables", "dns_file": None,
                  "dns_problem": "no space left", "problems": ["the address is on two devices", "b\x1b[31mad"]}, [])
    text = ctl("zone", "network").stdout
    assert "MTU 1450: is not as the network requires" in text and "by the container engine: the kernel has no nftables" in text
    assert "names          not written: no space left" in text and "problems       the address is on two devices\n" in text
    assert "\x1b" not in text and "HOST" not in text


@pytest.mark.parametrize("zone, words", [
    ({"state": "none"}, "belongs to no zone"), ({"state": "joined"}, "assigned no addresses"),
    ({"state": "joined", "vpc_bridge_ip": "192.168.10.3", "vpc_instance_cidr": "10.10.3.0/24"}, "no map yet")])
def test_a_machine_without_a_network_shows_why(fake, ctl, zone, words):
    keeper(fake, {"network": False, "device_ok": False, "masquerade": False}, [])
    fake("rpc-gateway", ZoneStatus=lambda _: zone)
    text = ctl("zone", "network").stdout
    assert text.startswith("network        none: ") and words in text and len(text.splitlines()) == 1


@pytest.mark.parametrize("host", ["aaaaaaaaaaaa", "192.168.60.2", "192.168.10.4"])
def test_a_ping_by_id_and_by_address(fake, ctl, host):
    made = keeper(fake, Ping=lambda _: {"address": "192.168.10.4", "method": "icmp", "usec": 1234})
    assert ctl("zone", "ping", host).stdout == "host aaaaaaaaaaaa is reachable at 192.168.10.4: it replied to an echo request after 1.23 ms\n"
    assert made.called("Ping") == [{"host": "aaaaaaaaaaaa"}]
    assert json.loads(ctl("--json", "zone", "ping", host).stdout) == {"host": "aaaaaaaaaaaa", "address": "192.168.10.4", "method": "icmp",
                                                                       "usec": 1234}


def test_a_ping_by_tcp(fake, ctl):
    keeper(fake, Ping=lambda _: {"address": "192.168.10.4", "method": "tcp", "usec": 400})
    assert "it accepted a TCP connection after 0.40 ms" in ctl("zone", "ping", "aaaaaaaaaaaa").stdout


def test_pings_that_fail(fake, ctl):
    def silent(_):
        raise Refusal("Failed", "host 'bbbbbbbbbbbb' did not reply: an echo request to 192.168.10.5 within 3 s")
    keeper(fake, Ping=silent)
    result = ctl("zone", "ping", "bbbbbbbbbbbb", expect=FAILED)
    assert "an echo request to 192.168.10.5 within 3 s" in result.stderr and not result.stdout
    assert "no other machine with the id or address '10.1.1.1'" in ctl("zone", "ping", "10.1.1.1", expect=FAILED).stderr
    ctl("zone", "ping", expect=USAGE)


def down(_):
    raise Refusal("ServiceDown", "net-keeper is stopped")


def test_a_net_keeper_that_is_down(fake, ctl, place):
    fake("net-keeper", Info=down, List=down, Ping=down)
    (place / "etc").mkdir(exist_ok=True)
    (place / "etc/hostlet.conf").write_text("[zone]\nenable = yes\n")
    for words in (["network"], ["ping", "aaaaaaaaaaaa"]):
        assert "net-keeper is stopped" in ctl("zone", *words, expect=DOWN).stderr
    (place / "etc/hostlet.conf").write_text("")
    assert "'hostletctl zone init' sets [zone] enable = yes" in ctl("zone", "network", expect=DOWN).stderr


def test_the_status_of_the_zone_has_the_present_problems(fake, ctl):
    fake("rpc-gateway", ZoneStatus=lambda _: {"state": "joined", "problems": ["the leader's map of the network is ignored: no message"]})
    made = keeper(fake, {**INFO, "problems": ["the address is on two devices"]})
    text = ctl("zone", "status").stdout
    assert "is ignored: no message\n" in text and "the address is on two devices\n" in text
    assert len(json.loads(ctl("--json", "zone", "status").stdout)["problems"]) == 2
    made.handlers["Info"] = lambda _: INFO
    assert json.loads(ctl("--json", "zone", "status").stdout)["problems"] == ["the leader's map of the network is ignored: no message"]
    made.handlers["Info"] = down
    assert ctl("zone", "status").stdout.count("the network between the machines: net-keeper is stopped\n") == 1


def test_the_page_of_the_machine_has_the_zone_and_its_network(fake, ctl):
    problems = []
    services = [SERVICE]
    fake("supervisor", List=lambda _: iter([*({"service": s} for s in services), {}]))
    fake("rpc-gateway", ZoneStatus=lambda _: {"state": "lost", "reason": "Connection refused", "problems": problems})
    keeper(fake, {**INFO, "problems": problems})
    text = ctl("status", expect=DOWN).stdout
    assert "zone       lost: Connection refused\n" in text and "network    invpc2_vxlan.10 with 1 other machine\n" in text
    problems.append("two hosts have one network")
    assert ctl("status", expect=DOWN).stdout.count("two hosts have one network\n") == 2
    shown = json.loads(ctl("--json", "status", expect=DOWN).stdout)
    assert shown["zone"]["state"] == "lost" and shown["network"]["peers"] == 1
    services[0] = {**SERVICE, "disabled": True}
    text = ctl("status", expect=DOWN).stdout
    assert "\nzone" not in text and "\nnetwork" not in text
    assert "zone" not in json.loads(ctl("--json", "status", expect=DOWN).stdout)


def test_leaving_says_what_is_left(fake, ctl):
    left = []
    fake("rpc-gateway", ZoneLeave=lambda _: {"left": left})
    result = ctl("zone", "leave")
    assert "belongs to no zone any more" in result.stdout and not result.stderr
    left.append("net-keeper is stopped")
    result = ctl("zone", "leave", expect=FAILED)
    assert "belongs to no zone any more" in result.stdout
    assert "the zone's network is not removed yet: net-keeper is stopped" in result.stderr and "before you set [zone] enable = no" in result.stderr
    assert json.loads(ctl("--json", "zone", "leave", expect=FAILED).stdout) == {"left": True, "network": left}


def test_a_long_reason_does_not_widen_the_table(fake, ctl):
    keeper(fake)
    rows = [line for line in ctl("zone", "network").stdout.splitlines() if line[:4] in ("HOST", "aaaa", "bbbb")]
    assert len(rows) == 3 and rows[2].split()[-1] == "missing" and max(map(len, rows)) < 100, rows
