"""Tests scripts/quickstart as a newcomer runs it: until an application answers, and back to the initial state."""

import os
import socket
import subprocess
import urllib.request

import pytest
from lib import ground
from lib.tree import BUILD, SOURCE

pytestmark = [pytest.mark.quickstart, pytest.mark.limit(300)]


def quickstart(*words, environment=None):
    return subprocess.run([SOURCE / "scripts/quickstart", *map(str, words)], capture_output=True, text=True, timeout=280,
                          env={**os.environ, "HOSTLET_BUILD": str(BUILD), **(environment or {})}, check=False)


def bridges():
    listing = subprocess.run(["ip", "-o", "link", "show", "type", "bridge"], capture_output=True, text=True, check=True)
    return {line.split(":")[1].strip() for line in listing.stdout.splitlines()}


def images(engine):
    """Returns all images, those without a name too."""
    return {(image["Id"], *(image["RepoTags"] or [])) for image in engine.request("GET", "/images/json", query={"all": "1"})}


def deploy_and_remove(prefix, *words, environment=None):
    port = ground.free_port()
    bridge = prefix / "quickstart/docker/bridge"  # exists with a private daemon alone
    made_bridge = None
    try:
        made = quickstart("--prefix", prefix, "--port", port, *words, environment=environment)
        assert made.returncode == 0, made.stdout + made.stderr
        assert "hello from a package" in made.stdout
        assert "running" in made.stdout.split("== hostletctl app hello")[1].split("== Next steps")[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            assert answer.read().startswith(b"hello from a package")
        made_bridge = bridge.read_text().strip() if bridge.exists() else None
        assert made_bridge is None or made_bridge in bridges()
        assert (made_bridge is not None) == ("--private-docker" in words)
        again = quickstart("--prefix", prefix, "--port", port, *words, environment=environment)
        assert again.returncode == 0, again.stdout + again.stderr
    finally:
        removed = quickstart("--remove", "--prefix", prefix, environment=environment)
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert not prefix.exists()
    ground.wait_until(lambda: not ground.processes_naming(str(prefix)), 10, "nothing runs from the prefix any more")
    assert not ground.connects(port)
    assert made_bridge not in bridges()


def test_quickstart_with_a_private_docker(place):
    deploy_and_remove(place / "start", "--private-docker")


def test_quickstart_with_the_machines_docker(place, dockerd, engine):
    images_before = images(engine)
    deploy_and_remove(place / "start", environment={"DOCKER_HOST": f"unix://{dockerd.socket}"})
    assert engine.names() == []
    assert images(engine) == images_before


def test_quickstart_leaves_a_foreign_directory_alone(place):
    foreign = place / "foreign"
    foreign.mkdir()
    (foreign / "file").write_text("mine")
    refused = quickstart("--prefix", foreign)
    assert refused.returncode == 1 and "holds something else" in refused.stderr
    refused = quickstart("--remove", "--prefix", foreign)
    assert refused.returncode == 1 and "was not made by this script" in refused.stderr
    assert (foreign / "file").read_text() == "mine"


def test_quickstart_fails_at_once_when_the_port_is_in_use(place):
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        refused = quickstart("--prefix", place / "start", "--port", port)
    assert refused.returncode == 1
    assert refused.stderr == f"scripts/quickstart: port {port} is in use by another program: choose a free one with --port\n"
    assert not (place / "start").exists()


@pytest.mark.parametrize("port", ["", "http", "0", "65536", "-1"])
def test_quickstart_refuses_a_bad_port(place, port):
    refused = quickstart("--prefix", place / "start", "--port", port)
    assert refused.returncode == 1 and f"--port '{port}' is not a number from 1 to 65535" in refused.stderr


def test_removal_deletes_the_tree_and_nothing_of_other_programs(place, dockerd, engine):
    """hostletd was killed before: the script finds the containers of the tree by their label. A foreign container with a similar
    name stays."""
    environment = {"DOCKER_HOST": f"unix://{dockerd.socket}"}
    prefix = place / "start"
    made = quickstart("--prefix", prefix, "--port", ground.free_port(), environment=environment)
    try:
        assert made.returncode == 0, made.stdout + made.stderr
        engine.run("hostlet/quickstart:1", ["sleep", "1000"], name="i8k_other_0")
        os.kill(int((prefix / "quickstart/hostletd.pid").read_text()), 9)
        ground.wait_until(lambda: not ground.processes_naming(str(prefix)), 10, "the tree ends with hostletd")
    finally:
        removed = quickstart("--remove", "--prefix", prefix, environment=environment)
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert not prefix.exists()
    assert engine.names() == ["i8k_other_0"]
    engine.remove("i8k_other_0")
    engine.remove_image("hostlet/quickstart:1")
