"""Tests what hostletctl shows of tasks, runs of tasks by request, and the log of one task, against fake services."""

import itertools
import json
import re
import struct
import subprocess
import threading
import time

import pytest
from lib.fakes import FakeService, Hangup, Refusal
from lib.screen import Terminal
from lib.tree import has_program, program

pytestmark = [pytest.mark.sanitized,
              pytest.mark.skipif(not has_program("hostletctl"), reason="this build has no hostletctl")]

OK, FAILED, USAGE, DOWN, TIMEOUT = 0, 1, 2, 3, 4
SPEC = {"app": {"spec": {"name": "web", "tasks": [
    {"name": "boot", "on_startup": True}, {"name": "tick", "interval_seconds": 60}, {"name": "nightly", "cron": "15 3 * * *"},
    {"name": "bye", "on_shutdown": True}, {"name": "by-hand"}, {"name": "new", "on_startup": True}]}}}


@pytest.fixture
def fake(place):
    made = []

    def make(name, **handlers):
        made.append(FakeService(place, name, handlers))
        return made[-1]
    yield make
    for service in made:
        service.close()


@pytest.fixture
def ctl(place):
    def run(*words, expect=OK):
        result = subprocess.run([program("hostletctl"), "--prefix", place, *words], text=True, capture_output=True, timeout=60,
                                stdin=subprocess.DEVNULL)
        assert result.returncode == expect, f"exit {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result
    return run


def now():
    return int(time.time() * 1000)


def frame(stream, data):
    return struct.pack(">BBBBI", stream, 0, 0, 0, len(data)) + data


def instance(*tasks, ids=(0,), **more):
    return {"name": "web", "origin": "local", "action": "start", "revision": 1, "settled": True, "failed": False,
            "replicas": [{"id": i, "container": f"i8k_web_{i}", "state": "running", "tasks": list(tasks)} for i in ids], **more}


def reported():
    at = now()
    return [{"name": "boot", "trigger": "on_startup", "state": "succeeded", "started": at - 125000, "finished": at - 124000, "runs": 1},
            {"name": "tick", "trigger": "interval_seconds", "state": "failed", "started": at - 31000, "finished": at - 30000,
             "exit_code": 7, "next": at + 65000, "runs": 12},
            {"name": "nightly", "trigger": "cron", "state": "running", "started": at - 4000, "finished": at - 86400000, "runs": 3},
            {"name": "by-hand", "state": "pending", "started": at - 4000, "finished": at - 86400000},
            {"name": "new", "trigger": "on_startup", "state": "failed", "message": "depends_on names 'x', which is no task"}]


# What app shows

def test_app_shows_the_last_run_the_result_and_the_next_run(fake, ctl):
    shown = instance(*reported())
    fake("reconciler", Get=lambda _: {"instance": shown, "manifest": SPEC})
    text = ctl("app", "web").stdout
    for row in (r"0 +boot +startup +2 min 5 s ago +success +- +-", r"0 +tick +every 60 s +3[12]\.?\d* s ago +exit code 7 +in 1 min [45] s",
                r"0 +nightly +15 3 \* \* \* +\d\.\d s ago +running +-", r"0 +by-hand +by request +\d\.\d s ago +interrupted +-",
                r"0 +new +startup +- +failed +- +depends_on names 'x', which is no task", r"0 +bye +shutdown +- +- +- +-"):
        assert re.search(row, text), (row, text)
    assert json.loads(ctl("app", "web", "--json").stdout)["instance"] == shown


def test_tasks_fit_into_a_narrow_terminal(fake, place):
    fake("reconciler", Get=lambda _: {"instance": instance(*reported()), "manifest": SPEC})
    with Terminal([program("hostletctl"), "--prefix", place, "app", "web"], 60, 40, {}) as terminal:
        assert terminal.end() == OK
        assert any("tick" in line for line in terminal.screen.shown())


# The log of one task

LOG = (frame(1, b"inagent: app started\napp: one\nbackup: not mine\napp: tw") + frame(2, b"app: bad\nappx: no\n") + frame(1, b"o\napp:none\n") +
       frame(1, b"app: \napp: \xff\x00\nap") + frame(1, b"p: last"))
