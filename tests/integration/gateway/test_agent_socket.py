"""Tests the socket of the agents: reports of real containers without a zone, and what a hostile container can do there."""

import json
import os
import pwd
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from lib import ground, images
from lib.apps import App, manifest
from lib.gateway import SECRET, STATUS, Connection, Reconciler, agents_socket, get, post, zone_settings
from lib.services import status, wait_for
from lib.tree import VARIANT
from lib.worker import Worker
from lib.zone import join

OK = (200, b'{"ok":"true"}')
BAD = (400, b'{"error":"bad request"}')
UNAUTHORIZED = (401, b'{"error":"unauthorized"}')
REPORT = {"instance_name": "web", "replica_id": 1, "updated": 5,
          "stages": [{"name": "task_run", "owner": "inagent", "revision": 1, "state": "running"}],
          "tasks": [{"name": "main", "trigger": "on_startup", "state": "running", "started": 4, "runs": 1}], "ready": True, "status": "warm"}
ENDPOINT = "unix:/run/hostlet/agent.sock"
WAIT_FOR = "while [ ! -e /home/action/go ]; do sleep 0.1; done"


def short(answer):
    code, _, body = answer
    return code, body


# The gateway alone

@pytest.fixture
def alone(place):
    """A gateway without a zone, with a fake reconciler."""
    worker = Worker("rpc-gateway", place / "tree", {"container-driver": {"runtime": "null"}})
    worker.reconciler = Reconciler(worker.prefix)
    worker.start()
    worker.at = agents_socket(worker)
    yield worker
    worker.stop()
    worker.reconciler.close()


def test_a_report_is_forwarded_to_the_reconciler(alone):
    assert short(post(alone.at, REPORT)) == OK
    assert alone.reconciler.called("AgentReport") == [{**REPORT, "secret": SECRET}]


@pytest.mark.parametrize("body, secret, method, expected", [
    ("", None, "GET", (405, b'{"error":"method not allowed"}')), ("{", None, "POST", BAD),
    ("{}", None, "POST", (400, b'{"error":"instance_name required"}')), (REPORT, None, "POST", UNAUTHORIZED),
    (REPORT, "wrong", "POST", UNAUTHORIZED), ({**REPORT, "tasks": [1]}, SECRET, "POST", BAD),
    ({**REPORT, "status": "x" * 70000}, SECRET, "POST", (413, b'{"error":"too large"}'))])
def test_the_checks_are_those_of_the_port(alone, body, secret, method, expected):
    assert short(post(alone.at, body, secret, method)) == expected


def test_nothing_but_reports_is_served(alone):
    for path in ("/metrics", "/healthz", "/readyz", "/"):
        assert get(alone.at, path)[0] == 404
    with pytest.raises(Exception, match="not enabled"):
        alone.call("io.hostlet.RpcGateway.ZoneStatus")


def test_every_user_can_report(alone):
    """The root of a container can be another user of the machine."""
    body = json.dumps(REPORT)
    request = f"POST {STATUS} HTTP/1.0\r\nX-Secret-Key: {SECRET}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    code = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({str(alone.at)!r}); " \
           f"s.sendall({request!r}.encode()); print(s.recv(100).decode())"
    for user in ("nobody", "root"):
        found = subprocess.run(["/usr/bin/python3", "-c", code], user=pwd.getpwnam(user).pw_uid, capture_output=True, text=True,
                               timeout=20, check=True)
        assert "200 OK" in found.stdout


def test_descriptors_that_are_sent_are_closed(alone):
    before = len(os.listdir(f"/proc/{alone.process.pid}/fd"))
    reading, writing = os.pipe()
    with Connection.at(alone.at) as connection:
        for _ in range(20):
            socket.send_fds(connection.socket, [b"P"], [writing] * 100)
        os.close(writing)
        connection.socket.settimeout(15)
        assert os.read(reading, 1) == b""  # every copy is closed
        assert len(os.listdir(f"/proc/{alone.process.pid}/fd")) <= before + 2
    os.close(reading)


