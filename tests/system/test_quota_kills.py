"""Tests quota-keeper killed between any two of its steps: ledger, kernel, directories and the files in /etc agree afterwards."""

import json
import os
import random
import shutil
import signal
import subprocess
import threading

import pytest
from lib import ground
from lib.varlink import Closed, VarlinkError
from quotas import MIB, PROJECTS, PROJID, Keeper, agree, forget_projects, kernel, lines, step

NULL = {"container-driver": {"runtime": "null"}, "quota-keeper": {"check_interval": "0"}}
FOREIGN = "1:/srv/theirs\n"


def failpoints():
    """Returns their names, as the program lists them; where the tests are only collected there is no program."""
    try:
        text = subprocess.run(["/payload/failpoints/quota-keeper", "--failpoints"], capture_output=True, text=True, check=True)
    except OSError:
        return ["none"]
    return text.stdout.split()


@pytest.fixture(autouse=True)
def foreign_lines():
    forget_projects()
    PROJECTS.write_text(FOREIGN)
    yield
    forget_projects()


@pytest.fixture
def make_keeper(xfs, make_tree):
    def make(**options):
        apps = xfs.point / "apps"
        apps.mkdir(mode=0o755)
        return Keeper(make_tree({**NULL, "hostlet": {"app_path": apps}}).start(**options))
    return make


def sound(keeper, point):
    """The next start, or the next change, corrects the state that the kills left."""
    keeper.make("i8k_last_0")
    keeper.ensure("i8k_last_0", hard=MIB)
    agree(keeper, point)
    assert lines(PROJECTS)[0] + "\n" == FOREIGN
    assert not [path for path in (keeper.apps / "..").iterdir() if "hostlet_vol_quota" in path.name]


@pytest.mark.failpoints
@pytest.mark.parametrize("name", failpoints())
def test_killed_at_a_failpoint(make_keeper, xfs, name):
    keeper = make_keeper(failpoint=f"{name}:kill")
    for number in range(3):
        directory = keeper.make(f"i8k_web_{number}")
        for file in range(3):
            (directory / f"file{file}").write_bytes(bytes(5000))
        said = keeper.ensure(f"i8k_web_{number}", hard=10 * MIB, **({"inodes": 100} if number == 1 else {}))
        assert (said["hard"], said["inodes"]) == (10 * MIB, 100 if number == 1 else 16384)
    said = keeper.ensure("i8k_web_0", hard=20 * MIB)
    assert kernel(xfs.point)[said["project"]]["hard"] == 20 * MIB
    keeper.call("Release", container="i8k_web_1")
    keeper.call("Remove", container="i8k_web_2")
    shutil.rmtree(keeper.apps / "i8k_web_2")
    assert keeper.tree.failpoint_taken(name), "it was never reached"
    assert set(keeper.ledger()) == {"i8k_web_0", "i8k_web_1"}
    sound(keeper, xfs.point)


def storm(keeper, names, until):
    """Makes changes and kills at the same time. 'until' decides after each kill whether they continue; returns the number of
    kills."""
    ended, failures = threading.Event(), []

    def work(mine):
        try:
            while not ended.is_set():
                step(keeper, mine)
        except (OSError, Closed, VarlinkError, AssertionError) as error:
            failures.append(error)
    threads = [threading.Thread(target=work, args=(names[part::2],)) for part in range(2)]
    for thread in threads:
        thread.start()
    kills = 0
    try:
        while not failures and not until(kills):
            pid = keeper.tree.pid("quota-keeper", timeout=60)
            ground.let_pass(random.uniform(1.1, 1.6))  # a process killed within a second after its readiness would be restarted with growing pauses
            os.kill(pid, signal.SIGKILL)
            ground.wait_until(lambda dead=pid: keeper.tree.children().get("quota-keeper", dead) != dead, 60, "the next process")
            kills += 1
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert not failures, failures
    return kills


@pytest.mark.by_hand
@pytest.mark.limit(3000)
def test_200_random_kills(make_keeper, xfs):
    keeper = make_keeper()
    names = [f"i8k_web_{number}" for number in range(12)]
    for batch in range(1, 11):
        kills = storm(keeper, names, lambda kills: kills >= 20)
        if batch % 2:
            keeper.call("Info")
        agree(keeper, xfs.point)
        print(f"{batch * kills} kills, {len(keeper.ledger())} projects", flush=True)
    sound(keeper, xfs.point)
    assert lines(PROJID)


@pytest.mark.limit(300)
def test_torn_empty_and_older_ledgers_are_rebuilt(make_keeper, xfs):
    keeper = make_keeper()
    wanted = {}
    for number in range(5):
        keeper.make(f"i8k_web_{number}")
        wanted[f"i8k_web_{number}"] = keeper.ensure(f"i8k_web_{number}", hard=(number + 1) * MIB)["project"]
    path = keeper.tree.prefix / "etc/hostlet_vol_quota.json"
    whole = path.read_text()
    older = json.dumps({"items": [{"id": wanted["i8k_web_0"], "name": "i8k_web_0", "mnt": str(xfs.point), "soft": MIB, "hard": MIB}],
                        "updated": 1})
    for text in (whole[:len(whole) // 2], "", "[]", None, older):
        keeper.tree.stop()
        path.unlink() if text is None else path.write_text(text)
        keeper.tree.start()
        agree(keeper, xfs.point)
        assert {name: item["id"] for name, item in keeper.ledger().items()} == wanted, f"from {text!r}"
        assert {name: values["hard"] for name, values in keeper.list().items()} == {
            f"i8k_web_{number}": (number + 1) * MIB for number in range(5)}
    newer = whole.replace('"format": 1', '"format": 99')
    keeper.tree.stop()
    path.write_text(newer)
    keeper.tree.start()
    with pytest.raises(VarlinkError, match="ServiceDown.*format 99"):
        with keeper.tree.connect("quota-keeper") as connection:
            connection.call("io.hostlet.QuotaKeeper.Info")
    assert path.read_text() == newer
