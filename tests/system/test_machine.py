"""Tests the machine itself: the conditions on which the other tests rely."""

import os
from pathlib import Path

from filesystems import run

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


def test_systemd_is_init_and_no_unit_has_failed():
    assert Path("/proc/1/comm").read_text().strip() == "systemd"
    assert run("systemctl", "--failed", "--no-legend", "--plain").stdout == ""


def test_the_file_systems_enforce_project_quotas(filesystem):
    options = next(line for line in Path("/proc/self/mounts").read_text().splitlines() if f" {filesystem.point} " in line)
    assert "prjquota" in options
    if filesystem.kind == "xfs":
        state = run("xfs_quota", "-x", "-c", "state -p", filesystem.point).stdout
        assert "Accounting: ON" in state and "Enforcement: ON" in state, state
    else:
        assert "project" in run("tune2fs", "-l", filesystem.disk.resolve()).stdout


def test_hostlet_is_installed_and_its_programs_start():
    installed = [*Path("/usr/local/sbin").glob("hostlet*"), *Path("/usr/local/libexec/hostlet").iterdir()]
    assert {"hostletd", "hostletctl", "reconciler", "quota-keeper"} < {program.name for program in installed}
    for program in installed:
        if program.name.startswith("inagent-linux-") and program.name != f"inagent-linux-{ARCHITECTURE}":
            continue  # for a runtime of another architecture
        for path in (program, Path("/payload/failpoints") / program.name):
            run(path, "--version")
