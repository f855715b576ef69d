"""Tests a machine in a zone: its rounds with a leader on Debian's own grpc, from the first response to the last."""

import json
import signal
import threading
import time

import pytest
from google.protobuf import json_format
from lib import ground
from lib.apps import App
from lib.leader import Leader, not_ready, not_the_leader
from lib.varlink import VarlinkError
from lib.tree import VARIANT
from lib.zone import ZoneApp, instance
from lib.zone_proto import KEY, Messages
from lib.zone_member import field

pytestmark = pytest.mark.sanitized

HOST = KEY[0]


@pytest.fixture(scope="session")
def messages(session_place):
    return Messages(session_place / "messages")


@pytest.fixture
def make_leader(messages):
    made = []

    def make(**options):
        made.append(Leader(messages, **options))
        return made[-1]
    yield make
    for leader in made:
        leader.stop()


class Member:
    """A tree that is a host of the zone of these leaders."""

    def __init__(self, make_tree, messages, *leaders, settings=None, key=KEY, name="tree"):
        self.messages = messages
        self.ports = (ground.free_port(), ground.free_port())
        fast = {"probation": "50ms", "retry_min": "50ms", "retry_max": "500ms"}
        self.tree = make_tree({"container-driver": {"runtime": "null"}, "reconciler": fast,
                               "zone": {"enable": True, "listen": "127.0.0.1", "lan_addr": "127.0.0.1",
                                        "peer_port": self.ports[0], "http_port": self.ports[1]}, **(settings or {})}, name)
        self.tree.start()
        self.tree.call("rpc-gateway", "ZoneInit", host_id=key[0], access_key="ak_{}_{}".format(*key),
                       hosts=[leader.address for leader in leaders])

    def status(self):
        return self.tree.call("rpc-gateway", "ZoneStatus")

    def wait_state(self, state, timeout=20):
        def look():
            found = self.status()
            assert found["state"] == state, found
            return found
        return ground.wait_until(look, timeout, f"the zone is {state}")

    def message(self, name="web", *words, **options):
        return order(self.messages, name, *words, **options)


def order(messages, name="web", revision=1, action="start", image="null/image:1", **options):
    """Returns an AppInstance message with replicas on this host."""
    made = instance(name, revision, action, image, **options)
    made["deploy"].setdefault("stages", {"name": "", "stages": []})
    text = json.dumps(made).replace("0123456789abcdef", HOST)
    return json_format.Parse(text, messages.app.AppInstance(), ignore_unknown_fields=True)


@pytest.fixture
def leader(make_leader):
    return make_leader()


@pytest.fixture
def member(make_tree, messages, leader):
    return Member(make_tree, messages, leader)


def stages_of(leader, name="web", replica=0):
    """Returns the latest report to the leader about a replica: {stage name: stage}."""
    told = None
    for request in leader.called("HostStatusUpdate"):
        for report in request.replica_stages:
            if (report.instance_name, report.replica_id) == (name, replica):
                told = {stage.name: stage for stage in report.stages}
    return told or {}


def wait_stage(leader, stage, state, name="web", revision=None, timeout=20):
    def told():
        found = stages_of(leader, name).get(stage)
        assert found is not None and found.state == state and (revision is None or found.revision == revision), stages_of(leader, name)
        return found
    return ground.wait_until(told, timeout, f"{stage} is {state}")


# Rounds

def test_status_updates_contain_identity_and_state(member, leader):
    requests = leader.wait_called("HostStatusUpdate", 2)
    first = requests[0]
    assert first.host.id == HOST and first.host.peer_addr == f"127.0.0.1:{member.ports[0]}"
    assert first.status.host_id == HOST and first.status.lan_addr == "127.0.0.1"
    assert first.status.cpu_cores > 0 and first.status.mem_total > 0 and first.status.disk_total_bytes > 0
    assert first.status.mem_used < first.status.mem_total and first.status.cpu_model
    assert abs(first.status.updated - time.time()) < 60 and first.status.uptime <= first.status.updated
    assert not first.replica_stages
    told = leader.wait_called("HostStatusUpdate", 3)[-1].status.containers["null"]
    assert told.driver == "null" and told.version
    found = member.wait_state("joined")
    assert found["leader"] == leader.address and not found.get("failures") and found["host_id"] == HOST


