"""Tests container-driver as a process: on the null runtime, on a real Docker daemon, and on one that misbehaves."""

import base64
import contextlib
import json
import os
import re
import shutil
import socket
import struct
import threading
import time
from http.client import HTTPException
from urllib.parse import unquote

import pytest

from lib.container_driver import HOST, D, Watch
from lib import ground
from lib.engine import EngineError
from lib.hostile import HostileDaemon, answer
from lib.tree import VARIANT
from lib.varlink import Closed, VarlinkError


@pytest.fixture
def null(make_driver):
    return make_driver({"runtime": "null"}).start()


@pytest.fixture
def watch():
    made = []

    def make(driver):
        made.append(Watch(driver))
        made[-1].wait(lambda e: e["event"] == "complete", "the subscription")
        return made[-1]
    yield make
    for item in made:
        item.close()


def frames(data):
    """Returns the [(stream, bytes)] of a raw log."""
    found = []
    while data:
        stream, size = data[0], struct.unpack(">I", data[4:8])[0]
        found.append((stream, data[8:8 + size]))
        data = data[8 + size:]
    return found


def read_log(driver, timeout=30, until=None, **parameters):
    parameters = {"instance": "web", "replica_id": 0, "slot": "current", **parameters}
    with driver.connect(timeout) as connection:
        _, data = connection.upgrade(D + "Logs", **parameters)
        while until is None or until not in data:
            more = connection.socket.recv(65536)
            if not more:
                break
            data += more
    return data


# The null runtime

@pytest.mark.sanitized
def test_null_runtime_creates_starts_stops_and_removes_a_container(null, watch):
    events = watch(null)
    info = null.call(D + "Info")
    assert info["runtime"] == "null" and info["state"] == "up"
    assert null.inspect() is None
    made = null.create(ports=[{"port": 80, "host_port": 8080}], memory_limit=1 << 26)
    container = null.inspect()
    assert container["id"] == made["id"] and container["state"] == "created" and container["ours"]
    assert container["restart"] == "no" and container["memory_limit"] == 1 << 26 and container["revision"] == 1
    for _ in range(2):  # each can be repeated
        null.on("Start")
        assert null.inspect()["state"] == "running"
    null.on("SetRestart", policy="always")
    assert null.inspect()["restart"] == "always"
    for _ in range(2):
        null.on("Stop")
        assert null.inspect()["state"] == "exited"
    for _ in range(2):
        null.rename("current", "old")
        assert null.inspect() is None and null.inspect(slot="old")["id"] == made["id"]
    for _ in range(2):
        null.on("Remove", slot="old")
        assert null.inspect(slot="old") is None
    assert null.refused(null.on, "Start")[0] == "NotFound"
    assert null.refused(null.rename, "old", "current")[0] == "NotFound"
    events.wait(lambda e: e.get("action") == "destroy" and e["slot"] == "old", "the removal")
    assert [e["action"] for e in events.events if e["event"] == "container"] == [
        "create", "start", "update", "die", "stop", "rename", "destroy"]


@pytest.mark.sanitized
def test_a_watch_sends_a_snapshot_first(null, watch):
    null.create()
    null.on("Start")
    events = watch(null)
    assert [e["event"] for e in events.events] == ["there", "complete"]
    assert events.events[0]["container"] == null.inspect()
    null.on("Stop")
    events.wait(lambda e: e.get("action") == "stop", "the change")


@pytest.mark.sanitized
def test_null_survives_a_kill_of_the_driver(null):
    ids = {null.create(replica_id=n, image="null/exit-7-after-100:x" if n == 1 else "app:1")["id"] for n in range(3)}
    null.on("SetRestart", replica_id=1, policy="always")
    for n in range(2):
        null.on("Start", replica_id=n)
    null.kill()
    null.start()
    assert {c["id"] for c in null.list().values()} == ids
    assert null.inspect()["state"] == "running"
    assert null.inspect(replica_id=2)["state"] == "created"
    # A container that exits continues to exit, and its policy restarts it.
    ground.wait_until(lambda: null.inspect(replica_id=1).get("restart_count", 0) >= 2, 20, "restarts continue")
    null.on("SetRestart", replica_id=1, policy="no")
    null.on("Stop", replica_id=1)
    assert null.inspect(replica_id=1)["state"] == "exited"


