"""Kills net-keeper at every step of a change: its next start, and a repeated call, complete it."""

import contextlib
import subprocess

import pytest
from lib.net_keeper import NetKeeper, host, network
from lib.netns import Lan
from lib.tree import program
from lib.varlink import Closed, VarlinkError

pytestmark = pytest.mark.failpoints

STEPS = ["network.before_save", "network.saved", "records.before_write"] + [
    f"kernel.{place}@{number}" for place in ("before_change", "changed") for number in range(1, 8)]
CHANGED = network(hosts=[host(1), host(2, peer="192.168.60.22"), host(3, bridge="10.77.1.33"), host(5)])


@pytest.fixture
def machine():
    with Lan() as lan:
        yield lan.machine("a", "192.168.60.1/24")


@pytest.fixture
def keeper(place, machine):
    made = NetKeeper(place / "tree", machine)
    yield made
    made.stop()


def set_and_die(keeper, wanted, step):
    """Sends a network to a process that is killed at a step, if it passes it, and starts the next one."""
    keeper.stop()
    keeper.start(failpoint=f"{step}:kill")
    with contextlib.suppress(Closed, VarlinkError):
        keeper.set(wanted)
    keeper.stop()
    keeper.start()


def test_every_failpoint_is_killed_at():
    listed = subprocess.run([program("net-keeper"), "--failpoints"], capture_output=True, text=True, check=True).stdout.split()
    ours = {step.partition("@")[0] for step in STEPS} | {"network.removed"}
    assert {name for name in listed if name.startswith(("network.", "kernel."))} <= ours


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_is_harmless(keeper, step):
    first = network(others=(2, 3, 4))
    set_and_die(keeper, first, step)
    if step != "network.before_save":
        keeper.is_made(first)
    keeper.set(first)
    before = keeper.is_made(first)
    set_and_die(keeper, CHANGED, step)
    if step != "network.before_save":
        keeper.is_made(CHANGED)
    keeper.set(CHANGED)
    assert keeper.is_made(CHANGED)["link"] == before["link"]
    assert not keeper.problems()


@pytest.mark.parametrize("step", ["network.before_save", "network.saved", "kernel.before_change", "kernel.changed", "network.removed"])
def test_a_kill_while_the_zone_is_left_is_harmless(keeper, step):
    keeper.start()
    keeper.set(network())
    set_and_die(keeper, None, step)
    if step != "network.before_save":
        assert not keeper.link() and not keeper.file.exists()
    keeper.set(None)
    assert not keeper.link() and not keeper.file.exists() and not keeper.problems()
