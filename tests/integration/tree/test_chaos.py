"""Tests with short runs of scripts/chaos: processes are killed at random under orders, and the actual state equals the desired
state in the end."""

import pytest
from lib import ground
from lib.chaos import Chaos, Wish, ZoneChaosLeader, ZoneWish, zone_order
from lib.zone_proto import KEY, Messages

FAST = {"probation": "100ms", "retry_min": "50ms", "retry_max": "1s"}


def survive(chaos, seconds, said):
    try:
        chaos.run(seconds)
        chaos.check()
    except BaseException:
        print("\n".join(said))
        raise


@pytest.mark.limit(240)
def test_random_kills_lose_nothing(make_tree):
    tree = make_tree({"container-driver": {"runtime": "null"}, "reconciler": FAST}).start()
    said = []
    wishes = [Wish(tree, f"chaos{n}", "null/image:1") for n in range(4)]
    survive(Chaos(tree, wishes, 20261125, say=said.append), 8, said)


@pytest.mark.limit(300)
def test_random_kills_lose_no_order_of_a_zone_and_no_stage(make_tree, place):
    messages = Messages(place / "messages")
    leader = ZoneChaosLeader(messages)
    try:
        tree = make_tree({"container-driver": {"runtime": "null"}, "reconciler": FAST,
                          "zone": {"enable": True, "listen": "127.0.0.1", "lan_addr": "127.0.0.1", "peer_port": ground.free_port(),
                                   "http_port": ground.free_port()}}).start()
        tree.call("rpc-gateway", "ZoneInit", host_id=KEY[0], access_key="ak_{}_{}".format(*KEY), hosts=[leader.address])
        said = []
        wishes = [ZoneWish(tree, f"chaos{n}", "null/image:1", leader, zone_order(messages)) for n in range(4)]
        survive(Chaos(tree, wishes, 20261126, say=said.append, leader=leader), 15, said)
    finally:
        leader.stop()
