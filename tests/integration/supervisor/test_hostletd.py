"""Tests how hostletd starts, restarts and stops services."""

import os
import re
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from lib import ground
from lib.services import Call, all_services, identity, status, supervise, wait_for
from lib.tree import BUILD, program
from lib.varlink import VarlinkError

pytestmark = pytest.mark.sanitized


# Boot, order, end

def test_the_products_services_are_listed(make_tree):
    tree = make_tree({"container-driver": {"runtime": "null"}}).start()
    listed = all_services(tree)
    assert set(listed) == {"container-driver", "fetcher", "net-keeper", "provisioner", "quota-keeper", "reconciler", "rpc-gateway",
                           "unpacker"}
    keeper = listed["quota-keeper"]
    assert keeper["state"] == "ready" and keeper["pid"] == tree.pid("quota-keeper") and keeper["memory"] > 100_000
    assert {name for name, service in listed.items() if service.get("on_demand")} == {
        "fetcher", "provisioner", "rpc-gateway", "unpacker"}


def test_start_and_stop_follow_the_dependencies(start, services):
    body = ("on_term(lambda: (record('end'), spend(0.05), record('ended'), os._exit(0)))\n"
            "spend(0.05)\nready()\nrest()\n")
    services.add("alpha", body, needs="middle")
    services.add("middle", body, needs="zulu")
    services.add("zulu", body)
    tree = start()
    assert services.events() == [f"{name} {what}" for name in ("zulu", "middle", "alpha") for what in ("start", "ready")]
    assert tree.stop() == 0
    assert services.events()[6:] == [f"{name} {what}" for name in ("alpha", "middle", "zulu") for what in ("end", "ended")]


def test_the_tree_starts_although_some_services_fail(start, services):
    services.add("good", needs="crashes missing")
    services.add("crashes", "sys.exit(1)\n")
    services.write("missing", exec="/nonexistent/program")
    services.add("unbound")
    tree_run = services.place / "tree" / "run" / "unbound.sock"
    tree_run.mkdir(parents=True)
    tree = start()
    assert status(tree, "good")["state"] == "ready"
    assert status(tree, "crashes")["state"] in ("backoff", "starting")
    missing = wait_for(tree, "missing", "backoff")
    assert "cannot execute '/nonexistent/program': No such file or directory" in missing["reason"]
    unbound = status(tree, "unbound")
    assert unbound["state"] == "failed" and "unbound.sock" in unbound["reason"]
    tree_run.rmdir()
    supervise(tree, "Start", "unbound")
    assert status(tree, "unbound")["state"] == "ready"


def test_inherited_signal_dispositions_and_descriptors_are_reset(make_tree, services):
    services.take("quota-keeper")
    tree = make_tree()
    tree.write_config()

    def careless():
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
        for number in range(3, 10):
            os.dup2(0, number)
    with tree.log_path.open("w") as log:
        tree.process = subprocess.Popen([program("hostletd"), "--prefix", tree.prefix, "--libexec", BUILD,
                                         *services.arguments], stderr=log, stdin=subprocess.DEVNULL, preexec_fn=careless,
                                        close_fds=False, start_new_session=True)
    wait_for(tree, "quota-keeper", "ready")
    pid = tree.kill_service("quota-keeper")
    ground.wait_until(lambda: wait_for(tree, "quota-keeper", "ready")["pid"] != pid, 5, "it is started again")
    fields, _ = identity(status(tree, "quota-keeper")["pid"])
    assert int(fields["SigIgn"], 16) == 1 << signal.SIGPIPE - 1  # hostletd itself ignores SIGPIPE
    assert tree.stop() == 0


