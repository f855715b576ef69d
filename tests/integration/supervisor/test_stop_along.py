"""Tests what a stop takes along, what a start brings back, and that both say so."""

import signal

import pytest
from lib import ground
from lib.services import Call, all_services, reload, status, supervise, wait_for
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


def test_a_start_fails_if_what_it_brings_back_does_not_run(start, services):
    """It is no success for the administrator whose applications are not supervised."""
    services.add("fragile", needs="needed")
    services.add("needed")
    tree = start()
    assert also(tree, "Stop", "needed") == ["fragile"]
    services.add("fragile", "until('go')\nsay('no, not today')\nsys.exit(100)\n", needs="needed")
    starting = Call(tree, "hostletd", "io.hostlet.Supervisor.Start", name="needed")
    wait_for(tree, "needed", "ready")
    wait_for(tree, "fragile", "starting")
    assert not starting.answered()
    services.set("go")
    assert starting.answer()["parameters"]["reason"] == "service 'fragile' failed: exit 100: no, not today"
    assert status(tree, "needed")["state"] == "ready"


def test_a_stop_ends_when_another_call_starts_the_service(start, services):
    services.add("slow", "on_term(lambda: (until('go'), os._exit(0)))\nready()\nrest()\n")
    tree = start()
    stopping = Call(tree, "hostletd", "io.hostlet.Supervisor.Stop", name="slow")
    wait_for(tree, "slow", "stopping")
    starting = Call(tree, "hostletd", "io.hostlet.Supervisor.Start", name="slow")
    services.set("go")
    assert starting.answer() == {"parameters": {}}
    assert stopping.answer()["parameters"]["reason"] == "service 'slow' was started meanwhile"


def test_a_service_that_is_not_enabled_does_not_go_along(start, services):
    services.add("needed")
    services.add("off", needs="needed", enabled="zone.enable", config_sections="zone")
    tree = start()
    assert also(tree, "Stop", "needed") == [] and also(tree, "Start", "needed") == []
    assert "not enabled" in status(tree, "off")["reason"]


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
