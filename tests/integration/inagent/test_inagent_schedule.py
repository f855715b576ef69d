"""Tests when inagent runs tasks with interval_seconds and cron in containers, their time zones, and how it ends tasks that take
too long: in busybox, Debian and empty roots."""
import datetime
import os
import pathlib
import shutil
import zoneinfo

import pytest

from lib import ground
from lib.inagent import BUSYBOX, INAGENT, Container, specification, task, wait_until

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for namespaces"),
    pytest.mark.skipif(not BUSYBOX, reason="needs a static busybox (Debian: busybox-static)"),
    pytest.mark.skipif(not INAGENT.exists(), reason=f"'{INAGENT}' is not built (HOSTLET_BUILD)"),
]
KINDS = ["busybox", "bare", "debian"]
ZONEINFO = pathlib.Path("/usr/share/zoneinfo")


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


def cron(name, expression, script="echo x >> $HOME_FILE", **more):
    return {"name": name, "cron": expression, "script": script, **more}


def lines(container, name):
    path = container.home / "action" / name
    return path.read_text().splitlines() if path.exists() else []


def soon(zone):
    """Returns an expression of six fields for every second of this minute and the next one, by the zone's local time."""
    at = datetime.datetime.now(zone)
    return f"* {at.minute},{(at.minute + 1) % 60} {at.hour},{(at.hour + 1) % 24} * * *"


@pytest.mark.parametrize("kind", KINDS)
def test_interval_and_cron_tasks_run_in_every_kind_of_root(make, kind):
    container = make(kind)
    container.start([{"name": "tick", "interval_seconds": 1, "script": "echo x >> tick"},
                     cron("six", "* * * * * *", "echo x >> six"), cron("every", "@every 1s", "echo x >> every"),
                     cron("far", "59 59 23 31 12 ?", "echo x >> far")])
    for name in ("tick", "six", "every"):
        wait_until(f"three runs of '{name}'", lambda name=name: len(lines(container, name)) >= 3)
    assert lines(container, "far") == []
    container.signal()
    assert container.wait_exit() == 0


def test_nothing_wakes_inagent_while_nothing_is_due(make):
    container = make()
    container.start([task("app", "exec sleep 1000"), {"name": "rare", "interval_seconds": 1000, "script": "true"},
                     cron("far", "59 59 23 31 12 ?"), cron("every", "@every 1000h")])
    container.wait_log("task 'rare' succeeded")
    status = pathlib.Path(f"/proc/{container.first_process()}/status")

    def switches():
        return [line for line in status.read_text().splitlines() if line.startswith("voluntary")]

    # Its own first acts end at some time; then it sleeps.
    def rests():
        before = switches()
        ground.let_pass(3)
        return switches() == before

    wait_until("three seconds without a wake-up", rests, 30)


# Time zones

KATHMANDU = zoneinfo.ZoneInfo("Asia/Kathmandu")  # 5:45 ahead of UTC, all year


def add_zone(container, name, source="Asia/Kathmandu"):
    path = container.root / "usr/share/zoneinfo" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ZONEINFO / source, path)


@pytest.mark.skipif(not (ZONEINFO / "Asia/Kathmandu").exists(), reason="needs Debian's tzdata")
@pytest.mark.parametrize("where", ["expression", "variable", "localtime", "link", "rule", "rule in TZ"])
def test_times_are_those_of_the_zone(make, where):
    container = make()
    add_zone(container, "Asia/Kathmandu")
    environment, prefix = {}, ""
    if where == "expression":
        prefix = "CRON_TZ=Asia/Kathmandu "
    elif where == "variable":
        environment["TZ"] = ":Asia/Kathmandu"
    elif where == "localtime":
        shutil.copy(ZONEINFO / "Asia/Kathmandu", container.root / "etc/localtime")
    elif where == "link":
        (container.root / "etc/localtime").symlink_to("/usr/share/zoneinfo/Asia/Kathmandu")
    elif where == "rule":
        shutil.rmtree(container.root / "usr/share/zoneinfo")
        prefix = "TZ=<+0545>-5:45 "
    else:
        shutil.rmtree(container.root / "usr/share/zoneinfo")
        environment["TZ"] = "NPT-5:45"
    container.start([cron("there", prefix + soon(KATHMANDU), "echo x >> there"),
                     cron("utc", "TZ=UTC " + soon(KATHMANDU), "echo x >> utc")], environment=environment)
    wait_until("a run", lambda: lines(container, "there"), 30)
    assert lines(container, "utc") == []
    assert "UTC" not in container.log()


