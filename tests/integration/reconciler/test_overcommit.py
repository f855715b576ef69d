"""Tests what a plan says when the memory limits of all replicas exceed the machine's memory."""

import os

import pytest
from lib.apps import App, manifest
from lib.varlink import VarlinkError

MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
SHARE = MEMORY * 6 // 10  # of one replica: two are too many


def limited(name, **more):
    return manifest(name, "null/run", deploy={"memory_limit": SHARE}, **more)


@pytest.fixture
def tree(make_tree):
    return make_tree({"container-driver": {"runtime": "null"}}).start()


def set_overcommit(tree, value):
    tree.write_config({**tree.settings, "reconciler": {"overcommit": value}})
    tree.ctl("reload")


def test_a_plan_warns_of_more_memory_than_the_machine_has(tree):
    one, two = App(tree, "one"), App(tree, "two")
    assert "warnings" not in one.plan(limited("one"))
    one.deploy(limited("one"))
    reply = two.plan(limited("two"))
    assert len(reply["warnings"]) == 1 and "the memory limits of all replicas would be" in reply["warnings"][0]
    assert "refusals" not in reply
    printed = tree.apply(limited("two")).stdout
    assert "  warning: the memory limits of all replicas would be" in printed
    set_overcommit(tree, "refuse")
    # What is there already may be changed, but not grow.
    changed = {**limited("two", env={"A": "1"})}
    assert len(two.plan(changed)["warnings"]) == 1
    two.deploy(changed)
    with pytest.raises(VarlinkError) as refused:
        two.apply(limited("two", replicas=2))
    assert "[reconciler] overcommit = refuse" in str(refused.value)
    set_overcommit(tree, "ignore")
    assert "warnings" not in two.plan(changed)


def test_the_manifests_of_a_directory_are_added_up(tree, place):
    for name in ("one", "two"):
        (place / f"{name}.toml").write_text(
            f'name = "{name}"\nversion = "1.0.0"\nimage = "null/run"\n[resources]\nmemory_limit = "{SHARE >> 20}Mi"\n')
    printed = tree.ctl("plan", place).stdout
    assert printed.count("warning: the memory limits") == 1
    assert printed.index("two: would be revision 1") < printed.index("warning: the memory limits")