def test_rounds_start_three_seconds_after_the_last_one_ended(make_tree, messages, leader):
    times, slow = [], 1.0

    def hook(_request, _context):
        times.append(time.monotonic())
        ground.let_pass(slow)
    leader.hooks["HostStatusUpdate"] = hook
    Member(make_tree, messages, leader)
    ground.wait_until(lambda: len(times) >= 3, 30, "three rounds")
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert all(3.5 < gap < 8 for gap in gaps), gaps


def test_orders_run_and_stages_are_reported(member, leader):
    leader.instances = [member.message()]
    app = ZoneApp(member.tree)
    app.running(1)
    wait_stage(leader, "container_running", "success", revision=1)
    told = stages_of(leader)
    for name in ("host_recv", "provision", "container_create", "container_start", "container_running"):
        assert told[name].state == "success" and told[name].owner == "hostlet" and told[name].finished >= told[name].created > 0
    quiet = len(leader.called("HostStatusUpdate"))
    leader.wait_called("HostStatusUpdate", quiet + 2)
    assert not any(request.replica_stages for request in leader.called("HostStatusUpdate")[quiet + 1:]), "only changes are reported"
    before = member.tree.call("container-driver", "Inspect", instance="web", replica_id=0, slot="current")["container"]["id"]

    leader.instances = [member.message(revision=2, action="stop")]
    app.stopped()
    wait_stage(leader, "container_stop", "success", revision=2)
    leader.instances = [member.message(revision=3)]
    app.running(3)
    assert member.tree.call("container-driver", "Inspect", instance="web", replica_id=0, slot="current")["container"]["id"] != before
    leader.instances = [member.message(revision=4, action="destroy")]
    app.destroyed()
    wait_stage(leader, "container_destroy", "success", revision=4)
    leader.instances = []
    app.gone()


def test_echoed_stages_are_no_change(member, leader):
    message = member.message()
    leader.instances = [message]
    app = ZoneApp(member.tree)
    app.running(1)
    wait_stage(leader, "container_running", "success")
    record = app.record()
    container = member.tree.call("container-driver", "Inspect", instance="web", replica_id=0, slot="current")["container"]["id"]
    echo = message.deploy.stages
    echo.name, echo.state = "deploy", "running"
    for stage in stages_of(leader).values():
        echo.stages.add().CopyFrom(stage)
    message.status.id = "changed"
    count = len(leader.called("HostStatusUpdate"))
    leader.wait_called("HostStatusUpdate", count + 2)
    assert app.record() == record
    assert member.tree.call("container-driver", "Inspect", instance="web", replica_id=0, slot="current")["container"]["id"] == container


def test_a_push_that_fails_is_sent_again_and_nothing_is_lost(member, leader):
    failing = threading.Event()

    def hook(request, context):
        if request.replica_stages and not failing.is_set():
            failing.set()
            not_ready(request, context)
    leader.hooks["HostStatusUpdate"] = hook
    leader.instances = [member.message()]
    assert failing.wait(20)
    wait_stage(leader, "container_running", "success", timeout=30)


def test_absence_is_no_order(member, leader):
    leader.instances = [member.message("web"), member.message("other")]
    web, other = ZoneApp(member.tree, "web"), ZoneApp(member.tree, "other")
    web.running(1)
    other.running(1)
    leader.instances = [leader.instances[1]]
    web.wait(lambda i: i.get("unassigned"), "it is no longer assigned")
    assert web.replica()["state"] == "running"
    assert "no longer assigned" in member.tree.ctl("apps").stdout
    leader.instances = [member.message("web"), leader.instances[0]]
    web.wait(lambda i: not i.get("unassigned"), "it is assigned again")


def test_desired_state_is_kept_without_a_leader(member, leader):
    leader.instances = [member.message()]
    app = ZoneApp(member.tree)
    app.running(1)
    leader.stop()
    member.wait_state("lost", 30)
    member.tree.kill()
    member.tree.start()
    app.running(1)
    assert member.tree.ctl("zone", "status").stdout.startswith("zone")


