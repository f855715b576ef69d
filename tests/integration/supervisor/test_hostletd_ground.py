"""Tests hostletd's configuration and its tree's directories; one supervisor for each tree."""

import grp
import pwd
import shutil
import signal
import subprocess

import pytest
from lib import ground
from lib.services import Call, all_services, reload, run_hostletd, status, wait_for
from lib.tree import BUILD, SOURCE, Tree, program

pytestmark = pytest.mark.sanitized


# Reload

def test_reload_restarts_what_changed_and_nothing_else(start, services):
    services.add("reads", config_sections="fetcher")
    services.add("other", config_sections="unpacker")
    services.add("goes")
    tree = start({"fetcher": {"attempts": 3}})
    before = all_services(tree)
    reload(tree, "0 services changed, 0 new, 0 removed, 3 unchanged")
    assert {n: s["pid"] for n, s in all_services(tree).items()} == {n: s["pid"] for n, s in before.items()}

    tree.write_config({"fetcher": {"attempts": 4}})
    services.add("comes")
    services.drop("goes")
    reload(tree, "1 services changed, 1 new, 1 removed, 1 unchanged")
    wait_for(tree, "reads", "ready")
    wait_for(tree, "comes", "ready")
    ground.wait_until(lambda: "goes" not in all_services(tree), 5, "the removed service no longer exists")
    after = all_services(tree)
    assert after["other"]["pid"] == before["other"]["pid"]
    assert after["reads"]["pid"] != before["reads"]["pid"]
    assert not tree.socket("goes").exists()
    assert "parameters" in Call(tree, "comes").answer()


def test_reload_lets_a_service_read_its_files_again(start, services):
    """One that is not ready yet receives the signal when it is."""
    body = "signal.signal(signal.SIGHUP, lambda *_: record('reads'))\n"
    services.add("reads", body + "ready()\nrest()\n", reload="yes")
    services.add("slow", "until('go')\n" + body + "ready()\nrest()\n", reload="yes")
    services.add("changes", body + "ready()\nrest()\n", reload="yes", config_sections="fetcher")
    services.add("plain", "signal.signal(signal.SIGHUP, signal.SIG_DFL)\nready()\nrest()\n")
    tree = start({"fetcher": {"attempts": 3}}, wait=False)
    for name in ("reads", "changes", "plain"):
        wait_for(tree, name, "ready")
    before = all_services(tree)
    tree.write_config({"fetcher": {"attempts": 4}})
    reload(tree, "1 services changed, 0 new, 0 removed, 3 unchanged")
    ground.wait_until(lambda: services.count("reads reads") == 1, 5, "it reads again")
    services.set("go")
    ground.wait_until(lambda: services.count("slow reads") == 1, 5, "the slow one, too")
    wait_for(tree, "changes", "ready")
    after = all_services(tree)
    assert {n for n in after if after[n]["pid"] != before[n].get("pid")} == {"changes"} and services.count("changes reads") == 0


def test_a_watch_reports_a_removed_service(start, services):
    services.add("goes")
    tree = start()
    with tree.connect("hostletd") as connection:
        stream = connection.stream("io.hostlet.Supervisor.Watch")
        assert next(stream)["service"]["name"] == "goes" and next(stream) == {"complete": True}
        services.drop("goes")
        reload(tree, "0 services changed, 0 new, 1 removed, 0 unchanged")
        last = next(answer for answer in stream if answer.get("gone"))
    assert last["service"]["name"] == "goes"


def test_reload_follows_service_conf(start, services):
    services.add("worker", socket="old")
    tree = start()
    pid = Call(tree, "old").answer()["parameters"]["pid"]
    services.add("worker", socket="new")
    reload(tree, "1 services changed")
    ground.wait_until(lambda: tree.socket("new").exists(), 5, "the new socket")
    assert Call(tree, "new").answer()["parameters"]["pid"] != pid
    assert not tree.socket("old").exists()


@pytest.mark.parametrize("what", ["key", "secret", "service", "circle"])
def test_bad_file_changes_nothing_and_is_reported(start, services, what):
    services.add("reads", config_sections="fetcher")
    tree = start({"fetcher": {"attempts": 3}})
    pid = status(tree, "reads")["pid"]
    if what == "key":
        tree.write_config({"fetcher": {"attempts": 4, "atempts": 5}})
        expected = "etc/hostlet.conf:3: unknown key 'atempts' in [fetcher]"
    elif what == "secret":  # every user can read the file
        tree.write_config({"fetcher": {"attempts": 4, "repositories": "https://me:s3cr3t@h/x"}})
        expected = "etc/hostlet.conf:3: [fetcher] repositories: a URL contains user or password, and other users may read this file"
    elif what == "service":
        tree.write_config({"fetcher": {"attempts": 4}})
        services.write("reads", exec="/bin/true", start="sometimes")
        expected = "reads/service.conf:3: unknown key or bad value: start = sometimes"
    else:
        services.add("reads", needs="reads")
        expected = "service 'reads': its need 'reads' is part of a cycle of needs, or leads to one"
    tree.process.send_signal(signal.SIGHUP)
    ground.wait_until(lambda: "nothing changes: " in tree.log(), 5, "the mistake is reported")
    told = tree.ctl("reload", check=False)
    assert told.returncode == 1 and "nothing changes: " in told.stderr and expected in told.stderr
    assert expected in tree.log() and "s3cr3t" not in tree.log() + told.stderr
    assert status(tree, "reads")["pid"] == pid and status(tree, "reads")["state"] == "ready"


