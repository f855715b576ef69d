"""Tests the processes of the tree: their callers, their rights, when idle and under other supervisors."""

import json
import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lib import ground
from lib.services import identity, run_hostletd, status, wait_for
from lib.tree import BUILD, SOURCE, VARIANT, Tree, program


# Rights

AS_USER = """
import json, os, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(5)
try:
    connection.connect(sys.argv[1])
except PermissionError:
    print('{"error": "not opened"}')
    sys.exit()
try:
    connection.sendall(json.dumps({"method": sys.argv[2]}).encode() + b"\\0")
except BrokenPipeError:
    pass  # sent away, and told why
print(connection.recv(65536).rstrip(b"\\0").decode())
"""


def call_as(user, groups, tree, service, method):
    return answer_of([], tree, service, method, user=user, group=pwd.getpwnam(user).pw_gid, extra_groups=groups)


def answer_of(command, tree, service, method, **options):
    result = subprocess.run([*command, sys.executable, "-c", AS_USER, tree.socket(service), method], capture_output=True, text=True,
                            timeout=20, **options)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_only_the_configured_peers_can_call(start, services):
    services.take("quota-keeper")
    services.add("broken", "sys.exit(100)\n", peers="hostlet-reconciler")
    tree = start()
    for service in ("quota-keeper", "hostletd", "broken"):
        for user, groups in (("hostlet-fetcher", []), ("hostlet-fetcher", ["hostlet"]), ("nobody", [])):
            assert call_as(user, groups, tree, service, "io.hostlet.QuotaKeeper.Info")["error"] == "not opened", service
        # And where the file permits it.
        answer = answer_of(ground.as_user_who_opens_all("hostlet-fetcher", "hostlet-fetcher"), tree, service,
                           "io.hostlet.QuotaKeeper.Info")
        assert answer["error"] == "org.varlink.service.PermissionDenied", service
    assert call_as("hostlet-reconciler", ["hostlet"], tree, "quota-keeper", "io.hostlet.QuotaKeeper.Info")["parameters"]["ledger"]
    assert call_as("hostlet-reconciler", ["hostlet"], tree, "broken", "x.Y")["error"] == "io.hostlet.ServiceDown"


def test_a_peer_can_be_limited_to_some_methods(start, services):
    services.take("quota-keeper", peers="hostlet-reconciler hostlet-fetcher:Info")
    tree = start()

    def error(user, method):
        return call_as(user, ["hostlet"], tree, "quota-keeper", method).get("error")
    assert error("hostlet-fetcher", "io.hostlet.QuotaKeeper.Info") is None
    assert error("hostlet-fetcher", "io.hostlet.QuotaKeeper.Release") == "org.varlink.service.PermissionDenied"
    assert error("hostlet-reconciler", "io.hostlet.QuotaKeeper.Release") == "org.varlink.service.InvalidParameter"
    assert "parameters" in call_as("hostlet-fetcher", ["hostlet"], tree, "quota-keeper", "org.varlink.service.GetInfo")
    # A right to an unknown method is a mistake, which a reload refuses; a service that starts with it is not restarted.
    services.take("quota-keeper", peers="hostlet-fetcher:Inform")
    told = tree.ctl("reload", check=False)
    assert told.returncode == 1 and "io.hostlet.QuotaKeeper has no method 'Inform'" in told.stderr
    assert error("hostlet-fetcher", "io.hostlet.QuotaKeeper.Info") is None
    tree.stop()
    tree.start(arguments=services.arguments)
    wait_for(tree, "quota-keeper", "failed")


def test_parsers_of_foreign_input_cannot_give_orders(make_tree):
    tree = make_tree({"container-driver": {"runtime": "null"}}).start()
    for method in ("Apply", "Plan", "Get", "List", "Start", "Stop", "Destroy", "Hold", "Release", "ImportSecret"):
        answer = call_as("hostlet-rpc-gateway", ["hostlet"], tree, "reconciler", f"io.hostlet.Reconciler.{method}")
        assert answer["error"] == "org.varlink.service.PermissionDenied", method
    answer = call_as("hostlet-rpc-gateway", ["hostlet"], tree, "reconciler", "io.hostlet.Reconciler.AgentReport")
    assert answer["error"] != "org.varlink.service.PermissionDenied"
    assert "error" not in call_as("hostlet-rpc-gateway", ["hostlet"], tree, "reconciler", "io.hostlet.Reconciler.Info")
    # Without a zone it serves agents alone, and has no orders of a zone to pass on.
    answer = call_as("hostlet-rpc-gateway", ["hostlet"], tree, "reconciler", "io.hostlet.Reconciler.PutZoneState")
    assert answer["error"] == "io.hostlet.RetryLater" and "follows no zone" in str(answer), answer
    for method in ("Ensure", "Release", "Remove", "Get", "Info"):
        answer = call_as("hostlet-rpc-gateway", ["hostlet"], tree, "quota-keeper", f"io.hostlet.QuotaKeeper.{method}")
        assert answer["error"] == "org.varlink.service.PermissionDenied", method
    for service in ("container-driver", "provisioner", "unpacker", "fetcher"):
        assert call_as("hostlet-rpc-gateway", ["hostlet"], tree, service, "x.Y")["error"] == "not opened", service