@pytest.mark.sanitized
def test_null_images_behave_as_they_are_named(null):
    assert null.refused(null.call, D + "ImageInspect", reference="missing/app:1")[0] == "NotFound"
    assert null.refused(null.stream, D + "ImagePull", reference="missing/app:1")[0] == "NotFound"
    assert null.refused(null.create, image="missing/app:1")[0] == "NotFound"
    assert null.refused(null.call, D + "ImageInspect", reference="pull/app:1")[0] == "NotFound"
    pulled = null.stream(D + "ImagePull", reference="pull/app:1")[-1]["id"]
    assert null.call(D + "ImageInspect", reference="pull/app:1")["image"]["id"] == pulled
    assert null.call(D + "ImageInspect", reference=pulled)["image"]["tags"] == ["docker.io/pull/app:1"]
    null.create(image="null/exit-3:x")
    null.on("Start")
    assert null.wait_state("exited")["exit_code"] == 3
    assert null.on("Tail")["lines"] == ["started", "exited with code 3"]
    assert frames(read_log(null, follow=True)) == [(1, b"started\n"), (2, b"exited with code 3\n")]
    null.create(replica_id=1, image="null/start-fails:x")
    assert null.refused(null.on, "Start", replica_id=1)[0] == "Failed"
    assert null.inspect(replica_id=1)["state"] == "created" and null.inspect(replica_id=1)["exit_code"] == 127
    # An id refers to the image that it belongs to.
    identity = null.call(D + "ImageInspect", reference="null/exit-3:x")["image"]["id"]
    null.create(replica_id=2, image=identity)
    null.on("Start", replica_id=2)
    assert null.wait_state("exited", replica_id=2)["exit_code"] == 3
    null.create(replica_id=3, ports=[{"port": 80, "host_port": 8080}])
    null.create(replica_id=4, ports=[{"port": 80, "host_port": 8080}])
    null.on("Start", replica_id=3)
    name, reason = null.refused(null.on, "Start", replica_id=4)
    assert name == "Failed" and "8080" in reason and null.inspect(replica_id=4)["exit_code"] == 128


@pytest.mark.sanitized
def test_null_refuses_containers_of_other_programs(null):
    null.create()
    null.stop()
    directory = null.prefix / "var/hostlet/container-driver/null"
    file = next(path for path in directory.glob("*.json") if path.name != "images.json")
    content = json.loads(file.read_text())
    content["tree"] = "another-tree"
    file.write_text(json.dumps(content))
    null.start()
    assert null.inspect()["ours"] is False and "another-tree" in null.inspect()["owner"]
    for method in ("Start", "Stop", "Remove", "Logs", "Tail"):
        if method == "Logs":
            name, reason = null.refused(read_log, null)
        else:
            name, reason = null.refused(null.on, method)
        assert name == "Conflict" and "i8k_web_0" in reason and "another-tree" in reason
    assert null.refused(null.rename, "current", "old")[0] == "Conflict"
    assert null.refused(null.create)[0] == "Conflict"
    assert json.loads(file.read_text()) == content


def test_null_runs_five_hundred_replicas(null):
    started = time.monotonic()
    with null.connect() as connection:
        for n in range(500):
            which = {"instance": f"app-{n // 100}", "replica_id": n % 100}
            connection.call(D + "Create", **which, image="app:1", revision=1, config="c", host_id=HOST, init="image")
            connection.call(D + "Start", **which, slot="current")
    took = time.monotonic() - started
    assert len(null.list()) == 500
    assert took < 20, f"{took} s"


@pytest.mark.sanitized
def test_bad_requests_are_refused(null):
    assert null.refused(null.create, instance="../etc")[0] == "Refused"
    assert null.refused(null.create, replica_id=128)[0] == "Refused"
    assert null.refused(null.create, image="../x")[0] == "Refused"
    assert null.refused(null.create, packages=[{"name": "..", "id": "x"}])[0] == "Refused"
    assert null.refused(null.create, privileged=True)[0] == "InvalidParameter"
    assert null.refused(null.on, "Inspect", instance="a/b")[0] == "Refused"
    assert null.refused(null.call, D + "List")[0] == "Refused"
    assert null.refused(null.on, "Tail", tail=100000)[0] == "Refused"
    assert null.list() == {}


@pytest.mark.failpoints
@pytest.mark.parametrize("point", ["before_create", "after_create", "before_start", "after_start", "before_rename",
                                   "after_rename", "before_set_restart", "after_set_restart", "before_set_limits",
                                   "after_set_limits", "before_stop", "after_stop", "before_remove", "after_remove",
                                   "before_remove_volumes", "after_remove_volumes"])
