"""Tests hostlet as a systemd service, with a real Docker: containers keep running, whatever happens to the service."""

import os
import signal
import time

import pytest
from installed import PATIENCE, Installed, messages, remove_containers
from lib import cgroups, ground
from lib.apps import App, answers, manifest, server
from lib.varlink import VarlinkError

PORT = 8080


def facts(engine, name="i8k_web_0"):
    """Returns the fields that change when a container is touched."""
    made = engine.inspect(name)
    return made["Id"], made["State"]["Pid"], made["State"]["StartedAt"], made["RestartCount"]


@pytest.fixture(scope="module")
def deployed(docker):
    """An application on the installed hostlet and the machine's Docker, for all tests here: a deploy takes half a minute."""
    hostlet = Installed()
    hostlet.forget()
    hostlet.mark()
    hostlet.start()
    app = App(hostlet)
    app.deploy(manifest(script=server("one", PORT), ports={"http": PORT}))
    answers(PORT, "one")
    yield app
    hostlet.forget()
    remove_containers(docker)


def test_containers_keep_running_across_restart_stop_and_start(deployed, docker):
    hostlet, before, main = deployed.tree, facts(docker), deployed.tree.main_pid()
    hostlet.systemctl("restart")
    assert hostlet.main_pid() != main
    deployed.running(1)
    assert facts(docker) == before
    hostlet.stop()
    assert not hostlet.processes() and facts(docker) == before
    answers(PORT, "one")
    hostlet.systemctl("start")
    deployed.running(1)
    assert facts(docker) == before


def test_limits_change_in_place_on_cgroup_v2(deployed, docker):
    """There the kernel kills until a lower limit of memory fits: one below the present usage must not reach it."""
    before, mib = facts(docker), 1 << 20

    def limited(**resources):
        return manifest(script=server("one", PORT), ports={"http": PORT}, pids_limit=60, resources=resources)
    assert cgroups.V2
    deployed.deploy(limited(cpu_limit="500m", memory_limit="128Mi"))
    cgroups.wait_for(docker, "i8k_web_0", 500, 128 * mib, 60)
    docker.execute("i8k_web_0", "dd", "if=/dev/zero", "of=/dev/shm/x", "bs=1M", "count=30")
    with pytest.raises(VarlinkError) as refused:
        deployed.apply(limited(memory_limit="16Mi"))
    assert "memory_limit is 16.0 MiB" in str(refused.value)
    docker.execute("i8k_web_0", "rm", "/dev/shm/x")
    deployed.deploy(limited(memory_limit="32Mi"))
    cgroups.wait_for(docker, "i8k_web_0", os.cpu_count() * 1000, 32 * mib, 60)
    deployed.deploy(manifest(script=server("one", PORT), ports={"http": PORT}))
    cgroups.wait_for(docker, "i8k_web_0", os.cpu_count() * 1000, None, 100)
    assert facts(docker) == before


def test_a_clock_set_back_during_probation_does_not_prolong_it(deployed, docker, set_clock):
    """Docker's times are of the same clock, so that the container's start is in the future."""
    app = App(deployed.tree, "clock")
    app.apply(manifest("clock", script="exec sleep 1000", probation=5000))
    app.wait(lambda i: i["replicas"][0].get("step") == "on probation", "it is on probation", PATIENCE)
    began = time.monotonic()
    set_clock(-3600)
    app.running(1, PATIENCE)
    assert time.monotonic() - began < 60
    before = facts(docker, "i8k_clock_0")
    assert docker.inspect("i8k_clock_0")["HostConfig"]["RestartPolicy"]["Name"] == "always"
    deployed.tree.ctl("service", "restart", "reconciler")
    app.running(1, PATIENCE)
    assert facts(docker, "i8k_clock_0") == before
    assert time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) < before[2]
    app.destroy(purge=True)
    app.gone()


def test_a_hanging_hostletd_is_restarted_by_the_watchdog(deployed, docker):
    hostlet, before, old = deployed.tree, facts(docker), deployed.tree.processes()
    hostlet.drop_in("[Service]\nWatchdogSec=4\n")
    hostlet.systemctl("restart")
    deployed.running(1)
    main = hostlet.main_pid()
    children = set(hostlet.children().values())
    assert not old & hostlet.processes()

    # An idle hostletd is not killed: it notifies the watchdog without other work.
    def last_sign():
        return int(hostlet.property("WatchdogTimestampMonotonic"))
    first, started = last_sign(), time.monotonic()
    ground.wait_until(lambda: last_sign() > first + 5_000_000, 60, "notifications for longer than the watchdog's interval", interval=0.5)
    assert time.monotonic() - started > 4 and hostlet.main_pid() == main and hostlet.property("NRestarts") == "0"

    hostlet.mark()
    hostlet.signal(signal.SIGSTOP)
    hostlet.active(without=main)
    ground.wait_until(lambda: not any(map(ground.alive, children)), PATIENCE, "the services of the killed hostletd have ended")
    assert hostlet.property("NRestarts") == "1"
    told = messages(hostlet.journal())
    assert "Watchdog timeout" in told and "result 'watchdog'" in told
    deployed.running(1)
    assert facts(docker) == before
    answers(PORT, "one")
