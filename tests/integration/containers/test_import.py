"""Tests the import of a machine of the original agent: its files, and containers made as it makes them, on a real Docker daemon."""

import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from google.protobuf import json_format
from lib import ground, images
from lib.leader import Leader
from lib.tree import program
from lib.varlink import VarlinkError
from lib.zone import ZoneApp, instance
from lib.zone_proto import KEY, Messages

HOST = KEY[0]
SECRET = "0123456789abcdef0123456789abcdef01"


@pytest.fixture(scope="session")
def messages(session_place):
    return Messages(session_place / "messages")


def order(name="web", revision=7, action="start", **options):
    made = instance(name, revision, action, images.BUSYBOX, **options)
    made.pop("status")
    return json.loads(json.dumps(made).replace("0123456789abcdef", HOST))


class Original:
    """A machine on which the original agent of InnerStack v2 ran: DIR/etc and the containers."""

    def __init__(self, place, engine, zone_hosts=()):
        self.dir = place / "innerstack"
        self.apps = place / "innerstack-apps"
        self.engine = engine
        (self.dir / "etc").mkdir(parents=True)
        self.apps.mkdir()
        self.ports = (ground.free_port(), ground.free_port())
        hosts = ", ".join(f'"{host}"' for host in zone_hosts)
        (self.dir / "etc/innerstack.toml").write_text(f"""
[server]
http_port = {self.ports[1]}
peer_port = {self.ports[0]}
zone_hosts = [{hosts}]

[hostlet]
host_id = "{HOST}"
lan_addr = "127.0.0.1"
access_key = "ak_{KEY[0]}_{KEY[1]}"
app_path = "{self.apps}"
vpc_bridge_ip = ""
vpc_network_domain = "zone.test"
dns_servers = []
""")
        self.active = {"app_instances": [], "applied_revisions": {}, "secret_keys": {}}
        self.write()

    def write(self):
        (self.dir / "etc/hostlet_active.json").write_text(json.dumps(self.active))

    def add(self, name="web", revision=7, applied=None, container=True, running=True):
        """An instance with one replica, its files, and its container."""
        made = order(name, revision)
        self.active["app_instances"].append(made)
        key = f"i8k_{name}_0"
        self.active["applied_revisions"][key] = applied if applied is not None else revision
        self.active["secret_keys"][key] = SECRET
        base = self.apps / key
        ours = base / "home/action/.innerstack"
        ours.mkdir(parents=True)
        (base / "opt").mkdir()
        (base / "home/action/kept").write_text("the application's")
        (ours / "app_replica.json").write_text(json.dumps({"app": made, "replica": made["deploy"]["replicas"][0]}))
        self.write()
        if not container:
            return
        self.engine.run(images.BUSYBOX, ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"], name=key,
                        Env=[f"APP_NAME={name}", "APP_REP_ID=0", f"APP_HOST_ID={HOST}"],
                        Labels={"app_name": name, "app_rep_id": "0"},
                        host={"Binds": [f"{base}/opt:/opt", f"{base}/home:/home"], "NanoCpus": 100 * 10 ** 6, "Memory": 64 << 20,
                              "MemorySwap": 64 << 20, "RestartPolicy": {"Name": "always"}, "NetworkMode": "none"})
        if not running:
            self.engine.request("POST", f"/containers/{key}/stop?t=0", b"")


@pytest.fixture
def original(place, engine, busybox_image):
    return Original(place, engine)


@pytest.fixture
def fresh(make_tree, docker_settings, engine):
    return make_tree({**docker_settings, "reconciler": {"probation": "100ms"}}).start()


def identity(engine, name="i8k_web_0"):
    seen = engine.inspect(name)
    return seen["Id"], seen["State"]["Pid"], seen["State"]["StartedAt"], seen["RestartCount"]


