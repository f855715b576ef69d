"""Tests a tree whose wall clock is set while it runs: no duration changes, and no data that is kept for long is deleted."""

import time

import pytest
from lib import ground
from lib.apps import App, driver_containers, manifest
from lib.wall_clock import WallClock

HOUR = 3600
DAY = 24 * HOUR


@pytest.fixture
def clock(place):
    return WallClock(place)


@pytest.fixture
def tree(make_tree, clock):
    return make_tree({"container-driver": {"runtime": "null"}, "provisioner": {"keep_removed": "30d"}},
                     environment=clock.environment).start()


def keep(tree, container, age):
    """Makes data of a replica that was removed 'age' seconds ago."""
    path = tree.prefix / f"apps/{container}.removed-{time.strftime('%Y%m%dT%H%M%S', time.gmtime(time.time() - age))}"
    path.mkdir()
    return path


def waits_for(tree, reason, count=1):
    ground.wait_until(lambda: tree.log().count(f"no kept data expires now: {reason}") >= count, 10, f"'{reason}' is logged")


def start_provisioner(tree):
    """Calls it, since it is started on demand."""
    with tree.connect("provisioner") as connection:
        list(connection.stream("io.hostlet.Provisioner.Deletions"))


def kept_of(tree, container):
    return [path.name for path in tree.prefix.glob(f"apps/{container}.removed-*")]


def test_a_clock_set_back_during_probation_does_not_prolong_it(tree, clock):
    web = App(tree)
    web.apply(manifest(image="null/run", probation=2000))
    web.wait(lambda i: i["replicas"][0].get("step") == "on probation", "it is on probation")
    clock.set(-HOUR)
    web.running(timeout=10)
    assert driver_containers(tree)["i8k_web_0"]["restart"] == "always"


def test_a_clock_set_forward_by_weeks_deletes_no_kept_data(tree, clock):
    web = App(tree)
    web.deploy(manifest(image="null/run"))
    kept = keep(tree, "i8k_old_0", 10 * DAY)
    clock.set(40 * DAY)
    web.destroy()
    web.gone()
    waits_for(tree, "the clock was set forward")
    # The next provisioner starts after the clock was set.
    tree.ctl("service", "restart", "provisioner")
    start_provisioner(tree)
    waits_for(tree, "the clock was set forward", 2)
    assert kept.exists()
    assert len(kept_of(tree, "i8k_web_0")) == 1


def test_a_clock_in_1970_deletes_no_kept_data_and_dates_none(tree, clock):
    web = App(tree)
    web.deploy(manifest(image="null/run"))
    kept = keep(tree, "i8k_old_0", 10 * DAY)
    clock.set_to(1000)
    tree.restart()
    web.running()
    web.destroy()
    web.gone()
    waits_for(tree, "the clock stands before")
    assert kept.exists()
    name, = kept_of(tree, "i8k_web_0")
    assert not name.startswith("i8k_web_0.removed-1970"), "it would expire as soon as the clock is right"
    # With the right clock, data expires.
    expired = keep(tree, "i8k_old_1", 40 * DAY)
    clock.set(0)
    tree.restart()
    start_provisioner(tree)
    ground.wait_until(lambda: not expired.exists(), 10, "old data is deleted")
    assert kept.exists() and kept_of(tree, "i8k_web_0") == [name]
