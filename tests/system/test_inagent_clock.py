"""Tests inagent's cron while the machine's clock is set, which only a machine of its own allows."""

import time

import pytest
from lib.inagent import Container, wait_until

HOUR = 3600


@pytest.fixture
def container(tmp_path):
    with Container(tmp_path / "container") as one:
        yield one


def lines(container, name):
    path = container.home / "action" / name
    return path.read_text().splitlines() if path.exists() else []


def in_seconds(seconds):
    """Returns an expression for the minute that begins at most a minute before then, and its time."""
    at = int(time.time() + seconds) // 60 * 60
    return time.strftime("TZ=UTC %M %H * * *", time.gmtime(at)), at


def start(container, expression):
    container.start([{"name": "daily", "cron": expression, "script": "echo x >> daily"},
                     {"name": "tick", "cron": "* * * * * *", "script": "echo x >> tick"},
                     {"name": "every", "cron": "@every 1s", "script": "echo x >> every"}])
    continues(container)


def continues(container):
    """Waits until the tasks of every second have run twice more."""
    for name in ("tick", "every"):
        before = len(lines(container, name))
        wait_until(f"runs of '{name}'", lambda name=name, before=before: len(lines(container, name)) >= before + 2)


def test_a_time_that_the_clock_jumps_over_runs_once_also_if_the_clock_goes_back(container, set_clock):
    expression, at = in_seconds(900)
    start(container, expression)
    assert lines(container, "daily") == []
    set_clock(at - time.time() + 300)
    wait_until("the run", lambda: lines(container, "daily") == ["x"])
    continues(container)
    set_clock(at - time.time() - 3)
    wait_until("the same time again", lambda: time.time() > at + 3)
    continues(container)
    assert lines(container, "daily") == ["x"]


def test_a_jump_by_days_begins_the_schedule_anew(container, set_clock):
    expression, at = in_seconds(900)
    start(container, expression)
    set_clock(49 * HOUR)
    container.wait_log("task 'daily' has missed its run of")
    continues(container)
    assert lines(container, "daily") == []
    # Back, the time is in the future again, and comes.
    set_clock(-49 * HOUR)
    continues(container)
    set_clock(at - time.time() - 70)
    continues(container)
    assert lines(container, "daily") == []
    set_clock(at - time.time())
    wait_until("the run", lambda: lines(container, "daily") == ["x"])