def test_every_call_can_be_repeated_after_a_kill(make_driver, point):
    driver = make_driver({"runtime": "null"})
    acts = [driver.create, lambda: driver.on("Start"), lambda: driver.on("SetRestart", policy="always"),
            lambda: driver.on("SetLimits", memory_limit=1 << 26), lambda: driver.on("Stop"),
            lambda: driver.rename("current", "old"), lambda: driver.on("Remove", slot="old"),
            lambda: driver.call(D + "RemoveVolumes", instance="web", replica_id=0)]
    driver.start(failpoint=f"driver.{point}:kill")
    for act in acts:
        try:
            act()
        except Exception:  # noqa: BLE001: any error that a killed peer can cause
            assert driver.process.wait(10) == -9
            driver.start()
            act()
    assert driver.list() == {}


# Docker itself

def test_docker_container_is_made_as_the_contract_says(driver, engine, shell_image, dockerd):
    install = driver.prefix / "var/ipk_install/demo/demo_1.0.0_linux_amd64"
    install.mkdir(parents=True)
    for directory in ("opt", "home"):
        (driver.prefix / "apps/i8k_web_3" / directory).mkdir(parents=True)
    port = ground.free_port()
    made = driver.create(replica_id=3, image=shell_image, init="inagent", revision=12, config="abc", cpu_limit=500,
                         memory_limit=64 << 20, stop_timeout_msec=2500, probation_msec=200,
                         env={"COLOUR": "blue"}, ports=[{"port": 80, "host_port": port}],
                         packages=[{"name": "demo", "id": "demo_1.0.0_linux_amd64"}])
    seen = engine.inspect("i8k_web_3")
    assert seen["Id"] == made["id"]
    config, host = seen["Config"], seen["HostConfig"]
    assert config["Cmd"] == ["/bin/sh", "/home/action/.innerstack/ininit"] and not config["Entrypoint"]
    assert config["User"] == "0" and config["WorkingDir"] == "/" and config["StopTimeout"] == 3
    assert config["StopSignal"] == "SIGTERM"
    assert {"APP_NAME=web", "APP_REP_ID=3", f"APP_HOST_ID={HOST}", "COLOUR=blue"} <= set(config["Env"])
    assert config["Labels"] == {"app_name": "web", "app_rep_id": "3", "io.hostlet.tree": driver.tree_id,
                                "io.hostlet.revision": "12", "io.hostlet.config": "abc"}
    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"], host["ShmSize"], host["PidsLimit"]) == (
        500000000, 64 << 20, 64 << 20, 32 << 20, 100)
    assert host["RestartPolicy"]["Name"] == "no" and host["Ulimits"] == [{"Name": "nofile", "Hard": 10000, "Soft": 10000}]
    assert host["PortBindings"] == {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(port)}]}
    assert host["LogConfig"] == {"Type": "local", "Config": {"max-size": str(10 << 20), "max-file": "3",
                                                                   "compress": "false"}}
    assert {(m["Source"], m["Target"], m.get("ReadOnly", False)) for m in host["Mounts"]} == {
        (str(driver.prefix / "apps/i8k_web_3/opt"), "/opt", False),
        (str(driver.prefix / "apps/i8k_web_3/home"), "/home", False),
        (str(driver.prefix / "var/hostlet/agents"), "/run/hostlet", True), (str(install), "/usr/innerstack/demo", True)}
    assert not host["Privileged"] and not host["Binds"] and not host["PidMode"]
    assert host["CapDrop"] == ["ALL"] and not {"ALL", "NET_RAW", "MKNOD", "AUDIT_WRITE"} & set(host["CapAdd"])
    assert host["NetworkMode"] in ("default", "bridge") and host["IpcMode"] != "host"
    container = driver.inspect(replica_id=3)
    assert container["cpu_limit"] == 500 and container["revision"] == 12 and container["config"] == "abc"
    assert container["ports"] == [{"port": 80, "host_port": port}] and container["stop_timeout_msec"] == 3000
    # The storage driver decides whether the layer is limited; both cases are reported.
    assert made.get("layer_unlimited", False) == (not host.get("StorageOpt"))


@pytest.mark.sanitized
def test_docker_creates_starts_stops_and_removes_a_container(driver, engine, busybox_image, watch):
    events = watch(driver)
    made = driver.create(image=busybox_image, command=["sleep", "1000"], stop_timeout_msec=1000)
    assert driver.create(image=busybox_image, command=["sleep", "1000"], stop_timeout_msec=1000)["id"] == made["id"]
    name, reason = driver.refused(driver.create, image=busybox_image, config="other")
    assert name == "Conflict" and "revision 1" in reason
    for _ in range(2):
        driver.on("Start")
        assert driver.inspect()["state"] == "running"
    for policy in ("always", "always", "no"):
        driver.on("SetRestart", policy=policy)
        assert driver.inspect()["restart"] == policy
    assert list(driver.list()) == ["i8k_web_0"]
    for _ in range(2):
        driver.on("Stop", timeout_msec=1)
        assert driver.inspect()["state"] == "exited"
    for _ in range(2):
        driver.rename("current", "old")
        assert driver.inspect() is None and driver.inspect(slot="old")["id"] == made["id"]
    driver.on("Start", slot="old")
    for _ in range(2):
        driver.on("Remove", slot="old")
        assert driver.inspect(slot="old") is None
    assert driver.refused(driver.on, "Start")[0] == "NotFound"
    assert engine.names() == []
    events.wait(lambda e: e.get("action") == "destroy", "the removal")
    actions = [e["action"] for e in events.events if e["event"] == "container"]
    assert [a for a in actions if a in ("create", "start", "die", "rename", "destroy")] == [
        "create", "start", "die", "rename", "start", "die", "destroy"]