def test_dry_run_shows_everything_and_does_nothing(fresh, original, engine):
    original.add()
    original.add("gone", container=False)
    before = identity(engine)
    text = fresh.ctl("import", original.dir, "--dry-run").stdout
    assert "i8k_web_0" in text and "adopted as it runs" in text and "no container" in text and "Nothing was changed." in text
    assert f"app_path = {original.apps}" in text and KEY[1] not in text
    shown = fresh.ctl_json("import", original.dir, "--dry-run")
    assert not shown["done"] and shown["host_id"] == HOST and len(shown["containers"]) == 2 and KEY[1] not in json.dumps(shown)
    assert identity(engine) == before and not (fresh.prefix / "etc/hostlet.conf.d/50-import.conf").exists()
    with pytest.raises(VarlinkError):
        fresh.call("rpc-gateway", "ZoneStatus")


def test_running_containers_are_adopted_without_a_restart(fresh, original, engine):
    original.add()
    original.add("other")
    before = [identity(engine, name) for name in ("i8k_web_0", "i8k_other_0")]
    assert "Taken over." in fresh.ctl("import", original.dir).stdout
    web = ZoneApp(fresh)
    seen = web.running(7)
    assert seen["origin"] == "zone" and seen["replicas"][0]["revision"] == 7
    ZoneApp(fresh, "other").running(7)
    assert [identity(engine, name) for name in ("i8k_web_0", "i8k_other_0")] == before, "not one was restarted"
    joined = fresh.ctl_json("zone", "join-info")
    assert joined["host_id"] == HOST and joined["access_key"] == "ak_{}_{}".format(*KEY)
    file = original.apps / "i8k_web_0/home/action/.innerstack/app_replica.json"

    def endpoint():
        whole = json.loads(file.read_text())
        found = whole.get("hostlet_endpoint", {})
        assert found.get("secret_key") == SECRET and f":{original.ports[1]}/in/api/v2" in found["url"], found
        assert whole["zone_base_domain"] == "zone.test", "the file equals the original's, without a reachable leader"
        return True
    ground.wait_until(endpoint, 20, "the application gets the endpoint, with its own secret")

    # The result is the same after a second import and after a restart of the tree.
    assert "already adopted" in fresh.ctl("import", original.dir, "--dry-run").stdout
    assert "Taken over." in fresh.ctl("import", original.dir).stdout
    fresh.restart()
    web.running(7)
    assert [identity(engine, name) for name in ("i8k_web_0", "i8k_other_0")] == before

    # From now on it is an instance like any other: corrected, updated, stopped, destroyed; its data stays.
    engine.kill("i8k_web_0")
    ground.wait_until(lambda: engine.inspect("i8k_web_0")["State"]["Running"], 20, "the replica is rolled back")
    fresh.call("reconciler", "PutZoneState", instance=order("web", 8))
    web.running(8)
    assert identity(engine)[0] != before[0][0]
    assert (original.apps / "i8k_web_0/home/action/kept").read_text() == "the application's"
    assert identity(engine, "i8k_other_0") == before[1]


def test_newer_order_than_applied_is_switched(fresh, original, engine):
    original.add(revision=8, applied=7)
    before = identity(engine)
    assert "will be switched" in fresh.ctl("import", original.dir).stdout
    ZoneApp(fresh).running(8)
    assert identity(engine)[0] != before[0]


def test_revision_that_is_not_recorded_is_read_from_the_container_s_file(fresh, original, engine):
    original.add()
    del original.active["applied_revisions"]["i8k_web_0"]
    original.write()
    before = identity(engine)
    fresh.ctl("import", original.dir)
    ZoneApp(fresh).running(7)
    assert identity(engine) == before


def test_stopped_container_is_started_once(fresh, original, engine):
    original.add(running=False)
    fresh.ctl("import", original.dir)
    ZoneApp(fresh).running(7)
    assert engine.inspect("i8k_web_0")["State"]["Running"]


