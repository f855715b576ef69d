"""Tests what a stop takes along, what a start brings back, and that both say so."""

import signal

import pytest
from lib import ground
from lib.services import all_services, reload, status, supervise, wait_for
from lib.varlink import VarlinkError


def also(tree, method, name):
    return supervise(tree, method, name).get("also", [])


def states(tree):
    return {name: service["state"] for name, service in all_services(tree).items()}


def all_ready(tree):
    ground.wait_until(lambda: set(states(tree).values()) == {"ready"}, 10, "all services are ready")


@pytest.fixture
def chain(start, services):
    """alpha needs middle, which needs zulu; other needs zulu as well."""
    services.add("alpha", needs="middle")
    services.add("middle", needs="zulu")
    services.add("other", needs="zulu")
    services.add("zulu")
    tree = start()
    all_ready(tree)
    return tree


def test_a_stop_names_what_it_takes_along_and_a_start_brings_it_back(chain):
    assert sorted(also(chain, "Stop", "zulu")) == ["alpha", "middle", "other"]
    assert set(states(chain).values()) == {"down"}
    assert status(chain, "alpha")["reason"] == "it needs middle, which is stopped"
    assert status(chain, "middle")["reason"] == "it needs zulu, which is stopped"
    assert "reason" not in status(chain, "zulu")
    with pytest.raises(VarlinkError, match="'alpha' is stopped: it needs middle"):
        chain.call("alpha", "io.test.Ping")
    assert also(chain, "Stop", "zulu") == []
    reload(chain, "configuration read anew")
    assert set(states(chain).values()) == {"down"}
    assert sorted(also(chain, "Start", "zulu")) == ["alpha", "middle", "other"]
    all_ready(chain)
    # A restart of one that runs concerns only that one.
    before = all_services(chain)
    assert also(chain, "Restart", "zulu") == []
    after = all_services(chain)
    assert {name for name in after if after[name]["pid"] != before[name]["pid"]} == {"zulu"}
    # One of a service that is down is a start.
    supervise(chain, "Stop", "zulu")
    assert sorted(also(chain, "Restart", "zulu")) == ["alpha", "middle", "other"]
    all_ready(chain)


def test_what_an_administrator_stopped_himself_stays_down(chain):
    assert also(chain, "Stop", "other") == []
    assert sorted(also(chain, "Stop", "zulu")) == ["alpha", "middle"]
    # Also if it was down already.
    assert also(chain, "Stop", "alpha") == [] and "reason" not in status(chain, "alpha")
    assert also(chain, "Start", "zulu") == ["middle"]
    wait_for(chain, "middle", "ready")
    assert states(chain) == {"alpha": "down", "middle": "ready", "other": "down", "zulu": "ready"}
    # A start of a service starts what it needs, and says so.
    supervise(chain, "Stop", "zulu")
    assert sorted(also(chain, "Start", "alpha")) == ["middle", "zulu"]
    wait_for(chain, "alpha", "ready")
    assert states(chain)["other"] == "down"
    assert also(chain, "Start", "other") == []


def test_a_service_that_has_failed_is_taken_along_and_tried_again(start, services):
    services.add("fails", "sys.exit(100)\n", needs="needed")
    services.add("needed")
    tree = start()
    wait_for(tree, "fails", "failed")
    assert also(tree, "Stop", "needed") == ["fails"]
    assert status(tree, "fails")["state"] == "down"
    services.add("fails", needs="needed")
    assert also(tree, "Start", "needed") == ["fails"]
    wait_for(tree, "fails", "ready")


def test_a_reload_that_adds_a_need_stops_the_service_with_it(chain, services):
    supervise(chain, "Stop", "middle")
    services.write("other", exec=services.programs / "other", socket="other", needs="middle")
    chain.process.send_signal(signal.SIGHUP)
    assert wait_for(chain, "other", "down")["reason"] == "it needs middle, which is stopped"
    services.write("other", exec=services.programs / "other", socket="other", needs="zulu")
    chain.process.send_signal(signal.SIGHUP)
    wait_for(chain, "other", "ready")
    assert also(chain, "Start", "middle") == ["alpha"]


def test_hostletctl_says_what_goes_along(null_tree):
    stopped = null_tree.ctl("service", "stop", "container-driver").stdout
    assert stopped == "container-driver: stopped\nreconciler: stopped as well\n"
    refused = null_tree.ctl("apps", check=False)
    assert "'reconciler' is stopped: it needs container-driver, which is stopped" in refused.stderr
    assert null_tree.ctl_json("service", "start", "container-driver") == {
        "service": "container-driver", "done": "started", "also": ["reconciler"]}
    wait_for(null_tree, "reconciler", "ready")
    assert null_tree.ctl_json("service", "stop", "reconciler")["also"] == []
    assert null_tree.ctl("service", "start", "reconciler").stdout == "reconciler: started\n"