@pytest.mark.skipif(VARIANT == "sanitized", reason="its limits are those of the machine's rate")
def test_what_a_replica_may_report_is_limited_and_nobody_else_can_use_it_up(alone):
    alone.reconciler.on_report = None
    other = {**REPORT, "instance_name": "other"}
    assert {post(alone.at, REPORT, "wrong")[0] for _ in range(3)} == {401}
    codes = []
    while len(codes) < 44 and 503 not in codes:  # it may send two more in each second that this takes
        codes.append(post(alone.at, REPORT)[0])
    assert codes[:30] == [200] * 30 and codes[-1] == 503
    assert short(post(alone.at, other)) == UNAUTHORIZED  # it is not limited


def test_a_container_has_few_connections_at_once(alone):
    """All processes of one user that are in no container count as one container."""
    kept = [Connection.at(alone.at) for _ in range(4)]
    try:
        for connection in kept:
            connection.send("POST ")
        ground.wait_until(lambda: info(alone)["connections"] == 4, 10, "they are open")
        assert post(alone.at, REPORT)[0] == 0
        kept.pop().socket.close()
        ground.wait_until(lambda: post(alone.at, REPORT)[0] == 200, 10, "there is room again")
        assert info(alone)["refused"] >= 1
    finally:
        for connection in kept:
            connection.socket.close()


def info(worker):
    return worker.call("io.hostlet.RpcGateway.Info")["agents"]


# Applications without a zone

SETTINGS = {"reconciler": {"probation": "300ms", "retry_min": "100ms", "retry_max": "500ms"}}


@pytest.fixture
def failpoint():
    return None


@pytest.fixture
def tree(make_tree, docker_settings, engine, failpoint):
    tree = make_tree({**docker_settings, **SETTINGS})
    own = tree.prefix / "etc/svc/rpc-gateway"
    own.mkdir(parents=True)
    source = Path(os.environ["HOSTLET_SOURCE"]) / "svc/rpc-gateway/service.conf"
    (own / "service.conf").write_text(source.read_text() + "idle_timeout = 500ms\n")
    return tree.start(failpoint=failpoint)


def stages(app, number=0):
    return {s["name"]: s for s in app.replica(number).get("stages", []) if s["owner"] == "inagent"}


def told(app, state, message, name="task_run", timeout=30):
    def look():
        stage = stages(app)[name]
        assert (stage["state"], stage.get("message")) == (state, message), stage
        return stage
    return ground.wait_until(look, timeout, f"{name} is reported: {state}, {message}")


def home(app):
    return app.directory() / "home/action"


def test_an_application_reports_and_the_process_runs_only_then(tree):
    assert status(tree, "rpc-gateway")["state"] == "listening"
    app = App(tree)
    app.deploy(manifest(script=WAIT_FOR))
    told(app, "running", "1/1 tasks running")
    told(app, "success", None, "inagent_boot")
    assert app.replica_file()["hostlet_endpoint"]["url"] == ENDPOINT
    [task] = ground.wait_until(lambda: app.replica().get("tasks"), 20, "the tasks are shown")
    assert (task["name"], task["trigger"], task["state"], task["runs"]) == ("main", "on_startup", "running", 1)
    shown = tree.ctl("app", "web").stdout
    assert "task_run" in shown and "1/1 tasks running" in shown
    wait_for(tree, "rpc-gateway", "listening", 20)
    (home(app) / "go").touch()
    done = told(app, "success", "1/1 tasks done")
    assert done["finished"]

    def ended():
        task = app.replica()["tasks"][0]
        assert task["state"] == "succeeded" and task["finished"] >= task["started"], task
        return True
    ground.wait_until(ended, 20, "the task's end is shown")
    found = wait_for(tree, "rpc-gateway", "listening", 20)
    assert found["last_exit"] == "exit 0" and "restarts" not in found
    assert not tree.ctl("status").stderr


def test_an_idle_tree_without_reports_has_no_gateway(tree):
    app = App(tree)
    app.deploy(manifest(image=images.ENTRY, init="image"))
    assert status(tree, "rpc-gateway")["state"] == "listening"
    assert "last_exit" not in status(tree, "rpc-gateway")


@pytest.mark.parametrize("options", [{"read_only": True}, {"capabilities": [], "no_new_privileges": True}], ids=["read-only", "without new privileges"])
def test_a_confined_container_reports(tree, options):
    app = App(tree)
    app.deploy(manifest(script=WAIT_FOR, **options))
    told(app, "running", "1/1 tasks running")