def test_the_zone_continues_to_order_after_the_import(place, make_tree, docker_settings, engine, busybox_image, messages):
    leader = Leader(messages)
    try:
        original = Original(place, engine, [leader.address])
        original.add()
        leader.instances = [json_format.ParseDict(order(), messages.app.AppInstance(), ignore_unknown_fields=True)]
        before = identity(engine)
        tree = make_tree({**docker_settings, "reconciler": {"probation": "100ms"}}).start()
        tree.ctl("import", original.dir)
        requests = leader.wait_called("HostStatusUpdate", 2)
        assert requests[0].host.id == HOST
        ZoneApp(tree).running(7)
        assert identity(engine) == before
        count = len(leader.called("HostStatusUpdate"))
        leader.wait_called("HostStatusUpdate", count + 1)
        assert identity(engine) == before
    finally:
        leader.stop()


def test_interrupted_import_is_completed_by_the_next(fresh, original, engine):
    original.add()
    original.add("other")
    before = [identity(engine, name) for name in ("i8k_web_0", "i8k_other_0")]
    fresh.call("container-driver", "Adopt", instance="web", replica_id=0, revision=7)
    fresh.kill_service("container-driver")
    fresh.ctl("import", original.dir)
    ZoneApp(fresh).running(7)
    ZoneApp(fresh, "other").running(7)
    assert [identity(engine, name) for name in ("i8k_web_0", "i8k_other_0")] == before


def repeated(tree, original, engine, before):
    """Checks the result of a repeated import."""
    tree.ctl("import", original.dir, "--dry-run")
    assert "Taken over." in tree.ctl("import", original.dir).stdout
    ZoneApp(tree).running(7)
    assert identity(engine) == before


def enable(tree, original):
    """Makes the state of an import that ended after its Reload: hostletd listens on the original's ports."""
    part = tree.prefix / "etc/hostlet.conf.d/50-import.conf"
    part.parent.mkdir(exist_ok=True)
    part.write_text(tree.ctl_json("import", original.dir, "--dry-run")["settings"])
    tree.ctl("reload")
    tree.ctl("service", "start", "rpc-gateway")


def test_domain_of_the_zone_is_not_replaced(fresh, original, engine):
    original.add()
    fresh.ctl("import", original.dir)
    config = original.dir / "etc/innerstack.toml"
    config.write_text(config.read_text().replace("zone.test", "older.test"))
    fresh.ctl("import", original.dir)
    assert fresh.call("rpc-gateway", "ZoneStatus")["network_domain"] == "zone.test"


def test_import_interrupted_after_its_reload_is_completed_by_the_next(fresh, original, engine):
    original.add()
    before = identity(engine)
    enable(fresh, original)
    repeated(fresh, original, engine, before)


def test_import_that_failed_at_a_hanging_gateway_is_completed_by_the_next(fresh, original, engine):
    original.add()
    before = identity(engine)
    enable(fresh, original)
    pid = fresh.pid("rpc-gateway")
    os.kill(pid, signal.SIGSTOP)  # hostletd owns the ports, whichever process serves them
    try:
        fresh.ctl("import", original.dir, "--dry-run")
    finally:
        os.kill(pid, signal.SIGKILL)
    repeated(fresh, original, engine, before)


def test_import_that_failed_at_a_stopped_reconciler_is_completed_by_the_next(make_tree, docker_settings, original, engine):
    original.add()
    before = identity(engine)
    tree = make_tree({**docker_settings, "hostlet": {"app_path": original.apps}, "reconciler": {"probation": "100ms"}}).start()
    tree.ctl("service", "stop", "reconciler")
    assert tree.ctl("import", original.dir, check=False).returncode != 0
    assert (tree.prefix / "etc/hostlet.conf.d/50-import.conf").exists()
    tree.ctl("service", "start", "reconciler")
    repeated(tree, original, engine, before)