def test_docker_image_init_keeps_the_images_own(driver, engine, entry_image):
    port = ground.free_port()
    driver.create(image=entry_image, ports=[{"port": 8080, "host_port": port}], env={"GREETING": "changed"})
    driver.on("Start")
    ground.wait_until(lambda: ground.connects(port), 20, "the application answers")
    config = engine.inspect("i8k_web_0")["Config"]
    assert config["Entrypoint"][:2] == ["/bin/busybox", "httpd"] and config["User"] == "65534:65534"
    assert "GREETING=changed" in config["Env"] and engine.inspect("i8k_web_0")["HostConfig"]["PidsLimit"] == 1000


def test_docker_start_errors_are_reported_with_dockers_message(driver, busybox_image):
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        driver.create(image=busybox_image, command=["sleep", "9"], ports=[{"port": 80, "host_port": port}])
        name, reason = driver.refused(driver.on, "Start")
    assert name == "Failed" and "address already in use" in reason and "i8k_web_0" in reason
    container = driver.inspect()
    assert container["state"] == "created" and container["exit_code"] == 128 and "in use" in container["error"]
    driver.create(replica_id=1, image=busybox_image, command=["/no/such/program"])
    name, reason = driver.refused(driver.on, "Start", replica_id=1)
    assert name == "Failed" and "/no/such/program" in reason
    # A missing directory to bind is an error; it is not created silently.
    driver_mount = driver.refused(driver.create, replica_id=2, image=busybox_image, init="inagent")
    assert driver_mount[0] == "Refused" and "apps/i8k_web_2" in driver_mount[1]
    name, reason = driver.refused(driver.create, replica_id=3, image=busybox_image, cpu_limit=1000 * 1000)
    assert name == "Refused" and "CPUs" in reason


def test_docker_foreign_container_with_our_name_is_never_touched(driver, engine, busybox_image):
    foreign = engine.run(busybox_image, ["sleep", "1000"], name="i8k_web_0", Labels={"app_name": "web"})
    assert driver.inspect()["ours"] is False and "another agent" in driver.inspect()["owner"]
    before = engine.inspect("i8k_web_0")
    for method in ("Start", "Stop", "Remove", "Tail"):
        name, reason = driver.refused(driver.on, method)
        assert name == "Conflict" and "i8k_web_0" in reason
    assert driver.refused(driver.on, "SetRestart", policy="always")[0] == "Conflict"
    assert driver.refused(driver.rename, "current", "old")[0] == "Conflict"
    assert driver.refused(driver.create, image=busybox_image)[0] == "Conflict"
    after = engine.inspect("i8k_web_0")
    assert after["Id"] == foreign and after["State"] == before["State"] and after["HostConfig"] == before["HostConfig"]
    assert driver.list()["i8k_web_0"]["ours"] is False


def test_docker_logs_and_tail(driver, engine, busybox_image):
    script = "for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done; printf 'no end \\377\\033[1m'"
    driver.create(image=busybox_image, command=["sh", "-c", script])
    driver.on("Start")
    driver.wait_state("exited")
    assert driver.on("Tail", tail=1)["lines"] == ["no end ? [1m"]
    assert len(driver.on("Tail")["lines"]) == 11
    seen = frames(read_log(driver))
    assert b"".join(data for stream, data in seen if stream == 2) == b"".join(b"err %d\n" % n for n in range(1, 6))
    assert b"".join(data for stream, data in seen if stream == 1).startswith(b"out 1\nout 2\n")
    assert frames(read_log(driver, tail=1))[-1][1] == b"no end \377\033[1m"  # Docker's other log driver does not preserve \377
    assert read_log(driver, since=int(time.time() * 1000) + 3600000) == b""
    # Followed until the container ends.
    driver.create(replica_id=1, image=busybox_image, command=["sh", "-c", "echo one; sleep 1000"])
    driver.on("Start", replica_id=1)
    with driver.connect(30) as connection:
        _, data = connection.upgrade(D + "Logs", instance="web", replica_id=1, slot="current", follow=True)
        while b"one\n" not in data:
            data += connection.socket.recv(65536)
        driver.on("Stop", replica_id=1, timeout_msec=1)
        assert connection.socket.recv(65536) == b""
    assert driver.refused(driver.on, "Tail", replica_id=9)[0] == "NotFound"


