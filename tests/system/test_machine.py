"""The machine itself: what the other tests take for granted."""

import os
import subprocess
from pathlib import Path

from filesystems import run


def test_systemd_is_its_init_and_nothing_has_failed():
    assert Path("/proc/1/comm").read_text().strip() == "systemd"
    assert run("systemctl", "--failed", "--no-legend", "--plain").stdout == ""


def test_its_file_systems_enforce_project_quotas(filesystem):
    options = next(line for line in Path("/proc/self/mounts").read_text().splitlines() if f" {filesystem.point} " in line)
    assert "prjquota" in options
    if filesystem.kind == "xfs":
        state = run("xfs_quota", "-x", "-c", "state -p", filesystem.point).stdout
        assert "Accounting: ON" in state and "Enforcement: ON" in state, state
    else:
        assert "project" in run("tune2fs", "-l", filesystem.disk.resolve()).stdout


def test_hostlet_is_installed_and_its_programs_start():
    for program in ("/usr/local/sbin/hostletd", "/usr/local/sbin/hostletctl"):
        assert "hostlet" in run(program, "--version").stdout
    for build in (Path("/payload/hardened"), Path("/payload/failpoints")):
        for program in build.iterdir():
            if not program.name.startswith("inagent"):  # which wants to be process 1
                said = subprocess.run([program, "--version"], capture_output=True, text=True, env={**os.environ, "LANG": "C"})
                assert said.returncode == 0, f"{program}: {said.stderr}"
