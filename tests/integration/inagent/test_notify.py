"""Tests inagent as the other end of sd_notify(3): readiness, watchdog, who may send, hostile messages; and the signals
for the application. The clients are systemd's own, Python, and tests/peers/sd-notify.c, which is static."""
import http.server
import json
import os
import shutil
import signal
import threading

import pytest

from lib.inagent import BUSYBOX, INAGENT, BUILD, Container, specification, task, wait_until

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for namespaces"),
    pytest.mark.skipif(not BUSYBOX, reason="needs a static busybox (Debian: busybox-static)"),
    pytest.mark.skipif(not INAGENT.exists(), reason=f"'{INAGENT}' is not built (HOSTLET_BUILD)"),
]
CLIENT = "/home/action/sd-notify"


@pytest.fixture
def make(tmp_path):
    """Makes containers with the static client that are removed after the test."""
    made = []

    def one(kind="busybox"):
        made.append(Container(tmp_path / str(len(made)), kind))
        shutil.copy(BUILD / "sd-notify", made[-1].home / "action/sd-notify")
        return made[-1]

    yield one
    for container in made:
        container.__exit__()


def app(script, **more):
    return task("app", script, ready="notify", **more)


class Reports:
    """Receives inagent's reports."""

    def __init__(self):
        received = self.received = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def endpoint(self):
        return {"url": f"http://127.0.0.1:{self.server.server_port}/status", "secret_key": "0" * 34}

    def wait(self, what, condition):
        return wait_until(what, lambda: next((r for r in self.received if condition(r)), None))


@pytest.fixture
def reports():
    one = Reports()
    yield one
    one.server.shutdown()
    one.server.server_close()


# Readiness

PYTHON = """exec /usr/bin/python3 -S -c '
import os, signal, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect("\\0" + os.environ["NOTIFY_SOCKET"][1:])
s.send(b"READY=1\\nSTATUS=in Python")
signal.pause()'"""


@pytest.mark.parametrize("user", ["action", "root"])
@pytest.mark.parametrize("kind, script", [
    ("busybox", f"exec {CLIENT} READY=1 --pause"),
    ("bare", f"exec {CLIENT} READY=1 --pause"),
    ("busybox", f"{CLIENT} READY=1 --barrier; while :; do sleep 1; done"),
    ("busybox", f"(({CLIENT} READY=1 --pause)& wait)"),
    ("busybox", f"setsid {CLIENT} READY=1 --pause; sleep 1000"),
    pytest.param("debian", "systemd-notify --ready --status=started; exec sleep 1000", marks=pytest.mark.skipif(
        not shutil.which("systemd-notify"), reason="needs systemd-notify (Debian: systemd)")),
    ("debian", PYTHON),
], ids=["exec", "bare", "barrier", "grandchild", "own-session", "systemd-notify", "python"])
def test_the_application_reports_that_it_is_ready(make, kind, script, user):
    container = make(kind)
    container.start([app(script, run_user=user)])
    container.wait_log("task 'app' is ready after ")


def test_other_tasks_and_left_processes_cannot_report(make):
    """The address is no secret; the sender's place counts."""
    container = make()
    container.start([
        app(f"chmod 777 .; echo $NOTIFY_SOCKET > address\n{CLIENT} --daemon READY=1 && echo sent > left\n"
            "while :; do sleep 0.05; [ -e go ] && exec " + CLIENT + " STATUS=now READY=1 --pause; done"),
        task("forger", f"while ! [ -s address ]; do sleep 0.05; done; {CLIENT} --to=$(cat address) READY=1 --barrier\n"
                       "[ -z \"$NOTIFY_SOCKET$WATCHDOG_USEC\" ] && echo forged > forged; sleep 1000"),
        # it is not the application, though it is also ready = "notify"
        task("second", "echo \"socket:$NOTIFY_SOCKET\" > second; sleep 1000", ready="notify")])
    container.wait_file("forged")
    assert container.wait_file("second") == "socket:\n"
    container.wait_log("to NOTIFY_SOCKET is ignored: the task with ready = \"notify\" has no such process")
    container.wait_file("left")
    assert "is ready" not in container.log()
    assert container.log().count("is ignored") == 1
    (container.home / "action/go").touch()
    container.wait_log("task 'app' is ready")