def test_a_missing_zone_fails_the_task_with_the_file_and_what_helps(make):
    container = make()
    container.start([cron("there", "TZ=Asia/Kathmandu * * * * * *", "echo x >> there"),
                     cron("here", "* * * * * *", "echo x >> here")])
    container.wait_log("task 'there' failed: cron: the time zone 'Asia/Kathmandu' is unknown, because the image has no "
                       "'/usr/share/zoneinfo/Asia/Kathmandu': install tzdata in the image, or write the zone as a rule")
    wait_until("runs of the other", lambda: len(lines(container, "here")) >= 2)
    assert lines(container, "there") == []
    # The next specification finds the file.
    (container.root / "usr/share/zoneinfo/Asia").mkdir(parents=True)
    if ZONEINFO.exists():
        add_zone(container, "Asia/Kathmandu")
        container.write_spec(specification([cron("there", "TZ=Asia/Kathmandu * * * * * *", "echo x >> there")]))
        wait_until("a run", lambda: lines(container, "there"))


@pytest.mark.parametrize("content", [b"", b"TZif", b"TZif2" + b"\xff" * 60, b"x" * 70000, "fifo"])
def test_a_damaged_zone_fails_the_task_and_nothing_else(make, content):
    container = make()
    path = container.root / "usr/share/zoneinfo/Bad"
    path.parent.mkdir(parents=True)
    if content == "fifo":
        os.mkfifo(path)
    else:
        path.write_bytes(content)
    container.start([cron("there", "TZ=Bad * * * * * *", "echo x >> there"), cron("here", "* * * * * *", "echo x >> here")])
    container.wait_log("task 'there' failed: cron: ")
    assert "/usr/share/zoneinfo/Bad" in container.log()
    wait_until("runs of the other", lambda: len(lines(container, "here")) >= 2)


def test_a_wrong_tz_variable_means_utc_and_is_logged(make):
    container = make()
    container.start([cron("here", soon(datetime.timezone.utc), "echo x >> here")], environment={"TZ": "Moon/Crater"})
    container.wait_log("local time is UTC: the time zone 'Moon/Crater' is unknown")
    wait_until("a run", lambda: lines(container, "here"), 30)


def test_a_wrong_expression_fails_the_task_with_the_column(make):
    container = make()
    container.start([cron("a", "0 25 * * *"), task("b", "true", depends_on=["a"]), task("app", "true")], probation=0)
    container.wait_log("task 'a' failed: cron: column 3: '25' is no hour from 0 to 23")
    container.wait_log("task 'b' failed: depends_on names 'a', which can never succeed")
    container.wait_log("task 'app' succeeded")


# New specifications


def test_a_new_specification_starts_its_tasks_and_lets_the_old_ones_end(make):
    container = make()
    container.start([{"name": "old", "interval_seconds": 1, "script": "echo begun >> old; while [ ! -e go ]; do sleep 0.05; done; echo ended >> old"},
                     cron("other", "* * * * * *", "echo x >> other")])
    wait_until("the old one's run", lambda: lines(container, "old") == ["begun"])
    container.write_spec(specification([cron("new", "* * * * * *", "echo x >> new")]))
    wait_until("runs of the new one", lambda: len(lines(container, "new")) >= 2)
    before = len(lines(container, "other"))
    (container.home / "action/go").touch()
    wait_until("the end of the old one", lambda: lines(container, "old") == ["begun", "ended"])
    more = len(lines(container, "new"))
    wait_until("more runs", lambda: len(lines(container, "new")) >= more + 3)
    assert lines(container, "old") == ["begun", "ended"]
    assert len(lines(container, "other")) <= before + 1


def test_one_run_at_a_time(make):
    container = make()
    container.start([cron("slow", "* * * * * *", "mkdir busy; sleep 2.5; rmdir busy; echo x >> slow")])
    wait_until("three runs", lambda: len(lines(container, "slow")) >= 3, 30)
    assert "failed" not in container.log()


# Tasks that misbehave


def session_members(container, script_names):
    return [name for name, state in container.processes().values() if name in script_names and state != "Z"]


