"""Tests the whole way: a leader on Debian's own grpc orders an application whose package it has; the application runs in a real
container, whose agent reports, and the leader receives every stage, until the application is removed."""

import json

import pytest
from google.protobuf import json_format
from lib import ground, images, packages
from lib.apps import answers
from lib.leader import Leader
from lib.zone import ZoneApp, instance
from lib.zone_proto import KEY, Messages

HOST = KEY[0]


@pytest.fixture(scope="session")
def messages(session_place):
    return Messages(session_place / "messages")


@pytest.fixture
def leader(messages):
    made = Leader(messages)
    yield made
    made.stop()


@pytest.fixture
def member(make_tree, docker_settings, engine, busybox_image, dockerd, leader):
    """A member of the zone, which containers reach at the address of Docker's bridge."""
    ports = ground.free_port(), ground.free_port()
    tree = make_tree({**docker_settings, "reconciler": {"probation": "300ms", "retry_min": "100ms"},
                      "zone": {"enable": True, "lan_addr": dockerd.address, "peer_port": ports[0], "http_port": ports[1]}}).start()
    tree.call("rpc-gateway", "ZoneInit", host_id=KEY[0], access_key="ak_{}_{}".format(*KEY), hosts=[leader.address])
    return tree


def order(messages, port, revision, action="start", script=None, version="1.0"):
    made = instance("web", revision, action, images.BUSYBOX, ports={port: port},
                    spec={"packages": [{"name": "page", "version": version}],
                          "tasks": [{"name": "serve", "on_startup": True,
                                     "script": script or f"exec httpd -f -p {port} -h ${{ipk.page.path}}"}]})
    text = json.dumps(made).replace("0123456789abcdef", HOST)
    return json_format.Parse(text, messages.app.AppInstance(), ignore_unknown_fields=True)


def told(leader, owner="hostlet"):
    """Returns the latest report to the leader: {stage: stage}."""
    last = None
    for request in leader.called("HostStatusUpdate"):
        for report in request.replica_stages:
            if report.instance_name == "web":
                last = {stage.name: stage for stage in report.stages if stage.owner == owner}
    return last or {}


def wait_told(leader, name, state, revision, owner="hostlet"):
    def look():
        stage = told(leader, owner).get(name)
        assert stage is not None and (stage.state, stage.revision) == (state, revision), told(leader, owner)
        return stage
    return ground.wait_until(look, 40, f"the leader receives that {name} is {state} in revision {revision}")


@pytest.mark.limit(240)
def test_from_the_assignment_to_the_end(member, leader, messages, engine):
    port = ground.free_port()
    for version in ("1.0.0", "1.1.0"):
        data, header = packages.ipk("page", version, files={"index.html": f"page {version}\n".encode()})
        leader.add_package(data, header, chunk_size=100)
    app = ZoneApp(member)

    leader.instances = [order(messages, port, 1)]
    app.running(1)
    answers(port, "page 1.0.0")
    for stage in ("host_recv", "pkg_download", "provision", "container_create", "container_start", "container_running"):
        wait_told(leader, stage, "success", 1)
    for stage in ("inagent_boot", "spec_load"):
        wait_told(leader, stage, "success", 1, "inagent")
    assert len(leader.called("PackageChunk")) >= 2

    leader.instances = [order(messages, port, 2, version="1.1")]
    app.running(2)
    answers(port, "page 1.1.0")
    wait_told(leader, "container_running", "success", 2)
    wait_told(leader, "spec_load", "success", 2, "inagent")
    assert {stage.revision for stage in told(leader).values()} == {2}, "a new revision clears the old stages"

    leader.instances = [order(messages, port, 3, version="9")]
    wait_told(leader, "pkg_download", "failed", 3)
    answers(port, "page 1.1.0")
    leader.instances = [order(messages, port, 4, version="1.1", script="exit 3")]
    wait_told(leader, "container_running", "failed", 4)
    answers(port, "page 1.1.0")

    leader.instances = [order(messages, port, 5, "stop", version="1.1")]
    app.stopped()
    wait_told(leader, "container_stop", "success", 5)
    leader.instances = [order(messages, port, 6, version="1.1")]
    app.running(6)
    answers(port, "page 1.1.0")
    leader.instances = [order(messages, port, 7, "destroy", version="1.1")]
    app.destroyed()
    wait_told(leader, "container_destroy", "success", 7)
    leader.instances = []
    app.gone()
    assert not [c for c in engine.containers() if "/i8k_web_0" in c["Names"]]


def test_a_task_that_runs_and_ends_is_a_success_of_the_agent(member, leader, messages):
    port = ground.free_port()
    data, header = packages.ipk("page", "1.0.0", files={"index.html": b"x\n"})
    leader.add_package(data, header)
    leader.instances = [order(messages, port, 1, script="echo done; true")]
    wait_told(leader, "task_run", "success", 1, "inagent")
