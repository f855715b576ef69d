"""Tests programs that are started without a standard input, output or error: no other file gets these numbers."""

import contextlib
import os
import socket
import struct
import subprocess
import threading

import pytest

from lib.inagent import BUSYBOX, INAGENT, Container, task, wait_until
from lib import ground, varlink
from lib.services import status
from lib.tree import BUILD, SOURCE, Tree, ini, program

CLOSED = ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"]
NUMBERS = {"<&-": [0], ">&-": [1], "2>&-": [2], "<&- >&- 2>&-": [0, 1, 2]}
WORKERS = ["container-driver", "fetcher", "net-keeper", "provisioner", "quota-keeper", "reconciler", "rpc-gateway", "unpacker"]


@contextlib.contextmanager
def started(place, closed, command):
    """Starts a daemon without the descriptors that the shell text 'closed' closes."""
    words = ["setpriv", "--pdeathsig", "TERM", "--", "sh", "-c", f'exec "$@" {closed}', "sh", *map(str, command)]
    with open(place / "log", "ab") as log:
        process = subprocess.Popen(words, stdin=log, stdout=log, stderr=log)
    try:
        yield process
    finally:
        ground.stop(process)


def opened(pid):
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed in the meantime
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
    return found


@pytest.fixture
def prefix(place):
    prefix = place / "tree"
    (prefix / "etc").mkdir(parents=True)
    prefix.chmod(0o755)
    (prefix / "etc/hostlet.conf").write_text(ini({"container-driver": {"runtime": "null"}, "zone": {
        "enable": True, "peer_port": ground.free_port(), "http_port": ground.free_port()}}))
    subprocess.run([program("hostletd"), "--prefix", prefix, "--services", SOURCE / "svc", "--setup"], check=True)
    return prefix


@pytest.mark.parametrize("closed", CLOSED)
def test_no_connection_of_a_worker_gets_a_standard_descriptor(place, prefix, closed):
    with contextlib.ExitStack() as stack:
        for name in WORKERS:
            process = stack.enter_context(started(place, closed, [
                program(name), "--prefix", prefix, "--services", SOURCE / "svc", "--libexec", BUILD]))
            path = prefix / "run" / f"{name}.sock"
            ground.wait_until(lambda path=path, name=name: varlink.call(path, "org.varlink.service.GetInfo"), 10, f"{name} answers")
            found = opened(process.pid)
            assert [found[number] for number in NUMBERS[closed]] == ["/dev/null"] * len(NUMBERS[closed]), (name, found)


@pytest.mark.parametrize("closed", CLOSED)
def test_children_of_hostletd_get_valid_standard_descriptors(place, services, closed):
    services.take("quota-keeper")
    tree = Tree(place / "tree")
    with started(place, closed, [program("hostletd"), "--prefix", tree.prefix, *services.arguments, "--libexec", BUILD]) as process:
        ground.wait_until(lambda: tree.call("hostletd", "Start", name="quota-keeper") == {}, 10, "quota-keeper runs")
        pid = status(tree, "quota-keeper")["pid"]
        found = opened(process.pid)
        assert [found[number] for number in NUMBERS[closed]] == ["/dev/null"] * len(NUMBERS[closed]), found
        found = opened(pid)
        assert found[0] == "/dev/null" and found[1] == found[2] and found[1].startswith("pipe:"), found
        assert found[3].startswith("socket:"), found


def test_readiness_can_be_written_to_a_standard_descriptor(place, prefix):
    """That descriptor stays open; another one is closed once readiness was written to it."""
    reading, writing = os.pipe()
    process = subprocess.Popen([program("quota-keeper"), "--prefix", prefix, "--services", SOURCE / "svc", "--notification-fd", "1"],
                               stdout=writing, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        os.close(writing)
        assert os.read(reading, 1) == b"\n"
        path = prefix / "run/quota-keeper.sock"
        with varlink.Varlink(path) as connection:
            assert connection.call("org.varlink.service.GetInfo")
            assert opened(process.pid)[1].startswith("pipe:")
    finally:
        ground.stop(process)
        os.close(reading)


class LogsOfADriver(threading.Thread):
    """Answers one call of Logs with a line of output, and records everything that its caller sends after the call."""

    def __init__(self, prefix):
        super().__init__(daemon=True)
        (prefix / "run").mkdir(parents=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(prefix / "run/container-driver.sock"))
        self.listener.listen()
        self.listener.settimeout(20)
        self.sent = b""
        self.start()

    def run(self):
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(20)
            data = b""
            while not data.endswith(b"\0"):
                data += connection.recv(65536)
            line = b"of the application\n"
            connection.sendall(b'{"parameters":{}}\0' + struct.pack(">BxxxI", 1, len(line)) + line)
            connection.shutdown(socket.SHUT_WR)
            while more := connection.recv(65536):
                self.sent += more


@pytest.mark.parametrize("closed", CLOSED)
def test_hostletctl_logs_writes_to_no_connection(place, closed):
    driver = LogsOfADriver(place / "tree")
    result = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", program("hostletctl"), "--prefix", place / "tree", "logs", "web/0"],
                            stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    driver.join(20)
    driver.listener.close()
    assert driver.sent == b""
    assert result.returncode == 0, result.stderr
    assert result.stdout == (b"" if 1 in NUMBERS[closed] else b"of the application\n")


@pytest.mark.skipif(not BUSYBOX or not INAGENT.exists(), reason="needs a static busybox and inagent")
@pytest.mark.parametrize("closed", CLOSED)
@pytest.mark.parametrize("dev", [True, False])
def test_a_container_without_standard_descriptors(tmp_path, closed, dev):
    """The container's tasks have all three, in an image with a /dev and in one without, and none of inagent's own files is among
    them."""
    with Container(tmp_path / "container", "bare") as container:
        without = "" if dev else f"umount {container.root}/dev/null; rm -r {container.root}/dev\n"
        container.start([task("app", "for n in 0 1 2; do test -e /proc/self/fd/$n && echo $n; done > /home/action/out; "
                                     "read line || echo end >> /home/action/out")],
                        before=f"{without}exec {closed}")
        wait_until("all of the task's words", lambda: container.wait_file("out").split() == ["0", "1", "2", "end"])
        found = opened(container.first_process())
        for number in NUMBERS[closed]:
            assert found[number].endswith("/dev/null") if dev else found[number].startswith("pipe:"), found