# One tree, one supervisor

def test_second_tree_on_the_same_prefix_is_refused(start, services):
    services.add("one")
    tree = start()
    second = run_hostletd("--prefix", tree.prefix, *services.arguments)
    assert second.returncode == 1
    holder = ground.holder_of_locks(tree.prefix, tree.process.pid, "hostletd")
    assert f"({tree.prefix}) runs already: {holder} holds the lock" in second.stderr
    assert "parameters" in Call(tree, "one").answer()
    tree.stop()
    assert not (tree.prefix / "run/hostletd.pid").exists()


def test_two_trees_side_by_side(start, services):
    services.add("one")
    first, second = start(name="first"), start(name="second")
    assert Call(first, "one").answer() != Call(second, "one").answer()
    assert (first.prefix / "var/hostlet/tree.id").read_text() != (second.prefix / "var/hostlet/tree.id").read_text()


def test_children_of_a_killed_hostletd_exit_and_the_next_start_recovers(start, services):
    services.add("one", "ready()\nif os.fork() == 0:\n    rest()\nserve()\n")
    services.take("quota-keeper")
    services.add("blocked", "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\nready()\nrest()\n", stop_timeout="500ms")
    tree = start()
    identifier = (tree.prefix / "var/hostlet/tree.id").read_text()
    children = [service["pid"] for service in all_services(tree).values()]
    tree.process.kill()
    tree.process.wait()
    ground.wait_until(lambda: not any(map(ground.alive, children)), 5, "the children end")
    assert tree.socket("one").exists() and (tree.prefix / "run/hostletd.pid").exists()
    tree.start(arguments=services.arguments)
    assert "parameters" in Call(tree, "one").answer()
    assert (tree.prefix / "var/hostlet/tree.id").read_text() == identifier


def test_socket_paths_beyond_107_bytes(make_tree, services, place):
    services.take("quota-keeper")
    tree = Tree(place / ("deep-" + "d" * 150))
    try:
        tree.start(arguments=services.arguments)
        assert len(str(tree.socket("quota-keeper"))) > 107
        assert status(tree, "quota-keeper")["state"] == "ready"
        assert tree.call("quota-keeper", "Info")["ledger"]
    finally:
        tree.stop()


def test_prefix_that_a_service_user_cannot_enter(make_tree, services, place):
    services.take("fetcher")
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    (closed / "tree").mkdir()
    result = run_hostletd("--prefix", closed / "tree", *services.arguments)
    assert result.returncode == 100
    assert f"user 'hostlet-fetcher' of service 'fetcher' cannot enter '{closed}'" in result.stderr
    closed.chmod(0o711)
    tree = Tree(closed / "tree")
    try:
        tree.start(arguments=services.arguments)
    finally:
        assert tree.stop() == 0


# Directories

def test_directories_and_id(place):
    prefix = place / "new"
    assert run_hostletd("--prefix", prefix, "--services", SOURCE / "svc", "--setup").returncode == 0
    found = {}
    for path in prefix.rglob("*"):
        information = path.stat()
        found[str(path.relative_to(prefix))] = (pwd.getpwuid(information.st_uid).pw_name, oct(information.st_mode & 0o7777))
    assert found == {
        "apps": ("root", "0o755"), "bin": ("root", "0o755"), "etc": ("root", "0o755"), "etc/hostlet.conf.d": ("root", "0o755"),
        "run": ("root", "0o755"), "var/hostlet/hostletd.lock": ("root", "0o600"), "var": ("root", "0o755"),
        "var/hostlet": ("root", "0o755"), "var/hostlet/tree.id": ("root", "0o644"),
        "var/hostlet/reconciler": ("hostlet-reconciler", "0o700"), "var/hostlet/container-driver": ("hostlet-container-driver", "0o700"),
        "var/hostlet/fetcher": ("hostlet-fetcher", "0o700"), "var/hostlet/unpacker": ("hostlet-unpacker", "0o700"),
        "var/hostlet/provisioner": ("root", "0o700"), "var/hostlet/quota-keeper": ("root", "0o700"),
        "var/hostlet/net-keeper": ("hostlet-net-keeper", "0o700"),
        "var/hostlet/rpc-gateway": ("hostlet-rpc-gateway", "0o700"), "var/hostlet/zone": ("hostlet-rpc-gateway", "0o2750"),
        "var/hostlet/agents": ("root", "0o755"), "var/ipk": ("hostlet-fetcher", "0o755"), "var/ipk_install": ("root", "0o755"),
        "var/ipk_install/.staging": ("hostlet-unpacker", "0o700")}
    assert grp.getgrgid((prefix / "run").stat().st_gid).gr_name == "hostlet"
    identifier = (prefix / "var/hostlet/tree.id").read_text()
    assert run_hostletd("--prefix", prefix, "--services", SOURCE / "svc", "--setup").returncode == 0
    assert (prefix / "var/hostlet/tree.id").read_text() == identifier and len(identifier) == 37


