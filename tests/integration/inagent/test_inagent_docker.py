"""Tests inagent in real Docker containers, started as the contract states: what Docker's own confinement permits, and how
container-driver sees its exit."""

import json
import os
import pathlib
import shutil
import subprocess
import time

import pytest

from lib.inagent import ACTION, HOST_ID, INAGENT, ININIT, specification, task
from lib import ground, images

pytestmark = pytest.mark.skipif(not INAGENT.exists(), reason=f"'{INAGENT}' is not built (HOSTLET_BUILD)")


class Replica:
    """Provides a directory with home and opt, and the container that mounts it."""

    def __init__(self, place, engine):
        self.home, self.opt = place / "home", place / "opt"
        self.engine = engine
        self.ours = self.home / "action/.innerstack"
        self.ours.mkdir(parents=True)
        self.opt.mkdir()
        shutil.copy(INAGENT, self.ours / "inagent")
        shutil.copy(ININIT, self.ours / "ininit")
        self.container = None

    def run(self, image, tasks, probation=0, host=None, **settings):
        path = self.ours / "app_replica.json"
        path.write_text(json.dumps(specification(tasks)))
        path.chmod(0o640)
        os.chown(path, 0, ACTION)
        environment = ["APP_NAME=demo", "APP_REP_ID=1", f"APP_HOST_ID={HOST_ID}", f"HOSTLET_PROBATION={probation}"]
        mounts = [{"Type": "bind", "Source": str(self.home), "Target": "/home"},
                  {"Type": "bind", "Source": str(self.opt), "Target": "/opt"}]
        self.container = self.engine.run(
            image, ["/bin/sh", "/home/action/.innerstack/ininit"], Entrypoint=[], Env=environment,
            host={"Mounts": mounts, "PidsLimit": 100, "NetworkMode": "none", **(host or {})}, **{"User": "0", **settings})
        return self

    def log(self):
        return self.engine.logs(self.container)

    def wait_log(self, text):
        ground.wait_until(lambda: text in self.log(), 20, f"'{text}' in the log")


@pytest.fixture
def replica(place, engine):
    return Replica(place, engine)


@pytest.mark.parametrize("image", ["shell_image", "busybox_image", "debian_image"])
def test_application_runs_as_action(replica, request, image):
    replica.run(request.getfixturevalue(image), [task("app", """
        while read key value rest; do
            case $key in Uid:|Gid:) echo "$key $value" ;; esac
        done < /proc/self/status
        while IFS=: read name rest; do [ "$name" != action ] || echo "$name is known"; done < /etc/passwd
        """)])
    replica.wait_log("task 'app' succeeded")
    replica.wait_log("app: action is known\n")
    # inagent's own lines are on the other stream, in between.
    said = [line for line in replica.log().splitlines() if not line.startswith("inagent:")]
    assert said == ["app: Uid: 2048", "app: Gid: 2048", "app: action is known"]
    assert os.stat(replica.opt).st_uid == ACTION
    assert "warning" not in replica.log()


def test_a_failure_on_probation_is_the_container_s_exit_code(replica, shell_image):
    replica.run(shell_image, [task("app", "exit 23")], probation=30)
    assert replica.engine.wait(replica.container) == 23


