"""Lists the known defects of the original agent (contract, sections 12 and 13), each with the tests that would detect it here,
and contains those of these tests that belong to no other file."""

import ast
import json
import os
import signal
import time
from pathlib import Path

import pytest
from lib import ground, images
from lib.apps import App, driver_containers, manifest
from lib.zone import HOST, ZoneApp, assign, join

# Number in section 12, or a name for those of section 13: the defect, and the tests that detect it: MODULE::TEST here, or unit/FILE::TEST.
DEFECTS = {
    1: ("a directory that exists counts as installed", ["test_unpacker::test_killed_at_each_step", "test_unpacker::test_killed_while_it_works"]),
    2: ("links lead the extraction elsewhere", ["test_hostile_archives::test_hostile_archive"]),
    3: ("checksums are not verified, downloads not resumed",
        ["test_hostile_archives::test_wrong_checksum", "test_fetcher_hostile::test_wrong_contents", "test_fetcher::test_resumes_at_any_byte"]),
    4: ("a new revision destroys what runs before it is ready",
        ["test_switch::test_update_with_a_missing_part_keeps_the_old_revision_and_is_retried", "test_defects::test_the_old_container_runs_until_the_new_one_is_ready"]),
    5: ("quota failures count as enforced",
        ["test_quota::test_ensure_is_refused_with_reason_and_remedy", "test_revisions::test_quota_required_refuses_with_the_reason"]),
    6: ("/etc/projects is rewritten in place",
        ["unit/test_quota::test_bytes_of_others_survive", "unit/test_quota::test_an_edit_meanwhile_is_merged",
         "unit/test_quota::test_an_exchange_that_was_killed_is_completed"]),
    7: ("project ids collide with Docker's",
        ["unit/test_quota::test_ids_of_others_are_collected", "unit/test_quota::test_ids_are_given_out_lowest_first_and_again"]),
    8: ("containers removed behind its back stay, states are unknown",
        ["test_mending::test_container_removed_by_hand_is_created_again", "test_mending::test_container_ended_by_hand_is_started_again",
         "test_survival::test_changes_while_the_tree_was_stopped_are_corrected", "test_defects::test_every_state_of_docker_is_known"]),
    9: ("SIGHUP ends the daemon", ["test_hostletd_jail::test_a_peer_can_be_limited_to_some_methods", "test_defects::test_sighup_ends_nothing"]),
    10: ("one loop does all", ["test_defects::test_a_slow_operation_delays_no_other"]),
    11: ("the VXLAN device is rebuilt at every restart", ["test_defects::test_the_vxlan_device_is_left_unchanged"]),
    12: ("only the first zone host is tried", ["test_zone::test_a_follower_is_skipped_and_the_leader_is_kept", "test_zone::test_a_new_leader_is_followed"]),
    13: ("app_replica.json is readable for all, and not written atomically",
         ["test_provisioner::test_owners_and_modes_whatever_the_umask", "test_provisioner::test_a_reader_never_sees_half_a_file"]),
    14: ("set -o pipefail under sh", ["test_inagent::test_pipefail_where_the_shell_has_it"]),
    15: ("the desired state is not kept", ["test_origins::test_orders_survive_a_restart_without_a_leader"]),
    16: ("a failed pull is repeated for ever without backoff", ["test_revisions::test_an_unknown_image_is_retried_with_backoff"]),
    17: ("a crash loop is reported as running", ["test_stages::test_a_crash_loop_is_reported_as_a_failed_stage"]),
    18: ("the entrypoint needs tools of the image", ["test_inagent::test_application_runs_as_action_in_every_kind_of_root"]),
    19: ("packages are held in memory", ["test_fetcher::test_memory_does_not_grow_with_the_package"]),
    20: ("it acts seconds after an assignment", ["test_defects::test_an_assignment_is_acted_on_at_once"]),
    21: ("the same line in the log every 10 s for ever", ["test_defects::test_an_unenforced_quota_is_logged_once"]),
    22: ("docker0's address is taken for the machine's",
         ["unit/test_gateway_host::test_an_address_of_hardware_is_preferred", "test_gateway::test_the_gateway_waits_for_an_address"]),
    "quotas without a leader": ("all quotas become 0 after a restart without a leader", ["test_defects::test_no_limit_is_lifted_without_a_leader"]),
    "stopped": ("stopped applications lose their limit", ["test_defects::test_a_stop_lifts_no_limit"]),
    "stopped with an address": ("a container with a VPC address is recreated whenever it is stopped",
                                ["test_zone_docker::test_a_stopped_container_is_started_and_not_recreated"]),
    "first inspect": ("a failed first inspect recreates the container", ["test_defects::test_a_failed_first_inspection_recreates_nothing"]),
    "stages": ("stages are lost with a restart", ["test_stages::test_stages_survive_any_kill"]),
    "forged stages": ("a container may forge any stage", ["test_stages::test_a_report_cannot_forge_stages_of_hostlet"]),
    "absence": ("what is merely absent is taken for an order", ["test_origins::test_absence_is_no_order"]),
    "one pair": ("only one working pair of three machines",
                 ["test_three_machines::test_a_third_machine_joins_and_every_pair_is_connected"]),
    "image presence": ("an image is pulled at every creation unless named as in its RepoTag",
                       ["test_defects::test_a_present_image_is_not_pulled_under_any_name"]),
}