def test_barriers_of_the_application_are_not_reported_as_ignored(make):
    """The sender of a barrier exits when its descriptor is closed: it must be known to belong to the task before."""
    container = make()
    container.start([app(f"n=0; while [ $n -lt 100 ]; do {CLIENT} WATCHDOG=1 --barrier; n=$((n + 1)); done; exec {CLIENT} READY=1 --pause")])
    container.wait_log("task 'app' is ready after ")
    assert "is ignored" not in container.log()


def test_readiness_ends_the_probation(make):
    container = make()
    container.start([app(f"{CLIENT} READY=1 --barrier; exit 3", retry_backoff_seconds=1000)], probation=3600)
    container.wait_log("task 'app' failed with exit code 3")
    assert "again in 1000 s" in container.log() and container.process.poll() is None


def test_a_failure_before_readiness_ends_the_container(make):
    container = make()
    container.start([app(f"{CLIENT} STATUS=busy --barrier; exit 3")], probation=3600)
    assert container.wait_exit() == 3


def test_an_application_that_exits_before_it_is_ready_has_failed(make):
    container = make()
    container.start([app("true")], probation=3600)
    assert container.wait_exit() == 1
    assert "task 'app': it exited before it sent READY=1" in container.log()


def test_an_extension_prolongs_the_probation(make, reports):
    """It is reported, and a failure after the configured end still ends the container."""
    container = make()
    container.write_spec(specification([app(
        f"{CLIENT} EXTEND_TIMEOUT_USEC=3600000000 --barrier\n"
        "while ! [ -e over ]; do sleep 0.05; done; exit 5")], hostlet_endpoint=reports.endpoint()))
    container.start(probation=0.5)
    report = reports.wait("an extension", lambda r: "ready_until" in r)
    assert 3600_000 <= report["ready_until"] < 3700_000 and "ready" not in report
    wait_until("half a second", lambda: container.process.poll() is None and _uptime(container) > 0.6)
    (container.home / "action/over").touch()
    assert container.wait_exit() == 5