# Zone hosts

def test_a_follower_is_skipped_and_the_leader_is_kept(make_tree, messages, make_leader):
    follower, leader = make_leader(), make_leader()
    follower.hooks["HostStatusUpdate"] = not_the_leader
    member = Member(make_tree, messages, follower, leader)
    assert member.wait_state("joined")["leader"] == leader.address
    leader.wait_called("HostStatusUpdate", 2)
    assert len(follower.called("HostStatusUpdate")) == 1
    member.tree.restart()
    leader.wait_called("HostStatusUpdate", 4)
    assert len(follower.called("HostStatusUpdate")) == 1, "the previous leader is asked first"


def test_a_new_leader_is_followed(make_tree, messages, make_leader):
    first, second = make_leader(), make_leader()
    second.hooks["HostStatusUpdate"] = not_the_leader
    member = Member(make_tree, messages, first, second)
    member.wait_state("joined")
    second.instances = [member.message()]
    first.hooks["HostStatusUpdate"] = not_the_leader
    del second.hooks["HostStatusUpdate"]
    ground.wait_until(lambda: member.status().get("leader") == second.address, 20, "the new leader is followed")
    ZoneApp(member.tree).running(1)


def test_unreachable_hosts_are_retried_with_backoff_and_delay_nothing_else(make_tree, messages):
    class Dead:
        address = f"127.0.0.1:{ground.free_port()}"
    member = Member(make_tree, messages, Dead)
    found = member.wait_state("trying")
    assert Dead.address in found["reason"]
    app = App(member.tree, "local")
    app.deploy({"app": {"meta": {"name": "local"}, "spec": {"name": "local", "version": "1", "image": "null/image:1"},
                        "deploy": {"replicas": [{"id": 0}]}}, "hostlet": {"init": "image", "probation_given": True}})
    ground.wait_until(lambda: member.status().get("failures", 0) >= 2, 30, "the act is retried")


def test_a_call_to_a_slow_leader_ends_at_the_deadline(make_tree, messages, make_leader):
    slow, quick = make_leader(), make_leader()
    slow.hooks["HostStatusUpdate"] = lambda *_: ground.let_pass(6)
    member = Member(make_tree, messages, slow, quick)
    assert member.wait_state("joined", 30)["leader"] == quick.address


def test_a_wrong_clock_is_reported(make_tree, messages, leader):
    leader.clock = 120
    member = Member(make_tree, messages, leader)
    found = member.wait_state("trying")
    ground.wait_until(lambda: "clock" in member.status().get("reason", ""), 20, "the clock is named")
    assert "access-token expired" in member.status()["reason"]
    assert "clock" in member.tree.ctl("zone", "status").stdout and found
    leader.clock = 0
    member.wait_state("joined", 40)


def test_a_wrong_key_is_reported(make_tree, messages, leader):
    member = Member(make_tree, messages, leader, key=(HOST, "T" * 48))
    ground.wait_until(lambda: "verify denied" in member.status().get("reason", ""), 20, "the refusal is shown")


# Hostile responses

def garbage(*_):
    return b"\xff" * 100


def bomb():
    """Returns an instance with nested stages, deeper than the contract permits."""
    stage = b""
    for _ in range(5000):
        stage = field(16, stage)  # AppDeployStage.stages
    return field(2, field(1, field(2, b"bomb")) + field(20, field(22, stage)))