OUT, ERR = b"one\ntwo\n\n\xff\x00\nlast\n", b"bad\n"


def logs(place, *words):
    result = subprocess.run([program("hostletctl"), "--prefix", place, "logs", *words], capture_output=True, timeout=60)
    assert result.returncode == OK, result
    return result


def test_the_log_of_a_task_has_its_lines_without_its_name(fake, place):
    driver = fake("container-driver", Logs=lambda _: LOG)
    result = logs(place, "web/0", "--task", "app")
    assert (result.stdout, result.stderr) == (OUT, ERR)
    assert logs(place, "web/0", "--task", "backup").stdout == b"not mine\n"
    result = logs(place, "web/0", "--task", "app", "--tail", "3")
    assert (result.stdout, result.stderr) == (b"\n\xff\x00\nlast\n", b"")
    assert "tail" not in driver.called("Logs")[-1]
    assert logs(place, "web/0", "--task", "app", "--tail", "1000", "--since", "1h").stdout == OUT
    assert abs(driver.called("Logs")[-1]["since"] - (now() - 3600000)) < 20000
    assert logs(place, "web/0", "--task", "app", "--tail", "0").stdout == OUT  # what is new
    assert abs(driver.called("Logs")[-1]["since"] - now()) < 20000


def test_the_log_of_a_task_of_several_replicas(fake, place):
    fake("reconciler", Get=lambda _: {"instance": instance(ids=(0, 4)), "manifest": SPEC})
    fake("container-driver", Logs=lambda p: frame(1, f"boot: {p.get('replica_id', 0)}\nx: y\n".encode()))
    assert logs(place, "web", "--task", "boot").stdout == b"0 | 0\n4 | 4\n"
    result = logs(place, "web", "--task", "boof")
    assert result.stdout == b"" and b"logs: 'web' has no task 'boof' at present" in result.stderr


def test_the_last_lines_of_a_task_precede_what_follows(fake, place):
    fake("reconciler", Get=lambda _: {"instance": instance(), "manifest": SPEC},
         Watch=lambda _: [{"instance": instance(action="stop")}, {"instance": instance(action="stop")}, {"gone": True}])
    driver = fake("container-driver", Logs=lambda p: frame(1, b"boot: new\n") if p.get("follow") else frame(1, b"boot: 1\nboot: 2\nboot: 3\n"))
    assert logs(place, "-f", "web", "--task", "boot", "--tail", "2").stdout == b"2\n3\nnew\n"
    first, second = driver.called("Logs")
    assert "since" not in first and not first.get("follow")
    assert second["follow"] and abs(second["since"] - now()) < 20000


# task run

class Reconciler:
    """Accepts a request and shows 'states' of the task with its id, one after the other."""

    def __init__(self, fake, *states, ids=(0,), refuse=None, hang=0):
        self.asked = []
        self.hang = hang
        self.states = states
        self.refuse = refuse
        self.ids = ids
        self.service = fake("reconciler", RunTask=self.run, Watch=self.watch,
                            Get=lambda _: {"instance": instance(ids=ids), "manifest": SPEC})

    def run(self, parameters):
        self.asked.append(parameters)
        if self.refuse:
            raise Refusal(*self.refuse)
        if len(self.asked) <= self.hang:
            raise Hangup
        return {"id": parameters["id"]}

    def watch(self, _):
        yield {"instance": instance({"name": "backup", "state": "running", "request": "other", "request_state": "failed"}, ids=self.ids)}
        yield {"complete": True}
        for state in self.states:
            yield {"instance": instance({"name": "backup", "state": "pending", "request": self.asked[-1]["id"], **state}, ids=self.ids)}
        yield {"complete": True}
        threading.Event().wait(20)


RUNNING = {"request_state": "running"}


def ended(state, **more):
    return {"request_state": state, "started": now() - 2500, "finished": now(), **more}


