"""Tests requests to run a task, and what is kept of each task's last run over a restart of the container."""
import json
import os

import pytest

from lib.inagent import ACTION, BUSYBOX, INAGENT, Container, specification, task, wait_until

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for namespaces"),
    pytest.mark.skipif(not BUSYBOX, reason="needs a static busybox (Debian: busybox-static)"),
    pytest.mark.skipif(not INAGENT.exists(), reason=f"'{INAGENT}' is not built (HOSTLET_BUILD)"),
]


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


def request(container, name, identity, form=1):
    """Writes a request as the provisioner does."""
    temporary = container.ours / ".task_request.json.new"
    temporary.write_text(json.dumps({"format": form, "id": identity, "task": name}))
    os.chmod(temporary, 0o640)
    os.chown(temporary, 0, ACTION)
    os.rename(temporary, container.ours / "task_request.json")


def path_of(container, name):
    return container.home / f"action/var/log/{name}.json"


def state(container, name):
    try:
        found = json.loads(path_of(container, name).read_text())
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def wait_state(container, name, **members):
    def equal():
        found = state(container, name)
        return all(found.get("request", {}).get(key[8:]) == value if key.startswith("request_") else found.get(key) == value
                   for key, value in members.items()) and found
    return wait_until(f"{name}: {members}; {container.log()}", equal)


def stop(container):
    container.signal()
    assert container.wait_exit() == 0


MANUAL = {"name": "backup", "script": "echo x >> out; [ ! -e bad ]"}


def test_a_requested_task_runs_once_for_each_request(make):
    container = make()
    container.start([MANUAL, task("app", "exec sleep 1000")])
    container.wait_log("task 'app' started")
    for number in (1, 2):
        request(container, "backup", f"id-{number}")
        found = wait_state(container, "backup", runs=number, request_state="succeeded", request_id=f"id-{number}")
        assert found["finished"] >= found["started"] > 0
    request(container, "backup", "id-2")  # the same request, in a new file
    request(container, "backup", "id-3", form=2)
    container.wait_log("'task_request.json' is no request of format 1")
    assert container.wait_file("out") == "x\nx\n"


def test_a_requested_run_that_fails_is_not_retried_and_ends_nothing(make):
    container = make()
    (container.home / "action").mkdir(exist_ok=True)
    container.start([MANUAL, task("setup", "[ ! -e bad ]", retry_backoff_seconds=1), task("after", "echo after >> out",
                                                                                        depends_on=["setup"])], probation=1000)
    container.wait_log("task 'after' succeeded")
    (container.home / "action/bad").touch()
    request(container, "setup", "a")
    wait_state(container, "setup", request_state="failed", request_id="a", exit_code=1, runs=2)
    request(container, "backup", "b")
    wait_state(container, "backup", request_state="failed", request_id="b", exit_code=1, runs=1)
    # What depends on the task still may run: its success counts.
    container.write_spec(specification([MANUAL, task("setup", "[ ! -e bad ]"),
                                        task("later", "echo later >> out", depends_on=["setup"])]))
    container.wait_log("task 'later' succeeded")
    assert state(container, "setup")["runs"] == 2


@pytest.mark.parametrize("name, says", [
    ("nothing", "task 'nothing' was requested, and does not exist"),
    ("app", "task 'app' was requested, and is not run: it is running already"),
    ("broken", "task 'broken' was requested, and is not run: depends_on names 'nobody', which is no task"),
])
def test_a_request_that_cannot_be_followed_is_refused(make, name, says):
    container = make()
    container.start([task("app", "exec sleep 1000"), task("broken", "true", depends_on=["nobody"])])
    container.wait_log("task 'app' started")
    request(container, name, "a")
    container.wait_log(says)


def test_a_request_of_an_earlier_life_counts_as_served(make):
    container = make()
    request(container, "backup", "old")
    container.start([MANUAL, task("app", "exec sleep 1000")])
    container.wait_log("task 'app' started")
    request(container, "backup", "new")
    found = wait_state(container, "backup", request_id="new", request_state="succeeded")
    assert found["runs"] == 1
    stop(container)
    container.start()
    wait_until("started", lambda: container.log().count("task 'app' started") == 2)
    stop(container)
    assert container.wait_file("out") == "x\n"
    assert state(container, "backup") == found


def test_a_run_that_the_end_of_the_container_cut_off_was_interrupted(make):
    container = make()
    long = {"name": "backup", "script": "echo x >> out; exec sleep 1000"}
    container.start([long, task("app", "exec sleep 1000")])
    container.wait_log("task 'app' started")
    request(container, "backup", "a")
    wait_state(container, "backup", request_state="running", request_id="a")
    container.process.kill()  # with everything in it
    container.process.wait()
    container.start([MANUAL, task("app", "exec sleep 1000")])
    wait_until("started again", lambda: container.log().count("task 'app' started") == 2)
    request(container, "backup", "b")
    wait_state(container, "backup", runs=2, request_id="b", request_state="succeeded")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1, "started": -1}', "x" * 100000, None])
def test_a_broken_state_is_started_anew(make, text):
    container = make()
    at = path_of(container, "backup")
    at.parent.mkdir(parents=True)
    if text is None:
        at.symlink_to("/home/action/.innerstack/app_replica.json")
    else:
        at.write_text(text)
    container.start([MANUAL])
    container.wait_log("task 'backup': cannot read '/home/action/var/log/backup.json'")
    request(container, "backup", "a")
    found = wait_state(container, "backup", runs=1, request_id="a", request_state="succeeded")
    assert found["format"] == 1 and not at.is_symlink()
    assert container.log().count("cannot read '/home/action/var/log/backup.json'") == 1


def test_runs_are_counted_over_restarts_and_decide_nothing(make):
    container = make()
    for number in (1, 2):
        container.start([task("app", "echo x >> out")])
        wait_state(container, "app", runs=number)
        wait_until("the end of the run", lambda: state(container, "app")["finished"] >= state(container, "app")["started"])
        stop(container)
    assert container.wait_file("out") == "x\nx\n"


def test_a_run_at_the_shutdown_is_kept(make):
    container = make()
    container.start([task("app", "exec sleep 1000"), {"name": "bye", "on_shutdown": True, "script": "exit 3"}])
    container.wait_log("task 'app' started")
    stop(container)
    found = state(container, "bye")
    assert (found["runs"], found["exit_code"]) == (1, 3) and found["finished"] >= found["started"] > 0


def test_a_full_disk_stops_no_requested_run(make):
    container = make()
    logs = f"{container.root}/home/action/var/log"
    container.start([MANUAL, task("app", "exec sleep 1000")], before=f"mkdir -p {logs} && mount -t tmpfs -o nr_inodes=1,mode=755 none {logs}")
    container.wait_log("task 'app': cannot write '/home/action/var/log/app.json': No space left on device")
    request(container, "backup", "a")
    assert container.wait_file("out") == "x\n"
    assert container.log().count("cannot write '/home/action/var/log/") == 1


def test_requests_are_noticed_without_a_wake_up_in_between(make):
    container = make()
    container.start([MANUAL])
    container.wait_log("specification of 'demo'")
    # It sleeps without a time-out (test_inagent.py), until the directory changes.
    wait_until("idle", lambda: list(container.processes().values()) == [("inagent", "S")])
    request(container, "backup", "a")
    assert container.wait_file("out") == "x\n"
