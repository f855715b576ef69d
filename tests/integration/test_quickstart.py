"""scripts/quickstart, as a newcomer runs it: to an answering application, and back to nothing."""

import os
import subprocess
import urllib.request

import pytest
from lib import ground
from lib.tree import BUILD, SOURCE, has_program

pytestmark = [pytest.mark.quickstart, pytest.mark.limit(300),
              pytest.mark.skipif(not has_program("hostletctl"), reason="this build has no hostletctl")]


def quickstart(*words, environment=None):
    return subprocess.run([SOURCE / "scripts/quickstart", *map(str, words)], capture_output=True, text=True, timeout=280,
                          env={**os.environ, "HOSTLET_BUILD": str(BUILD), **(environment or {})}, check=False)


def bridges():
    listing = subprocess.run(["ip", "-o", "link", "show", "type", "bridge"], capture_output=True, text=True, check=True)
    return {line.split(":")[1].strip() for line in listing.stdout.splitlines()}


def deploy_and_remove(prefix, *words, environment=None):
    port = ground.free_port()
    before = bridges()
    try:
        made = quickstart("--prefix", prefix, "--port", port, *words, environment=environment)
        assert made.returncode == 0, made.stdout + made.stderr
        assert "hello from a package" in made.stdout
        assert "running" in made.stdout.split("== hostletctl app hello")[1].split("== How to go on")[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            assert answer.read().startswith(b"hello from a package")
        again = quickstart("--prefix", prefix, "--port", port, *words, environment=environment)
        assert again.returncode == 0, again.stdout + again.stderr
    finally:
        removed = quickstart("--remove", "--prefix", prefix, environment=environment)
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert not prefix.exists()
    ground.wait_until(lambda: not ground.processes_naming(str(prefix)), 10, "nothing runs from the prefix any more")
    assert not ground.connects(port)
    assert bridges() <= before


def test_quickstart_with_a_private_docker(place):
    deploy_and_remove(place / "start", "--private-docker")


def test_quickstart_with_the_docker_that_answers(place, dockerd, engine):
    deploy_and_remove(place / "start", environment={"DOCKER_HOST": f"unix://{dockerd.socket}"})
    assert engine.names() == []
    assert not engine.has_image("hostlet/quickstart:1")


def test_quickstart_leaves_a_foreign_directory_alone(place):
    foreign = place / "foreign"
    foreign.mkdir()
    (foreign / "file").write_text("mine")
    refused = quickstart("--prefix", foreign)
    assert refused.returncode == 1 and "holds something else" in refused.stderr
    refused = quickstart("--remove", "--prefix", foreign)
    assert refused.returncode == 1 and "was not made by this script" in refused.stderr
    assert (foreign / "file").read_text() == "mine"