def test_systemd_is_notified_of_readiness(make_tree, services, place):
    services.add("slow", "until('go')\nready()\nrest()\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(place / "notify"))
        notify.settimeout(10)
        tree = make_tree()
        tree.write_config()
        environment = {**os.environ, "NOTIFY_SOCKET": str(place / "notify")}
        tree.process = ground.start([program("hostletd"), "--prefix", tree.prefix, *services.arguments], tree.log_path,
                                    environment=environment)
        wait_for(tree, "slow", "starting")
        assert not select.select([notify], [], [], 0)[0]
        services.set("go")
        assert notify.recv(4096) == b"READY=1"
        tree.process.send_signal(signal.SIGHUP)
        assert notify.recv(4096).startswith(b"RELOADING=1")
        assert notify.recv(4096) == b"READY=1"
        # A child must not write to hostletd's supervisor in its name.
        assert "NOTIFY_SOCKET" not in Path(f"/proc/{status(tree, 'slow')['pid']}/environ").read_text()
        tree.process.terminate()
        assert notify.recv(4096) == b"STOPPING=1"
        assert tree.process.wait(10) == 0


class Watchdog:
    """Receives the messages to systemd of a hostletd that must report itself alive every 'seconds'."""

    def __init__(self, tree, services, place, seconds, pid=None):
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(place / "notify"))
        tree.write_config()
        # The process's own id, known only at this point, as systemd sets it.
        words = 'export WATCHDOG_PID=${WATCHDOG_PID:-$$}; exec "$@"'
        environment = {**os.environ, "NOTIFY_SOCKET": str(place / "notify"), "WATCHDOG_USEC": str(int(seconds * 1e6))}
        if pid:
            environment["WATCHDOG_PID"] = str(pid)
        tree.process = ground.start([*tree.wrapper, "sh", "-c", words, "sh", program("hostletd"), "--prefix", tree.prefix,
                                     *services.arguments], tree.log_path, environment=environment)
        while (said := self.next(10)) != "READY=1":
            assert said == "WATCHDOG=1"

    def next(self, timeout):
        """Returns the next message within 'timeout' seconds, or None."""
        return self.notify.recv(4096).decode() if select.select([self.notify], [], [], timeout)[0] else None


def test_a_running_loop_notifies_the_watchdog_and_wakes_no_service(make_tree, services, place):
    services.add("quiet")
    tree = make_tree()
    tree.wrapper = ground.WITHOUT_OTHER_MOUNTS
    watchdog = Watchdog(tree, services, place, 2)
    assert watchdog.next(2) == "WATCHDOG=1"

    def wakings():
        status = Path(f"/proc/{tree.process.pid}/status").read_text()
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M)[1])

    def notices():
        before, started = wakings(), time.monotonic()
        assert [watchdog.next(2) for _ in range(3)] == ["WATCHDOG=1"] * 3
        return time.monotonic() - started > 2.8 and wakings() - before <= 4
    # Any other wake-up, as by a change of the mount table, sends a notice earlier.
    ground.wait_until(notices, 60, "notices in every half of the time, and no more")
    # A hanging hostletd sends nothing, in whichever way it hangs.
    tree.process.send_signal(signal.SIGSTOP)
    while watchdog.next(0):
        pass
    assert watchdog.next(3) is None
    tree.process.send_signal(signal.SIGCONT)
    assert watchdog.next(2) == "WATCHDOG=1"
    # A child must not get the watchdog's variables.
    assert "WATCHDOG" not in Path(f"/proc/{status(tree, 'quiet')['pid']}/environ").read_text()


def test_a_watchdog_of_another_process_is_ignored(make_tree, services, place):
    tree = make_tree()
    watchdog = Watchdog(tree, services, place, 0.2, pid=1)
    assert watchdog.next(1) is None


def test_a_service_that_does_not_exit_is_killed_with_its_children(start, services):
    services.add("stubborn", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                 "if os.fork() == 0:\n    record(f'helper={os.getpid()}')\n    rest()\n"
                 "ready()\nrest()\n", stop_timeout="300ms")
    tree = start()
    helper = ground.wait_until(lambda: [int(e.partition("=")[2]) for e in services.events() if "helper=" in e], 5, "the helper")[0]
    before = time.monotonic()
    supervise(tree, "Stop", "stubborn")
    assert 0.25 < time.monotonic() - before < 5
    assert "does not end within 0.3 s: killed" in tree.log()
    ground.wait_until(lambda: not ground.alive(helper), 5, "the helper no longer runs")
    assert status(tree, "stubborn")["last_exit"] == "signal KILL"


# Restarts

def test_a_killed_service_is_restarted_at_once(start, services):
    services.take("quota-keeper")
    tree = start()
    ground.wait_until(lambda: status(tree, "quota-keeper")["uptime_msec"] > 1100, 5, "a healthy run")
    old = tree.kill_service("quota-keeper")
    found = wait_for(tree, "quota-keeper", "ready", 2)
    assert found["pid"] != old and found["restarts"] == 1 and found["last_exit"] == "signal KILL"
    assert "backoff" not in tree.log()
    assert tree.call("quota-keeper", "Info")["ledger"]


def test_callers_wait_while_a_service_is_down(start, services):
    services.add("worker", "until('go')\nready()\nserve()\n")
    services.set("go")
    tree = start()
    first = Call(tree, "worker").answer()["parameters"]["pid"]
    services.clear("go")
    os.kill(first, signal.SIGKILL)
    ground.wait_until(lambda: not ground.alive(first), 5, "the worker no longer runs")
    calls = [Call(tree, "worker") for _ in range(50)]
    assert not calls[0].answered(0.2)
    services.set("go")
    assert len({call.answer()["parameters"]["pid"] for call in calls}) == 1