def test_import_killed_before_it_joined_is_completed_by_the_next(fresh, original, engine):
    original.add()
    before = identity(engine)
    enable(fresh, original)
    pid = fresh.pid("rpc-gateway")
    os.kill(pid, signal.SIGSTOP)
    try:
        command = subprocess.Popen([program("hostletctl"), "--prefix", fresh.prefix, "import", original.dir], stdout=subprocess.DEVNULL)
        ground.wait_until(lambda: "already adopted" in fresh.ctl("import", original.dir, "--dry-run").stdout, 20, "it adopts")
        command.kill()
        command.wait()
    finally:
        os.kill(pid, signal.SIGCONT)
    repeated(fresh, original, engine, before)


def test_ports_of_another_tree_refuse_the_import(fresh, original, make_tree, docker_settings, engine):
    original.add()
    make_tree({**docker_settings, "zone": {"enable": "yes", "peer_port": original.ports[0], "http_port": original.ports[1]}}, "other").start()
    result = fresh.ctl("import", original.dir, check=False)
    assert result.returncode != 0 and f"listens on port {original.ports[0]}" in result.stderr


def names_of(parent):
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [Path(f"/proc/{child}/comm").read_text().strip() for child in children]


def test_refused_while_the_original_runs(fresh, original, place, engine):
    original.add()
    agent = place / "hostlet"
    shutil.copy("/bin/sleep", agent)
    agent.chmod(0o755)
    # The name of a tenant's program in a container is no matter.
    tenant = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", agent, "60"])
    try:
        ground.wait_until(lambda: names_of(tenant.pid) == ["hostlet"], 10, "the tenant's program runs")
        assert "Nothing was changed." in fresh.ctl("import", original.dir, "--dry-run").stdout
    finally:
        tenant.kill()
        tenant.wait()
    running = subprocess.Popen([agent, "60"])
    try:
        result = fresh.ctl("import", original.dir, check=False)
        assert result.returncode != 0 and f"the original agent runs (process {running.pid})" in result.stderr
    finally:
        running.kill()
        running.wait()
    with socket.create_server(("127.0.0.1", original.ports[0])):
        result = fresh.ctl("import", original.dir, check=False)
        assert result.returncode != 0 and f"listens on port {original.ports[0]}" in result.stderr
    assert not (fresh.prefix / "etc/hostlet.conf.d/50-import.conf").exists()


@pytest.mark.parametrize("file, text, words", [
    ("innerstack.toml", None, "is no prefix of the original agent"), ("innerstack.toml", "[hostlet\n", "innerstack.toml:1:"),
    ("innerstack.toml", "[hostlet]\nhost_id = 5\n", "/hostlet/host_id"), ("hostlet_active.json", "{", "hostlet_active.json"),
    ("hostlet_vol_quota.json", '{"items": 5}', "hostlet_vol_quota.json")])
def test_malformed_files_of_the_original_are_refused(fresh, original, file, text, words):
    path = original.dir / "etc" / file
    path.unlink(missing_ok=True)
    if text is not None:
        path.write_text(text)
    result = fresh.ctl("import", original.dir, check=False)
    assert result.returncode != 0 and words in result.stderr, result.stderr


def test_containers_that_do_not_fit_are_not_adopted(fresh, original, engine):
    original.add(container=False)
    original.add("other")
    engine.run(images.BUSYBOX, ["sleep", "1000"], name="i8k_web_0", Labels={"io.hostlet.tree": "another"})
    engine.run(images.BUSYBOX, ["sleep", "1000"], name="by-hand", Labels={"app_name": "hand", "app_rep_id": "0"})
    names = ("i8k_web_0", "i8k_other_0", "by-hand")
    before = [identity(engine, name) for name in names]
    text = fresh.ctl("import", original.dir).stdout
    assert "belongs to another hostlet tree: not adopted" in text and "1 container of the original agent is adopted, 2 are not" in text
    assert "by-hand: it is not adopted: its name does not fit its labels, app_name 'hand' and app_rep_id '0'" in text
    ZoneApp(fresh).wait(lambda i: i["replicas"][0]["state"] == "conflict", "the conflict is shown")
    ZoneApp(fresh, "other").running(7)
    assert [identity(engine, name) for name in names] == before