def test_unsafe_directories_are_corrected_or_refused(place, services):
    services.take("fetcher")
    prefix = place / "old"
    setup = ("--prefix", prefix, *services.arguments, "--setup")
    for path, mode in (("var", 0o777), ("var/ipk", 0o700), ("etc", 0o750), ("run", 0o775)):
        (prefix / path).mkdir(parents=True, exist_ok=True)
        (prefix / path).chmod(mode)
    prefix.chmod(0o755)
    result = run_hostletd(*setup)
    # The fetcher's directory keeps the administrator's mode, but belongs to the fetcher's user, who must be able to enter.
    assert result.returncode == 0, result.stderr
    assert (prefix / "var").stat().st_mode & 0o777 == 0o755
    assert (prefix / "run").stat().st_mode & 0o777 == 0o755
    assert (prefix / "etc").stat().st_mode & 0o777 == 0o750
    assert (prefix / "var/ipk").stat().st_mode & 0o777 == 0o700
    assert (prefix / "var/ipk").stat().st_uid == pwd.getpwnam("hostlet-fetcher").pw_uid
    assert f"'{prefix}/var' had mode 0777: others may not write there any more" in result.stderr
    prefix.chmod(0o1777)
    result = run_hostletd(*setup)
    assert result.returncode == 100
    assert f"'{prefix}' belongs to user 0 and has mode 1777: nobody but root may be able to write there" in result.stderr


def test_symbolic_links_in_the_tree_are_not_followed(place, services):
    services.take("fetcher")
    prefix = place / "linked"
    (prefix / "var").mkdir(parents=True)
    (place / "elsewhere").mkdir(mode=0o700)
    (prefix / "var/ipk").symlink_to(place / "elsewhere")
    result = run_hostletd("--prefix", prefix, *services.arguments, "--setup")
    assert result.returncode == 100
    assert f"'{prefix}/var/ipk' is not a directory (a symbolic link is not followed here)" in result.stderr
    assert (place / "elsewhere").stat().st_uid == 0


def test_check_reads_everything_and_changes_nothing(place, services):
    services.take("fetcher")
    prefix = place / "checked"
    (prefix / "etc").mkdir(parents=True)
    check = ("--prefix", prefix, *services.arguments, "--libexec", BUILD, "--check")
    result = run_hostletd(*check)
    assert result.returncode == 0 and not (prefix / "var").exists()
    (prefix / "etc/hostlet.conf").write_text("[fetcher]\nattempts = many\n")
    result = run_hostletd(*check)
    assert result.returncode == 100
    assert f"{prefix}/etc/hostlet.conf:2: attempts = many: expected a number" in result.stderr
    part = prefix / "etc/hostlet.conf.d/10-secret.conf"
    (prefix / "etc/hostlet.conf").unlink()
    part.parent.mkdir()
    part.write_text("[fetcher]\nrepositories = https://me:s3cr3t@h/x\n")
    result = run_hostletd(*check)
    assert result.returncode == 100 and f"{part}:2: [fetcher] repositories" in result.stderr and "s3cr3t" not in result.stderr
    part.chmod(0o600)
    assert run_hostletd(*check).returncode == 0


def test_bad_configuration_refuses_to_start(place, services):
    services.add("one", needs="nobody")
    result = run_hostletd("--prefix", place / "tree", *services.arguments)
    assert result.returncode == 100
    assert "service 'one': it needs 'nobody', and there is no service of that name" in result.stderr


def test_only_root_may_start_it(place):
    # A copy in a directory that every user can enter: the build may be below /root.
    copy = shutil.copy(program("hostletd"), place / "hostletd")
    result = subprocess.run([copy, "--prefix", place], user="nobody", group="nogroup", extra_groups=[], capture_output=True,
                            text=True, timeout=20, check=False)
    assert result.returncode == 100 and "must be started by root" in result.stderr


def test_command_line():
    assert run_hostletd("--version").stdout.startswith("hostletd (hostlet) ")
    help_text = run_hostletd("--help").stdout
    for option in ("--prefix", "--services", "--libexec", "--log-format", "--notification-fd", "--setup", "--check"):
        assert option in help_text
    assert run_hostletd("--nonsense").returncode == 2
    assert "unexpected argument 'word'" in run_hostletd("word").stderr
    assert "no open descriptor" in run_hostletd("--notification-fd", "77").stderr
    assert "is not an absolute path" in run_hostletd("--prefix", "here").stderr
