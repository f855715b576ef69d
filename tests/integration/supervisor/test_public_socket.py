"""Tests the keys of service.conf for a service that serves containers: the public socket, ports on a condition, a start on a
condition."""

import contextlib
import os
import pwd
import socket
import stat
import subprocess

import pytest
from lib import ground
from lib.services import reload, run_hostletd, status, wait_for

pytestmark = pytest.mark.sanitized

# Answers each connection at the public socket and at the ports with its process id and the names of its descriptors, and
# ends when no connection has arrived for a second.
ANSWERS = """
import select
names = os.environ["LISTEN_FDNAMES"].split(":")
listeners = {name: socket.socket(fileno=3 + i) for i, name in enumerate(names)}
lifeline = socket.socket(fileno=int(os.environ["HOSTLET_LIFELINE_FD"]))
number = int(sys.argv[sys.argv.index("--notification-fd") + 1])
record("ready")
os.write(number, b"sockets\\n")
lazy = flag("lazy")
while True:
    found, _, _ = select.select([lifeline, *listeners.values()], [], [], 1 if lazy else None)
    if not found:
        sys.exit(0)
    for one in found:
        if one is lifeline:
            data, fds, _, _ = socket.recv_fds(lifeline, 1, 1)
            if not data:
                sys.exit(1)
            record(f"moved {data[0]}")
            listeners[["varlink", "public"][data[0]]] = socket.socket(fileno=fds[0])
            continue
        with contextlib.suppress(BlockingIOError):
            connection, _ = one.accept()
            with connection:
                connection.sendall(f"{os.getpid()} {':'.join(names)}".encode())
""".replace("import select\n", "import contextlib, select\n")
CONF = {"tcp": "zone.peer_port", "tcp_enabled": "zone.enable", "public_socket": "agents/test.sock", "config_sections": "zone"}


def public(tree):
    return tree.prefix / "var/hostlet/agents/test.sock"


def ask(tree):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(public(tree)))
        return s.makefile().read().split()


def reaches(tree, pid):
    with contextlib.suppress(OSError):
        return ask(tree)[0] == str(pid)
    return False


@pytest.fixture
def port():
    return ground.free_port()


def zone(port, enable):
    return {"zone": {"enable": enable, "listen": "127.0.0.1", "peer_port": port}}


def test_every_user_can_open_the_socket_and_only_root_can_replace_it(start, services, port):
    services.add("faces", ANSWERS, **CONF)
    tree = start(zone(port, False))
    assert ask(tree) == [str(status(tree, "faces")["pid"]), "varlink:public"]
    directory = public(tree).parent.lstat()
    assert (directory.st_uid, stat.S_IMODE(directory.st_mode)) == (0, 0o755)
    assert stat.S_IMODE(public(tree).lstat().st_mode) == 0o666
    code = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect('{public(tree)}'); print(s.recv(100).decode())"
    nobody = pwd.getpwnam("nobody").pw_uid
    answer = subprocess.run(["/usr/bin/python3", "-c", code], user=nobody, capture_output=True, text=True, check=True, timeout=20)
    assert answer.stdout.split()[1] == "varlink:public"


def test_the_ports_follow_their_condition(start, services, port):
    services.add("faces", ANSWERS, **CONF)
    tree = start(zone(port, False))
    assert not ground.connects(port) and ask(tree)[1] == "varlink:public"
    tree.write_config(zone(port, True))
    reload(tree, "1 services changed")
    ground.wait_until(lambda: ground.connects(port), 10, "the port is open")
    wait_for(tree, "faces", "ready")
    assert ask(tree)[1] == "varlink:public:peer_port"
    tree.write_config(zone(port, False))
    reload(tree, "1 services changed")
    ground.wait_until(lambda: not ground.connects(port), 10, "the port is closed")
    wait_for(tree, "faces", "ready")
    assert ask(tree)[1] == "varlink:public"