@pytest.mark.parametrize("kind", ["busybox", "debian"])
def test_a_task_that_takes_too_long_is_ended_and_runs_again(make, kind):
    container = make(kind)
    container.start([{"name": "slow", "interval_seconds": 1, "timeout": 1, "script": "echo x >> slow; sleep 1000"}])
    container.wait_log("task 'slow' has reached its time limit: it is ended")
    container.wait_log("task 'slow' failed with exit code 143")
    wait_until("the next run", lambda: len(lines(container, "slow")) >= 2)
    assert "is killed" not in container.log()


def test_a_task_that_ignores_sigterm_is_killed_with_its_children(make):
    container = make("debian")
    # The second child has a process group of its own, as a shell with job control makes them.
    container.start([{"name": "deaf", "interval_seconds": 1000, "timeout": 1, "script": """
        trap '' TERM
        sleep 1001 &
        perl -e 'setpgrp(0, 0); open(my $up, ">up"); print $up "up\\n"; close($up); sleep(1002)' &
        while :; do sleep 1003; done"""}])
    container.wait_file("up")
    container.wait_log("task 'deaf' is killed, since the signal has not ended it", 30)
    container.wait_log("task 'deaf' failed with exit code 137")
    wait_until("no process is left", lambda: not session_members(container, ("sleep", "sh", "perl")))
    assert container.process.poll() is None


def test_the_service_that_a_task_started_outlives_its_time_limit(make):
    container = make()
    container.start([{"name": "starter", "interval_seconds": 1000, "timeout": 1, "script": "setsid sleep 1001 & sleep 1002"}])
    container.wait_log("task 'starter' failed")
    ground.wait_until(lambda: len(session_members(container, ("sleep",))) == 1, 15, "one sleep is left")


def test_a_task_that_forks_without_end_is_ended(make):
    container = make()
    # Some hundred processes at a time, which fork again and again.
    container.start([{"name": "bomb", "interval_seconds": 1000, "timeout": 1, "script": """
        trap '' TERM
        again() { for i in 1 2 3 4 5 6 7 8; do (trap '' TERM; while :; do (sleep 0.01); done) & done; }
        again; again; again
        echo up > up
        while :; do sleep 0.01; done"""}, cron("tick", "* * * * * *", "echo x >> tick")])
    container.wait_file("up")
    container.wait_log("task 'bomb' failed with exit code 137", 60)
    ground.wait_until(lambda: not session_members(container, ("sleep", "sh")) or None, 30, "no process of the task is left")
    ticks = len(lines(container, "tick"))
    wait_until("the other task still runs", lambda: len(lines(container, "tick")) > ticks)


def test_a_task_that_floods_does_not_delay_the_others(make):
    container = make()
    container.start([{"name": "flood", "interval_seconds": 1, "timeout": 2, "script": "yes 0123456789 | head -c 5000000; sleep 1000"},
                     cron("tick", "* * * * * *", "echo x >> tick")])
    container.wait_log("task 'flood' failed with exit code", 60)
    ticks = len(lines(container, "tick"))
    wait_until("the other task runs", lambda: len(lines(container, "tick")) >= ticks + 3, 30)


def test_a_cron_task_that_a_signal_ends_has_failed(make):
    container = make()
    container.start([cron("dies", "* * * * * *", "kill -SEGV $$"), task("app", "exec sleep 1000")], probation=60)
    container.wait_log("task 'dies' failed with exit code 139")
    assert container.process.poll() is None


def test_dependents_follow_each_run(make):
    container = make()
    container.start([{"name": "b", "interval_seconds": 1, "depends_on": ["a"], "script": "echo b >> order"},
                     {"name": "a", "interval_seconds": 1, "script": "echo a >> order; test ! -e broken"},
                     task("c", "echo c >> order", depends_on=["b"])])
    wait_until("runs of both", lambda: lines(container, "order").count("b") >= 2)
    order = lines(container, "order")
    assert order[0] == "a" and order.index("c") > order.index("b")
    (container.home / "action/broken").touch()
    container.wait_log("task 'a' failed")
    # A run of b may have begun before.
    seen = wait_until("runs of a", lambda: lines(container, "order")[-3:] == ["a", "a", "a"] and len(lines(container, "order")))
    (container.home / "action/broken").unlink()
    wait_until("b runs again", lambda: "b" in lines(container, "order")[seen:])