def test_task_run_prints_the_output_and_the_result(fake, ctl):
    reconciler = Reconciler(fake, RUNNING, ended("succeeded"))
    driver = fake("container-driver", Logs=lambda _: frame(1, b"backup: saved\napp: other\n") + frame(2, b"backup: oops\n"))
    result = ctl("task", "run", "web", "backup")
    assert result.stdout == "saved\n"
    assert "oops\n" in result.stderr and re.search(r"task 'backup' of web/0: succeeded after 2\.5 s", result.stderr)
    asked, = reconciler.asked
    assert (asked["name"], asked.get("replica_id", 0), asked["task"]) == ("web", 0, "backup") and re.fullmatch("[0-9a-f]{32}", asked["id"])
    assert abs(driver.called("Logs")[0]["since"] - now()) < 20000


@pytest.mark.parametrize("state, says", [
    (ended("failed", request_exit_code=7), "task 'backup' of web/4: failed with exit code 7 after 2.5 s"),
    (ended("failed", request_exit_code=143, message="has reached its time limit"),
     "task 'backup' of web/4: failed with exit code 143 after 2.5 s: has reached its time limit"),
    (ended("refused", request_message="it is running already"), "task 'backup' of web/4: not run: it is running already"),
    (ended("interrupted", request_message="the container ended during the run"),
     "task 'backup' of web/4: interrupted: the container ended during the run"),
])
def test_task_run_fails_if_the_task_does_not_succeed(fake, ctl, state, says):
    Reconciler(fake, RUNNING, state, ids=(0, 4))
    fake("container-driver", Logs=lambda _: b"")
    assert says in ctl("task", "run", "web/4", "backup", expect=FAILED).stderr
    shown = json.loads(ctl("task", "run", "web/4", "backup", "--json", expect=FAILED).stdout)
    assert shown["request_state"] == state["request_state"]


def test_task_run_needs_one_replica(fake, ctl):
    reconciler = Reconciler(fake, ids=(0, 4))
    assert "'web' has 2 replicas: name one, as in web/0" in ctl("task", "run", "web", "backup", expect=USAGE).stderr
    assert "'x' is no id of a replica" in ctl("task", "run", "web/x", "backup", expect=USAGE).stderr
    assert reconciler.asked == []


def test_task_run_without_waiting_and_with_a_limit(fake, ctl):
    reconciler = Reconciler(fake, RUNNING)
    assert ctl("task", "run", "web", "backup", "--no-wait").stdout == ""
    result = ctl("task", "run", "web", "backup", "-t", "1s", expect=TIMEOUT)
    assert "not done within 1.0 s" in result.stderr and "the run continues" in result.stderr
    assert len(reconciler.asked) == 2


def test_task_run_does_not_say_that_a_run_continues_that_did_not_begin(fake, ctl):
    Reconciler(fake, {"request": "of-another", "request_state": "running"})
    result = ctl("task", "run", "web", "backup", "-t", "1s", expect=TIMEOUT)
    assert "has not reported that the run began" in result.stderr and "the run continues" not in result.stderr


def test_task_run_repeats_a_lost_call_with_the_same_id(fake, ctl):
    reconciler = Reconciler(fake, ended("succeeded"), hang=1)
    fake("container-driver", Logs=lambda _: b"")
    ctl("task", "run", "web", "backup")
    first, second = reconciler.asked
    assert first == second


def test_task_run_shows_a_refusal(fake, ctl):
    Reconciler(fake, refuse=("NotFound", "'web' has no task 'backup'; it has boot"))
    assert "'web' has no task 'backup'; it has boot" in ctl("task", "run", "web", "backup", expect=FAILED).stderr


def test_task_run_survives_a_lost_watch(fake, ctl):
    count = itertools.count()
    reconciler = Reconciler(fake, ended("succeeded"))
    whole = reconciler.watch

    def watch(parameters):
        if next(count) < 2:
            raise Hangup
        return whole(parameters)
    reconciler.service.handlers["Watch"] = watch
    fake("container-driver", Logs=lambda _: b"")
    assert "succeeded" in ctl("task", "run", "web", "backup").stderr