def test_docker_logs_of_a_terminal_are_framed(driver, engine, busybox_image):
    engine.request("POST", "/containers/create",
                   {"Image": busybox_image, "Cmd": ["echo", "hello"], "Tty": True,
                    "Labels": {"io.hostlet.tree": driver.tree_id}}, query={"name": "i8k_web_0"})
    driver.on("Start")
    driver.wait_state("exited")
    assert b"".join(data for stream, data in frames(read_log(driver)) if stream == 1) == b"hello\r\n"


@pytest.mark.sanitized
def test_docker_logs_wait_for_a_slow_reader(driver, busybox_image):
    """Sends 20 MB of log to a reader that stops: the driver neither grows nor loses a byte."""
    driver.create(image=busybox_image, command=["sh", "-c", "yes 0123456789abcdef | head -c 20000000"])
    driver.on("Start")
    driver.wait_state("exited")
    log_size = 10 << 20  # the bounded log contains at least this much
    with driver.connect(60) as connection:
        _, data = connection.upgrade(D + "Logs", instance="web", replica_id=0, slot="current")
        assert driver.call(D + "Info")["state"] == "up"  # no other call waits for the reader
        resident = int((open(f"/proc/{driver.process.pid}/statm").read()).split()[1]) * 4096
        assert resident < 64 << 20
        total = len(data)
        while (more := connection.socket.recv(1 << 20)):
            total += len(more)
    assert total > log_size // 2


def test_docker_images_by_every_kind_of_reference(driver, engine, registry, busybox_image):
    digest_name = registry.push(engine, busybox_image, "team/app:2")
    name, reason = driver.refused(driver.call, D + "ImageInspect", reference=digest_name)
    assert name == "NotFound" and digest_name in reason
    answers = driver.stream(D + "ImagePull", reference=digest_name)
    identity = answers[-1]["id"]
    assert identity.startswith("sha256:") and any("status" in a for a in answers[:-1])
    image = driver.call(D + "ImageInspect", reference=digest_name)["image"]
    assert image["id"] == identity and digest_name in image["tags"]
    by_digest = image["digests"][0]
    for reference in (identity, identity[7:], by_digest, f"{digest_name}@{by_digest.partition('@')[2]}"):
        assert driver.call(D + "ImageInspect", reference=reference)["image"]["id"] == identity, reference
    engine.tag(busybox_image, "plain:latest")
    for reference in ("plain", "plain:latest", "docker.io/library/plain"):
        assert driver.call(D + "ImageInspect", reference=reference)["image"]["id"] == identity, reference
    assert identity in [a["image"]["id"] for a in driver.stream(D + "ImageList") if a.get("image")]
    engine.remove_image("plain:latest")
    engine.remove_image(digest_name)
    # Pulled by digest too.
    assert driver.stream(D + "ImagePull", reference=by_digest)[-1]["id"] == identity
    engine.remove_image(by_digest)
    assert driver.refused(driver.stream, D + "ImagePull", reference=identity)[0] == "Refused"


def test_docker_pull_failures_have_their_classes(driver, registry):
    name, reason = driver.refused(driver.stream, D + "ImagePull", reference=f"{registry.host}/nothing/here:1")
    assert name == "NotFound" and "nothing/here" in reason
    port = ground.free_port()
    assert driver.refused(driver.stream, D + "ImagePull", reference=f"127.0.0.1:{port}/x:1")[0] == "RetryLater"
    assert driver.refused(driver.stream, D + "ImagePull", reference="Bad Name")[0] == "Refused"


def test_docker_pull_with_credentials(make_driver, engine, docker_driver_settings, private_registry, busybox_image, place):
    full = private_registry.push(engine, busybox_image, "secret/app:1")
    config = place / "config.json"
    driver = make_driver({**docker_driver_settings, "docker_config": config}).start()
    assert driver.refused(driver.stream, D + "ImagePull", reference=full)[0] == "Failed"
    auth = base64.b64encode(b"tester:secret").decode()
    config.write_text("\ufeff" + json.dumps({"auths": {private_registry.host: {"auth": auth}}}))
    config.chmod(0o644)
    assert driver.stream(D + "ImagePull", reference=full)[-1]["id"].startswith("sha256:")
    assert f"all users may read the passwords in '{config}'" in driver.log()
    engine.remove_image(full)
    config.write_text(json.dumps({"credHelpers": {private_registry.host: "pass"}}))
    name, reason = driver.refused(driver.stream, D + "ImagePull", reference=full)
    assert name == "Refused" and "credential helper 'pass'" in reason
    assert auth not in driver.log()


