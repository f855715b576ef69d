"""Tests what hostletctl shows on small terminals, and that no table repeats a sentence in its rows; against fake services."""

import json
import subprocess
import threading
import time

import pytest
from lib.fakes import FakeService
from lib.screen import Terminal
from lib.tree import has_program, program

pytestmark = [pytest.mark.sanitized,
              pytest.mark.skipif(not has_program("hostletctl"), reason="this build has no hostletctl")]

STAGES = ["host_recv", "image_pull", "package_fetch", "package_unpack", "container_create", "container_start", "container_running"]
WHY = ("the file system of '/var/lib/hostlet/apps' (ext4) has no project quotas: run tune2fs -O project,quota on the unmounted "
       "device, or mount it with prjquota, and restart hostlet; the replica runs without a limit")


@pytest.fixture
def fake(place):
    made = []

    def make(name, **handlers):
        made.append(FakeService(place, name, handlers))
    yield make
    for service in made:
        service.close()


@pytest.fixture
def ctl(place):
    def run(*words, check=True):
        return subprocess.run([program("hostletctl"), "--prefix", place, *words], text=True, capture_output=True, timeout=30,
                              check=check, stdin=subprocess.DEVNULL).stdout
    return run


@pytest.fixture
def terminal(place):
    def start(columns, rows, *words, **environment):
        return Terminal([program("hostletctl"), "--prefix", place, *words], columns, rows, environment)
    return start


# Progress

def deploy(done, name="web", message="a message of this stage that is longer than a narrow terminal is wide"):
    """Returns an instance whose replicas have completed the numbers of stages in 'done'."""
    begun = int(time.time() * 1000) + 60_000
    replicas = []
    for number, n in enumerate(done):
        stages = [{"name": stage, "owner": "hostlet", "revision": 1, "state": "success", "created": begun, "finished": begun + 1500}
                  for stage in STAGES[:n]]
        if n < len(STAGES):
            stages.append({"name": STAGES[n], "owner": "hostlet", "revision": 1, "state": "running", "created": begun,
                           "message": message})
        state = "running" if n == len(STAGES) else "starting"
        replicas.append({"id": number, "container": f"i8k_{name}_{number}", "state": state, "stages": stages})
    return {"name": name, "origin": "local", "action": "start", "revision": 1, "spec": name, "version": "1.0.0", "image": "demo:1",
            "settled": all(n == len(STAGES) for n in done), "failed": False, "replicas": replicas}


def apply(fake, place, states):
    """Provides a reconciler that shows 'states', and returns the words of the command. A state that is an event is waited for."""
    def watch(_):
        for state in states:
            if isinstance(state, threading.Event):
                yield {}  # the service sends a reply when it has the next one
                state.wait(20)
            else:
                yield {"instance": state}
        yield {}
        threading.Event().wait(20)
    fake("reconciler", Apply=lambda _: {"name": "web", "revision": 1, "changed": True}, Watch=watch)
    (place / "web.toml").write_text('name = "web"\nimage = "demo:1"\n')
    return "apply", place / "web.toml"


def steps(replicas):
    """Returns the states of a deploy of one replica after the other."""
    for number in range(replicas):
        for n in range(len(STAGES) + 1):
            yield deploy([len(STAGES)] * number + [n] + [0] * (replicas - number - 1))


@pytest.mark.parametrize("columns, rows, bars, first, more", [
    (40, 24, 20, "  web/0  [#######] running", None), (200, 6, 4, "  web/19  [####################....] starting: a message", 16),
    (40, 6, 4, "  web/19  [######.] starting: a messag…", 16), (17, 3, 1, "  web/19  [####…", 19), (1, 1, 0, None, None)])
