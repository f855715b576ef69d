"""Tests a whole tree as a member of a zone: joined by hostletctl and a leader, and led from assignment to removal."""

import re

import grpc
import pytest
from lib.gateway import zone_settings
from lib import ground, zone_proto
from lib.apps import driver_containers
from lib.varlink import VarlinkError
from lib.zone import instance
from lib.zone_member import MemberLeader

pytestmark = pytest.mark.sanitized
LAN = "192.168.77.7"


class Zone:
    """A tree, its leader, and the reports that the leader received."""

    def __init__(self, make_tree, messages):
        self.messages = messages
        settings = zone_settings(lan_addr=LAN, interval="200ms")
        self.tree = make_tree({**settings, "reconciler": {"probation": "100ms", "retry_min": "50ms", "retry_max": "200ms"}}).start()
        self.address = f"127.0.0.1:{settings['zone']['peer_port']}"
        self.tree.ctl("zone", "init")
        text = self.tree.ctl("zone", "join-info").stdout
        self.key = re.search(r"ak_([0-9a-f]{12,16})_([0-9a-zA-Z]{48})", text).groups()
        assert f"{LAN}:{settings['zone']['peer_port']}" in text
        self.leader = MemberLeader(messages, key=self.key)

    def join(self):
        """Acts as a leader when an operator joins the machine: by HostInit."""
        zone = self.messages.zone
        with grpc.insecure_channel(self.address) as channel:
            call = channel.unary_unary("/inapi.HostInternalService/HostInit", zone.HostInitRequest.SerializeToString,
                                       zone.HostInitResponse.FromString)
            answer = call(zone.HostInitRequest(zone_name="test", zone_hosts=[self.leader.address]), timeout=10,
                          metadata=[("x-inauth2", zone_proto.token(self.key))])
        assert answer.host_id == self.key[0]
        self.wait(lambda: self.tree.ctl_json("zone", "status")["state"] == "joined", "it is a member")

    @staticmethod
    def wait(predicate, what, timeout=30):
        return ground.wait_until(predicate, timeout, what)

    def order(self, *args, **kwargs):
        """Orders an instance for this machine, and no other."""
        one = instance(*args, **kwargs)
        for replica in one["deploy"]["replicas"]:
            replica["host_id"] = self.key[0]
        self.leader.order(one)

    def stages(self, name="web", number=0):
        """Returns {stage: state} as the leader knows it: the last report counts."""
        for report in reversed(self.leader.reports(name)):
            if report.get("replica_id", 0) == number:
                return {s["name"]: (s["state"], int(s["revision"])) for s in report.get("stages", [])}
        return {}

    def reported(self, stage, state="success", revision=1):
        self.wait(lambda: self.stages().get(stage) == (state, revision), f"{stage} is {state}; last: {self.stages()}")


@pytest.fixture(scope="session")
def messages(session_place):
    return zone_proto.Messages(session_place / "messages-tree")


@pytest.fixture
def zone(make_tree, messages):
    made = Zone(make_tree, messages)
    yield made
    made.leader.stop()


def test_tokens_of_this_host_are_refused_from_every_process(zone):
    """The fetcher signs with the same key, and the gateway does not see its tokens."""
    zone.join()
    with pytest.raises(VarlinkError, match="nowhere"):
        zone.tree.call("fetcher", "Resolve", name="nowhere")
    with zone.leader.lock:
        ours = {name: metadata["x-inauth2"] for name, _, metadata in zone.leader.calls}
    assert {"PackageList", "HostStatusUpdate"} <= set(ours)
    messages = zone.messages.zone
    for one in ours.values():
        with grpc.insecure_channel(zone.address) as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/inapi.HostInternalService/HostInit", messages.HostInitRequest.SerializeToString,
                                messages.HostInitResponse.FromString)(
                messages.HostInitRequest(zone_name="evil", zone_hosts=["10.9.9.9:9533"]), timeout=10, metadata=[("x-inauth2", one)])
        assert caught.value.code().name == "UNAUTHENTICATED" and "host's own" in caught.value.details()
    assert zone.tree.ctl_json("zone", "status")["hosts"] == [zone.leader.address]


def test_from_assignment_to_removal(zone):
    zone.join()
    zone.order("web", 1)
    for stage in ("host_recv", "image_pull", "provision", "container_create", "container_start", "container_running"):
        zone.reported(stage)
    assert driver_containers(zone.tree)["i8k_web_0"]["state"] == "running"
    zone.order("web", 2, image="app:2")
    zone.reported("container_running", revision=2)
    zone.order("web", 3, "stop", image="app:2")
    zone.reported("container_stop", revision=3)
    zone.order("web", 4, "destroy", image="app:2")
    zone.reported("container_destroy", revision=4)
    assert "i8k_web_0" not in driver_containers(zone.tree)


def test_a_stopped_leader_changes_no_running_instance(zone):
    zone.join()
    zone.order("web", 1)
    zone.reported("container_running")
    zone.leader.stop()
    zone.wait(lambda: zone.tree.ctl_json("zone", "status")["state"] == "lost", "the leader is reported as lost")
    zone.tree.restart()
    zone.wait(lambda: driver_containers(zone.tree).get("i8k_web_0", {}).get("state") == "running", "it runs")
    text = zone.wait(lambda: "refused" in zone.tree.ctl("zone", "status").stdout and zone.tree.ctl("zone", "status").stdout, "the reason is reported")
    assert "Connection refused" in text and zone.key[1] not in text
    zone.leader.start()
    zone.order("web", 2)
    zone.reported("container_running", revision=2)


@pytest.mark.parametrize("victim", ["rpc-gateway", "reconciler"])
def test_a_kill_during_a_deploy_loses_no_stage(zone, victim):
    zone.join()
    for revision in range(1, 6):
        zone.order("web", revision, image=f"app:{revision}")
        zone.tree.kill_service(victim)
        zone.reported("container_running", revision=revision)


def test_absent_instances_are_kept_and_shown(zone):
    zone.join()
    zone.order("web", 1)
    zone.reported("container_running")
    zone.leader.order()
    zone.wait(lambda: "no longer assigned" in zone.tree.ctl("app", "web").stdout, "it is shown")
    assert driver_containers(zone.tree)["i8k_web_0"]["state"] == "running"
    zone.tree.ctl("zone", "leave")
    assert zone.tree.ctl_json("zone", "status")["state"] == "none"
    assert driver_containers(zone.tree)["i8k_web_0"]["state"] == "running"