def start_by_docker(engine, name):
    """Returns Docker's error message, or None."""
    try:
        engine.request("POST", f"/containers/{name}/start", b"")
    except (EngineError, OSError, HTTPException) as error:
        return str(error)
    return None


def test_docker_container_whose_task_docker_lost_is_removed(driver, dockerd, engine, busybox_image):
    """When Docker 20.10 is killed during a start, it finds the task in containerd after its restart and can never start that
    container again: "task …: already exists". Only another container can run."""
    for replica in range(30):
        driver.create(replica_id=replica, image=busybox_image, command=["sleep", "1000"])
        name = f"i8k_web_{replica}"
        identity = engine.inspect(name)["Id"]
        start = threading.Thread(target=start_by_docker, args=(engine, name))
        start.start()
        ground.wait_until(lambda: ground.processes_naming(identity), 20, "the container's shim")
        dockerd.restart()
        start.join()
        ground.wait_until(lambda: driver.call(D + "Info")["state"] == "up", 20, "Docker is found")
        if "already exists" in (start_by_docker(engine, name) or ""):
            break
    else:
        pytest.skip("Docker was never caught between its task and its note of it")
    reason = driver.refused(driver.on, "Start", replica_id=replica)
    assert reason[0] == "RetryLater" and "already exists" in reason[1]
    assert name not in engine.names()
    driver.create(replica_id=replica, image=busybox_image, command=["sleep", "1000"])
    driver.on("Start", replica_id=replica)
    assert driver.inspect(replica_id=replica)["state"] == "running"


@pytest.mark.sanitized
def test_docker_daemon_is_reached_again_after_its_restart(driver, dockerd, busybox_image, watch):
    events = watch(driver)
    driver.create(image=busybox_image, command=["sleep", "1000"], stop_timeout_msec=1000)
    driver.on("Start")
    dockerd.kill()
    lost = events.wait(lambda e: e["event"] == "lost", "the loss")
    assert lost["reason"]
    info = driver.call(D + "Info")
    assert info["state"] == "down" and str(dockerd.socket) in info["reason"]
    assert driver.refused(driver.on, "Inspect")[0] == "RetryLater"
    dockerd.start()
    ground.wait_until(lambda: events.count("complete") == 2, 20, "the second subscription")
    assert driver.call(D + "Info")["state"] == "up"
    assert driver.inspect()["state"] == "running"
    driver.on("Stop", timeout_msec=1)
    events.wait(lambda e: e.get("action") == "die", "events flow again")


def test_docker_hanging_daemon_is_noticed_at_the_next_request(make_driver, engine, docker_driver_settings, dockerd,
                                                             busybox_image, watch):
    driver = make_driver({**docker_driver_settings, "request_timeout": "500ms"}).start()
    events = watch(driver)
    driver.call(D + "Info")
    with dockerd.stopped():
        started = time.monotonic()
        assert driver.refused(driver.on, "Inspect")[0] == "RetryLater"
        assert driver.refused(driver.create, image=busybox_image)[0] == "RetryLater"
        info = driver.call(D + "Info")
        assert info["state"] == "down" and info["reason"]
        assert time.monotonic() - started < 5
        events.wait(lambda e: e["event"] == "lost", "the loss")
    ground.wait_until(lambda: driver.call(D + "Info")["state"] == "up", 20, "Docker answers again")
    ground.wait_until(lambda: events.count("complete") >= 2, 20, "the second subscription")


def test_docker_may_start_after_the_driver(make_driver, place):
    path = place / "later.sock"
    driver = make_driver({"runtime": "docker", "docker_socket": path, "request_timeout": "2s"}).start()
    info = driver.call(D + "Info")
    assert info["state"] == "down" and str(path) in info["reason"]
    daemon = HostileDaemon(path, answer(b"[]"))
    try:
        assert driver.list() == {}
    finally:
        daemon.close()


@pytest.mark.skipif(VARIANT == "sanitized", reason="the sanitized build has no jail, so no socket is closed to it")
def test_docker_socket_with_another_group_restarts_the_driver(make_driver, place):
    path = place / "group.sock"
    driver = make_driver({"runtime": "docker", "docker_socket": path, "request_timeout": "2s"}).start()
    daemon = HostileDaemon(path, answer(b"[]"))
    try:
        os.chown(path, 0, 54321)
        path.chmod(0o660)
        with contextlib.suppress(VarlinkError, Closed):
            driver.list()
        assert driver.process.wait(10) == 1 and "54321" in driver.log()
        driver.start()
        assert driver.list() == {}
    finally:
        daemon.close()


