"""Counts the messages of net-keeper for 250 machines by nlmon, which the kernel of continuous integration need not have."""

import pytest
from lib.net_keeper import NetKeeper, host, network
from lib.netns import Lan
from lib.nlmon import Monitor

OTHERS = range(2, 251)


@pytest.fixture
def machine():
    with Lan() as lan:
        yield lan.machine("a", "192.168.60.1/24")


def test_the_messages_for_250_machines(machine, place):
    keeper = NetKeeper(place / "tree", machine)
    monitor = Monitor(machine)
    try:
        keeper.start()
        assert monitor.requests() == []
        keeper.set(network(others=OTHERS))
        first = monitor.requests()
        assert len(first) == 2 + 1 + 3 * 249 and (first.count("RTM_NEWNEIGH"), first.count("RTM_NEWROUTE")) == (2 * 249, 249), first[:10]
        keeper.is_made(network(others=OTHERS))
        keeper.kill()
        monitor.requests()
        keeper.start()
        assert keeper.ask("Info")["peers"] == 249 and monitor.requests() == []
        for change in ({"peer": "192.168.60.251"}, {"bridge": "10.77.1.251"}, {"instance": "10.78.251.0/24"}):
            keeper.set(network(others=OTHERS))
            monitor.requests()
            keeper.set(network(hosts=[host(1), *(host(n) for n in OTHERS[:-1]), host(250, **change)]))
            assert 1 <= len(monitor.requests()) <= 3
        keeper.set(None)
        assert "RTM_DELLINK" in monitor.requests() and not keeper.link()
    finally:
        keeper.stop()
        monitor.close()