def derived(engine, name, command):
    """Makes an image from busybox by a command."""
    made = engine.request("POST", "/containers/create", {"Image": images.BUSYBOX, "Cmd": ["/bin/sh", "-c", command]})["Id"]
    engine.request("POST", f"/containers/{made}/start", b"")
    engine.wait(made)
    engine.request("POST", "/commit", {}, query={"container": made, "repo": name, "tag": "1"})
    return f"{name}:1"


def test_an_image_with_a_link_at_run(tree, engine):
    app = App(tree)
    app.deploy(manifest(image=derived(engine, "linked", "rm -rf /run; mkdir -p /var/other; ln -s var/other /run"), script=WAIT_FOR))
    told(app, "running", "1/1 tasks running")


def test_an_image_with_a_file_in_place_of_the_directory_is_refused_with_the_path(tree, engine):
    app = App(tree)
    app.apply(manifest(image=derived(engine, "filed", "mkdir -p /run; echo x > /run/hostlet"), script=WAIT_FOR))
    found = app.wait(lambda i: i and i["failed"] and i["replicas"][0].get("message"), "it fails")
    assert "/run/hostlet" in found["replicas"][0]["message"]


def test_the_directory_is_read_only_in_the_container(tree, engine):
    app = App(tree)
    app.deploy(manifest(script=WAIT_FOR))
    for command in ("echo x > /run/hostlet/file", "rm /run/hostlet/agent.sock", "mv /run/hostlet/agent.sock /run/hostlet/x"):
        code, output = engine.execute(app.container(), "/bin/sh", "-c", command)
        assert code != 0 and "Read-only file system" in output


def test_joining_and_leaving_a_zone_moves_the_reports(tree):
    app = App(tree)
    app.deploy(manifest(script=WAIT_FOR))
    told(app, "running", "1/1 tasks running")
    before = app.replica()
    url = "http://127.0.0.1:1/in/api/v2/hostlet/inagent/status"
    for _ in range(5):  # facts that change while the file is written are not lost
        join(tree, status_url=url)
        ground.wait_until(lambda: app.replica_file()["hostlet_endpoint"]["url"] == url, 20, "the file has the zone's", 0.001)
        join(tree, status_url=None)
        ground.wait_until(lambda: app.replica_file()["hostlet_endpoint"]["url"] == ENDPOINT, 20, "the file has the socket's", 0.001)
    (home(app) / "go").touch()
    told(app, "success", "1/1 tasks done")
    assert (app.replica()["revision"], app.replica()["container"]) == (before["revision"], before["container"])


def test_a_tree_in_a_zone_serves_the_socket_too(make_tree, docker_settings, engine):
    tree = make_tree({**docker_settings, **SETTINGS, "zone": zone_settings()["zone"]}).start()
    app = App(tree)
    app.deploy(manifest(script=WAIT_FOR))
    told(app, "running", "1/1 tasks running")
    assert status(tree, "rpc-gateway")["state"] == "ready"


def test_a_container_that_docker_starts_before_hostlet_reports_when_that_runs(tree, dockerd):
    app = App(tree)
    app.deploy(manifest(script=WAIT_FOR))
    told(app, "running", "1/1 tasks running")
    tree.stop()
    dockerd.restart()
    inspect = lambda: dockerd.engine.request("GET", f"/containers/{app.container()}/json")["State"]  # noqa: E731
    ground.wait_until(lambda: inspect()["Running"], 30, "Docker has started it")
    (home(app) / "go").touch()
    tree.start()
    told(app, "success", "1/1 tasks done", timeout=60)


def test_the_deaths_of_the_processes_lose_no_report(tree):
    app = App(tree)
    for round_, name in enumerate(["rpc-gateway", "reconciler", "container-driver", "hostletd"]):
        (home(app) / "go").unlink(missing_ok=True)
        app.deploy(manifest(script=f"true {round_}; {WAIT_FOR}"))
        told(app, "running", "1/1 tasks running")
        if name == "hostletd":
            tree.kill()
            (home(app) / "go").touch()
            tree.start()
        else:
            pid = status(tree, name).get("pid")
            if pid:
                os.kill(pid, signal.SIGKILL)
            (home(app) / "go").touch()
        told(app, "success", "1/1 tasks done", timeout=60)


