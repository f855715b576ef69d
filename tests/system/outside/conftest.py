"""Provides the fixtures of the tests that run on the host and drive virtual machines (scripts/vm test)."""

import os
from pathlib import Path

import pytest
from lib import ground
from lib.hooks import pytest_runtest_protocol  # noqa: F401
from vm.machine import CommandFailed, Machine, MachineError, end_on_signals


def pytest_configure():
    end_on_signals()


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the ends of its machine's console and journal."""
    outcome = yield
    report = outcome.get_result()
    machine = item.funcargs.get("machine") if hasattr(item, "funcargs") else None
    if report.failed and machine:
        report.sections.append(("console of the machine", machine.log()))
    if report.failed and machine and machine.alive():
        try:
            report.sections.append(("its journal", machine.run("journalctl -b -u hostlet.service -n 60 --no-pager -o cat").stdout))
        except (MachineError, CommandFailed, OSError) as error:
            report.sections.append(("its journal", f"cannot be read: {error}"))


@pytest.fixture
def machine(machine_of_the_file):
    """A machine with hostlet installed, for all tests of a file. It is running, and keeps its disks over power cuts; its spare
    disks are mounted at each boot at /srv/xfs and /srv/ext4: a test makes file systems on them first."""
    if not machine_of_the_file.alive():
        machine_of_the_file.start().wait()
    return machine_of_the_file


@pytest.fixture(scope="module")
def machine_of_the_file():
    if "HOSTLET_VM_IMAGE" not in os.environ:
        pytest.fail("the tests outside are run by scripts/vm test")
    place = ground.make_place("machine")
    made = Machine(place / "machine", Path(os.environ["HOSTLET_VM_IMAGE"]), Path(os.environ["HOSTLET_VM_PAYLOAD"]),
                   {"xfs": 2048, "ext4": 2048}, durable=True)
    try:
        made.start().wait().install()
        made.run("""mkdir -p /srv/xfs /srv/ext4
            printf '%s\\n' '/dev/disk/by-id/virtio-xfs /srv/xfs xfs prjquota 0 0' \
                '/dev/disk/by-id/virtio-ext4 /srv/ext4 ext4 prjquota 0 2' >>/etc/fstab
            systemctl daemon-reload""")
        yield made
    finally:
        made.kill()
        ground.remove(place)
