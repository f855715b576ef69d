"""Tests the inagent that is made for arm64, in qemu's emulation of one process: the same results as those of the native one."""
import json
import os
import shutil
import signal
import subprocess

import pytest

from lib.inagent import BUILD, HOST_ID, INAGENT, Container, specification, task

ARM64 = BUILD / "inagent-linux-arm64"
QEMU = shutil.which("qemu-aarch64-static")
pytestmark = [pytest.mark.skipif(INAGENT == ARM64, reason="this machine is arm64"),
              pytest.mark.skipif(not ARM64.exists(), reason="the build has no inagent for arm64 (scripts/deps arm64)"),
              pytest.mark.skipif(not QEMU, reason="qemu-aarch64-static is missing (scripts/deps arm64)")]

FILES = {
    "f.json": ('{\n  "a": {"b": 1}\n}\n', '{"a": {"c": [1, 2]}, "big": 123456789012345678901234567890}'),
    "f.toml": ("# top\n[a]\nb = 1 # tail\n", "[a]\nc = 1.5\n[[l]]\nx = 1979-05-27"),
    "f.yaml": ("# top\na:\n    b: 1 # tail\n", "a:\n  c:\n  - x\nd: |\n  ${app.name}"),
    "f.properties": ("# top\na = 1\n", "a = 2\nb = é"),
}


def run(place, program, *arguments):
    return subprocess.run([*program, "--prefix", place, *arguments], capture_output=True, text=True, timeout=60,
                          env={"PATH": os.environ["PATH"]}, check=False)


def test_the_commands_do_the_same_on_arm64(place):
    assert ARM64.stat().st_size <= 300 * 1024
    outcomes = []
    for program in ([INAGENT], [QEMU, ARM64]):
        document = specification([], replica={"id": 1, "host_id": HOST_ID})
        document["app"]["deploy"]["configs"] = [{"name": name, "value": value} for name, (_, value) in FILES.items()]
        (place / ".innerstack").mkdir(exist_ok=True)
        (place / ".innerstack/app_replica.json").write_text(json.dumps(document))
        results = [run(place, program, "--version"), run(place, program, "config-export")]
        for name, (text, _) in FILES.items():
            (place / name).write_text(text)
            results.append(run(place, program, "config-merge", "--with-config-field", name, "--config", place / name))
        (place / "t").write_text("${app.name} ${self.cfg.f_toml} ${unknown}")
        results.append(run(place, program, "config-render", "--in", place / "t", "--out", place / "r"))
        (place / "bad.json").write_text("{,}")
        results.append(run(place, program, "config-merge", "--with-config-field", "f.json", "--config", place / "bad.json"))
        assert [result.returncode for result in results] == [0] * (len(results) - 1) + [1], results
        outcomes.append([(result.stdout, result.stderr) for result in results] +
                        [(place / name).read_text() for name in [*FILES, "r"]])
        (place / "r").unlink()
    assert outcomes[0] == outcomes[1]


def test_the_daemon_runs_tasks_on_arm64(place):
    """The shell and its commands stay those of this machine."""
    with Container(place, "busybox") as container:
        shutil.copy(QEMU, container.ours / "qemu")
        shutil.copy(ARM64, container.ours / "inagent-arm64")
        (container.ours / "inagent").write_text(
            '#!/bin/sh\nexec /home/action/.innerstack/qemu /home/action/.innerstack/inagent-arm64 "$@"\n')
        container.start([task("app", "echo $(id -u) ${app.name} > /home/action/done; exec sleep 1000"),
                         task("end", "echo over > /home/action/over", on_startup=False, on_shutdown=True)])
        assert container.wait_file("done") == "2048 demo\n"
        container.signal(signal.SIGTERM)
        assert container.wait_exit(40) == 0, container.log()
        assert (container.home / "action/over").read_text() == "over\n"