def test_crash_loop_is_visible_and_callers_wait_for_its_end(start, services):
    services.add("loops", "if not flag('mended'):\n    say('the disk is on fire')\n    sys.exit(3)\nready()\nserve()\n")
    tree = start()
    found = ground.wait_until(lambda: status(tree, "loops").get("restarts", 0) >= 3 and wait_for(tree, "loops", "backoff"), 10,
                              "three restarts")
    assert found["last_exit"] == "exit 3"
    # The time is that which is left, and not that of the pause.
    assert found["reason"].startswith("exit 3: the disk is on fire; tried again in ")
    assert "loops: the disk is on fire" in tree.log()
    call = Call(tree, "loops")
    assert not call.answered(0.2)
    with pytest.raises(VarlinkError, match="RetryLater.*the disk is on fire"):
        supervise(tree, "Start", "loops")
    services.set("mended")
    assert call.answer()["parameters"]["pid"] == wait_for(tree, "loops", "ready")["pid"]


def test_pauses_between_failed_runs_double(start, services):
    services.add("loops", "record(f'at={time.monotonic()}')\nsys.exit(1)\n")
    start()
    def times():
        found = [float(event.partition("=")[2]) for event in services.events() if "at=" in event]
        return found if len(found) >= 5 else None
    at = ground.wait_until(times, 10, "five runs")
    pauses = [later - earlier for earlier, later in zip(at, at[1:])]
    for pause, least in zip(pauses, (0.08, 0.16, 0.32, 0.64)):
        assert least <= pause <= least * 1.5 + 0.4, pauses


def test_exit_100_stops_restarts_until_an_administrator_acts(start, services):
    services.add("broken", "if not flag('mended'):\n    say('<3>broken: file x has format 9')\n    sys.exit(100)\nready()\nserve()\n")
    tree = start()
    found = status(tree, "broken")
    assert found["state"] == "failed" and found["reason"] == "exit 100: file x has format 9"
    answer = Call(tree, "broken").answer()
    assert answer["error"] == "io.hostlet.ServiceDown"
    assert answer["parameters"]["reason"] == "service 'broken' is given up: exit 100: file x has format 9"
    assert services.count("broken start") == 1
    with pytest.raises(VarlinkError, match="io.hostlet.Failed.*file x has format 9"):
        supervise(tree, "Start", "broken")
    assert services.count("broken start") == 2
    services.set("mended")
    tree.process.send_signal(signal.SIGHUP)
    wait_for(tree, "broken", "ready")
    assert "parameters" in Call(tree, "broken").answer()


def test_a_service_that_is_not_ready_in_time_is_killed_and_restarted(start, services):
    services.add("slow", "if not flag('mended'):\n    rest()\nready()\nserve()\n", ready_timeout="300ms")
    tree = start()
    found = wait_for(tree, "slow", "backoff")
    assert found["reason"].startswith("not ready within 0.3 s: killed")
    services.set("mended")
    wait_for(tree, "slow", "ready")


def test_children_of_a_killed_worker_are_killed(start, services):
    services.add("worker", "child = os.fork()\nif child == 0:\n    rest()\nrecord(f'helper={child}')\nready()\nserve()\n")
    tree = start()
    helper = int(services.events()[1].partition("=")[2])
    os.kill(status(tree, "worker")["pid"], signal.SIGKILL)
    ground.wait_until(lambda: not ground.alive(helper), 5, "the helper ends")


def test_orphans_are_reaped(start, services):
    services.add("parent", "for _ in range(20):\n    if os.fork() == 0:\n        if os.fork() == 0:\n"
                 "            os.setsid()\n            until('go')\n            os._exit(0)\n        os._exit(0)\n    os.wait()\n"
                 "ready()\nserve()\n")
    tree = start()

    def children():
        text = subprocess.run(["ps", "--ppid", str(tree.process.pid), "-o", "stat="], capture_output=True, text=True).stdout
        return text.split()
    ground.wait_until(lambda: len(children()) == 21, 5, "the orphans are hostletd's")
    services.set("go")
    ground.wait_until(lambda: len(children()) == 1, 5, "all orphans are reaped")


# On demand

