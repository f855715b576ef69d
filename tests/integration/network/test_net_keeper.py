"""Tests net-keeper's calls and its file."""

import json

import pytest
from lib.varlink import VarlinkError
from lib.worker import Worker

NETWORK = {"host_id": "0123456789ab", "lan_addr": "192.168.60.1", "bridge_ip": "10.77.1.1", "instance_cidr": "10.78.1.0/24",
           "hosts": [{"id": "0123456789ab", "peer": "192.168.60.1", "bridge": "10.77.1.1", "instance": "10.78.1.0/24"},
                     {"id": "0123456789ac", "peer": "192.168.60.2", "bridge": "10.77.1.2", "instance": "10.78.2.0/24"}]}


@pytest.fixture
def keeper(place, namespace):
    worker = Worker("net-keeper", place / "tree")
    worker.wrapper = namespace.wrapper
    worker.start()
    yield worker
    worker.stop()


def test_the_network_is_stored_and_removed(keeper):
    file = keeper.prefix / "var/hostlet/net-keeper/network.json"
    assert keeper.call("io.hostlet.NetKeeper.Info") == {"network": False, "device_ok": False, "masquerade": False}
    assert keeper.call("io.hostlet.NetKeeper.SetNetwork", network=NETWORK)["changed"]
    assert json.loads(file.read_text()) == {"format": 1, "network": NETWORK}
    assert file.stat().st_mode & 0o777 == 0o600
    assert keeper.call("io.hostlet.NetKeeper.Info")["network"]
    keeper.kill()
    keeper.start()
    assert keeper.call("io.hostlet.NetKeeper.Info")["network"]
    assert keeper.call("io.hostlet.NetKeeper.SetNetwork")["changed"] and not file.exists()
    assert not keeper.call("io.hostlet.NetKeeper.SetNetwork")["changed"]


def test_sizes_are_limited(keeper):
    for member, item, most in (("hosts", NETWORK["hosts"][1], 4096), ("records", {"name": "a", "address": "10.0.0.1"}, 65536)):
        with pytest.raises(VarlinkError, match=f"{most} are possible"):
            keeper.call("io.hostlet.NetKeeper.SetNetwork", network={**NETWORK, member: [item] * (most + 1)})
    with pytest.raises(VarlinkError, match="more than 253 bytes"):
        keeper.call("io.hostlet.NetKeeper.SetNetwork", network={**NETWORK, "domain": "x" * 254})
    assert not keeper.call("io.hostlet.NetKeeper.Info")["network"]
