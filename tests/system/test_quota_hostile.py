"""What tenants do to the quotas of others, on XFS and ext4: they use up inodes."""

import json

import pytest
from filesystems import run
from quotas import MIB, Keeper, agree, as_tenant, forget_projects, kernel

BASE = {"driver": {"runtime": "null"}}


@pytest.fixture(autouse=True)
def no_projects():
    forget_projects()
    yield
    forget_projects()


def make_keeper(make_tree, filesystem, **quota):
    apps = filesystem.point / "apps"
    apps.mkdir(mode=0o755)
    settings = {**BASE, "quota": {"check_interval": "0", **quota}, "hostlet": {"app_path": apps}}
    return Keeper(make_tree(settings).start())


# Inodes

def files(directory, prefix, number):
    return as_tenant(directory, f"seq -f {prefix}%.0f {number} | xargs touch")


def test_a_tenant_cannot_take_all_inodes(filesystem, make_tree):
    keeper = make_keeper(make_tree, filesystem)
    hostile, other = keeper.make("i8k_hostile_0"), keeper.make("i8k_other_0")
    said = keeper.ensure("i8k_hostile_0", hard=100 * MIB)
    assert said["inodes"] == 16384 and "inodes_soft" not in said
    assert keeper.ensure("i8k_other_0", hard=1024 * MIB)["inodes"] == 65536
    said = files(hostile, "f", 17000)
    assert said.returncode != 0 and ("No space left" in said.stderr or "quota exceeded" in said.stderr), said
    values = keeper.get("i8k_hostile_0")
    assert values["used_inodes"] == 16384 and values["used"] < 10 * MIB and values["level"] == "full"
    assert files(other, "f", 100).returncode == 0
    table = keeper.tree.ctl("quota", "list").stdout.splitlines()
    assert table[0].split()[5:7] == ["INODES", "MAXIMUM"]
    assert any(line.startswith("i8k_hostile_0") and "16384" in line.split() for line in table)
    shown = {row["container"]: row for row in json.loads(keeper.tree.ctl("--json", "quota", "list").stdout)}
    assert (shown["i8k_hostile_0"]["used_inodes"], shown["i8k_hostile_0"]["inodes"]) == (16384, 16384)
    agree(keeper, filesystem.point)


def test_what_has_more_inodes_keeps_them_and_gets_no_more(filesystem, make_tree):
    """Files that were there before there was a project, and a limit that is lowered."""
    keeper = make_keeper(make_tree, filesystem, bytes_per_inode="1M", inodes_min=20)
    directory = keeper.make("i8k_web_0")
    assert files(directory, "before", 150).returncode == 0
    said = keeper.ensure("i8k_web_0", hard=100 * MIB)
    assert said["inodes"] == said["used_inodes"] == 152
    assert kernel(filesystem.point)[said["project"]]["inodes"] == 152
    assert as_tenant(directory, "touch one-more").returncode != 0
    assert as_tenant(directory, "rm before1 before2 && touch instead").returncode == 0
    assert keeper.ensure("i8k_web_0", hard=100 * MIB)["inodes"] == 151  # it follows down
    assert keeper.ensure("i8k_web_0", hard=1000 * MIB)["inodes"] == 1000
    assert files(directory, "more", 500).returncode == 0
    assert keeper.ensure("i8k_web_0", hard=100 * MIB)["inodes"] == 651
    agree(keeper, filesystem.point)
    keeper.call("Release", container="i8k_web_0")
    assert kernel(filesystem.point)[said["project"]]["inodes"] == 0
    assert keeper.ensure("i8k_web_0", hard=2000 * MIB)["inodes"] == 2000
    agree(keeper, filesystem.point)


def test_a_ledger_without_limits_of_inodes_gets_them_with_the_next_start(filesystem, make_tree):
    keeper = make_keeper(make_tree, filesystem, bytes_per_inode=0)
    for number in range(3):
        keeper.make(f"i8k_web_{number}")
        assert "inodes" not in keeper.ensure(f"i8k_web_{number}", hard=(number + 1) * 1024 * MIB)
    path = keeper.tree.prefix / "etc/hostlet_vol_quota.json"
    before = path.read_text()
    assert "inodes" not in before
    keeper.tree.stop()
    keeper.tree.write_config({**keeper.tree.settings, "quota": {"check_interval": "0"}})  # the default
    keeper.tree.start()
    wanted = {f"i8k_web_{number}": (number + 1) * 65536 for number in range(3)}
    assert {name: values["inodes"] for name, values in keeper.list().items()} == wanted
    agree(keeper, filesystem.point)
    # Killed before the ledger had them: the next life does the same.
    keeper.tree.stop()
    path.write_text(before)
    keeper.tree.start()
    assert {name: values["inodes"] for name, values in keeper.list().items()} == wanted
    agree(keeper, filesystem.point)
    run("sync", "-f", filesystem.point)
