"""Tests what becomes of the output of tasks: the container's log with their names, and the bounded files."""
import fcntl
import os
import re
import signal
import stat
import struct
import termios
import time

import pytest

from lib import ground
from lib.inagent import ACTION, BUSYBOX, INAGENT, Container, specification, task, wait_until

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for namespaces"),
    pytest.mark.skipif(not BUSYBOX, reason="needs a static busybox (Debian: busybox-static)"),
    pytest.mark.skipif(not INAGENT.exists(), reason=f"'{INAGENT}' is not built (HOSTLET_BUILD)"),
]
FILE_MAX = 1 << 20
LINE_MAX = 60000


@pytest.fixture
def make(tmp_path):
    """Makes containers that are removed after the test."""
    made = []

    def one(kind="busybox"):
        made.append(Container(tmp_path / str(len(made)), kind))
        return made[-1]

    yield one
    for container in made:
        container.__exit__()


def fill(letter, size):
    """Returns a command that writes a letter this many times."""
    return f"printf '%{size}s' '' | tr ' ' {letter}"


def file_of(container, name):
    return container.home / "action/var/log" / name


def lines_of(container, name):
    """Returns the lines of a task in the container's log, without its name."""
    return [line[len(name) + 2:] for line in container.log().split("\n") if line.startswith(name + ": ")]


def test_both_streams_reach_the_log_by_name_and_the_file_unchanged(make):
    container = make()
    container.start([task("app", "echo to-out; echo to-err >&2; printf 'a\\033[0m\\377b\\nthe rest'")])
    container.wait_log("task 'app' succeeded")
    assert sorted(lines_of(container, "app")) == ["a\x1b[0m\ufffdb", "the rest", "to-err", "to-out"]
    data = file_of(container, "app.log").read_bytes()
    assert sorted(data.replace(b"the rest", b"the rest\n").splitlines()) == [b"a\x1b[0m\xffb", b"the rest", b"to-err", b"to-out"]
    # All of a task's output is before the line of its end.
    assert container.log().index("app: the rest\n") < container.log().index("task 'app' succeeded")


def test_the_file_is_root_s_and_the_application_may_read_it(make):
    container = make()
    container.start([task("app", "echo hello"), task("reader", "cat /home/action/var/log/app.log", depends_on=["app"])])
    container.wait_log("reader: hello\n")
    found = file_of(container, "app.log").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, ACTION, 0o640)


def test_names_of_tasks_cannot_be_confused(make):
    container = make()
    container.start([task("inagent", "echo one"), task("a/b", "echo two"), task("x: y\n", "echo three"), task("..", "echo four")])
    for line in ("%69nagent: one", "a/b: two", "x%3A%20y%0A: three", "..: four"):
        container.wait_log(line + "\n")
        assert line in container.log().splitlines()
    wait_until("four files", lambda: [name for name in sorted(os.listdir(file_of(container, "."))) if name.endswith(".log")] == [
        "%2E..log", "%69nagent.log", "a%2Fb.log", "x%3A%20y%0A.log"])


def test_an_application_can_open_its_standard_output_again(make):
    container = make()
    container.start([task("app", "echo through-the-device > /proc/self/fd/1; echo and-error > /proc/self/fd/2")])
    container.wait_log("app: and-error\n")
    assert "app: through-the-device\n" in container.log()


def test_a_long_line_is_whole_up_to_its_limit_and_then_split(make):
    container = make()
    container.start([task("app", f"{fill('a', 50000)}; echo; {fill('b', 150000)}; echo; echo end")])
    container.wait_log("app: end\n")
    lines = lines_of(container, "app")
    assert lines[0] == "a" * 50000
    assert "".join(lines[1:-1]) == "b" * 150000
    assert max(map(len, lines)) <= LINE_MAX and len(lines) == 5


def test_lines_of_two_tasks_do_not_mix(make):
    container = make()
    script = "i=0; while [ $i -lt 2000 ]; do printf {0}; printf '%s\\n' {0}{0}{0}; i=$((i+1)); done"
    container.start([task("a", script.format("a")), task("b", script.format("b"))])
    for name in "ab":
        container.wait_log(f"task '{name}' succeeded", 60)
        assert lines_of(container, name) == [name * 4] * 2000


def test_a_file_is_bounded_with_one_predecessor(make):
    container = make()
    container.start([task("app", f"i=0; while [ $i -lt 400 ]; do {fill('x', 10000)}; echo; i=$((i+1)); done; echo end")])
    container.wait_log("app: end\n", 60)
    files = {path.name: path.stat().st_size for path in file_of(container, ".").glob("*.log*")}
    assert set(files) == {"app.log", "app.log.1"}
    assert FILE_MAX - 8192 <= files["app.log.1"] <= FILE_MAX
    assert files["app.log"] <= FILE_MAX
    assert file_of(container, "app.log").read_text().endswith("x\nend\n")