@pytest.mark.parametrize("what", ["garbage", "bad text", "bomb", "no name", "bad name"])
def test_malformed_responses_change_nothing(make_tree, messages, make_leader, what):
    leader = make_leader()
    member = Member(make_tree, messages, leader)
    leader.instances = [member.message()]
    app = ZoneApp(member.tree)
    app.running(1)
    good = leader.instances

    def bad_text(*_):
        message = messages.zone.HostStatusUpdateResponse(app_instances=good)
        return message.SerializeToString().replace(b"null/image:1", b"null/imag\xff:1")
    if what == "garbage":
        leader.hooks["HostStatusUpdate"] = garbage
    elif what == "bad text":
        leader.hooks["HostStatusUpdate"] = bad_text
    elif what == "bomb":
        leader.hooks["HostStatusUpdate"] = lambda *_: messages.zone.HostStatusUpdateResponse(
            app_instances=good).SerializeToString() + bomb()
    else:
        leader.instances = [*good, member.message("" if what == "no name" else "../x")]
    count = len(leader.called("HostStatusUpdate"))
    leader.wait_called("HostStatusUpdate", count + 2, timeout=30)
    if what == "bomb":
        ground.wait_until(lambda: "nested too deeply" in "".join(member.status().get("problems", [])), 20, "the malformed response was detected")
    assert app.get()["replicas"][0]["state"] == "running"
    pid = member.tree.pid("rpc-gateway")
    leader.hooks.pop("HostStatusUpdate", None)
    leader.instances = [member.message(revision=2)]
    app.running(2, timeout=60)
    assert member.tree.pid("rpc-gateway") == pid, "the gateway still runs"


@pytest.mark.limit(300)
def test_5000_instances_and_24_MiB(make_tree, messages, make_leader):
    """Most instances are on other hosts; those of this host are accepted."""
    leader = make_leader()
    member = Member(make_tree, messages, leader)
    filler = "x" * 4500
    many = []
    for n in range(5000):
        message = order(messages, f"app{n}", spec={"description": filler}, replicas=(0,) if n < 3 else (), elsewhere=(0,) if n >= 3 else ())
        many.append(message)
    answer = messages.zone.HostStatusUpdateResponse(app_instances=many)
    size = answer.ByteSize()
    assert 22 << 20 < size < 24 << 20, size
    data = answer.SerializeToString()
    leader.hooks["HostStatusUpdate"] = lambda *_: data
    for n in range(3):
        ZoneApp(member.tree, f"app{n}").running(1, timeout=120)
    found = ground.wait_until(lambda: member.status() if member.status().get("assigned") == 5000 else None, 60, "all were received")
    assert found["state"] == "joined"


# Membership

def test_init_is_idempotent_and_refuses_another_identity(make_tree):
    tree = make_tree({"container-driver": {"runtime": "null"}, "zone": {"lan_addr": "127.0.0.1", "listen": "127.0.0.1",
                                                              "peer_port": ground.free_port(), "http_port": ground.free_port()}}).start()
    with pytest.raises(VarlinkError, match="not enabled"):
        tree.call("rpc-gateway", "ZoneStatus")
    away = tree.ctl("zone", "status", check=False)
    assert away.returncode == 3 and "'hostletctl zone init' sets [zone] enable = yes" in away.stderr
    first = tree.ctl_json("zone", "init")
    warnings = tree.ctl("--json", "zone", "init").stderr.splitlines()
    assert len(warnings) == 1 and "not encrypted" in warnings[0] and "tls_certificate" in warnings[0]
    assert first["access_key"].startswith(f"ak_{first['host_id']}_") and first["peer_addr"].startswith("127.0.0.1:")
    assert first["host_id"] == tree.call("reconciler", "Info")["host_id"]
    assert tree.ctl_json("zone", "init", "10.0.0.1:9533") == first
    assert tree.call("rpc-gateway", "ZoneStatus")["hosts"] == ["10.0.0.1:9533"]
    assert tree.ctl_json("zone", "init", "10.0.0.1", "[fd00::1]:9533", "host.example:9533") == first
    assert tree.call("rpc-gateway", "ZoneStatus")["hosts"] == ["10.0.0.1", "[fd00::1]:9533", "host.example:9533"]
    assert tree.ctl_json("zone", "join-info") == first
    shown = tree.ctl("zone", "join-info").stdout
    assert first["access_key"] in shown and "host-join" in shown
    with pytest.raises(VarlinkError, match="leave that zone first"):
        tree.call("rpc-gateway", "ZoneInit", host_id="0123456789ab")
    path = tree.prefix / "var/hostlet/zone/zone.json"
    assert path.stat().st_mode & 0o777 == 0o640 and path.parent.stat().st_mode & 0o7777 == 0o2750
    assert path.group() == "hostlet-fetcher" and path.owner() == ("root" if VARIANT == "sanitized" else "hostlet-rpc-gateway")
    tree.ctl("zone", "leave")
    assert not path.exists() and tree.call("rpc-gateway", "ZoneStatus")["state"] == "none"
    assert tree.ctl("zone", "join-info", check=False).returncode != 0