def test_progress_fits_on_a_small_terminal(fake, terminal, place, columns, rows, bars, first, more):
    last = threading.Event()
    states = list(steps(20))
    with terminal(columns, rows, *apply(fake, place, [*states[:-1], last, states[-1]])) as shown:
        screen = shown.screen
        if bars:
            def drawn():
                return [line for line in screen.shown() if "[" in line]
            shown.wait_until(lambda lines: len(drawn()) == bars and drawn()[0].startswith(first) and
                             lines[-1].startswith(f"  … and {more} more" if more else "  web/19  [######.]"), "all but one stage")
            assert max(map(len, drawn())) < columns
        last.set()
        assert shown.end() == 0
        # A line for each stage that ended, and the first and the last line, which are not cut: the bars leave nothing.
        lines = screen.scrolled + screen.shown()
        whole = ("web: applied, revision 1", "web: revision 1 is running (20 replicas)")
        assert screen.wraps == sum((len(line) - 1) // columns for line in whole)
        assert len(lines) <= 20 * len(STAGES) + 2 + screen.wraps
        assert not any("[" in line or "more" in line for line in lines)


def test_progress_follows_the_size_of_the_terminal(fake, terminal, place):
    narrow, rest = threading.Event(), threading.Event()
    states = [deploy([3, 2, 1] + [0] * 17), narrow, deploy([4, 2, 1] + [0] * 17), rest, deploy([7] * 20)]
    with terminal(200, 50, *apply(fake, place, states)) as shown:
        shown.wait_for("web/19  [")
        assert any(line.endswith("narrow terminal is wide") for line in shown.screen.shown())
        shown.resize(50, 6)
        shown.wait_for("… and 16 more")  # without a new state
        lines = [line for line in shown.screen.shown() if "[" in line]
        assert lines[0].startswith("  web/0  [###....] starting: a m") and max(map(len, lines)) == 49
        narrow.set()
        shown.wait_for("web/0  [####...]")
        assert shown.screen.wraps == 0
        shown.resize(200, 50)
        shown.wait_for("web/19  [")
        rest.set()
        assert shown.end() == 0
        assert shown.screen.wraps == 0


def test_a_long_name_leaves_room_for_the_bar_and_the_stage(fake, terminal, place):
    last = threading.Event()
    name = "a-name-that-is-as-long-as-the-names-of-instances-can-possibly-be"
    with terminal(40, 10, *apply(fake, place, [deploy([2, 1], name=name), last, deploy([7, 7], name=name)])) as shown:
        shown.wait_for("/1  [#......] starting")
        lines = [line for line in shown.screen.shown() if "…/" in line]
        assert lines == ["  a-name…/0  host_recv          success", "  a-name…/0  image_pull         success",
                         "  a-name…/1  host_recv          success",
                         "  a-name-that-…/0  [##.....] starting:…", "  a-name-that-…/1  [#......] starting:…"]
        last.set()
        assert shown.end() == 0


def test_a_message_that_the_stages_of_several_replicas_have_is_printed_once(fake, ctl, place):
    state = deploy([1, 1, 1])
    for number, replica in enumerate(state["replicas"]):
        replica["stages"][1].update(state="failed", finished=replica["stages"][1]["created"], message=WHY if number < 2 else "short")
    lines = ctl(*apply(fake, place, [state]), check=False).splitlines()
    assert [line.partition("failed  ")[2] for line in lines if "failed" in line] == [WHY, "the same message", "short"]


def test_wide_and_combining_characters_count_as_their_columns(fake, terminal, place):
    last = threading.Event()
    wide, combining = "進捗表示🚀" * 10, "e\u0301" * 60
    states = [deploy([1], message=wide), last, deploy([2], message=combining), last, deploy([7])]
    with terminal(40, 10, *apply(fake, place, states)) as shown:
        shown.wait_for("進捗")
        assert shown.screen.shown()[-1] == "  web/0  [#......] starting: 進捗表示…"  # 38 of 39 columns: half a character is none
        last.set()
        assert shown.end() == 0
        assert shown.screen.wraps == 0


def test_without_a_terminal_there_are_only_lines(fake, ctl, place):
    text = ctl(*apply(fake, place, list(steps(2))))
    assert len(text.splitlines()) == 2 * len(STAGES) + 2 and "\x1b" not in text and "[" not in text
    assert text.splitlines()[1].split() == ["web/0", "host_recv", "success", "1.5", "s"]


# Tables

def replica(number, **more):
    return {"id": number, "container": f"i8k_web_{number}", "state": "running", **more}


def shown_app(fake, ctl, replicas):
    instance = {"name": "web", "origin": "local", "action": "start", "revision": 1, "settled": True, "failed": False,
                "replicas": replicas}
    fake("reconciler", Get=lambda _: {"instance": instance, "manifest": {"app": {}}})
    return ctl("app", "web")


def table_of(text, header):
    """Returns the rows of the table below the header, each as its cells."""
    lines = text.splitlines()
    begin = next(i for i, line in enumerate(lines) if line.startswith(header))
    end = next((i for i in range(begin, len(lines)) if not lines[i]), len(lines))
    return [[cell for cell in line.split("  ") if cell.strip()] for line in lines[begin + 1:end]]


@pytest.mark.parametrize("n", [1, 5])
def test_the_reason_why_a_quota_is_not_enforced_stands_once_below_the_table(fake, ctl, n):
    text = shown_app(fake, ctl, [replica(i, quota=f"not enforced ({WHY})") for i in range(n)])
    rows = table_of(text, "REPLICA  STATE")
    assert len(rows) == n and all("not enforced" in [cell.strip() for cell in row] for row in rows)
    assert max(len(line) for line in text.splitlines() if "REPLICA" in line or "running" in line) < 100
    assert text.count(WHY) == 1 and f"\nnot enforced: {WHY}\n" in text


def test_different_reasons_have_numbers(fake, ctl):
    reasons = [WHY, "another reason that is longer than a cell of a table", WHY, "short"]
    text = shown_app(fake, ctl, [replica(i, quota=f"not enforced ({why})", message=message) for i, (why, message) in
                                 enumerate(zip(reasons, ["a message that three of the replicas have"] * 3 + ["other"], strict=True))])
    rows = [[cell.strip() for cell in row] for row in table_of(text, "REPLICA  STATE")]
    assert [next(cell for cell in row if "enforced" in cell) for row in rows] == [
        "not enforced (1)", "not enforced (3)", "not enforced (1)", "not enforced (short)"]
    assert [row[-1] for row in rows] == ["(2)", "(2)", "(2)", "other"]
    assert f"\n(1) {WHY}\n(2) a message that three of the replicas have\n(3) another reason that is longer" in text


def test_a_service_has_its_state_in_the_table_and_its_reason_below(fake, ctl):
    log = "exit 1: cannot read '/etc/hostlet/hostlet.conf': Permission denied; tried again after 12.8 s"
    states = [("one", "ready", None), ("two", "backoff", log), ("three", "backoff", "exit 1: other; tried again after 0.2 s"),
              ("four", "failed", "exit 100")]
    fake("supervisor", List=lambda _: iter([{"service": {"name": name, "state": state, **({"reason": reason} if reason else {})}}
                                            for name, state, reason in states] + [{}]))
    rows = [[cell.strip() for cell in row[:2]] for row in table_of(ctl("services"), "SERVICE")]
    assert rows == [["one", "ready"], ["two", "backoff (1)"], ["three", "backoff (2)"], ["four", "failed (exit 100)"]]
    assert ctl("services").endswith(f"\n\n(1) {log}\n(2) exit 1: other; tried again after 0.2 s\n")
    assert json.loads(ctl("services", "--json"))[1]["reason"] == log


def test_quotas_and_filesystems_share_their_reason(fake, ctl):
    values = [{"container": f"i8k_web_{i}", "project": 100 + i, "not_enforced": WHY} for i in range(3)]
    mount = {"filesystem": "ext4", "projects": 1, "enforced": False, "accounted": False, "reason": WHY, "remedy": "enable them"}
    info = {"enforced": False, "reason": WHY, "remedy": "enable them", "id_min": 1, "id_max": 9, "projects": 3,
            "mounts": [{"mount_point": place, **mount} for place in ("/a", "/b")]}
    without = [{"container": f"i8k_db_{i}", "quota": {"container": f"i8k_db_{i}", "project": 0}} for i in range(3)]
    fake("quota-keeper", List=lambda _: iter([{"quota": value} for value in values] + [{}]), Info=lambda _: info,
         RecheckAll=lambda _: iter([*without, {}]))
    for words, header, end in ((("quota", "list"), "CONTAINER", f"\nnot enforced: {WHY}\n"),
                               (("quota", "info"), "MOUNT POINT", None)):
        text = ctl(*words)
        assert all("not enforced" in [cell.strip() for cell in row] for row in table_of(text, header)), text
        assert text.count(WHY) == 1 and (end is None or text.endswith(end)), text
    text = ctl("quota", "recheck")
    assert text.count("it has no project\n") == 3 and text.count(WHY) == 1 and text.splitlines()[-1].startswith("disk quotas are not enforced: ")


def test_applications_with_the_same_message_share_it(fake, ctl):
    down = "Docker does not respond at '/run/docker.sock': Connection refused; is it running?"
    exited = "exited with code 3, before its probation was over:\nstarted"
    instances = [{"name": name, "origin": "local", "action": "start", "revision": 1, "settled": False, "failed": name != "c",
                  "message": down if name != "c" else "its own message", "replicas": [replica(0)]} for name in ("a", "b", "c")]
    fake("reconciler", List=lambda _: iter([{"instance": i} for i in instances] + [{}]))
    fake("supervisor", List=lambda _: iter([{}]))
    text = ctl("apps")
    assert [row[-1].strip() for row in table_of(text, "NAME")] == ["(1)", "(1)", "its own message"]
    assert text.endswith(f"\n\n(1) {down}\n")
    status = ctl("status", check=False)
    assert status.count(down) == 1 and f"a, b failed: {down}" in status
    instances[0]["message"] = exited
    assert "a failed: exited with code 3, before its probation was over: …\n" in ctl("status", check=False)


def test_replicas_that_failed_alike_share_their_message(fake, place):
    down = "the port 8080 is in use by the process 4711 (nginx); stop it, or choose another port in host_ports"
    replicas = [replica(i, state="failed", message=down if i < 3 else "another", next_retry=1) for i in range(4)]
    failed = {"name": "web", "origin": "local", "action": "start", "revision": 1, "settled": True, "failed": True,
              "replicas": replicas}
    command = [program("hostletctl"), "--prefix", place, *apply(fake, place, [failed])]
    result = subprocess.run(command, text=True, capture_output=True, timeout=30, stdin=subprocess.DEVNULL)
    assert result.returncode == 1 and result.stderr.count(down) == 1
    assert f"web: replicas 0, 1, 2 are failed: {down}\n" in result.stderr
    assert "web: replica 3 is failed: another\n" in result.stderr


def test_cells_of_wide_characters_are_aligned(fake, ctl):
    instances = [{"name": "a", "origin": "local", "action": "start", "revision": 1, "settled": True, "failed": False,
                  "version": version, "image": "demo:1", "replicas": []} for version in ("1", "進捗", "e\u0301\u0301")]
    fake("reconciler", List=lambda _: iter([{"instance": i} for i in instances] + [{}]))
    lines = ctl("apps").splitlines()
    assert [line[line.index("VERSION"):line.index("IMAGE")] for line in lines[:1]] == ["VERSION  "]
    for line, width in zip(lines[1:], (1, 4, 1), strict=True):
        cell = line[lines[0].index("VERSION"):line.index("demo:1")]
        assert len(cell.rstrip()) - cell.count("\u0301") + sum(c in "進捗" for c in cell) == width
        assert len(cell) - cell.count("\u0301") + sum(c in "進捗" for c in cell) == len("VERSION  ")