def test_the_next_run_continues_the_file(make):
    container = make()
    for _ in range(2):
        container.start([task("app", "echo hello")])
        container.wait_log("task 'app' succeeded")
        container.signal()
        assert container.wait_exit() == 0
        container.log_path.unlink()
    assert file_of(container, "app.log").read_text() == "hello\nhello\n"


@pytest.mark.parametrize("what", ["symlink", "dangling", "hard link", "fifo", "directory", "full directory", "others"])
def test_nothing_that_the_application_puts_in_the_place_of_the_file_is_followed(make, what):
    container = make()
    logs = file_of(container, ".")
    logs.mkdir(parents=True)
    secret = container.ours / "secret"
    secret.write_text("untouched\n")
    at = logs / "app.log"
    if what == "symlink":
        at.symlink_to("/home/action/.innerstack/secret")
    elif what == "dangling":
        at.symlink_to("/home/action/.innerstack/new")
    elif what == "hard link":
        os.link(secret, at)
    elif what == "fifo":
        os.mkfifo(at)
    elif what == "others":
        at.write_text("mine\n")
        os.chown(at, ACTION, ACTION)
    else:
        at.mkdir()
        if what == "full directory":
            (at / "entry").touch()
            (logs / "app.log.1").mkdir()
            (logs / "app.log.1/entry").touch()
    container.start([task("app", "echo hello")])
    container.wait_log("task 'app' succeeded")
    assert "app: hello\n" in container.log()
    assert secret.read_text() == "untouched\n"
    assert sorted(os.listdir(container.ours)) == ["app_replica.json", "inagent", "ininit", "secret"]
    if what == "full directory":
        assert "task 'app': cannot write '/home/action/var/log/app.log'" in container.log()
    else:
        assert at.read_text() == "hello\n" and stat.S_ISREG(at.lstat().st_mode)


def test_a_symlink_in_the_place_of_the_directory_is_not_followed(make):
    container = make()
    (container.home / "action/var").mkdir()
    (container.root / "etc/target").mkdir()
    file_of(container, "").parent.joinpath("log").symlink_to("/etc/target")
    container.start([task("app", "echo hello")])
    container.wait_log("task 'app' succeeded")
    assert "app: hello\n" in container.log()
    assert os.listdir(container.root / "etc/target") == []
    assert "cannot write '/home/action/var/log/app.log'" in container.log()


def test_a_deleted_file_is_made_again(make):
    container = make()
    container.start([task("app", "echo one; while [ ! -e var/log/app.log ]; do sleep 0.05; done; rm var/log/app.log; while [ ! -e go ]; do sleep 0.05; done; echo two; sleep 1000")])
    container.wait_log("app: one\n")
    wait_until("no file", lambda: not file_of(container, "app.log").exists())
    (container.home / "action/go").touch()
    container.wait_log("app: two\n")
    wait_until("the file", lambda: file_of(container, "app.log").exists() and file_of(container, "app.log").read_text() == "two\n")


def test_a_full_disk_stops_no_task(make):
    container = make()
    logs = f"{container.root}/home/action/var/log"
    container.start(before=f"mkdir -p {logs} && mount -t tmpfs -o size=64k,mode=755 none {logs}", tasks=[task("app", f"i=0; while [ $i -lt 100 ]; do {fill('x', 9999)}; echo; i=$((i+1)); done; echo end")])
    container.wait_log("task 'app' succeeded", 60)
    assert len(lines_of(container, "app")) == 101
    assert container.log().count("cannot write '/home/action/var/log/app.log': No space left on device") == 1


def test_a_task_may_close_its_output_and_a_grandchild_may_keep_it(make):
    container = make()
    container.start([
        task("closes", "exec >&- 2>&-; echo x > /home/action/closed; while [ ! -e /home/action/go ]; do sleep 0.05; done"),
        task("leaves", "(while [ ! -e /home/action/go ]; do sleep 0.05; done; echo from-the-grandchild; exec sleep 1000) & echo left")])
    container.wait_log("task 'leaves' succeeded")
    container.wait_file("closed")
    assert "task 'closes' succeeded" not in container.log()
    (container.home / "action/go").touch()
    container.wait_log("task 'closes' succeeded")
    container.wait_log("leaves: from-the-grandchild\n")
    container.signal()
    assert container.wait_exit() == 0


def descriptors(container):
    return len(os.listdir(f"/proc/{container.first_process()}/fd"))


def test_an_idle_inagent_has_no_descriptors_of_ended_tasks(make):
    container = make()
    container.start([task("first", "true")])
    container.wait_log("task 'first' succeeded")
    wait_until("stable", lambda: container.processes() and len(container.processes()) == 1)
    before = ground.wait_until(lambda: descriptors(container), 15, "descriptors")
    container.write_spec(specification([task(f"t{i}", "echo x; echo y >&2") for i in range(30)]))
    for i in range(30):
        container.wait_log(f"task 't{i}' succeeded")
    wait_until("as many descriptors as before", lambda: descriptors(container) <= before)


