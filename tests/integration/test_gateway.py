"""rpc-gateway as a process: enabled or not, its jail, its ports across deaths."""

import pwd

import pytest
from lib import ground
from lib.services import identity, status, wait_for
from lib.tree import SOURCE, VARIANT, program
from lib.worker import Worker

pytestmark = pytest.mark.sanitized


def zone_settings(**more):
    return {"zone": {"enable": True, "listen": "127.0.0.1", "peer_port": ground.free_port(), "http_port": ground.free_port(),
                     **more},
            "driver": {"runtime": "null"}}


def test_a_machine_that_is_alone_has_no_gateway(make_tree):
    tree = make_tree({"driver": {"runtime": "null"}}).start()
    gateway = status(tree, "rpc-gateway")
    assert gateway["state"] == "down" and gateway["disabled"] and "not enabled" in gateway["reason"]


def test_it_says_where_it_is_reached(make_tree):
    settings = zone_settings(lan_addr="192.168.77.7")
    tree = make_tree(settings).start()
    info = tree.call("rpc-gateway", "Info")
    assert info["listen"] == "127.0.0.1" and info["started"] > 1_600_000_000
    assert (info["peer_port"], info["http_port"]) == (settings["zone"]["peer_port"], settings["zone"]["http_port"])


@pytest.mark.skipif(VARIANT == "sanitized", reason="the sanitized build has no jail")
def test_it_is_jailed(make_tree):
    tree = make_tree(zone_settings()).start()
    fields, _ = identity(wait_for(tree, "rpc-gateway", "ready")["pid"])
    assert fields["Uid"].split() == [str(pwd.getpwnam("hostlet-rpc").pw_uid)] * 4
    assert fields["CapPrm"] == fields["CapEff"] == fields["CapBnd"] == "0" * 16 and fields["NoNewPrivs"] == "1"


def test_by_hand_it_binds_its_own_ports(place):
    settings = zone_settings()
    worker = Worker("rpc-gateway", place / "tree", settings)
    worker.start()
    try:
        assert ground.connects(settings["zone"]["http_port"]) and ground.connects(settings["zone"]["peer_port"])
    finally:
        worker.stop()


def test_by_hand_and_not_enabled(place):
    worker = Worker("rpc-gateway", place / "tree", {"zone": {"listen": "127.0.0.1", "peer_port": ground.free_port(),
                                                             "http_port": ground.free_port()}})
    process = ground.start([program("rpc-gateway"), "--prefix", worker.prefix, "--services", SOURCE / "svc"], worker.log_path)
    assert process.wait(20) == 100 and "not enabled" in worker.log()