TESTS = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("defect", DEFECTS, ids=str)
def test_every_defect_has_its_test(defect):
    said, seen_by = DEFECTS[defect]
    for test in seen_by:
        module, name = test.split("::")
        if module.startswith("unit/"):
            assert f"cmocka_unit_test({name})" in (TESTS / f"{module}.c").read_text(), f"'{said}': there is no test {test}"
            continue
        tree = ast.parse(next((TESTS / "integration").glob(f"*/{module}.py")).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"'{said}': there is no test {test}"


FAST = {"probation": "100ms", "retry_min": "50ms", "retry_max": "200ms"}


@pytest.fixture
def zone_tree(make_tree):
    tree = make_tree({"container-driver": {"runtime": "null"}, "reconciler": FAST}).start()
    join(tree)
    return tree


def ids(tree):
    return {name: c["id"] for name, c in driver_containers(tree).items()}


def test_the_old_container_runs_until_the_new_one_is_ready(zone_tree):
    app = ZoneApp(zone_tree)
    app.put(1)
    app.running()
    before = ids(zone_tree)
    app.put(2, image="missing/x")
    app.wait(lambda i: i["next_retry"] if i.get("next_retry") else 0, "the image cannot be pulled")
    assert ids(zone_tree) == before
    assert driver_containers(zone_tree)["i8k_web_0"]["state"] == "running"
    assert app.replica_file()["app"]["deploy"]["revision"] == 1


def test_every_state_of_docker_is_known(make_tree, docker_settings, engine, busybox_image):
    """created, running, restarting, paused, exited; removing is too short to be observed (tests/unit/test_driver.c), test_dead.py makes a dead one."""
    tree = make_tree(docker_settings).start()
    run = ["/bin/sh", "-c", "exec sleep 1000"]
    engine.request("POST", "/containers/create", {"Image": busybox_image, "Cmd": run}, query={"name": "i8k_made_0"})
    for name, command in (("running", run), ("paused", run), ("ended", ["/bin/true"])):
        engine.run(busybox_image, command, name=f"i8k_{name}_0")
    engine.run(busybox_image, ["/bin/false"], name="i8k_again_0", host={"RestartPolicy": {"Name": "always"}})
    engine.request("POST", "/containers/i8k_paused_0/pause", b"")
    engine.wait("i8k_ended_0")
    ground.wait_until(lambda: driver_containers(tree)["i8k_again_0"]["state"] == "restarting", 20, "one is restarting")
    seen = {name: c["state"] for name, c in driver_containers(tree).items() if name != "i8k_again_0"}
    engine.request("POST", "/containers/i8k_paused_0/unpause", b"")
    assert seen == {"i8k_made_0": "created", "i8k_running_0": "running", "i8k_paused_0": "paused", "i8k_ended_0": "exited"}


def test_sighup_ends_nothing(zone_tree):
    app = ZoneApp(zone_tree)
    app.put(1)
    app.running()
    before, children = ids(zone_tree), zone_tree.children()
    os.kill(zone_tree.process.pid, signal.SIGHUP)
    ground.wait_until(lambda: "configuration read anew: 0 services changed" in zone_tree.log(), 10, "it has read its configuration")
    assert zone_tree.running() and app.running()
    assert ids(zone_tree) == before
    assert zone_tree.children().get("reconciler") == children["reconciler"]


def test_a_slow_operation_delays_no_other(zone_tree):
    slow, quick = ZoneApp(zone_tree, "slow"), ZoneApp(zone_tree, "quick")
    slow.put(1, image="null/slow:20000")
    slow.wait(lambda i: any(s["name"] == "container_start" for s in i["replicas"][0].get("stages", [])), "the container is being started")
    begun = time.monotonic()
    quick.put(1)
    quick.running()
    assign(zone_tree, "slow", "quick")
    assert time.monotonic() - begun < 10
    assert slow.replica()["state"] == "starting"


def test_an_assignment_is_acted_on_at_once(zone_tree):
    app = ZoneApp(zone_tree)
    begun = time.time() * 1000
    app.put(1)
    app.running()
    assert app.stages()["container_start"]["finished"] - begun < 2000  # 4 to 5 s with the original, on an idle machine


def test_an_unenforced_quota_is_logged_once(zone_tree):
    app = ZoneApp(zone_tree)
    app.put(1)
    app.running()
    lines = len(zone_tree.log().splitlines())
    ground.let_pass(3)  # the measured condition is that nothing is logged in this time
    assert len(zone_tree.log().splitlines()) == lines
    assert "quota" in app.replica()


COUNTING_QUOTA = """
ready()
listener = socket.socket(fileno=3)
listener.setblocking(True)
while True:
    connection, _ = listener.accept()
    with connection:
        data = b""
        while not data.endswith(b"\\0") and (more := connection.recv(65536)):
            data += more
        if not data.endswith(b"\\0"):
            continue  # its caller was killed
        call = json.loads(data[:-1])
        asked = call.get("parameters") or {}
        record(call["method"] + " " + str(asked.get("hard", 0)))
        answer = {"container": asked.get("container", ""), "hard": asked.get("hard", 0)}
        connection.sendall(json.dumps({"parameters": {} if call["method"].endswith("Release") else answer}).encode() + b"\\0")
"""


@pytest.fixture
def quota_tree(start, services):
    """A tree whose quota-keeper only counts its calls."""
    for service in ("container-driver", "provisioner", "fetcher", "unpacker", "reconciler"):
        services.take(service)
    services.add("quota-keeper", COUNTING_QUOTA, peers="hostlet-reconciler")
    tree = start({"container-driver": {"runtime": "null"}, "reconciler": FAST})
    join(tree)
    return tree


def asked_for(services):
    """Returns {method: limits} of the calls of quota-keeper."""
    asked = {}
    for line in services.events("quota-keeper"):
        if "io.hostlet.QuotaKeeper" in line:
            _, method, limit = line.split()
            asked.setdefault(method.rpartition(".")[2], set()).add(int(limit))
    return asked


def test_no_limit_is_lifted_without_a_leader(quota_tree, services):
    app = ZoneApp(quota_tree)
    app.put(1)
    app.running()
    quota_tree.kill_service("reconciler")
    quota_tree.kill_service("container-driver")
    app.running()
    asked = asked_for(services)
    assert "Release" not in asked and asked["Ensure"] == {1 << 30}


def test_a_stop_lifts_no_limit(quota_tree, services):
    app = ZoneApp(quota_tree)
    app.put(1)
    app.running()
    app.put(2, action="stop")
    app.stopped()
    asked = asked_for(services)
    assert "Release" not in asked and asked["Ensure"] == {1 << 30}
    app.put(3, action="destroy")
    app.destroyed()
    assert "Release" in asked_for(services)


def test_a_failed_first_inspection_recreates_nothing(make_tree, dockerd, docker_settings, engine, busybox_image):
    settings = {"container-driver": {**docker_settings["container-driver"], "request_timeout": "1s"}, "reconciler": FAST}
    tree = make_tree(settings).start()
    app = App(tree)
    app.deploy(manifest(script="exec sleep 1000"))
    before = engine.inspect("i8k_web_0")
    tree.stop()
    os.kill(dockerd.process.pid, signal.SIGSTOP)
    try:
        tree.start()
        ground.wait_until(lambda: tree.call("container-driver", "Info")["state"] == "down", 20, "Docker does not answer")
        assert not app.get()["settled"]
    finally:
        os.kill(dockerd.process.pid, signal.SIGCONT)
    app.running()
    after = engine.inspect("i8k_web_0")
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])