def test_an_on_demand_service_starts_at_the_first_call_and_ends_when_idle(start, services):
    services.take("provisioner", idle_timeout="200ms")
    tree = start({"hostlet": {"log_level": "debug"}})
    assert status(tree, "provisioner")["state"] == "listening"
    with tree.connect("provisioner") as connection:
        assert connection.call("org.varlink.service.GetInfo")["vendor"] == "hostlet"
        assert status(tree, "provisioner")["state"] == "ready"
    found = wait_for(tree, "provisioner", "listening")
    assert found["last_exit"] == "exit 0" and "restarts" not in found and "pid" not in found
    with tree.connect("provisioner") as connection:
        assert connection.call("org.varlink.service.GetInfo")["vendor"] == "hostlet"


def test_a_crashing_on_demand_service_does_not_spin(start, services):
    services.add("lazy", "if not flag('mended'):\n    sys.exit(1)\nready()\nserve()\n", start="demand")
    tree = start()
    call = Call(tree, "lazy")
    wait_for(tree, "lazy", "backoff")
    assert not call.answered(0.5)
    assert services.count("lazy start") <= 5
    services.set("mended")
    assert "parameters" in call.answer()


def test_an_on_demand_service_that_ends_without_serving_does_not_spin(start, services):
    services.add("lazy", "ready()\nsys.exit(0)\n", start="demand")
    tree = start()
    call = Call(tree, "lazy")
    wait_for(tree, "lazy", "backoff")
    assert not call.answered(0.5)
    assert services.count("lazy start") <= 5


# Start, Stop, Restart, Watch

def test_stop_stops_the_dependent_services(start, services):
    services.add("base")
    services.add("upper", needs="base")
    tree = start()
    supervise(tree, "Stop", "base")
    listed = all_services(tree)
    assert listed["base"]["state"] == listed["upper"]["state"] == "down"
    answer = Call(tree, "base").answer()
    assert answer == {"error": "io.hostlet.ServiceDown", "parameters": {"reason": "service 'base' is stopped"}}
    supervise(tree, "Start", "upper")
    listed = all_services(tree)
    assert listed["base"]["state"] == listed["upper"]["state"] == "ready"
    assert services.events()[-4:] == ["base start", "base ready", "upper start", "upper ready"]


def test_restart_touches_one_service(start, services):
    services.add("base")
    services.add("upper", needs="base")
    tree = start()
    before = all_services(tree)
    supervise(tree, "Restart", "base")
    after = all_services(tree)
    assert after["base"]["state"] == "ready" and after["base"]["pid"] != before["base"]["pid"]
    assert after["upper"]["pid"] == before["upper"]["pid"]
    assert "restarts" not in after["base"]


def test_unknown_services_and_a_watch_without_more_are_refused(start, services):
    services.add("one")
    tree = start()
    with pytest.raises(VarlinkError, match="io.hostlet.NotFound.*there is no service 'two'"):
        supervise(tree, "Start", "two")
    with pytest.raises(VarlinkError, match="io.hostlet.Refused.*more"):
        tree.call("hostletd", "List")


def test_watch_shows_each_change(start, services):
    services.add("one")
    tree = start()
    with tree.connect("hostletd") as connection:
        stream = connection.stream("io.hostlet.Supervisor.Watch")
        assert next(stream)["service"]["state"] == "ready"
        assert next(stream) == {"complete": True}
        supervise(tree, "Restart", "one")
        assert [next(stream)["service"]["state"] for _ in range(4)] == ["stopping", "waiting", "starting", "ready"]


def test_a_waiting_caller_can_hang_up(start, services):
    services.add("slow", "until('go')\nready()\nserve()\n")
    services.set("go")
    tree = start()
    services.clear("go")
    connection = tree.connect("hostletd")
    connection.send({"method": "io.hostlet.Supervisor.Restart", "parameters": {"name": "slow"}})
    wait_for(tree, "slow", "starting")
    connection.close()
    services.set("go")
    wait_for(tree, "slow", "ready")


# Kills during a start

@pytest.mark.failpoints
def test_a_start_succeeds_after_a_kill_at_each_failpoint(make_tree, services):
    services.add("one")
    names = subprocess.run([program("hostletd"), "--failpoints"], capture_output=True, text=True, check=True).stdout.split()
    assert len(names) >= 4
    for name in names:
        tree = make_tree(name=name)
        with pytest.raises(AssertionError, match="hostletd is not ready"):
            tree.start(arguments=services.arguments, failpoint=f"{name}:kill", timeout=10)
        assert tree.failpoint_taken(name) and tree.process.wait(10) == -signal.SIGKILL
        tree.start(arguments=services.arguments)
        assert "parameters" in Call(tree, "one").answer()
        assert tree.stop() == 0
