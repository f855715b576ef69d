"""Tests what people give to hostletctl: files from other editors, variables that are not set, packages that compress too well."""

import json
import os
import subprocess
import threading
from pathlib import Path

import pytest
from lib import ground
from lib.apps import App, driver_containers, manifest
from lib.tree import program

MARK = b"\xef\xbb\xbf"  # the byte order mark
TOML = b'name = "web"\nversion = "1.0.0"\nimage = "null/run"\n'
JSON = json.dumps({"name": "web", "version": "1.0.0", "image": "null/run"}).encode()


def ctl(*words, text=None, environment=None):
    return subprocess.run([program("hostletctl"), *words], input=text, capture_output=True, timeout=60, env=environment)


@pytest.mark.parametrize("name, text", [("web.toml", TOML), ("web.json", JSON), ("-", TOML), ("-", JSON)])
def test_a_manifest_may_begin_with_a_byte_order_mark(place, name, text):
    path = place / name if name != "-" else name
    if name != "-":
        path.write_bytes(MARK + text)
    result = ctl("convert", path, text=MARK + text if name == "-" else None)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["app"]["spec"]["image"] == "null/run"


def test_an_index_may_begin_with_a_byte_order_mark(null_tree, repository):
    repository.add("demo", "1.0.0")
    index = repository.directory / "index.json"
    index.write_bytes(MARK + index.read_bytes())
    assert "demo_1.0.0" in null_tree.ctl("package", "fetch", "demo").stdout


@pytest.mark.parametrize("words, environment, message", [
    (["hostletctl", "--prefix", "", "apps"], {}, "--prefix is empty"),
    (["hostletctl", "apps", "--prefix="], {}, "--prefix is empty"),
    (["hostletctl", "apps"], {"HOSTLET_PREFIX": ""}, "the variable HOSTLET_PREFIX is empty"),
    (["hostletd", "--prefix", "", "--check"], {}, "--prefix is empty"),
    (["hostletd", "--services", "", "--check"], {}, "--services is empty"),
    (["hostletd", "--libexec=", "--check"], {}, "--libexec is empty"),
    (["provisioner", "--prefix", ""], {}, "--prefix is empty"),
    (["hostletd", "--check"], {"HOSTLET_SERVICES": ""}, "the variable HOSTLET_SERVICES is empty"),
    (["hostletd", "--check"], {"HOSTLET_LIBEXEC": ""}, "the variable HOSTLET_LIBEXEC is empty"),
    (["hostletctl", "--prefix", "/", "apps"], {}, "the prefix '/' is the root directory"),
    (["hostletd", "--check"], {"HOSTLET_PREFIX": "/./"}, "the prefix '/./' is the root directory"),
])
def test_an_empty_prefix_is_not_the_systems_tree(words, environment, message):
    """A script that forgot to set a variable must not act on the installed system."""
    result = subprocess.run([program(words[0]), *words[1:]], capture_output=True, text=True, timeout=30, env=environment)
    assert result.returncode in (2, 100) and message in result.stderr


def test_a_change_of_pull_alone_recreates_no_container(null_tree):
    app = App(null_tree)
    app.deploy(manifest(image="null/run"))
    before = driver_containers(null_tree)["i8k_web_0"]["id"]
    reply = app.apply(manifest(image="null/run", pull="always"))
    assert reply["changed"] and reply["revision"] == 1
    app.running(1)
    assert driver_containers(null_tree)["i8k_web_0"]["id"] == before
    assert app.record()["revisions"][0]["manifest"]["hostlet"]["pull"] == "always"


def test_a_log_of_only_new_lines_is_followed(null_tree):
    app = App(null_tree)
    app.deploy(manifest(image="null/run"))
    assert null_tree.ctl("logs", "web").stdout == "started\n"
    assert null_tree.ctl("logs", "-n", "0", "web").stdout == ""
    process = subprocess.Popen([program("hostletctl"), "--prefix", null_tree.prefix, "logs", "-n", "0", "-f", "web"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout), daemon=True)
    reader.start()
    ground.wait_until(lambda: any("socket" in os.readlink(fd) for fd in Path(f"/proc/{process.pid}/fd").iterdir()),
                      10, "it has begun")
    app.deploy(manifest(image="null/run", env={"A": "1"}))
    ground.wait_until(lambda: "started\n" in lines, 20, "the next container's lines are printed")
    app.stop()
    app.stopped()
    process.wait(20)
    reader.join(10)
    assert lines.count("started\n") == 1


def test_a_package_that_machines_refuse_is_reported_when_it_is_built(place):
    (place / "content").mkdir()
    with open(place / "content/zeros", "wb") as file:
        file.truncate(80 << 20)
    words = ["--name", "zeros", "--version", "1.0.0", "-o", place, place / "content"]
    built = ctl("package", "build", "--compress", "zstd", *words)
    assert built.returncode == 0 and b"inspect and machines refuse it" in built.stderr and b"200 times its size" in built.stderr
    package = built.stdout.decode().split(" ")[0]
    assert ctl("package", "inspect", package).returncode == 1
    built = ctl("package", "build", "--compress", "none", *words)
    assert built.returncode == 0 and built.stderr == b""
    assert ctl("package", "inspect", package).returncode == 0