def test_docker_stop_runs_the_shutdown_tasks(replica, busybox_image):
    replica.run(busybox_image, [task("app", "trap 'echo had-term; exit 0' TERM\necho up\nwhile :; do sleep 0.1; done"),
                                {"name": "bye", "on_shutdown": True, "script": "echo had-bye"}])
    replica.wait_log("app: up\n")
    begun = time.monotonic()
    replica.engine.request("POST", f"/containers/{replica.container}/stop", b"")
    assert time.monotonic() - begun < 8
    state = replica.engine.inspect(replica.container)["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 0)
    log = replica.log()
    assert log.index("had-bye") < log.index("had-term")


def test_a_new_specification_is_noticed_through_the_bind_mount(replica, shell_image):
    replica.run(shell_image, [task("app", "true")])
    replica.wait_log("task 'app' succeeded")
    new = replica.ours / "new"
    new.write_text(json.dumps(specification([task("two", "true")])))
    os.rename(new, replica.ours / "app_replica.json")
    replica.wait_log("task 'two' succeeded")


def test_read_only_root(replica, busybox_image):
    replica.run(busybox_image, [task("app", "id -u")], host={"ReadonlyRootfs": True})
    replica.wait_log("task 'app' succeeded")
    ground.wait_until(lambda: "app: 2048" in replica.log().splitlines(), 20, "the task's output")
    assert "user 'action' is not added" in replica.log()


def test_without_capabilities_inagent_logs_what_it_cannot_do(replica, busybox_image):
    replica.run(busybox_image, [task("app", "id -u"), task("of-root", "id -u", run_user="root")],
                host={"CapDrop": ["ALL"]})
    replica.wait_log("task 'of-root' succeeded")
    replica.wait_log("task 'app' failed with exit code 1")
    assert "could not be given to 'action'" in replica.log()


def test_an_inagent_without_root_runs_tasks_as_its_own_user(replica, busybox_image):
    replica.run(busybox_image, [task("app", "id -u", working_dir="/tmp")], User=f"1234:{ACTION}")
    replica.wait_log("task 'app' succeeded")
    ground.wait_until(lambda: "app: 1234" in replica.log().splitlines(), 20, "the task's output")
    assert "every task runs as user 1234" in replica.log()


# sd_notify and signals


@pytest.fixture
def notify(replica):
    shutil.copy(INAGENT.parent / "sd-notify", replica.home / "action/sd-notify")
    return "/home/action/sd-notify"


@pytest.mark.parametrize("user", ["root", "action"])
@pytest.mark.parametrize("read_only", [False, True], ids=["writable", "read-only"])
def test_an_application_reports_that_it_is_ready(replica, busybox_image, notify, user, read_only):
    replica.run(busybox_image, [task("app", f"exec {notify} READY=1 --pause", ready="notify", run_user=user)],
                host={"ReadonlyRootfs": read_only})
    replica.wait_log("task 'app' is ready")


@pytest.fixture
def systemd_image(engine):
    """busybox with systemd-notify and the libraries that it loads."""
    program = shutil.which("systemd-notify")
    if not program:
        pytest.skip("needs systemd-notify (Debian: systemd)")
    loaded = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout.split()
    files = {word.lstrip("/"): pathlib.Path(word).read_bytes() for word in [program, *loaded] if word.startswith("/")}
    images.load_busybox(engine, "hostlet-test/systemd-notify:1", files)
    return "hostlet-test/systemd-notify:1"


@pytest.mark.parametrize("user", ["root", "action"])
def test_systemd_s_own_client_reports(replica, systemd_image, user):
    replica.run(systemd_image, [task("app", "systemd-notify --ready --status='it works'; exec sleep 1000", ready="notify",
                                     run_user=user)])
    replica.wait_log("task 'app' is ready")


def test_processes_from_outside_of_the_task_cannot_report(replica, busybox_image, notify):
    replica.run(busybox_image, [task("app", "echo $NOTIFY_SOCKET > address; exec sleep 1000", ready="notify")])
    address = replica.home / "action/address"
    ground.wait_until(lambda: address.exists() and address.read_text().endswith("\n"), 20, "the address")
    sent = replica.engine.execute(replica.container, notify, f"--to={address.read_text().strip()}", "READY=1", "--barrier")
    assert sent[0] == 0, sent
    replica.wait_log("to NOTIFY_SOCKET is ignored")
    assert "is ready" not in replica.log()


def test_docker_kill_reaches_the_application(replica, busybox_image):
    replica.run(busybox_image, [task("app", "trap 'echo had-usr1' USR1; trap 'echo had-winch' WINCH\necho up\n"
                                            "while :; do sleep 0.1; done")])
    replica.wait_log("app: up\n")
    for name in ("USR1", "WINCH"):
        replica.engine.request("POST", f"/containers/{replica.container}/kill?signal=SIG{name}", b"")
        replica.wait_log(f"app: had-{name.lower()}")
    replica.engine.request("POST", f"/containers/{replica.container}/kill?signal=SIGTERM", b"")
    assert replica.engine.wait(replica.container) == 0


@pytest.mark.parametrize("trap", ["", "trap '' TERM HUP INT;"], ids=["plain", "ignores-signals"])
def test_a_fork_bomb_does_not_keep_the_container_from_stopping(replica, busybox_image, trap):
    """The limit of processes is reached, so that inagent cannot fork, neither for the tasks of the shutdown."""
    replica.run(busybox_image, [task("bomb", f"{trap} b() {{ while :; do b & done; }}; b; wait"),
                                {"name": "bye", "on_shutdown": True, "script": "echo had-bye"}],
                host={"PidsLimit": 60})
    ground.wait_until(lambda: "fork" in replica.log(), 30, "a fork that failed")
    replica.engine.request("POST", f"/containers/{replica.container}/stop?t=60", b"")
    state = replica.engine.inspect(replica.container)["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 0)


@pytest.mark.parametrize("image", ["shell_image", "busybox_image", "debian_image"])
def test_interval_and_cron_tasks_run_and_end(replica, request, image):
    replica.run(request.getfixturevalue(image), [
        {"name": "tick", "interval_seconds": 1, "script": "echo ticked"},
        {"name": "cron", "cron": "CRON_TZ=NPT-5:45 * * * * * *", "script": "echo cron-ran"},
        {"name": "every", "cron": "@every 2s", "script": "echo every-ran"},
        {"name": "slow", "cron": "@every 1s", "timeout": 1, "script": "while :; do :; done"},
        task("after", "echo after-ran", depends_on=["cron"])])
    for text in ("tick: ticked", "cron: cron-ran", "every: every-ran", "after: after-ran"):
        replica.wait_log(text)
    ground.wait_until(lambda: replica.log().count("tick: ticked") >= 3, 20, "three runs at intervals")
    replica.wait_log("task 'slow' has reached its time limit: it is ended")
    replica.wait_log("task 'slow' failed with exit code 143")


@pytest.mark.skipif(not os.path.exists("/usr/share/zoneinfo/Asia/Kathmandu"), reason="needs Debian's tzdata")
def test_a_zone_comes_from_the_image(replica, busybox_image):
    tasks = [{"name": "there", "cron": "TZ=Asia/Kathmandu * * * * * *", "script": "echo there-ran"}]
    replica.run(busybox_image, tasks)
    replica.wait_log("task 'there' failed: cron: the time zone 'Asia/Kathmandu' is unknown, because the image has no "
                     "'/usr/share/zoneinfo/Asia/Kathmandu'")
    assert "there-ran" not in replica.log()
    replica.engine.remove(replica.container)
    mounts = [{"Type": "bind", "Source": source, "Target": target, "ReadOnly": read_only} for source, target, read_only in
              ((str(replica.home), "/home", False), (str(replica.opt), "/opt", False),
               ("/usr/share/zoneinfo", "/usr/share/zoneinfo", True))]
    replica.run(busybox_image, tasks, host={"Mounts": mounts})
    replica.wait_log("there: there-ran")
