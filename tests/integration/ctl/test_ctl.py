"""Tests hostletctl: manifests from files, its output and exit codes, against fake services (lib/fakes.py), so that every reply
can be produced. The behaviour of the real tree is tested elsewhere."""

import errno
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest

from lib.fakes import FakeService, Hangup, Refusal, listed
from lib.ground import wait_until
from lib.tree import SOURCE, has_program, program

pytestmark = [pytest.mark.sanitized,
              pytest.mark.skipif(not has_program("hostletctl"), reason="this build has no hostletctl")]

VECTORS = SOURCE / "tests" / "vectors"
OK, FAILED, USAGE, DOWN, TIMEOUT = 0, 1, 2, 3, 4
MINIMAL = 'name = "web"\nimage = "demo:1"\n'


# Ground

class Ctl:
    def __init__(self, prefix):
        self.prefix = prefix
        self.fakes = []

    def __call__(self, *words, expect=OK, stdin="", environment=None, timeout=30):
        result = subprocess.run([program("hostletctl"), "--prefix", self.prefix, *map(str, words)], input=stdin, text=True,
                                capture_output=True, timeout=timeout, env={**os.environ, **(environment or {})})
        assert result.returncode == expect, f"exit {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result

    def start(self, *words):
        return subprocess.Popen([program("hostletctl"), "--prefix", self.prefix, *map(str, words)], text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def json(self, *words, **options):
        return json.loads(self(*words, "--json", **options).stdout)

    def terminal(self, *words, environment=None, timeout=30, encoding="utf-8"):
        """Runs it on a terminal of its own: returns the exit code and all output (bytes without an encoding)."""
        pid, master = pty.fork()
        if pid == 0:
            os.environ.update({"TERM": "xterm", **(environment or {})})
            os.execv(program("hostletctl"), ["hostletctl", "--prefix", str(self.prefix), *map(str, words)])
        text, deadline = b"", time.monotonic() + timeout
        while time.monotonic() < deadline:
            if not select.select([master], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(master, 65536)
            except OSError as error:
                assert error.errno == errno.EIO
                break
            if not data:
                break
            text += data
        else:
            os.kill(pid, signal.SIGKILL)
        os.close(master)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text.decode(encoding) if encoding else text

    def fake(self, name, **handlers):
        service = FakeService(self.prefix, name, handlers)
        self.fakes.append(service)
        return service


@pytest.fixture
def ctl(place):
    made = Ctl(place)
    yield made
    for service in made.fakes:
        service.close()


def now():
    return int(time.time() * 1000)


def stage(name, state, revision=1, message=None, attempt=0, took=1500, at=None):
    begun = at or now() + 5000  # after the command that is started next
    made = {"name": name, "owner": "hostlet", "revision": revision, "state": state, "created": begun}
    if attempt:
        made["attempt"] = attempt
    if state in ("success", "failed"):
        made["finished"] = begun + took
    if message:
        made["message"] = message
    return made


def replica(number=0, state="running", **more):
    return {"id": number, "container": f"i8k_web_{number}", "state": state, **more}


def instance(replicas=None, **more):
    return {"name": "web", "origin": "local", "action": "start", "revision": 1, "spec": "web", "version": "1.0.0",
            "image": "demo:1", "settled": True, "failed": False,
            "replicas": replicas if replicas is not None else [replica()], **more}


def applied(changed=True, revision=1, **more):
    return {"name": "web", "revision": revision, "changed": changed, **more}


def reconciler(ctl, states, answer=None, **handlers):
    """Provides a reconciler that accepts every manifest, and whose Watch shows 'states' one after the other and then stays open."""
    def watch(_):
        for state in states:
            yield {"instance": state} if "name" in state else state
        yield {}
        threading.Event().wait(20)
    return ctl.fake("reconciler", Apply=lambda _: answer or applied(), Watch=watch, **handlers)


@pytest.fixture
def manifest(place):
    path = place / "web.toml"
    path.write_text(MINIMAL)
    return path


# The command line

COMMANDS = ["apply", "plan", "convert", "apps", "app", "start", "stop", "destroy", "logs", "status", "services",
            "service start", "service stop", "service restart", "reload", "package build", "package inspect", "package index",
            "package list", "package fetch", "task run", "describe", "version"]


def test_help_of_a_group(ctl):
    text = ctl("quota", "--help").stdout
    assert "Usage: hostletctl quota list\n" in text and "Usage: hostletctl quota recheck [CONTAINER]\n" in text


def test_help_lists_all_commands(ctl):
    text = ctl("--help").stdout
    for command in COMMANDS:
        assert f"  {command} " in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(ctl, command):
    for flag in ("--help", "-h"):
        text = ctl(*command.split(), flag).stdout
        assert text.startswith(f"Usage: hostletctl {command}")
        assert "--json" in text and "(null)" not in text


@pytest.mark.parametrize("command", COMMANDS)
def test_man_page_names_each_command(command):
    assert f"*{command}*" in (SOURCE / "man" / "hostletctl.8.scd").read_text()


@pytest.mark.parametrize("words, message", [
    ([], "a command is missing"),
    (["frobnicate"], "there is no command 'frobnicate'"),
    (["service"], "Usage: hostletctl service start NAME"),
    (["service", "frob", "x"], "there is no command 'service frob'"),
    (["apply"], "FILE|DIR|- is missing"),
    (["apps", "web"], "unexpected argument 'web'"),
    (["apps", "--frob"], "unrecognized option '--frob'"),
    (["--frob", "apps"], "unrecognized option '--frob'"),
    (["start", "web", "--timeout", "soon"], "--timeout: 'soon' is no duration"),
    (["logs", "web", "--tail", "-1"], "--tail: '-1' is no number from 0"),
    (["start", ""], "start: argument 1 is empty"),
    (["logs", "web", "--since", "yesterday"], "--since: 'yesterday' is no duration"),
    (["logs", "web/x"], "'x' is no id of a replica"),
    (["logs", "web/128"], "'128' is no id of a replica"),
    (["logs", "web", "--json"], "no JSON form"),
    (["zone", "init", "nonsense"], "'nonsense' is no ADDRESS:PORT"),
    (["zone", "init", "10.0.0.1:9533", "10.0.0.2:99999"], "'10.0.0.2:99999' is no ADDRESS:PORT"),
    (["zone", "init", "fd00::1:9533"], "'fd00::1:9533' is no ADDRESS:PORT"),
    (["zone", "init", ":9533"], "':9533' is no ADDRESS:PORT"),
    (["package", "build", "/tmp"], "--name is missing"),
    (["package", "build", "/tmp", "--name", "a"], "--version is missing"),
    (["package", "build", "/tmp", "--name", "a", "--version", "1", "--compress", "rar"], "'rar' is none of"),
])
def test_wrong_command_line(ctl, words, message):
    result = ctl(*words, expect=USAGE)
    assert message in result.stderr and result.stdout == ""


def test_wrong_prefix(ctl):
    ctl.prefix = "relative"
    assert "'relative' is not an absolute path" in ctl("apps", expect=USAGE).stderr


def test_options_stand_before_and_behind_the_command(ctl, place):
    fake = ctl.fake("reconciler", List=lambda _: listed("instance", []))
    ctl.prefix = place / "elsewhere"
    assert ctl("--json", "apps", "--prefix", place).stdout == "[]\n"
    assert ctl("apps", "--json", "--prefix", str(place)).stdout == "[]\n"
    assert len(fake.calls) == 2


def test_version(ctl):
    assert re.fullmatch(r"hostletctl \(hostlet\) \d+\.\d+\.\d+\n", ctl("--version").stdout)
    assert re.match(r"hostlet \d+\.\d+\.\d+", ctl("version").stdout)
    assert ctl.json("version")["version"]


# Manifests

@pytest.mark.parametrize("name", ["web", "demo"])
def test_convert_samples_unchanged(ctl, name):
    """The original's app-spec files are valid manifests, and their canonical form is a manifest again."""
    made = ctl.json("convert", VECTORS / "app-spec" / f"{name}.toml")
    assert made["app"]["deploy"]["replicas"] == [{"id": 0}] or made["app"]["deploy"]["replicas"] == [{}]
    assert made["hostlet"]["init"] == "inagent"
    again = ctl.json("convert", "-", stdin=json.dumps(made))
    assert again == made


def test_convert_whole_instance(ctl):
    """A whole AppInstance as a leader sends it is accepted; name, spec, limits, configs, action, replica ids and ports are used."""
    given = {"meta": {"id": "0123", "name": "web", "user": "u", "created": 1},
             "spec": {"name": "web", "image": "demo:1", "service_ports": [{"name": "http", "port": 80}]},
             "deploy": {"action": "stop", "revision": 9, "cpu_limit": 100, "replicas": [
                 {"id": 2, "host_id": "ab", "vpc_ipv4": "10.1.1.1",
                  "service_ports": [{"name": "http", "port": 80, "host_port": 20001, "lan_addr": "10.0.0.1"}]}],
                 "stages": {"name": "deploy"}},
             "status": {"id": "x"}}
    made = ctl.json("convert", "-", stdin=json.dumps(given))
    assert made["app"]["meta"] == {"name": "web"}
    assert made["app"]["deploy"] == {
        "action": "stop", "cpu_limit": 100, "replica_cap": 1,
        "replicas": [{"id": 2, "service_ports": [{"name": "http", "port": 80, "host_port": 20001}]}]}
    assert "status" not in made["app"]


@pytest.mark.parametrize("name, text, message", [
    ("web.toml", 'name = "web"\nimage = "x:1"\nimagee = "y"\n', "web.toml:3: imagee: unknown member"),
    ("web.toml", 'name = "web"\nimage = \n', "web.toml:2:"),
    ("web.toml", 'name = "web"\nimage = "x:1"\n[hostlet]\nreplica = 2\n', "web.toml:4: hostlet.replica: unknown member"),
    ("web.toml", 'name = "web"\nimage = "x:1"\n[resources]\nmemory_limit = "lots"\n',
     "web.toml:4: resources.memory_limit: 'lots'"),
    ("web.toml", 'name = "web"\nimage = "x:1"\n[[depends]]\nname = "db"\n', "web.toml:3: depends[0]: "),
    ("web.json", '{"name": "web", "image": 1}', "web.json: /image: expected a string"),
    ("web.json", '{"name": "web",}', "web.json:1:"),
    ("web.json", '{"spec": {"name": "web", "image": "x", "tasks": [{"name": "a", "depends_on": ["b"]}]}}',
     "web.json: /spec/tasks/0/depends_on/0: 'b' is no task"),
])
def test_bad_manifest(ctl, place, name, text, message):
    """Each command that reads manifests prints one clear message with file, line or pointer, and field, and makes no call."""
    fake = reconciler(ctl, [])
    path = place / name
    path.write_text(text)
    for command in ("convert", "plan", "apply"):
        result = ctl(command, path, expect=FAILED)
        assert f"{place}/{message}" in result.stderr
        assert result.stderr.count("\n") == 1 and result.stdout == ""
    assert fake.calls == []


def test_missing_manifest(ctl, place):
    assert f"cannot open '{place}/none.toml': No such file" in ctl("apply", place / "none.toml", expect=FAILED).stderr
    assert "is not a regular file" in ctl("convert", "/dev/null", expect=FAILED).stderr


def test_manifest_by_symlink(ctl, place, manifest):
    (place / "link.toml").symlink_to(manifest)
    assert ctl.json("convert", place / "link.toml")["app"]["spec"]["image"] == "demo:1"


# apply

def test_apply_waits_and_shows_stages(ctl, manifest):
    begun = [stage("image_pull", "success", took=1200)]
    states = [
        instance([replica(state="starting", step="preparing")], settled=False),
        instance([replica(state="starting", stages=begun)], settled=False),
        instance([replica(stages=begun + [stage("container_running", "success", took=0)])]),
    ]
    fake = reconciler(ctl, states, applied(changes=[
        {"subject": "replica 0", "action": "create", "reason": "there is no container"}]))
    text = ctl("apply", manifest).stdout
    assert text == ("web: applied, revision 1\n"
                    "  replica 0: create (there is no container)\n"
                    "  web/0  image_pull         success  1.2 s\n"
                    "  web/0  container_running  success\n"
                    "web: revision 1 is running (1 replica)\n")
    sent = fake.called("Apply")[0]["manifest"]
    assert sent["app"]["spec"]["image"] == "demo:1" and sent["hostlet"]["pids_limit"] == 100
    assert fake.called("Watch") == [{"name": "web"}]


def test_apply_reads_standard_input(ctl):
    fake = reconciler(ctl, [instance()])
    ctl("apply", "-", stdin=MINIMAL)
    ctl("apply", "-", stdin='{"name": "web", "image": "demo:2"}')
    assert [call["manifest"]["app"]["spec"]["image"] for call in fake.called("Apply")] == ["demo:1", "demo:2"]


def test_apply_unchanged(ctl, manifest):
    reconciler(ctl, [instance(revision=4)], applied(changed=False, revision=4))
    assert ctl("apply", manifest).stdout == "web: unchanged (revision 4)\n"
    assert ctl.json("apply", manifest)["changed"] is False


def test_apply_no_wait(ctl, manifest):
    fake = reconciler(ctl, [])
    assert ctl("apply", "--no-wait", manifest).stdout == "web: applied, revision 1\n"
    assert fake.called("Watch") == []


def test_apply_json(ctl, manifest):
    reconciler(ctl, [instance(settled=False), instance()])
    made = ctl.json("apply", manifest)
    assert made["name"] == "web" and made["changed"] and made["instance"]["replicas"][0]["state"] == "running"


def test_apply_fails_at_the_first_failed_stage(ctl, manifest):
    reconciler(ctl, [instance([replica(state="starting", stages=[
        stage("image_pull", "failed", message="no such image: demo:1")])], settled=False, next_retry=now() + 5000,
        next="the preparation is tried again", next_at=now() + 5500)])
    result = ctl("apply", manifest, expect=FAILED)
    assert "web: replica 0: image_pull failed: no such image: demo:1" in result.stderr
    assert re.search(r"^hostletctl: error:   the preparation is tried again in [45]\.\d s$", result.stderr, re.MULTILINE)
    assert "web/0  image_pull         failed  1.5 s  no such image: demo:1" in result.stdout


def test_apply_shows_the_last_lines_of_a_log(ctl, manifest):
    """A message of several lines is shown as one line in tables and progress, and whole where it is the reason."""
    message = "exited with code 7:\nstarted\n\x1b[31mbad\n"
    failed = instance([replica(state="failed", message=message, stages=[
        stage("container_running", "failed", message=message)])], failed=True, message="the rollout stopped")
    reconciler(ctl, [failed], Get=lambda _: {"instance": failed, "manifest": {"app": {}}},
               List=lambda _: listed("instance", [failed]))
    result = ctl("apply", manifest, expect=FAILED)
    assert "container_running failed: exited with code 7: …\n    started\n    ?[31mbad\n" in result.stderr
    assert "web: the rollout stopped\n" in result.stderr and result.stderr.count("started") == 1
    assert "failed  1.5 s  exited with code 7: …\n" in result.stdout and "rollout" not in result.stdout
    assert "replica 0, last lines:\n  started\n  ?[31mbad\n" in ctl("app", "web").stdout
    assert len(ctl("apps").stdout.splitlines()) == 2


def test_apply_fails_when_the_instance_has_failed(ctl, manifest):
    reconciler(ctl, [instance([replica(state="failed", message="port 80 is taken")], failed=True)])
    result = ctl("apply", manifest, expect=FAILED)
    assert "web: replica 0 is failed: port 80 is taken" in result.stderr
    assert "again" not in result.stderr  # the reconciler plans nothing


def test_apply_ignores_earlier_states_and_failures(ctl, manifest):
    """A state of the old revision, and a failure that is older than the request, do not end apply."""
    old = instance([replica(state="failed", stages=[stage("image_pull", "failed", revision=1)])], failed=True)
    stale = instance([replica(stages=[stage("image_pull", "failed", revision=2, at=now() - 60000)])], revision=2,
                     settled=False)
    reconciler(ctl, [old, stale, instance(revision=2)], applied(revision=2))
    text = ctl("apply", manifest).stdout
    assert "web: revision 2 is running" in text and "image_pull" not in text


def test_apply_fails_at_a_stage_that_fails_after_the_clock_was_set_back(ctl, manifest):
    stages = [[stage("image_pull", "running")], [stage("image_pull", "failed", message="no such image", at=now() - 3600000)]]
    reconciler(ctl, [instance([replica(state="starting", stages=s)], settled=False) for s in stages])
    result = ctl("apply", manifest, expect=FAILED)
    assert "image_pull failed: no such image" in result.stderr and "image_pull         failed" in result.stdout


def test_apply_is_superseded(ctl, manifest):
    reconciler(ctl, [instance(revision=3, settled=False)])
    assert "another request has replaced this one: revision 3" in ctl("apply", manifest, expect=FAILED).stderr


def test_apply_of_an_instance_that_is_destroyed_meanwhile(ctl, manifest):
    reconciler(ctl, [instance(settled=False), {"gone": True}])
    assert "was destroyed meanwhile" in ctl("apply", manifest, expect=FAILED).stderr


def test_apply_times_out(ctl, manifest):
    reconciler(ctl, [instance([replica(state="starting")], settled=False)])
    result = ctl("apply", manifest, "--timeout", "300ms", expect=TIMEOUT)
    assert "web: not done within 300 ms; the work continues, and 'hostletctl app web' shows it" in result.stderr


def test_an_interrupted_apply_continues_in_the_reconciler(ctl, manifest):
    fake = reconciler(ctl, [instance([replica(state="starting")], settled=False)])
    process = ctl.start("apply", manifest)
    wait_until(lambda: fake.called("Watch"), 10, "it waits")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == TIMEOUT
    assert "the wait was interrupted; the work continues" in errors


def test_apply_waits_and_shows_that_the_runtime_is_unreachable(ctl, manifest):
    away = instance([replica(state="starting")], settled=False, failed=True, message="the runtime is not reachable")
    reconciler(ctl, [away, away, instance()])
    text = ctl("apply", manifest).stdout
    assert text.count("  web  the runtime is not reachable\n") == 1
    assert "web: revision 1 is running" in text


def test_apply_fails_when_the_runtime_stays_unreachable(ctl, manifest):
    away = instance([replica(state="starting")], settled=False, failed=True, message="the runtime is not reachable",
                    next="it continues when the runtime answers")
    reconciler(ctl, [away])
    result = ctl("apply", manifest, expect=FAILED)
    assert "web: the runtime is not reachable" in result.stderr and "  it continues when the runtime answers" in result.stderr


def test_apply_survives_the_reconciler(ctl, manifest):
    """A reconciler that is killed before its reply, and during the watch, is called again."""
    answers = iter([Hangup(), applied()])
    watches = iter([Hangup(), [{"instance": instance(settled=False)}], Hangup(), [{"instance": instance()}]])

    def apply(_):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def watch(_):
        states = next(watches)
        if isinstance(states, Exception):
            raise states
        yield from states
    ctl.fake("reconciler", Apply=apply, Watch=watch)
    assert "web: revision 1 is running" in ctl("apply", manifest).stdout


def test_apply_refused(ctl, manifest):
    def apply(_):
        raise Refusal("Refused", "port 80 is taken by 'nginx'")
    ctl.fake("reconciler", Apply=apply)
    result = ctl("apply", manifest, expect=FAILED)
    assert result.stderr == "hostletctl: error: port 80 is taken by 'nginx'\n" and result.stdout == ""


def test_apply_directory(ctl, place):
    """Each manifest is applied in the order of the names; hidden and other files are ignored."""
    directory = place / "apps"
    directory.mkdir()
    for name in ("b.toml", "a.json", ".c.toml", "notes.txt"):
        word = name[0] if name[0] != "." else "c"
        (directory / name).write_text(f'{{"name": "app-{word}", "image": "demo:1"}}' if name.endswith("json")
                                      else f'name = "app-{word}"\nimage = "demo:1"\n')
    def answer(p):
        return applied(name=p["manifest"]["app"]["meta"]["name"])
    fake = ctl.fake("reconciler", Apply=answer, Plan=answer)
    ctl("apply", "--no-wait", directory)
    assert [p["manifest"]["app"]["meta"]["name"] for p in fake.called("Apply")] == ["app-a", "app-b"]
    assert [item["name"] for item in ctl.json("apply", "--no-wait", directory)] == ["app-a", "app-b"]


def test_apply_directory_with_a_mistake_applies_nothing(ctl, place):
    directory = place / "apps"
    directory.mkdir()
    (directory / "a.toml").write_text(MINIMAL)
    (directory / "b.toml").write_text("name = 1\n")
    fake = reconciler(ctl, [])
    assert "b.toml:1: name: expected a string" in ctl("apply", directory, expect=FAILED).stderr
    (directory / "b.toml").write_text(MINIMAL)
    assert "'web' is the instance's name in" in ctl("apply", directory, expect=FAILED).stderr
    (directory / "a.toml").unlink()
    (directory / "b.toml").unlink()
    assert "there is no manifest" in ctl("apply", directory, expect=FAILED).stderr
    assert fake.calls == []


def test_apply_directory_stops_at_the_first_failure(ctl, place):
    directory = place / "apps"
    directory.mkdir()
    for name in ("aaa", "bbb"):
        (directory / f"{name}.toml").write_text(f'name = "{name}"\nimage = "demo:1"\n')

    def apply(_):
        raise Refusal("Refused", "no")
    fake = ctl.fake("reconciler", Apply=apply, Plan=lambda p: applied(name=p["manifest"]["app"]["meta"]["name"]))
    assert "bbb.toml: not applied, since an earlier manifest failed" in ctl("apply", directory, expect=FAILED).stderr
    assert [name for name, _ in fake.calls] == ["Plan", "Plan", "Apply"]


# plan

def test_plan(ctl, manifest):
    fake = ctl.fake("reconciler", Plan=lambda _: applied(revision=2, changes=[
        {"subject": "replica 0", "action": "recreate", "reason": "the image differs"}]))
    assert ctl("plan", manifest).stdout == ("web: would be revision 2\n"
                                            "  replica 0: recreate (the image differs)\n")
    assert [name for name, _ in fake.calls] == ["Plan"]


def test_plan_refused(ctl, manifest):
    ctl.fake("reconciler", Plan=lambda _: applied(refusals=["8 CPUs are wanted, and there are 2", "port 80 is taken"]))
    text = ctl("plan", manifest, expect=FAILED).stdout
    assert "web: refused: 8 CPUs are wanted, and there are 2\nweb: refused: port 80 is taken\n" in text
    assert ctl.json("plan", manifest, expect=FAILED)["refusals"][1] == "port 80 is taken"


def test_plan_unchanged(ctl, manifest):
    ctl.fake("reconciler", Plan=lambda _: applied(changed=False))
    assert ctl("plan", manifest).stdout == "web: unchanged (revision 1)\n"


# start, stop, destroy

def test_start_stop_destroy(ctl):
    actions = {"Start": "start", "Stop": "stop", "Destroy": "destroy"}
    asked = []

    def order(method):
        def handler(_):
            asked.append(method)
            return applied()
        return handler

    def watch(_):
        action = actions[asked[-1]]
        # A replica that crashed before does not make the stop fail.
        yield {"instance": instance([replica(state="crash_looping")], settled=False, failed=action != "start", action=action)}
        yield {"gone": True, "instance": instance(action=action)} if action == "destroy" else {
            "instance": instance([replica(state="running" if action == "start" else "stopped")], action=action)}
    fake = ctl.fake("reconciler", Watch=watch, **{method: order(method) for method in actions})
    assert "web: revision 1 is running" in ctl("start", "web").stdout
    assert ctl("stop", "web").stdout == "web: asked to stop, revision 1\nweb: stopped\n"
    assert "web: destroyed" in ctl("destroy", "web").stdout
    ctl("destroy", "web", "--purge", "--no-wait")
    assert fake.called("Destroy") == [{"name": "web"}, {"name": "web", "purge": True}]
    assert ctl.json("stop", "web", "--no-wait")["name"] == "web"


def test_destroyed_before_the_watch(ctl):
    def watch(_):
        raise Refusal("NotFound", "there is no instance 'web'")
    ctl.fake("reconciler", Destroy=lambda _: applied(), Watch=watch)
    assert "web: destroyed" in ctl("destroy", "web").stdout


def test_unknown_instance(ctl):
    def missing(_):
        raise Refusal("NotFound", "there is no instance 'web'")
    ctl.fake("reconciler", Start=missing, Get=missing, Destroy=missing)
    for words in (["start", "web"], ["app", "web"], ["destroy", "web"], ["logs", "web"]):
        assert ctl(*words, expect=FAILED).stderr == "hostletctl: error: there is no instance 'web'\n"


# apps, app

def test_apps(ctl):
    other = instance([replica(state="crash_looping", message="exit 1 three times")], failed=True)
    other["name"] = "api"
    ports = [{"port": 80, "host_port": 20000 + n, "host_address": "::1"} for n in range(5)]
    ports[0] = {"port": 53, "host_port": 53, "protocol": "udp"}
    other["replicas"][0]["ports"] = ports
    ctl.fake("reconciler", List=lambda _: listed("instance", [instance(), other]))
    lines = ctl("apps").stdout.splitlines()
    assert re.split(r"\s{2,}", lines[0]) == ["NAME", "STATE", "REPLICAS", "REVISION", "VERSION", "IMAGE", "PORTS", "MESSAGE"]
    assert re.split(r"\s{2,}", lines[1]) == ["api", "failed", "0/1", "1", "1.0.0", "demo:1",
                                             "53/udp, [::1]:20001, [::1]:20002, [::1]:20003, …", "exit 1 three times"]
    assert re.split(r"\s{2,}", lines[2]) == ["web", "running", "1/1", "1", "1.0.0", "demo:1", "-", "-"]
    assert [item["name"] for item in ctl.json("apps")] == ["api", "web"]


def test_apps_none(ctl):
    ctl.fake("reconciler", List=lambda _: listed("instance", []))
    assert ctl("apps").stdout == "no applications\n"


def test_app(ctl):
    shown = instance([replica(state="failed", message="exit 7", attempt=2, next_retry=now() + 65000,
                              quota="not enforced (no quota here)",
                              ports=[{"name": "http", "port": 80, "host_port": 20001},
                                     {"name": "dns", "port": 53, "host_port": 53, "protocol": "udp", "host_address": "::1"}],
                              stages=[stage("image_pull", "success", took=61000), stage("container_start", "failed",
                                                                                       message="exit 7", attempt=1)])],
                     settled=False, failed=True, packages=[{"name": "tiny", "version": "1.0", "id": "tiny_1.0.1_linux_amd64"}])
    wanted = {"app": {"spec": {"name": "web"},
                      "deploy": {"cpu_limit": 500, "memory_limit": 1 << 26}}}
    ctl.fake("reconciler", Get=lambda _: {"instance": shown, "manifest": wanted})
    text = ctl("app", "web").stdout
    for part in ("web  failed", "tiny_1.0.1_linux_amd64 (requested: tiny 1.0)", "0.5 CPU, memory 64.0 MiB, volume unlimited",
                 "http 20001->80, dns [::1]:53/udp->53", "not enforced (no quota here)", "in 1 min 4 s", "exit 7"):
        assert part in text, text
    assert re.search(r"0 +hostlet +image_pull +success +1 .* 1 min 1 s", text)
    assert re.search(r"0 +hostlet +container_start +failed +2 ", text)
    assert ctl.json("app", "web") == {"instance": shown, "manifest": wanted}


def test_control_sequences_in_data_are_not_printed(ctl):
    hostile = instance([replica(state="failed", message="\x1b[2J\x9bboo\u009b1m\r\n")], failed=True)
    ctl.fake("reconciler", List=lambda _: listed("instance", [hostile]),
             Get=lambda _: {"instance": hostile, "manifest": {"app": {}}})
    for words in (["apps"], ["app", "web"]):
        text = ctl(*words).stdout
        assert "boo" in text and "\x1b" not in text and "\r" not in text and "\u009b" not in text


# Terminals

def test_no_colours_in_pipes(ctl, manifest):
    reconciler(ctl, [instance()], List=lambda _: listed("instance", [instance()]))
    assert "\x1b" not in ctl("apps", environment={"TERM": "xterm"}).stdout
    assert "\x1b" not in ctl("apply", manifest, environment={"TERM": "xterm"}).stdout


def test_colours_on_a_terminal(ctl):
    ctl.fake("reconciler", List=lambda _: listed("instance", [instance()]))
    assert "\x1b[32mrunning\x1b[0m" in ctl.terminal("apps")[1]
    assert "\x1b" not in ctl.terminal("apps", environment={"NO_COLOR": "1"})[1]
    assert "\x1b" not in ctl.terminal("apps", environment={"TERM": "dumb"})[1]


def test_bar_on_a_terminal(ctl, manifest):
    stages = [stage("image_pull", "success"), stage("pkg_download", "running", message="12.0 of 30.0 MiB")]
    reconciler(ctl, [instance([replica(state="starting", step="preparing", stages=stages)], settled=False), instance()])
    code, text = ctl.terminal("apply", manifest)
    assert code == OK
    assert re.search(r"web/0  \[###\.+\] preparing: 12\.0 of 30\.0 MiB", text)
    assert text.rstrip().endswith("web: revision 1 is running (1 replica)")


# Services and status

SERVICES = [{"name": "reconciler", "state": "ready", "pid": 12, "uptime_msec": 61000, "restarts": 2, "memory": 1 << 20,
             "last_exit": "signal KILL", "description": "decides"},
            {"name": "fetcher", "state": "listening", "on_demand": True},
            {"name": "quota-keeper", "state": "failed", "reason": "exit 100"}]


def test_services(ctl):
    ctl.fake("supervisor", List=lambda _: listed("service", SERVICES))
    lines = ctl("services").stdout.splitlines()
    assert re.split(r"\s{2,}", lines[1]) == ["reconciler", "ready", "12", "1 min 1 s", "2", "1.0 MiB", "signal KILL", "decides"]
    assert "quota-keeper  failed (exit 100)" in lines[3]
    assert ctl.json("services") == SERVICES


def test_service_orders(ctl):
    def refused(_):
        raise Refusal("NotFound", "there is no service 'x'")
    fake = ctl.fake("supervisor", Start=lambda _: {}, Stop=lambda _: {}, Restart=refused)
    assert ctl("service", "start", "fetcher").stdout == "fetcher: started\n"
    assert ctl("service", "stop", "fetcher").stdout == "fetcher: stopped\n"
    assert "there is no service 'x'" in ctl("service", "restart", "x", expect=FAILED).stderr
    assert [name for name, _ in fake.calls] == ["Start", "Stop", "Restart"]


def test_status(ctl):
    def unsupported(_):
        raise Refusal("NotSupported", "not in this version")
    ctl.fake("supervisor", List=lambda _: listed("service", SERVICES))
    ctl.fake("reconciler", List=lambda _: listed("instance", [instance()]))
    ctl.fake("container-driver", Info=lambda _: {"runtime": "docker", "state": "down", "reason": "no answer", "cpus": 2,
                                                 "memory": 1 << 30, "live_restore": False, "layer_limit": False})
    ctl.fake("quota-keeper", Info=unsupported)
    text = ctl("status").stdout
    for part in ("2 of 3 ready or listening, 2 restarts", "quota-keeper is failed: exit 100", "docker is down: no answer",
                 "not enforced: not in this version", "1 with 1 replica: 1 running; 0 failed"):
        assert part in text, text
    made = ctl.json("status")
    assert made["quota"] == {"error": "not in this version"} and made["runtime"]["state"] == "down"
    assert made["services"] == SERVICES and made["apps"][0]["name"] == "web"


def test_a_stopped_tree_is_reported(ctl, manifest, place):
    for words in (["apps"], ["app", "web"], ["apply", manifest], ["plan", manifest], ["stop", "web"], ["services"],
                  ["service", "stop", "x"], ["package", "list"], ["package", "fetch", "x"], ["logs", "web/0"]):
        result = ctl(*words, expect=DOWN)
        assert f"nothing listens on '{place}/run/" in result.stderr and "is the tree running?" in result.stderr
    assert "is the tree running?" in ctl("status", expect=DOWN).stdout


def test_a_stopped_service_is_reported(ctl):
    def down(_):
        raise Refusal("ServiceDown", "the reconciler was stopped by an administrator")
    ctl.fake("reconciler", List=down)
    assert "was stopped by an administrator" in ctl("apps", expect=DOWN).stderr


# Logs

def frame(stream, data):
    return struct.pack(">BBBBI", stream, 0, 0, 0, len(data)) + data


def test_logs_of_one_replica(ctl):
    ctl.fake("reconciler", Get=lambda _: {"instance": instance(), "manifest": {"app": {}}},
             Watch=lambda _: [{"instance": instance([replica(3, state="stopped")], action="stop", settled=True)}])
    fake = ctl.fake("container-driver", Logs=lambda _: frame(1, b"out\n\xff") + frame(2, b"err\n") + frame(1, b"") + frame(1, b"end"))
    result = subprocess.run([program("hostletctl"), "--prefix", ctl.prefix, "logs", "web", "--tail", "5", "--since", "1h"],
                            capture_output=True, timeout=30)
    assert (result.returncode, result.stdout, result.stderr) == (OK, b"out\n\xffend", b"err\n")
    asked = fake.called("Logs")[0]
    assert asked["tail"] == 5 and abs(asked["since"] - (now() - 3600000)) < 20000 and not asked.get("follow")
    subprocess.run([program("hostletctl"), "--prefix", ctl.prefix, "logs", "-f", "web/3"], check=True, timeout=30)
    assert fake.called("Logs")[1] == {"instance": "web", "replica_id": 3, "slot": "current", "follow": True}


def test_logs_of_several_replicas_name_the_replica_in_each_line(ctl):
    ctl.fake("reconciler", Get=lambda _: {"instance": instance([replica(0), replica(4)]), "manifest": {"app": {}}},
             Watch=lambda _: [{"instance": instance([replica(0, "stopped"), replica(4, "stopped")], action="stop")}])
    ctl.fake("container-driver", Logs=lambda p: frame(1, b"one\ntw") + frame(2, b"bad\n") + frame(1, b"o\nrest")
             if p.get("replica_id") else frame(1, b"zero\n"))
    result = ctl("logs", "web")
    assert result.stdout == "0 | zero\n4 | one\n4 | two\n4 | rest\n" and result.stderr == "4 | bad\n"
    followed = ctl("logs", "-f", "web")
    assert sorted(followed.stdout.splitlines()) == ["0 | zero", "4 | one", "4 | rest", "4 | two"]


def test_followed_log_continues_in_the_next_container(ctl):
    """The driver is killed, the reconciler is killed, a container does not exist yet: the command continues after each."""
    def missing():
        raise Refusal("NotFound", "there is no container i8k_web_0")

    def hangup():
        raise Hangup

    logs = iter([lambda: frame(1, b"one\n"), lambda: frame(1, b"half")[:-2], hangup, missing, lambda: frame(3, b"words\n"),
                 lambda: frame(1, b"two\n")])
    over = threading.Event()

    def answer(_):
        following = next(logs, None)
        if following is None:
            over.set()
            missing()
        return following()

    def watch(_):
        yield {"instance": instance([replica(revision=1)])}
        yield {"instance": instance([replica(revision=1)])}
        over.wait(20)
        yield {"gone": True}

    ctl.fake("reconciler", Get=lambda _: {"instance": instance(), "manifest": {"app": {}}}, Watch=watch)
    fake = ctl.fake("container-driver", Logs=answer)
    result = ctl("logs", "-f", "-n", "3", "web")
    assert result.stdout.replace("ha", "") == "one\ntwo\n"
    assert "words" in result.stderr and "the log ended early" in result.stderr
    first, *others = fake.called("Logs")
    assert first["tail"] == 3 and "since" not in first
    assert all(abs(call["since"] - now()) < 20000 and "tail" not in call for call in others)


# Input that a terminal would interpret, and its escaped form: C0, C1 in both forms, an overlong ESC, directions, invalid UTF-8.
CONTROLS = {b"\x1b[31m": b"\\u001b[31m", b"\xc2\x9b31m": b"\\u009b31m", b"\x9b31m": b"\\x9b31m", b"\xc0\x9b": b"\\xc0\\x9b",
            b"\x7f\x07\r": b"\\u007f\\u0007\\u000d", b"\xe2\x80\xae": b"\\u202e", b"\xe2\x81\xa6": b"\\u2066",
            b"\xe2\x80\xa8": b"\\u2028", b"\xff": b"\\xff"}
HOSTILE = b"".join(b"<%s>" % key for key in CONTROLS)
SHOWN = b"".join(b"<%s>" % value for value in CONTROLS.values()).decode()


def split(stream, data):
    """Sends a frame for each byte: every character arrives in pieces."""
    return b"".join(frame(stream, bytes([byte])) for byte in data)


@pytest.mark.parametrize("follow", [[], ["-f"]])
@pytest.mark.parametrize("cut", [frame, split])
def test_control_sequences_in_logs_are_escaped_on_a_terminal(ctl, cut, follow):
    ctl.fake("reconciler", Watch=lambda _: [{"instance": instance([replica(0, "stopped")], action="stop")}],
             Get=lambda _: {"instance": instance([replica(0), replica(4)]), "manifest": {"app": {}}})
    ctl.fake("container-driver", Logs=lambda p: cut(1, b"tab\there\r\n" + HOSTILE) + cut(2, HOSTILE + "ä€\n".encode()))
    code, text = ctl.terminal("logs", *follow, "web/0")
    assert code == OK and text == f"tab\there\r\r\n{SHOWN}{SHOWN}ä€\r\n"
    code, text = ctl.terminal("logs", "web")
    assert code == OK
    for number in (0, 4):
        assert f"{number} | {SHOWN}\r\n" in text and f"{number} | {SHOWN}ä€\r\n" in text


def test_logs_are_unchanged_with_raw_or_without_a_terminal(ctl):
    ctl.fake("container-driver", Logs=lambda _: split(1, HOSTILE) + split(2, HOSTILE))
    result = subprocess.run([program("hostletctl"), "--prefix", ctl.prefix, "logs", "web/0"], capture_output=True, timeout=30)
    assert (result.stdout, result.stderr) == (HOSTILE, HOSTILE)
    code, data = ctl.terminal("logs", "--raw", "web/0", encoding=None)
    assert code == OK and data == HOSTILE + HOSTILE
    # Each stream separately: a terminal for errors does not filter a file on standard output.
    with open(ctl.prefix / "out", "wb") as out:
        master, slave = pty.openpty()
        subprocess.run([program("hostletctl"), "--prefix", ctl.prefix, "logs", "web/0"], stdout=out, stderr=slave, check=True,
                       timeout=30)
        os.close(slave)
    assert (ctl.prefix / "out").read_bytes() == HOSTILE
    assert os.read(master, 65536).decode() == SHOWN
    os.close(master)


def test_half_a_character_at_the_end_of_a_log(ctl):
    ctl.fake("container-driver", Logs=lambda _: frame(1, b"end\xe2\x80"))
    assert ctl.terminal("logs", "web/0") == (OK, "end\\xe2\\x80")


def test_no_text_of_a_service_controls_a_terminal(ctl, manifest):
    """Every command that prints foreign text: no control character but hostletctl's own colours and bars reaches the terminal."""
    bad = "\u009b31m\x1b]0;x\x07\x7f\u202e\u2066\u2028|"
    failed = [replica(0, "crash_looping", message=f"{bad}\n{bad}", step=bad, quota=bad,
                      stages=[stage("container_running", "failed", message=f"{bad}\n{bad}"), stage(bad, "success")],
                      ports=[{"name": bad, "port": 1, "host_port": 2}])]
    shown = instance(failed, failed=True, message=f"{bad}\n{bad}", problem=bad, hold=bad, spec=bad, version=bad, image=bad,
                     packages=[{"name": bad, "version": bad}])
    plan = {"name": bad, "revision": 2, "changed": True, "changes": [{"subject": bad, "action": bad, "reason": bad}],
            "refusals": [bad]}
    reconciler(ctl, [shown], answer=applied(name="web", changes=plan["changes"]), List=lambda _: [{"instance": shown}],
               Get=lambda _: {"instance": shown, "manifest": {"app": {}}}, Plan=lambda _: plan,
               Stop=lambda _: (_ for _ in ()).throw(Refusal("Refused", bad)))
    ctl.fake("container-driver", Info=lambda _: {"state": "down", "runtime": bad, "reason": bad})
    ctl.fake("supervisor", List=lambda _: [{"service": {"name": bad, "state": "failed", "reason": bad, "restarts": 1}}])
    ctl.fake("quota-keeper", Info=lambda _: {"enforced": False, "reason": bad, "remedy": bad, "mount_point": bad},
             List=lambda _: [], Report=lambda _: [])
    ctl.fake("fetcher", Resolve=lambda _: (_ for _ in ()).throw(Refusal("NotFound", bad)))
    ctl.fake("rpc-gateway", ZoneStatus=lambda _: {"state": "lost", "reason": bad, "leader": bad, "zone_name": bad,
                                                  "hosts": [bad], "problems": [bad]})
    ours = re.compile(r"\x1b\[(0|1|2|31|32|33)m|\x1b\[2K|\x1b\[\d+A\x1b\[J|\r\n")
    for words in (["apps"], ["app", "web"], ["plan", manifest], ["apply", manifest], ["stop", "web"], ["status"], ["services"],
                  ["zone", "status"], ["package", "fetch", bad.replace("\x1b", "")], ["describe", bad], [bad]):
        for more in ([], ["--json"]):
            _, text = ctl.terminal(*words, *more)
            rest = ours.sub("", text).replace("\n", "")
            assert "|" in rest, f"{words}: {text!r}"
            assert all(c.isprintable() or c == "\t" for c in rest), f"{words} {more}: {rest!r}"
    # JSON output loses nothing.
    assert ctl.json("app", "web")["instance"]["problem"] == bad


def test_broken_log_streams_are_reported(ctl):
    answers = iter([b"no frames at all", frame(1, b"half")[:-2]])
    ctl.fake("container-driver", Logs=lambda _: next(answers))
    assert "the received data is no log" in ctl("logs", "web/0", expect=FAILED).stderr
    assert "the log ended early" in ctl("logs", "web/0", expect=FAILED).stderr


def test_logs_into_a_full_disk(ctl):
    ctl.fake("container-driver", Logs=lambda _: frame(1, b"out\n"))
    with open("/dev/full", "wb") as full:
        result = subprocess.run([program("hostletctl"), "--prefix", ctl.prefix, "logs", "web/0"], stdout=full, stderr=subprocess.PIPE,
                                timeout=30)
    assert result.returncode == FAILED and b"cannot write to standard output: No space left on device" in result.stderr


def test_logs_without_container(ctl):
    def missing(_):
        raise Refusal("NotFound", "there is no container i8k_web_0")
    ctl.fake("container-driver", Logs=missing)
    assert "replica 0: there is no container i8k_web_0" in ctl("logs", "web/0", expect=FAILED).stderr


# Packages

def test_package_build_inspect_index(ctl, place):
    source = place / "files"
    (source / "bin").mkdir(parents=True)
    (source / "bin" / "tool").write_text("#!/bin/sh\n")
    made = {}
    for how in ("xz", "gzip", "zstd", "none"):
        out = place / how
        out.mkdir()
        made[how] = ctl.json("package", "build", source, "--name", "tool", "--version", "1.0.0-r1", "--compress", how,
                             "-o", out, "--description", "a tool")
        assert Path(made[how]["file"]).name.startswith("tool_1.0.0-r1_linux_")
        shown = ctl.json("package", "inspect", made[how]["file"])
        assert "bin/tool" in [entry["name"] for entry in shown["entries"]]
        assert shown["package"]["metadata"]["description"] == "a tool"
        assert "complete: checksum and archive are valid" in ctl("package", "inspect", made[how]["file"]).stdout
        assert ctl("package", "index", out).stdout == f"{out}/index.json: 1 package\n"
        assert json.loads((out / "index.json").read_text())["items"][0]["size"] == Path(made[how]["file"]).stat().st_size
    first = Path(made["xz"]["file"]).read_bytes()
    ctl("package", "build", source, "--name", "tool", "--version", "1.0.0-r1", "-o", place, "--description", "a tool")
    assert (place / Path(made["xz"]["file"]).name).read_bytes() == first


def test_package_inspect_refuses_damaged_packages(ctl, place):
    sample = VECTORS / "ipk" / "tiny_1.0.2_linux_amd64.ipk"
    assert "bin/link" in ctl("package", "inspect", sample, expect=FAILED).stderr
    whole = (VECTORS / "ipk" / "tiny_1.0.0_linux_amd64.ipk").read_bytes()
    (place / "cut.ipk").write_bytes(whole[:-3])
    result = ctl("package", "inspect", place / "cut.ipk", expect=FAILED)
    assert f"{place}/cut.ipk" in result.stderr and "whole" not in result.stdout


def test_package_list_and_fetch(ctl):
    reference = {"id": "tiny_1.0.1_linux_amd64", "name": "tiny", "version": "1.0.1", "os": "linux", "arch": "amd64"}

    def fetch(_):
        yield {"done": 1, "total": 9}
        yield {"done": 9, "total": 9, "path": "/store/tiny.ipk"}
    items = [{"id": reference["id"], "name": "tiny", "size": 2048, "complete": True, "path": "/store/tiny.ipk"},
             {"id": "big_1.0.0_linux_amd64", "name": "big", "size": 5}]

    def stored(_):
        yield from items
        yield {}
    fake = ctl.fake("fetcher", List=stored, Resolve=lambda _: {"package": reference}, Fetch=fetch)
    assert ctl("package", "fetch", "tiny", "1.0").stdout == "tiny_1.0.1_linux_amd64: /store/tiny.ipk\n"
    assert fake.called("Resolve") == [{"name": "tiny", "version": "1.0"}]
    assert fake.called("Fetch") == [{"package": reference}]
    text = ctl("package", "list").stdout
    assert re.search(r"tiny +tiny_1.0.1_linux_amd64 +2.0 KiB +complete", text) and re.search(r"big .* partial", text)
    assert ctl.json("package", "list") == items


# Interfaces

def test_describe(ctl):
    text = ctl("describe", "io.hostlet.Reconciler").stdout
    assert text == (SOURCE / "proto" / "io.hostlet.Reconciler.varlink").read_text()
    assert "interface io.hostlet.Supervisor" in ctl("describe").stdout
    assert ctl.json("describe", "io.hostlet.QuotaKeeper").keys() == {"io.hostlet.QuotaKeeper"}
    assert "there is no interface 'io.hostlet.None'" in ctl("describe", "io.hostlet.None", expect=FAILED).stderr
    assert ctl("describe", "--reference").stdout == (SOURCE / "proto" / "REFERENCE.md").read_text()