def _uptime(container):
    ticks = int(open(f"/proc/{container.first_process()}/stat").read().rsplit(")", 1)[1].split()[19])
    return float(open("/proc/uptime").read().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


# Reports


def test_readiness_and_status_are_reported(make, reports):
    container = make()
    container.write_spec(specification([app(
        f"{CLIENT} STATUS=loading --barrier; while ! [ -e go ]; do sleep 0.05; done\n"
        f"{CLIENT} 'READY=1\\nSTATUS=\\033[1mopen' --barrier; while ! [ -e fail ]; do sleep 0.05; done; exit 1",
        retry_backoff_seconds=1000)], hostlet_endpoint=reports.endpoint()))
    container.start()
    first = reports.wait("a status", lambda r: r.get("status") == "loading")
    assert "ready" not in first and len(first["life"]) == 32 and first["container"] == os.uname().nodename
    (container.home / "action/go").touch()
    ready = reports.wait("readiness", lambda r: r.get("ready"))
    assert ready["life"] == first["life"]
    reports.wait("the status", lambda r: r.get("status") == "\\033[1mopen")
    (container.home / "action/fail").touch()
    n = len(reports.received)
    wait_until("the end of readiness", lambda: any("ready" not in r and "status" not in r for r in reports.received[n:]))


# The watchdog


def test_a_missed_watchdog_restarts_the_task(make):
    container = make()
    container.start([app(
        "echo \"$WATCHDOG_USEC $WATCHDOG_PID $$\" >> env\n"
        f"exec {CLIENT} READY=1 WATCHDOG=1 --barrier WATCHDOG=1 --pause", watchdog=1, retry_backoff_seconds=1)])
    container.wait_log("task 'app': it sent no WATCHDOG=1 for 1 s\n")
    container.wait_log("task 'app' failed with exit code 134")
    wait_until("a second run", lambda: container.log().count("is ready after") >= 2)
    usec, pid, shell = container.wait_file("env").splitlines()[0].split()
    assert usec == "1000000" and pid == shell


def test_the_reason_of_a_failure_is_reported(make, reports):
    container = make()
    container.write_spec(specification([
        app(f"exec {CLIENT} READY=1 WATCHDOG=trigger --barrier --pause", max_attempts=1),
        task("slow", "exec sleep 1000", timeout=1, max_attempts=1),
        task("plain", "exit 3", max_attempts=1)], hostlet_endpoint=reports.endpoint()))
    container.start()

    def messages(report):
        return {t["name"]: t.get("message") for t in report.get("tasks", []) if t["state"] == "failed"}
    report = reports.wait("three failures", lambda r: len(messages(r)) == 3)
    assert messages(report) == {"app": "it requested its end with WATCHDOG=trigger", "slow": "has reached its time limit",
                                "plain": None}


def test_signs_of_life_keep_the_application(make):
    container = make()
    container.start([app(f"exec {CLIENT} READY=1 --ping=100", watchdog=3)])
    container.wait_log("is ready")
    wait_until("two periods", lambda: _uptime(container) > 7)
    assert "missed its watchdog" not in container.log()


def test_the_watchdog_does_not_run_before_readiness(make):
    container = make()
    container.start([app(f"{CLIENT} WATCHDOG=1 --barrier; exec sleep 1000", watchdog=1)])
    wait_until("three periods", lambda: _uptime(container) > 3.5)
    assert "missed its watchdog" not in container.log()


def test_what_is_stopped_or_ignores_sigabrt_is_killed(make):
    """The shell waits for the application, which is of its process group."""
    container = make()
    container.start([app(
        f"(trap '' ABRT; {CLIENT} READY=1 --barrier WATCHDOG=trigger --barrier; echo $(cut -d' ' -f4 /proc/self/stat) > victim; "
        "kill -STOP $(cat victim); sleep 1000)", retry_backoff_seconds=1000)])
    container.wait_log("task 'app' missed its watchdog: it is ended")
    container.wait_log("task 'app': it requested its end with WATCHDOG=trigger", seconds=60)  # ten seconds later
    wait_until("nothing but inagent", lambda: len(container.processes()) == 1)


def test_an_application_without_exec_is_told_of_it(make):
    container = make()
    container.start([app(f"{CLIENT} READY=1 --pause", watchdog=1, retry_backoff_seconds=1000)])
    container.wait_log("must be started with 'exec'")


# Hostile messages


def test_hostile_messages_are_survived(make):
    """Descriptors are closed, long messages ignored, floods slowed down; a barrier returns after all of them."""
    container = make()
    container.start([app(
        f"{CLIENT} --raw=1 --raw=4096 --raw=4097 --raw=65536 --store=1 --store=250 --flood=1000 --barrier\n"
        f"i=0; while [ $i -lt 5 ]; do {CLIENT} --store=250; i=$((i+1)); done\n"
        f"{CLIENT} READY=1 --barrier; echo done > done; exec sleep 1000")])
    container.wait_file("done")
    container.wait_log("is ready")
    descriptors = os.listdir(f"/proc/{container.first_process()}/fd")
    assert len(descriptors) < 12, descriptors
    assert container.log().count("is ignored") == 1


# Signals


def test_signals_reach_the_application_with_ready(make):
    container = make()
    container.start([
        app("trap 'echo usr1 >> got' USR1; trap 'echo usr2 >> got' USR2; trap 'echo winch >> got' WINCH\n"
            f"{CLIENT} READY=1 --barrier; while :; do sleep 0.05; done"),
        task("other", "trap 'echo other >> got' USR1; echo up > up; while :; do sleep 0.05; done")])
    container.wait_file("up")
    container.wait_log("is ready")
    for number, name in ((signal.SIGUSR1, "usr1"), (signal.SIGUSR2, "usr2"), (signal.SIGWINCH, "winch")):
        container.signal(number)
        wait_until(name, lambda: name in container.wait_file("got"))
    assert container.wait_file("got") == "usr1\nusr2\nwinch\n"
    assert container.process.poll() is None


def test_signals_reach_the_only_startup_task_that_runs(make):
    container = make()
    container.start([task("init", "true"), task("app", "trap 'echo usr1 > got' USR1; echo up > up\n"
                                                       "while :; do sleep 0.05; done", depends_on=["init"])])
    container.wait_file("up")
    container.signal(signal.SIGUSR1)
    assert container.wait_file("got") == "usr1\n"


def test_a_signal_for_nobody_is_logged_once(make):
    container = make()
    script = "trap 'echo got > got' USR1; echo up > $0-up; while :; do sleep 0.05; done"
    container.start([task("a", script.replace("$0", "a")), task("b", script.replace("$0", "b"))])
    container.wait_file("a-up")
    container.wait_file("b-up")
    container.signal(signal.SIGUSR1)
    container.wait_log("signal 10 is for no task")
    container.signal(signal.SIGUSR1)
    container.signal(signal.SIGWINCH)
    container.signal(signal.SIGTERM)
    assert container.wait_exit() == 0
    assert container.log().count("is for no task") == 1 and not (container.home / "action/got").exists()


def test_signals_reach_the_main_process_that_the_application_names(make):
    container = make()
    container.start([app(
        "(trap 'echo usr1 > got' USR1; echo up > up; while :; do sleep 0.05; done) & child=$!\n"
        f"while ! [ -s up ]; do sleep 0.05; done; {CLIENT} \"READY=1\\nMAINPID=$child\" MAINPID=1 --barrier; wait")])
    container.wait_log("is ready")
    container.signal(signal.SIGUSR1)
    assert container.wait_file("got") == "usr1\n"
    assert container.process.poll() is None


# Secrets


def test_secrets_are_neither_logged_nor_shown(make, reports):
    """They are in configurations, in scripts, in the endpoint, and in files that are no JSON."""
    container = make("debian")
    secret = "Seed3dS3cret"
    endpoint = {**reports.endpoint(), "secret_key": secret}
    document = specification([
        app(f"secret='${{self.cfg.password}}'; [ \"$secret\" = {secret} ] && {CLIENT} READY=1 --barrier\n"
            "trap 'exit 0' USR1; while :; do sleep 0.05; done", watchdog=3600),
        task("fails", f": ${{self.cfg.password}} {secret}; exit 3", max_attempts=1)], hostlet_endpoint=endpoint)
    document["app"]["deploy"]["configs"].append({"name": "password", "value": secret})
    container.write_spec(document)
    container.start()
    container.wait_log("is ready")
    container.wait_log("task 'fails' failed with exit code 3")
    reports.wait("a report", lambda r: r.get("ready"))
    shown = [open(f"/proc/{pid}/cmdline").read() for pid in container.processes()]
    assert len(shown) >= 2 and not [line for line in shown if secret in line]
    for broken in (f'{{"app": "{secret}', f'{{"app": {secret}}}', f'{{"a": "x" "{secret}"}}', f'["{secret}\x01"]', f"{secret}"):
        n = container.log().count("spec_load failed")
        container.write_spec(broken)
        wait_until("the failure", lambda: container.log().count("spec_load failed") > n)
    container.signal(signal.SIGTERM)
    assert container.wait_exit() == 0
    assert secret not in container.log() and "spec decode failed: line 1" in container.log()
    assert not [r for r in reports.received if secret in json.dumps(r)]