def test_a_service_can_call_the_methods_of_hostletd_that_its_conf_names(start, services):
    services.add("looker", user="hostlet-rpc-gateway", groups="hostlet", supervisor="List")
    services.add("other", user="hostlet-fetcher", groups="hostlet")
    tree = start()
    denied = "org.varlink.service.PermissionDenied"
    assert call_as("hostlet-rpc-gateway", ["hostlet"], tree, "hostletd", "io.hostlet.Supervisor.List").get("error") != denied
    for method in ("Watch", "Restart", "Stop"):
        assert call_as("hostlet-rpc-gateway", ["hostlet"], tree, "hostletd", f"io.hostlet.Supervisor.{method}")["error"] == denied, method
    assert call_as("hostlet-fetcher", ["hostlet"], tree, "hostletd", "io.hostlet.Supervisor.List")["error"] == "not opened"


@pytest.mark.parametrize("method", ["Restart", "Lists"])
def test_no_service_can_change_other_services(place, services, method):
    services.add("greedy", supervisor=method)
    result = run_hostletd("--prefix", place / "tree", *services.arguments, "--check")
    assert result.returncode == 100 and f"no method '{method}' that changes nothing" in result.stderr


@pytest.mark.skipif(VARIANT == "sanitized", reason="the sanitized build has no jail")
def test_services_are_jailed(start, services):
    services.take("quota-keeper")
    services.take("fetcher", start="always")
    services.take("unpacker", start="always")
    tree = start()
    own_net = os.stat(f"/proc/{tree.process.pid}/ns/net").st_ino
    expected = {"quota-keeper": ("root", "000000000020000c", False), "fetcher": ("hostlet-fetcher", "0" * 16, True),
                "unpacker": ("hostlet-unpacker", "0" * 16, False)}
    nets = {}
    for name, (user, capabilities, network) in expected.items():
        pid = wait_for(tree, name, "ready")["pid"]
        fields, nets[name] = identity(pid)
        number = str(pwd.getpwnam(user).pw_uid)
        assert fields["Uid"].split() == [number] * 4, name
        for field in ("CapPrm", "CapEff", "CapBnd"):
            assert fields[field] == capabilities, (name, field)
        assert fields["CapInh"] == fields["CapAmb"] == "0" * 16
        assert fields["NoNewPrivs"] == "1"
        assert (nets[name] == own_net) == network, name
        assert os.getpgid(pid) == pid
        # Undumpable: its files in /proc belong to root, whatever its user is.
        assert os.stat(f"/proc/{pid}/environ").st_uid == 0

        def few_descriptors(process=pid):
            descriptors = sorted(os.listdir(f"/proc/{process}/fd"), key=int)
            return descriptors[:4] == ["0", "1", "2", "3"] and len(descriptors) < 15
        # quota-keeper inspects the directories just after it is ready.
        ground.wait_until(few_descriptors, 5, f"{name} has few descriptors")
    assert nets["quota-keeper"] == nets["unpacker"]
    assert fields["Groups"].split() == []  # of the unpacker, which calls no other process