def test_tree_with_applications_elsewhere_is_refused(fresh, original, engine):
    original.add()
    fresh.call("reconciler", "Apply", manifest={
        "app": {"meta": {"name": "own"}, "spec": {"name": "own", "version": "1", "image": images.BUSYBOX}, "deploy": {"replicas": [{"id": 0}]}},
        "hostlet": {"init": "image", "command": ["sleep", "1000"], "pull": "never"}})
    result = fresh.ctl("import", original.dir, check=False)
    assert result.returncode != 0 and "a tree has one app_path" in result.stderr


def test_machine_of_another_zone_is_refused_before_anything_is_done(fresh, original, engine):
    original.add()
    before = identity(engine)
    enable(fresh, original)
    fresh.call("rpc-gateway", "ZoneInit", host_id="fedcba9876543210", access_key=f"ak_fedcba9876543210_{KEY[1]}")
    for more in ([], ["--dry-run"]):
        result = fresh.ctl("import", original.dir, *more, check=False)
        assert result.returncode != 0 and "already host fedcba9876543210" in result.stderr and HOST in result.stderr
    assert identity(engine) == before


def quota_ledger(original):
    ledger = {"items": [{"id": 4711, "mnt": "/", "name": "i8k_web_0", "soft": 1 << 30, "hard": 1 << 30, "used": 0}], "updated": 1,
              "id_offset": 4712, "mount_points": []}
    (original.dir / "etc/hostlet_vol_quota.json").write_text(json.dumps(ledger))
    return original.dir / "etc/hostlet_vol_quota.json"


def quota_keeper(tree):
    return {service["name"]: service["state"] for service in tree.ctl_json("services")}["quota-keeper"]


def test_quota_ledger_at_another_path_is_imported(fresh, original):
    original.add()
    quota_ledger(original)
    fresh.ctl("import", original.dir)
    mine = json.loads((fresh.prefix / "etc/hostlet_vol_quota.json").read_text())
    assert [(item["id"], item["name"]) for item in mine["items"]] == [(4711, "i8k_web_0")]
    assert os.stat(fresh.prefix / "etc/hostlet_vol_quota.json").st_uid == 0
    again = fresh.ctl("import", original.dir)
    assert "original's" not in again.stderr, "nothing of it is missing"


@pytest.mark.parametrize("replaced", [False, True])
def test_quota_keeper_that_an_interrupted_import_stopped_is_started(fresh, original, replaced):
    original.add()
    ledger = quota_ledger(original)
    fresh.ctl("service", "stop", "quota-keeper")
    if replaced:
        shutil.copy(ledger, fresh.prefix / "etc")
    result = fresh.ctl("import", original.dir)
    assert "original's" not in result.stderr and quota_keeper(fresh) == "ready"
    mine = json.loads((fresh.prefix / "etc/hostlet_vol_quota.json").read_text())
    assert [(item["id"], item["name"]) for item in mine["items"]] == [(4711, "i8k_web_0")]


def test_existing_projects_are_kept(fresh, original):
    original.add()
    ledger = json.loads(quota_ledger(original).read_text())
    ledger["items"][0]["id"] = 4000
    fresh.ctl("service", "stop", "quota-keeper")
    (fresh.prefix / "etc/hostlet_vol_quota.json").write_text(json.dumps(ledger))
    assert "1 of the original's are not among them" in fresh.ctl("import", original.dir).stderr
    mine = json.loads((fresh.prefix / "etc/hostlet_vol_quota.json").read_text())
    assert [item["id"] for item in mine["items"]] == [4000]