@pytest.mark.parametrize("parameters, words", [
    ({"host_id": "xyz"}, "is not 12 to 16 lower-case hex digits"),
    ({"host_id": "0123456789ab", "access_key": "ak_ba9876543210_" + "S" * 48}, "they must be the same"),
    ({"access_key": "nonsense"}, ""), ({"hosts": ["a b"]}, "is no ADDRESS:PORT"), ({"hosts": [""]}, "is no ADDRESS:PORT"),
    ({"vpc_bridge_ip": "10.0.0"}, "vpc_bridge_ip: '10.0.0' is none"), ({"vpc_instance_cidr": "10.0.0.0"}, "vpc_instance_cidr: "),
    ({"network_domain": "a b"}, "network_domain: 'a b' is none"),
])
def test_an_invalid_init_is_refused(make_tree, parameters, words):
    tree = make_tree({"container-driver": {"runtime": "null"}, "zone": {"enable": True, "lan_addr": "127.0.0.1", "listen": "127.0.0.1",
                                                              "peer_port": ground.free_port(), "http_port": ground.free_port()}}).start()
    with pytest.raises(VarlinkError) as caught:
        tree.call("rpc-gateway", "ZoneInit", **parameters)
    assert caught.value.name == "io.hostlet.Refused" and words in str(caught.value) and "SSSS" not in str(caught.value)
    assert not (tree.prefix / "var/hostlet/zone/zone.json").exists()


def test_leaving_the_zone_keeps_running_instances(member, leader):
    leader.instances = [member.message()]
    app = ZoneApp(member.tree)
    app.running(1)
    member.tree.ctl("zone", "leave")
    app.wait(lambda i: i.get("unassigned"), "it is no longer assigned")
    assert app.replica()["state"] == "running"
    count = len(leader.called("HostStatusUpdate"))
    ground.let_pass(4)  # longer than a round: the test is that none starts
    assert len(leader.called("HostStatusUpdate")) == count
    ground.wait_until(lambda: app.replica_file()["hostlet_endpoint"]["url"] == "unix:/run/hostlet/agent.sock", 20,
                      "its agent reports to this machine alone")


def test_a_gateway_killed_at_any_time_continues(member, leader):
    app = ZoneApp(member.tree)
    for revision in range(1, 5):
        leader.instances = [member.message(revision=revision)]
        member.tree.kill_service("rpc-gateway", signal.SIGKILL)
        app.running(revision, timeout=40)
        wait_stage(leader, "container_running", "success", revision=revision, timeout=30)


def test_networks_of_the_zone_are_kept(member, leader, messages):
    leader.vpc = ("192.168.10.3", "10.10.3.0/24")
    leader.network = messages.zone.ZoneNetworkMap(vpc_network_domain="zone.test", revision=5)
    ground.wait_until(lambda: member.status().get("network_domain") == "zone.test", 20, "the domain is set")
    found = member.status()
    assert (found["vpc_bridge_ip"], found["vpc_instance_cidr"]) == leader.vpc
    ground.wait_until(lambda: (member.tree.call("reconciler", "Info").get("zone") or {}).get("base_domain") == "zone.test", 20,
                      "the facts are delivered")
    zone = member.tree.call("reconciler", "Info")["zone"]
    assert zone["status_url"] == f"http://127.0.0.1:{member.ports[1]}/in/api/v2/hostlet/inagent/status"
    leader.network = messages.zone.ZoneNetworkMap(vpc_network_domain="older.test", revision=4)
    count = len(leader.called("HostStatusUpdate"))
    leader.wait_called("HostStatusUpdate", count + 2)
    assert member.status()["network_domain"] == "zone.test", "an older map does not count"