class BlockedLog(Container):
    """A container whose log is a pipe that nobody reads until it is asked for."""

    def start_blocked(self, tasks):
        self.reader, writer = os.pipe()
        os.set_inheritable(writer, True)
        opened = self.log_path
        self.log_path = type("Path", (), {"__fspath__": lambda _: f"/proc/self/fd/{writer}"})()
        self.start(tasks)
        self.log_path = opened
        os.close(writer)
        return self

    def wait_full(self):
        """Waits until the log is about to accept nothing more: a page of a pipe can be filled in part."""
        room = fcntl.fcntl(self.reader, fcntl.F_GETPIPE_SZ)

        def is_full():
            return struct.unpack("i", fcntl.ioctl(self.reader, termios.FIONREAD, b"\0" * 4))[0] > room // 2
        wait_until("the log is full", is_full, 60)

    def drain(self, until, seconds=60):
        data = b""
        deadline = time.monotonic() + seconds
        os.set_blocking(self.reader, False)
        while until not in data:
            assert time.monotonic() < deadline, data[-2000:]
            try:
                piece = os.read(self.reader, 1 << 20)
            except BlockingIOError:
                ground.let_pass(0.01)
                continue
            if not piece:
                break
            data += piece
        return data.decode(errors="replace")


@pytest.fixture
def blocked(tmp_path):
    container = BlockedLog(tmp_path / "blocked")
    yield container
    container.__exit__()
    os.close(container.reader)


def test_a_blocked_log_delays_neither_other_tasks_nor_the_stop(blocked):
    blocked.start_blocked([task("flood", "exec yes"), task("app", "while [ ! -e go ]; do sleep 0.05; done; true & echo x > /home/action/done; exit 3")])
    blocked.wait_full()
    (blocked.home / "action/go").touch()
    blocked.wait_file("done")
    # Processes are reaped meanwhile.
    wait_until("no zombie", lambda: "Z" not in [state for _, state in blocked.processes().values()])
    begun = time.monotonic()
    blocked.signal()
    assert blocked.wait_exit() == 0
    assert time.monotonic() - begun < 9


def test_nothing_is_lost_when_the_log_continues(blocked):
    blocked.start_blocked([task("app", "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; echo end")])
    blocked.wait_full()
    text = blocked.drain(b"task 'app' succeeded")
    assert re.findall("app: line (.*)\n", text) == [str(i) for i in range(20000)]


def test_a_lost_log_kills_no_application(blocked):
    blocked.start_blocked([task("app", "while [ ! -e go ]; do sleep 0.05; done; i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; echo x > done")])
    blocked.drain(b"task 'app' started")
    os.close(blocked.reader)
    blocked.reader = os.open("/dev/null", os.O_RDONLY)
    (blocked.home / "action/go").touch()
    blocked.wait_file("done")
    assert file_of(blocked, "app.log").read_text().count("\n") == 3000
    blocked.signal()
    assert blocked.wait_exit() == 0


def test_a_flood_of_one_task_delays_no_other(make):
    container = make()
    container.log_path.symlink_to("/dev/null")
    container.start([task("flood", "yes & yes >&2 & yes & head -c 100000000000 /dev/zero"),
                     task("app", "echo hello; echo x > out"), task("again", "exit 1", retry_backoff_seconds=1, max_attempts=3)])
    container.wait_file("out")
    wait_until("the line of the other task", lambda: file_of(container, "app.log").read_text() == "hello\n")
    status = open(f"/proc/{container.first_process()}/status").read()
    assert int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) < 4096
    container.signal()
    assert container.wait_exit() == 0


def test_the_output_of_a_fork_bomb_leaves_inagent_alive(make):
    container = make()
    container.log_path.symlink_to("/dev/null")
    # Each process has two children and writes, until the limit of processes refuses more.
    container.start([task("bomb", "ulimit -u 300; b() { yes | head -n 1000; b & b & }; b; true"), task("app", "echo x > out")])
    container.wait_file("out")
    container.signal()
    assert container.wait_exit() == 0


def test_the_last_output_before_the_stop_is_kept(make):
    container = make()
    container.start([task("app", "trap 'i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done; printf last; exit 0' TERM; echo up; while :; do sleep 0.05; done"),
                     {"name": "bye", "on_shutdown": True, "script": "echo good; printf bye"}])
    container.wait_log("app: up\n")
    container.signal(signal.SIGTERM)
    assert container.wait_exit() == 0
    # The shell reports the end of its "sleep", too.
    assert [line for line in lines_of(container, "app") if line != "Terminated"] == ["up", *(f"line {i}" for i in range(500)), "last"]
    assert lines_of(container, "bye") == ["good", "bye"]