TRACE = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
sys.exit(ctypes.get_errno() if libc.ptrace(16, int(sys.argv[1]), 0, 0) < 0 else 0)
"""


@pytest.mark.skipif(VARIANT == "sanitized", reason="the sanitized build has no jail")
def test_a_service_cannot_be_traced_by_its_own_user(start, services):
    services.take("fetcher", start="always")
    tree = start()
    pid = status(tree, "fetcher")["pid"]
    user = pwd.getpwnam("hostlet-fetcher")
    result = subprocess.run([sys.executable, "-c", TRACE, str(pid)], user=user.pw_uid, group=user.pw_gid, extra_groups=[],
                            timeout=20)
    assert result.returncode == 1  # EPERM
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run(["cat", f"/proc/{pid}/environ"], user=user.pw_uid, group=user.pw_gid, extra_groups=[], check=True,
                       capture_output=True)


# Idle

def test_an_idle_tree_sleeps(make_tree, services):
    services.take("quota-keeper")
    services.take("fetcher")
    services.take("provisioner")
    tree = make_tree()
    tree.wrapper = ground.WITHOUT_OTHER_MOUNTS
    tree.start(arguments=services.arguments)
    pids = [tree.process.pid, status(tree, "quota-keeper")["pid"]]

    def switches():
        return [sum(int(line.split()[1]) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "ctxt_switches" in line)
                for pid in pids]

    def sleeps():
        before = switches()
        ground.let_pass(3)  # the measured condition is that nothing happens in this time
        return switches() == before

    ground.wait_until(sleeps, 60, "neither process wakes up for 3 s")


# The same programs under other supervisors

@pytest.fixture
def prepared(place):
    """Makes a prefix with its directories, and a copy of quota-keeper's service directory."""
    prefix = place / "tree"
    assert run_hostletd("--prefix", prefix, "--services", SOURCE / "svc", "--setup").returncode == 0
    directory = place / "quota-keeper"
    subprocess.run(["cp", "-r", BUILD / "svc/quota-keeper", directory], check=True)
    environment = {**os.environ, "HOSTLET_PREFIX": str(prefix), "HOSTLET_LIBEXEC": str(BUILD.resolve()),
                   "HOSTLET_SERVICES": str(SOURCE / "svc")}
    return Tree(prefix), directory, environment


def info_answers(tree):
    return bool(tree.call("quota-keeper", "Info")["ledger"])


def test_a_worker_runs_under_s6(prepared, place):
    tree, directory, environment = prepared
    supervisor = ground.start(["s6-supervise", directory], place / "s6.log", environment=environment)
    try:
        ground.wait_until(lambda: subprocess.run(["s6-svwait", "-U", "-t", "5000", directory], capture_output=True).returncode == 0,
                          10, "s6 sees its readiness")
        assert info_answers(tree)
        pid = int(subprocess.run(["s6-svstat", "-o", "pid", directory], capture_output=True, text=True).stdout)
        if VARIANT != "sanitized":
            assert identity(pid)[0]["CapBnd"] == "000000000020000c"
        os.kill(pid, signal.SIGKILL)

        def started_again():
            found = subprocess.run(["s6-svstat", "-o", "pid,ready", directory], capture_output=True, text=True, check=True)
            number, ready = found.stdout.split()
            return int(number) not in (pid, -1) and ready == "true"
        ground.wait_until(started_again, 10, "s6 has started it again")
        assert info_answers(tree)
        (tree.prefix / "etc/hostlet.conf").write_text("[nonsense]\nkey = 1\n")
        subprocess.run(["s6-svc", "-r", directory], check=True)
        ground.wait_until(lambda: "false" in subprocess.run(["s6-svstat", "-o", "wantedup", directory], capture_output=True,
                                                            text=True).stdout, 10, "s6 does not restart it after exit 100")
        assert "not started again until an administrator acts" in (place / "s6.log").read_text()
    finally:
        subprocess.run(["s6-svc", "-xd", directory], check=False)
        ground.stop(supervisor)


def test_a_worker_runs_under_runit(prepared, place):
    tree, directory, environment = prepared
    supervisor = ground.start(["runsv", directory], place / "runit.log", environment=environment)
    try:
        ground.wait_until(lambda: tree.socket("quota-keeper").exists() and info_answers(tree), 10, "it answers")
        (tree.prefix / "etc/hostlet.conf").write_text("[nonsense]\nkey = 1\n")
        os.kill(int((directory / "supervise/pid").read_text()), signal.SIGKILL)
        ground.wait_until(lambda: (directory / "supervise/stat").read_text().startswith("down"), 10,
                          "runit does not restart it after exit 100")
    finally:
        ground.stop(supervisor)


def test_a_worker_runs_when_started_by_hand(prepared, place):
    tree, _, environment = prepared
    process = ground.start([program("quota-keeper")], place / "hand.log", environment=environment)
    try:
        ground.wait_until(lambda: tree.socket("quota-keeper").exists() and info_answers(tree), 10, "it answers")
    finally:
        assert ground.stop(process) == 0