@pytest.mark.failpoints
@pytest.mark.parametrize("failpoint", ["report.received:kill", "report.judged:kill", "report.received:error", "report.judged:error"])
def test_a_report_survives_the_gateway_at_each_step(tree):
    app = App(tree)
    app.deploy(manifest(script=WAIT_FOR))
    told(app, "running", "1/1 tasks running")
    (home(app) / "go").touch()
    told(app, "success", "1/1 tasks done", timeout=60)


# A hostile container

FLOOD = r"""
import json, os, resource, socket, sys, threading
mode, path = sys.argv[1], "/run/hostlet/agent.sock"
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
body = json.dumps({"instance_name": "web", "replica_id": 0, "stages": []})
head = "POST /in/api/v2/hostlet/inagent/status HTTP/1.0\r\nX-Secret-Key: 0123456789abcdef0123456789abcdef01\r\n"
whole = (head + f"Content-Length: {len(body)}\r\n\r\n{body}").encode()
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    return s
def go():
    while True:
        try:
            if mode == "open":
                kept = []
                for _ in range(10000):
                    kept.append(connect())
            elif mode == "slow":
                s = connect()
                for byte in whole:
                    s.sendall(bytes([byte]))
                    threading.Event().wait(0.05)
            elif mode == "post":
                s = connect()
                s.sendall(whole)
                s.recv(1000)
            elif mode == "half":
                s = connect()
                s.sendall(whole[:60])
                s.shutdown(socket.SHUT_WR)
                s.recv(1000)
            elif mode == "descriptors":
                s = connect()
                socket.send_fds(s, [whole[:20]], [0] * 200)
                s.recv(1000)
            elif mode == "exit":
                if os.fork() == 0:
                    connect().sendall(whole[:10])
                    os._exit(0)
                os.wait()
        except OSError:
            pass
print("started", flush=True)
for _ in range(8):
    threading.Thread(target=go, daemon=True).start()
go()
"""


def hostile(engine, tree, mode):
    """Starts a container with the agents' socket that uses it in a hostile way; this machine's Python runs in it."""
    mounts = [{"Type": "bind", "ReadOnly": True, "Source": os.path.realpath(source), "Target": source}
              for source in ("/usr", "/lib", "/lib64") if os.path.exists(source)]
    mounts.append({"Type": "bind", "ReadOnly": True, "Source": str(agents_socket(tree).parent), "Target": "/run/hostlet"})
    made = engine.run(images.BUSYBOX, ["/usr/bin/python3", "-ISBc", FLOOD, mode],
                      host={"Mounts": mounts, "PidsLimit": 100, "NetworkMode": "none"})
    ground.wait_until(lambda: "started" in engine.logs(made), 30, "the hostile container runs")
    return made


def memory(pid):
    return next(int(line.split()[1]) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))


@pytest.mark.limit(240)
@pytest.mark.skipif(VARIANT == "sanitized", reason="a sanitized process is too slow to be flooded on a busy machine")
@pytest.mark.parametrize("mode", ["open", "slow", "post", "half", "descriptors", "exit"])
def test_a_hostile_container_keeps_no_other_from_reporting(tree, engine, mode):
    app = App(tree)
    app.deploy(manifest(script="n=0; while true; do " + WAIT_FOR.replace("go ]", "go$n ]") + "; n=$((n+1)); [ $n = 3 ] && exit 0; done"))
    told(app, "running", "1/1 tasks running")
    made = hostile(engine, tree, mode)
    counts = lambda: tree.call("rpc-gateway", "Info")["agents"]  # noqa: E731
    if mode in ("open", "post", "descriptors"):
        ground.wait_until(lambda: counts()["refused"] > 100, 30, "it is refused")
    for n in range(2):
        (home(app) / f"go{n}").touch()
    (home(app) / "go2").touch()
    told(app, "success", "1/1 tasks done", timeout=45)
    pid = tree.pid("rpc-gateway")
    assert len(os.listdir(f"/proc/{pid}/fd")) < 200
    assert memory(pid) < 32 << 10
    assert counts()["connections"] <= 64
    assert engine.request("GET", f"/containers/{made}/json")["State"]["Running"], engine.logs(made)
