"""Tests that volumes count towards the quota of their replica, in a real container."""

import pytest
from filesystems import run
from lib import ground, images
from lib.apps import App
from lib.volumes import make_earlier, wanted
from quotas import MIB, Keeper, forget_projects


@pytest.fixture(autouse=True)
def no_projects():
    forget_projects()
    yield
    forget_projects()


def write_in(engine, path, megabytes):
    """Writes a file in the container. Returns dd's message, '' when all was written."""
    code, said = engine.execute("i8k_web_0", "dd", "if=/dev/zero", f"of={path}", "bs=16k", f"count={megabytes * 64}", "conv=fsync")
    return said if code else ""


def refused(said):
    return "No space left on device" in said or "quota exceeded" in said.lower()


@pytest.mark.limit(400)
def test_a_volume_counts_towards_the_limit_of_its_replica(xfs, engine, make_tree):
    images.load_volumes(engine, volumes=["/data"])
    apps = xfs.point / "apps"
    apps.mkdir()
    keeper = Keeper(make_tree({"hostlet": {"app_path": apps}}).start())
    app = App(keeper.tree)
    app.deploy(wanted("one"))  # without a limit, also without the contract's
    container = engine.inspect("i8k_web_0")["Id"]
    assert app.replica()["quota"] == "no limit" and not keeper.get("i8k_web_0").get("hard")
    assert write_in(engine, "/data/big", 110) == ""
    assert keeper.get("i8k_web_0")["used"] > 110 * MIB

    app.deploy(wanted("one", deploy={"volume_limit": 130 * MIB}))  # in place
    ground.wait_until(lambda: keeper.get("i8k_web_0").get("hard") == 130 * MIB, 30, "the limit")
    assert engine.inspect("i8k_web_0")["Id"] == container and refused(write_in(engine, "/data/more", 30))

    # A file with another project is found and corrected also in a volume.
    data = apps / "i8k_web_0/volumes/data"
    run("xfs_io", "-c", "chproj 0", data / "big")
    keeper.tree.ctl("quota", "recheck")
    assert int(run("lsattr", "-p", data / "big").stdout.split()[0]) == keeper.get("i8k_web_0")["project"]

    # A copy that does not fit is no copy.
    before = make_earlier(keeper.tree, engine, app)["Id"]
    assert write_in(engine, "/data/big", 140) == ""  # an anonymous volume has no limit
    keeper.tree.start()
    app.running(1)
    app.apply(wanted("two", deploy={"volume_limit": 130 * MIB}))
    shown = app.fallen_back(1, timeout=120)
    assert refused(shown["replicas"][0]["message"]) and "/data/big" in shown["replicas"][0]["message"]
    assert engine.inspect("i8k_web_0")["Id"] == before
    app.apply(wanted("two", deploy={"volume_limit": 200 * MIB}))
    app.running(2, timeout=120)
    assert keeper.get("i8k_web_0")["used"] > 140 * MIB and (data / "log").read_text().split()[-1] == "two"
    app.destroy(purge=True)
    app.gone()
    assert keeper.list() == {}