# A daemon that misbehaves

@pytest.fixture
def hostile(make_driver, place):
    made = []

    def make(reply=b"", timeout="500ms", **options):
        daemon = HostileDaemon(place / "hostile.sock", reply, **options)
        made.append(daemon)
        settings = {"runtime": "docker", "docker_socket": daemon.path, "request_timeout": timeout,
                    "pull_timeout": "1s"}
        return daemon, make_driver(settings).start()
    yield make
    for daemon in made:
        daemon.close()


def slowly(_, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    with contextlib.suppress(OSError):
        for _ in range(100):
            connection.sendall(b" ")
            ground.let_pass(0.05)


def endlessly(_, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(b"10000\r\n" + b"[" * 65536 + b"\r\n")


def huge_headers(_, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(b"X-Filler: " + b"y" * 1000 + b"\r\n")


NONSENSE = {
    "nothing": lambda line, connection: None,
    "no-http": b"220 smtp.example ESMTP\r\n",
    "empty-body": answer(b""),
    "truncated-json": answer(b'{"Id": "abc", "Na'),
    "truncated-body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}",
    "a-string": answer(b'"hello"'),
    "an-array": answer(b"[1, 2]"),
    "wrong-types": answer(b'{"Id": 7, "Name": {}, "State": []}'),
    "null-members": answer(b'{"Id": null, "Name": null}'),
    "deep": answer(b"[" * 100000),
    "not-utf8": answer(b'{"Id": "\xff\xfe"}'),
    "bad-chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
    "cut-chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "slow": slowly,
    "endless": endlessly,
    "huge-headers": huge_headers,
    "status-999": answer(b"{}", status=999),
    "error-without-words": answer(b"", status=500),
    "error-that-is-no-json": answer(b"<html>\xff oops</html>", status=500),
}


@pytest.mark.sanitized
@pytest.mark.parametrize("kind", NONSENSE)
def test_the_driver_survives_malformed_replies_of_docker(hostile, kind):
    daemon, driver = hostile(NONSENSE[kind])
    pid = driver.process.pid
    calls = [lambda: driver.on("Inspect"), lambda: driver.on("Start"), lambda: driver.create(image="app:1"),
             lambda: driver.call(D + "ImageInspect", reference="app:1"), driver.list,
             lambda: driver.stream(D + "ImagePull", reference="app:1"), lambda: driver.on("Tail")]
    for call in calls:
        started = time.monotonic()
        with pytest.raises(VarlinkError) as caught:
            call()
        assert time.monotonic() - started < 10
        assert caught.value.name.startswith("io.hostlet."), caught.value
    driver.call(D + "Info")
    assert driver.process.poll() is None and driver.process.pid == pid
    # When the daemon replies correctly again, the driver works again.
    daemon.reply = answer(b"[]")
    assert driver.list() == {}
    daemon.reply = answer(b'{"message": "no such container"}', status=404)
    assert driver.inspect() is None


@pytest.mark.sanitized
def test_a_daemon_that_hangs_before_the_driver_starts_is_reported(hostile):
    _, driver = hostile(hang=True)
    started = time.monotonic()
    assert driver.refused(driver.on, "Inspect")[0] == "RetryLater"
    assert driver.refused(driver.list)[0] == "RetryLater"
    assert driver.call(D + "Info")["state"] == "down"
    assert time.monotonic() - started < 5


def test_requests_that_change_something_are_sent_once(hostile):
    """The daemon reads the request and closes the connection without a reply: the driver reports it, and the client library does
    not repeat the request."""
    def drop(line, _):
        return None if line.startswith("POST") else answer(b'{"message": "no such container"}', status=404)
    daemon, driver = hostile(drop)
    for _ in range(3):
        driver.inspect()  # leaves a connection that could be reused
        assert driver.refused(driver.create, image="app:1")[0] == "RetryLater"
    assert sum(line.startswith("POST") for line in daemon.requests) == 3


@pytest.mark.parametrize("words,name", [
    (b'{"ApiVersion": "1.12"}', "NotSupported"), (b'{"ApiVersion": "9.0", "MinAPIVersion": "9.0"}', "NotSupported"),
    (b'{"ApiVersion": 141}', "Failed"), (b"{}", "Failed"), (b"[]", "Failed"), (b'{"ApiVersion": "new"}', "Failed")])
def test_unsupported_docker_versions_are_reported(hostile, words, name, monkeypatch):
    monkeypatch.setattr("lib.hostile.VERSION", words)
    _, driver = hostile(answer(b"[]"))
    assert driver.refused(driver.list)[0] == name
    info = driver.call(D + "Info")
    assert info["state"] == "down" and info["reason"]


@pytest.mark.sanitized
def test_a_watch_reports_once_that_docker_is_unreachable_at_the_start(make_driver, place):
    driver = make_driver({"runtime": "docker", "docker_socket": place / "none.sock"}).start()
    events = Watch(driver)
    lost = events.wait(lambda e: e["event"] == "lost", "that nothing is seen")
    assert "none.sock" in lost["reason"]
    with socket.socket(socket.AF_UNIX) as listener:  # retried several times in the meantime, and not reported again
        listener.bind(str(place / "none.sock"))
        shutil.chown(place / "none.sock", "hostlet-container-driver")
        listener.listen()
        for _ in range(3):
            listener.settimeout(20)
            listener.accept()[0].close()
    assert events.count("lost") == 1
    events.close()


def test_a_list_that_fails_ends_the_watch_with_the_reason(hostile):
    def serve(line, connection):
        if "/events" in line:
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            connection.recv(1)
            return None
        return answer(b'{"message": "no room"}', status=500)
    _, driver = hostile(serve)
    with driver.connect(timeout=20) as connection, pytest.raises(VarlinkError, match="no room"):
        next(connection.stream(D + "Watch"))


@pytest.mark.sanitized
def test_a_broken_event_stream_is_opened_again(hostile):
    def event(tree):
        attributes = {"name": "i8k_web_0", "exitCode": "3", "io.hostlet.tree": tree}
        return json.dumps({"Type": "container", "Action": "die", "Actor": {"ID": "aa", "Attributes": attributes}}).encode() + b"\n"
    endings = [b"", b"garbage\n", b'{"Type": 5}\n', b"x" * 400000, event("")[:20]]
    served = []

    def serve(line, connection):
        if "/events" not in line:
            return answer(b"[]" if "/containers/json" in line else b"{}")
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(OSError):
            tree = re.search(r"io.hostlet.tree=([0-9a-f-]+)", unquote(line)).group(1)
            for data in (event(tree), event("another"), endings[len(served) % len(endings)]):
                if data:
                    connection.sendall(b"%x\r\n%s\r\n" % (len(data), data))
            served.append(line)
            ground.let_pass(0.05)
        connection.close()
    _, driver = hostile(serve)
    events = Watch(driver)
    ground.wait_until(lambda: events.count("lost") >= len(endings), 30, "every kind of break occurred")
    events.wait(lambda e: e["event"] == "complete", "a snapshot")
    events.close()
    deaths = [e for e in events.events if e["event"] == "container"]
    assert len(endings) <= len(deaths) <= len(served) + 1 and all(e["exit_code"] == 3 and e["instance"] == "web" for e in deaths)


def test_an_event_stream_without_a_reply_is_opened_again(hostile):
    def serve(line, connection):
        if "/events" in line:
            connection.recv(1)
            return None
        return answer(b"{}")
    daemon, driver = hostile(serve, timeout="200ms")
    events = Watch(driver)
    ground.wait_until(lambda: sum("/events" in line for line in daemon.requests) >= 3, 20, "the act is retried")
    assert [e["event"] for e in events.events] == ["lost"], "the loss is reported once"
    events.close()


@pytest.mark.sanitized
def test_a_followed_log_ends_when_the_daemon_hangs(hostile):
    """The stream reports the end after the data that it had."""
    hanging = threading.Event()

    def serve(line, connection):
        if "/logs?" in line:
            assert "follow=1" in line
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               b"b\r\n\1\0\0\0\0\0\0\3abc\r\n")
            hanging.wait(20)
            return None
        if "/_ping" in line:
            hanging.wait(20)
            return None
        return answer(json.dumps({"Id": "abc", "Name": "/i8k_web_0", "State": {"Status": "running"},
                                  "Config": {"Labels": {"io.hostlet.tree": driver.tree_id}}}).encode())
    _, driver = hostile(serve)
    seen = frames(read_log(driver, follow=True, timeout=20))
    hanging.set()
    assert seen[0] == (1, b"abc") and seen[1][0] == 3 and b"the log ends here" in seen[1][1]


@pytest.mark.skipif(VARIANT == "sanitized", reason="the sanitized build has no jail")
def test_the_driver_runs_without_privileges(null):
    """The driver has its own user, no capability, and no way to regain one."""
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{null.process.pid}/status").read().splitlines() if ":\t" in line)
    assert status["Uid"].split()[0] != "0" and int(status["CapEff"], 16) == 0 and status["NoNewPrivs"] == "1"
