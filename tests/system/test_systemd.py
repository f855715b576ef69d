"""Tests hostlet as a systemd service: what its unit and its manual promise to an administrator."""

import grp
import os
import pwd
import signal
import stat
import subprocess
from pathlib import Path

from filesystems import run
from installed import PATIENCE, dies, messages
from lib import ground

NULL = {"container-driver": {"runtime": "null"}}


def settled(services):
    """All services are in their expected state; services that nothing in the configuration needs are down."""
    return {s["state"] for s in services.values()} <= {"ready", "listening", "down"} and services["reconciler"]["state"] == "ready"


# Installed

def test_installation_creates_users_and_a_valid_unit():
    callers = {"reconciler", "rpc-gateway"}  # the others make no calls
    for name in ("reconciler", "fetcher", "unpacker", "container-driver", "rpc-gateway"):
        user = pwd.getpwnam(f"hostlet-{name}")
        assert user.pw_uid < 1000 and (user.pw_name in grp.getgrnam("hostlet").gr_mem) == (name in callers)
    verified = run("systemd-analyze", "verify", "--man=no", "/usr/local/lib/systemd/system/hostlet.service")
    assert verified.stdout + verified.stderr == ""


# Start and stop

def test_start_returns_when_the_tree_is_ready_and_stop_leaves_nothing(hostlet):
    hostlet.start(NULL)
    services = hostlet.services()
    assert settled(services), services
    assert hostlet.property("Type") == "notify" and hostlet.main_pid() in hostlet.processes()
    assert len(hostlet.processes()) == 1 + sum(1 for s in services.values() if s.get("pid"))
    sockets = {socket.stem: socket for socket in Path("/run/hostlet").glob("*.sock")}
    assert {"reconciler", "unpacker", "supervisor"} <= set(sockets)
    for socket in sockets.values():  # root and the users in an access list can open each; the mode shows its mask
        seen, listed = socket.stat(), "system.posix_acl_access" in os.listxattr(socket)
        assert (seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)) == (0, 0, 0o660 if listed else 0o600), socket
    hostlet.stop()
    assert hostlet.state() == "inactive" and hostlet.property("Result") == "success" and not hostlet.processes()


def test_lines_have_their_priorities_in_the_journal(hostlet):
    hostlet.start(NULL)
    dies(hostlet.children()["reconciler"])
    hostlet.active()
    told = ground.wait_until(lambda: [e for e in hostlet.journal(4) if "reconciler" in e["MESSAGE"]], PATIENCE,
                             "a warning about the killed reconciler")
    assert "signal KILL" in messages(told) and not messages(told).startswith("<")
    everything = [entry for entry in hostlet.journal() if entry.get("_COMM") == "hostletd"]
    assert {"6"} < {entry["PRIORITY"] for entry in everything}
    assert any(entry["MESSAGE"] == "hostletd: ready" and entry["PRIORITY"] == "6" for entry in everything)
    assert not [entry for entry in everything if entry["MESSAGE"].startswith("<")]
    assert {entry["SYSLOG_IDENTIFIER"] for entry in everything} == {"hostletd"}


# Reload

def test_reload_restarts_changed_services_alone(hostlet):
    hostlet.start(NULL)
    before, main = hostlet.children(), hostlet.main_pid()
    hostlet.configure({**NULL, "reconciler": {"parallel_first": 3}})
    hostlet.systemctl("reload")
    after = ground.wait_until(lambda: hostlet.services()["reconciler"]["state"] == "ready" and hostlet.children(), PATIENCE,
                              "the reconciler runs again")
    assert after.pop("reconciler") != before.pop("reconciler") and after == before
    assert hostlet.main_pid() == main and hostlet.state() == "active"


def test_reload_of_an_invalid_file_fails_with_a_message_and_changes_nothing(hostlet):
    hostlet.start(NULL)
    before, main = hostlet.children(), hostlet.main_pid()
    hostlet.configure({**NULL, "reconciler": {"parallel_frist": 3}})
    assert hostlet.systemctl("reload", check=False).returncode != 0
    told = messages(hostlet.journal(3))
    assert "/etc/hostlet/hostlet.conf:5: unknown key 'parallel_frist' in [reconciler]" in told and "nothing changes" in told
    assert hostlet.children() == before and hostlet.main_pid() == main and hostlet.state() == "active"


def test_a_plain_sighup_is_a_reload_that_systemd_sees(hostlet):
    hostlet.start(NULL)
    main = hostlet.main_pid()
    hostlet.mark()
    hostlet.signal(signal.SIGHUP)
    ground.wait_until(lambda: "configuration read anew" in hostlet.log(), PATIENCE, "it is reloaded")
    assert hostlet.active() == main


# What goes wrong

def test_hostletd_is_restarted_however_often_it_is_killed(hostlet):
    hostlet.drop_in("[Service]\nRestartSec=100ms\n")
    hostlet.start(NULL)
    main = hostlet.main_pid()
    for _ in range(7):  # systemd's own limit would be 5 in 10 s
        os.kill(main, signal.SIGKILL)
        main = ground.wait_until(lambda old=main: hostlet.main_pid() not in (0, old) and hostlet.main_pid(), PATIENCE, "the next process")
    hostlet.active()
    assert hostlet.property("NRestarts") == "7"


def test_an_invalid_configuration_is_not_retried(hostlet):
    hostlet.configure(text="[hostlet]\nlog_levle = debug\n")
    assert hostlet.systemctl("start", check=False).returncode != 0
    assert hostlet.state() == "failed" and hostlet.property("ExecMainStatus") == "100"
    assert hostlet.property("NRestarts") == "0"
    assert "hostlet.conf:2: unknown key 'log_levle' in [hostlet]" in messages(hostlet.journal(3))


def test_out_of_memory_in_its_control_group_does_not_end_the_tree(hostlet):
    hostlet.start(NULL)
    main, group = hostlet.main_pid(), Path("/sys/fs/cgroup/system.slice/hostlet.service")
    (group / "memory.max").write_text(str(160 << 20))
    glutton = subprocess.Popen(["/usr/bin/python3", "-c", "import sys; sys.stdin.read(1); len(bytearray(600 << 20))"],
                               stdin=subprocess.PIPE)
    (group / "cgroup.procs").write_text(str(glutton.pid))
    hostlet.mark()
    glutton.communicate(b"x", timeout=PATIENCE)
    assert glutton.returncode == -signal.SIGKILL
    ground.wait_until(lambda: "OOM killer" in messages(hostlet.journal()), PATIENCE, "systemd sees it")
    assert hostlet.active() == main and hostlet.property("NRestarts") == "0"
    assert settled(hostlet.services())