def test_a_present_image_is_not_pulled_under_any_name(make_tree, docker_settings, engine, busybox_image):
    tree = make_tree({**docker_settings, "reconciler": FAST}).start()
    join(tree)
    identity = engine.request("GET", f"/images/{busybox_image}/json")["Id"]
    engine.tag(busybox_image, "hostlet-plain:latest")
    try:
        for number, name in enumerate((identity, "hostlet-plain", "docker.io/library/hostlet-plain", images.BUSYBOX)):
            app = ZoneApp(tree, f"app{number}")
            app.put(1, image=name, spec={"tasks": [{"name": "main", "on_startup": True, "script": "exec sleep 1000"}]})
            app.running()
            assert app.stages()["image_pull"].get("attempt", 0) == 0
    finally:
        engine.remove_image("hostlet-plain:latest")


def test_the_vxlan_device_is_left_unchanged(make_tree, namespace):
    """The device is as the original agent made it. Whichever process is killed here or restarted, and when facts of the zone are
    received again, the device and its addresses stay the same."""
    device = "invpc2_vxlan.10"
    namespace.inside("addr", "add", "192.168.7.1/24", "dev", "uplink")
    namespace.inside("link", "set", "uplink", "up")
    namespace.inside("link", "add", device, "mtu", "1500", "type", "vxlan", "id", "10", "dstport", "8472", "nolearning", "dev", "uplink")
    namespace.inside("addr", "add", "192.168.10.3/24", "dev", device)
    namespace.inside("link", "set", device, "up")
    namespace.inside("route", "add", "192.168.11.0/24", "via", "192.168.10.4", "dev", device)
    namespace.bridge("fdb", "append", "00:00:00:00:00:00", "dev", device, "dst", "192.168.7.2", "self", "static")

    def device_now():
        link = json.loads(namespace.inside("-j", "-d", "link", "show", "dev", device))[0]
        return (link["ifindex"], link["address"], link["flags"], link["linkinfo"], namespace.inside("-4", "addr", "show", "dev", device),
                namespace.inside("route", "show", "dev", device), namespace.bridge("fdb", "show", "dev", device))
    before = device_now()
    tree = make_tree({"container-driver": {"runtime": "null"}, "reconciler": FAST,
                      "zone": {"enable": True, "lan_addr": "192.168.7.1", "peer_port": ground.free_port(), "http_port": ground.free_port()}})
    tree.wrapper = ["ip", "netns", "exec", namespace.name]
    tree.start()
    tree.call("rpc-gateway", "ZoneInit", host_id=HOST, hosts=["192.168.7.2:9533"], vpc_bridge_ip="192.168.10.3",
              vpc_instance_cidr="192.168.10.0/24")
    ground.wait_until(lambda: tree.call("reconciler", "Info").get("host_id") == HOST, 10, "the reconciler has the zone's facts")
    app = ZoneApp(tree)
    app.put(1)
    app.running()
    for service in tree.children():
        tree.kill_service(service)
    ground.wait_until(lambda: app.put(2), 10, "the next order is accepted")
    app.running(2)
    tree.stop()
    assert device_now() == before
    tree.start()
    app.running(2)
    tree.ctl("zone", "leave")
    assert device_now() == before
