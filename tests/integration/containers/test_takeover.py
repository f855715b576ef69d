"""Tests the take-over of a machine as the original agent really leaves it (tests/vectors/original), on a real Docker daemon and with a
leader of the zone: its container, made with exactly the configuration that Docker showed, runs on, and later follows orders."""

import json

import pytest
from lib import ground
from lib.leader import Leader
from lib.original import Machine
from lib.zone import ZoneApp
from lib.zone_proto import Messages


@pytest.fixture(scope="session")
def messages(session_place):
    return Messages(session_place / "messages")


@pytest.fixture
def machine(place, engine, busybox_image, vpc, messages):
    leaders = []

    def leader(key):
        leaders.append(Leader(messages, key))
        return leaders[-1]
    made = Machine(place, engine, vpc, leader).run()
    made.leader.vpc = ("192.168.10.5", vpc.cidr)
    yield made
    for one in leaders:
        one.stop()


@pytest.fixture
def fresh(make_tree, docker_settings, engine):
    return make_tree({**docker_settings, "reconciler": {"probation": "300ms", "retry_min": "100ms"}}).start()


def told(machine, revision, **states):
    """Waits for stages that the leader has received, none of which is a failure."""
    def look():
        stages = machine.reports()
        assert not [name for name, (state, _) in stages.items() if state == "failed"], stages
        return stages and all(stages.get(name) == (state, revision) for name, state in states.items())
    ground.wait_until(look, 30, f"the leader gets {states}")


def test_container_runs_on_after_the_order_of_its_revision_and_is_switched_by_a_new_one(machine, fresh, messages):
    before = machine.identity()
    text = fresh.ctl("import", machine.dir, "--dry-run").stdout
    assert "i8k_pair_1" in text and "adopted as it runs" in text and "state, directory, docker" in text
    shown = fresh.ctl_json("import", machine.dir, "--dry-run")["containers"]
    assert shown == [{"container": "i8k_pair_1", "state": "running", "known_from": ["hostlet_active.json", "directory", "docker"],
                      "adopted": True, "secret": True, "revision": 1, "what_happens": "adopted as it runs", "remarks": []}]
    result = fresh.ctl("import", machine.dir)
    assert "Taken over. 1 container of the original agent is adopted." in result.stdout
    assert fresh.call("container-driver", "Inspect", instance="pair", replica_id=1, slot="current")["container"]["adopted"]

    # The zone's order of the revision that runs.
    machine.leader.instances = [machine.order(messages)]
    app = ZoneApp(fresh, "pair")
    app.running(1)
    told(machine, 1, host_recv="success", container_running="success")
    assert machine.identity() == before and machine.shown_address() == machine.address
    ground.wait_until(lambda: json.loads(machine.file.read_text())["hostlet_endpoint"]["secret_key"] == machine.secret, 20, "it keeps its secret")
    fresh.call("reconciler", "AgentReport", instance_name="pair", replica_id=1, secret=machine.secret, updated=1, stages=[])
    fresh.restart()
    app.running(1)
    assert machine.identity() == before and "already adopted" in fresh.ctl("import", machine.dir).stdout

    # A new revision: hostlet's own container, with the address and port of the replica.
    machine.leader.instances = [machine.order(messages, 2)]
    app.running(2)
    told(machine, 2, container_create="success", container_start="success", container_running="success")
    made = machine.engine.inspect(machine.container)
    assert made["Id"] != before[0] and made["Config"]["Labels"]["io.hostlet.revision"] == "2" and machine.shown_address() == machine.address
    assert machine.engine.names() == [machine.container]
    ground.wait_until(machine.answers, 20, "its port answers")
    again = fresh.ctl("import", machine.dir).stdout
    assert "already belongs to this tree" in again and "Taken over" in again


def test_conflict_with_the_zones_order_ends_with_the_adoption_of_the_container(machine, make_tree, docker_settings, messages):
    """The machine joined its zone without an import."""
    before = machine.identity()
    tree = make_tree({**docker_settings, "reconciler": {"probation": "300ms"}, "hostlet": {"app_path": machine.apps},
                      "zone": {"enable": "yes", "lan_addr": "127.0.0.1", "peer_port": machine.ports[0], "http_port": machine.ports[1]}}).start()
    tree.call("rpc-gateway", "ZoneInit", host_id=machine.host, access_key="ak_{}_{}".format(*machine.key), hosts=[machine.leader.address])
    machine.leader.instances = [machine.order(messages)]
    app = ZoneApp(tree, "pair")
    seen = app.wait(lambda i: i and i["replicas"][0]["state"] == "conflict", "the conflict is shown")
    assert "'hostletctl adopt i8k_pair_1' only this container" in seen["replicas"][0]["message"]
    ground.wait_until(lambda: machine.reports().get("container_create", ("",))[0] == "failed", 20, "the leader gets the conflict")
    assert "i8k_pair_1 is adopted as it runs, with revision 1." in tree.ctl("adopt", "i8k_pair_1", "--from", machine.dir).stdout
    app.running(1)
    ground.wait_until(lambda: {state for state, _ in machine.reports().values()} == {"success"}, 20, "the leader gets no failure any more")
    assert machine.identity() == before and machine.shown_address() == machine.address
    ground.wait_until(lambda: json.loads(machine.file.read_text())["hostlet_endpoint"]["secret_key"] == machine.secret, 20, "it keeps its secret")