def test_the_start_follows_its_condition(start, services, port):
    services.set("lazy")
    services.add("faces", ANSWERS, start="zone.enable", **CONF)
    tree = start(zone(port, False))
    assert status(tree, "faces")["state"] == "listening" and not services.events("faces")
    first = ask(tree)[0]
    found = wait_for(tree, "faces", "listening")
    assert found["last_exit"] == "exit 0" and "restarts" not in found
    assert "pid" not in found and ask(tree)[0] != first
    wait_for(tree, "faces", "listening")
    services.clear("lazy")
    tree.write_config(zone(port, True))
    reload(tree, "1 services changed")
    assert "pid" in wait_for(tree, "faces", "ready") and not status(tree, "faces").get("on_demand")


DAMAGES = {
    "deleted": lambda path: path.unlink(),
    "replaced": lambda path: (path.with_name("file").write_text(""), path.with_name("file").rename(path)),
    # hostletd can make the socket again between its removal and that of the directory.
    "with its directory": lambda path: ground.wait_until(
        lambda: subprocess.run(["rm", "-rf", path.parent], stderr=subprocess.DEVNULL).returncode == 0, 10, "it is removed"),
    "its directory moved": lambda path: path.parent.rename(path.parent.with_name("away")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_socket_that_is_deleted_is_bound_again_and_the_process_gets_it(start, services, port, damage):
    services.add("faces", ANSWERS, **CONF)
    tree = start(zone(port, False))
    pid = status(tree, "faces")["pid"]
    assert reaches(tree, pid)
    DAMAGES[damage](public(tree))
    ground.wait_until(lambda: reaches(tree, pid), 10, "the process is reached again")
    events = services.events("faces")
    assert events[:2] == ["faces start", "faces ready"] and set(events[2:]) == {"faces moved 1"}


def test_rights_are_corrected(start, services, port):
    services.add("faces", ANSWERS, **CONF)
    tree = start(zone(port, False))
    public(tree).chmod(0o600)
    ground.wait_until(lambda: stat.S_IMODE(public(tree).lstat().st_mode) == 0o666, 10, "the socket's mode is corrected")
    public(tree).parent.chmod(0o777)
    ground.wait_until(lambda: stat.S_IMODE(public(tree).parent.lstat().st_mode) == 0o755, 10, "the directory's mode is corrected")
    os.chmod(public(tree).parent, 0o700)
    ground.wait_until(lambda: stat.S_IMODE(public(tree).parent.lstat().st_mode) == 0o755, 10, "and so is this one")


def test_a_deleted_socket_of_a_service_that_sleeps_still_starts_it(start, services, port):
    services.set("lazy")
    services.add("faces", ANSWERS, start="demand", **CONF)
    tree = start(zone(port, False))
    wait_for(tree, "faces", "listening")
    public(tree).unlink()
    ground.wait_until(public(tree).exists, 10, "it is bound again")
    assert ask(tree)[1] == "varlink:public"


def test_the_socket_is_removed_with_its_service(start, services, port):
    services.add("faces", ANSWERS, **CONF)
    services.add("other")
    tree = start(zone(port, False))
    assert public(tree).exists()
    services.drop("faces")
    reload(tree, "1 removed")
    ground.wait_until(lambda: not public(tree).exists(), 10, "it is removed")


def test_bad_keys_are_refused(services):
    for key, value, problem in [("public_socket", "agents", "no DIRECTORY/NAME"), ("public_socket", "../x", "no DIRECTORY/NAME"),
                                ("start", "zone.enabled", "hostlet.conf has no key 'zone.enabled'"),
                                ("tcp_enabled", "zone.listen", "hostlet.conf has no key 'zone.listen' that is yes or no")]:
        services.add("faces", **{**CONF, key: value})
        found = run_hostletd("--prefix", services.place / "tree", *services.arguments, "--check")
        assert found.returncode == 100 and problem in found.stderr, (key, found.stderr)
