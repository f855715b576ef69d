"""Tests directories that a tenant can write, while hostlet writes there too, on real containers."""

import os

import pytest
from lib import ground
from lib.apps import App, manifest


@pytest.fixture
def app(tree, busybox_image):
    app = App(tree)
    app.deploy(manifest(script="exec sleep 1000"))
    return app


@pytest.mark.parametrize("what", [".innerstack", "home", "opt"])
def test_directory_swapped_for_a_link_is_not_followed(app, engine, place, what):
    """The tenant is root in the container and can replace .innerstack by a link to a directory of the machine."""
    victim = place / "victim"
    victim.mkdir(mode=0o755)
    base = app.directory()
    directory = {".innerstack": base / "home/action/.innerstack", "home": base / "home/action", "opt": base / "opt"}[what]
    if what == "opt":
        # The tenant cannot replace this one; another program on the machine did.
        directory.rename(base / "moved")
        directory.symlink_to(victim)
    else:
        inside = "/home/action/.innerstack" if what == ".innerstack" else "/home/action"
        moved = "/home/moved"
        swap = f"[ -h {inside} ] || {{ {{ [ -e {moved} ] || mv {inside} {moved}; }} && ln -s {victim} {inside}; }}"

        def swapped():
            code, output = engine.execute("i8k_web_0", "sh", "-c", swap)
            assert code == 0, output
            return True

        ground.wait_until(swapped, 20, "the tenant has swapped the directory")
    app.apply(manifest(script="exec sleep 2000"))
    app.wait(lambda i: i["failed"] or (i["settled"] and not i["failed"] and i["replicas"][0].get("revision") == 2),
             "the switch ends in one way or the other")
    assert list(victim.iterdir()) == [], "nothing was written outside of the replica's directory"
    assert os.stat(victim).st_uid == 0
    app.destroy(purge=True)
    app.gone()
    assert victim.is_dir() and list(victim.iterdir()) == []


def test_app_replica_json_swapped_for_a_link_is_replaced_not_followed(app, engine, place):
    victim = place / "victim"
    victim.write_text("untouched")
    assert engine.execute("i8k_web_0", "sh", "-c", f"cd /home/action/.innerstack && rm app_replica.json && "
                                                   f"ln -s {victim} app_replica.json")[0] == 0
    app.deploy(manifest(script="exec sleep 2000"))
    assert victim.read_text() == "untouched"
    file = app.directory() / "home/action/.innerstack/app_replica.json"
    assert not file.is_symlink() and app.replica_file()["app"]["deploy"]["revision"] == 2


def test_fifo_in_place_of_a_file_blocks_nothing(app, engine):
    assert engine.execute("i8k_web_0", "sh", "-c", "cd /home/action/.innerstack && rm app_replica.json && "
                                                   "mkfifo app_replica.json ininit.new")[0] == 0
    app.deploy(manifest(script="exec sleep 2000"))
    assert app.replica_file()["app"]["deploy"]["revision"] == 2


def test_links_in_the_data_are_removed_not_followed(app, engine, place):
    victim = place / "victim"
    victim.mkdir()
    (victim / "file").write_text("untouched")
    assert engine.execute("i8k_web_0", "sh", "-c", f"ln -s {victim} /home/action/link; ln -s {victim} /opt/link; "
                                                   "mkdir -p /opt/a/b/c; mkfifo /opt/pipe; chmod 0 /opt/a")[0] == 0
    app.destroy(purge=True)
    app.gone()
    ground.wait_until(lambda: not app.directory().exists(), 10, "the directory no longer exists")
    assert (victim / "file").read_text() == "untouched"
