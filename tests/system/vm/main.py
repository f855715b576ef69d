"""scripts/vm: hostlet in a virtual machine of its own (HACKING.md, "The virtual machine").

  scripts/vm build                  makes the machine's image, if it is not there
  scripts/vm test [pytest's…]       runs the system tests, those inside of a machine and those that drive some
  scripts/vm run COMMAND            one command line for sh in a new machine, with hostlet installed and file systems with project
                                    quotas at /srv/xfs and /srv/ext4; exits with its status
  scripts/vm shell                  a console of such a machine, as root; Ctrl-A X ends it

Options before the command: --logs DIR (where test leaves reports and logs; $HOSTLET_BUILD_ROOT/logs), --no-build (the builds
are as they should be).
"""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[3]

import run as runner
from lib import ground
from vm import payload
from vm.machine import CommandFailed, Machine, MachineError, end_on_signals

VARIANTS = ("hardened", "failpoints")
DISKS = {"xfs": 2048, "ext4": 2048}
INSIDE, OUTSIDE = "tests/system", "tests/system/outside"
SECONDS, SELECTED_SECONDS = 1500, 3 * 3600  # for each of the two runs; where -m selects other tests
NOTHING = 5  # pytest: no test was selected
BROKEN = 3  # of this program: no test could be run


def say(text):
    print(f"scripts/vm: {text}", flush=True)


class Ground:
    """The parts of every machine: the image and the payload, in a directory that is removed in the end."""

    def __init__(self, build=True):
        if os.geteuid() != 0:
            raise MachineError("the image is made by root, and the tests are run by root: become root")
        self.builds = {variant: runner.build(variant) if build else runner.BUILDS / variant for variant in VARIANTS}
        missing = [variant for variant, directory in self.builds.items() if not (directory and directory.is_dir())]
        if missing:
            raise MachineError(f"not built: {', '.join(missing)}")
        self.image = make_image()

    def __enter__(self):
        self.place = ground.make_place("vm")
        try:
            self.payload = payload.make(self.place, SOURCE, self.builds)
        except BaseException:
            ground.remove(self.place)
            raise
        return self

    def __exit__(self, *_):
        ground.remove(self.place)

    @contextlib.contextmanager
    def machine(self, name, interactive=False):
        machine = Machine(self.place / name, self.image, self.payload, DISKS)
        try:
            started = time.monotonic()
            machine.start(interactive).wait()
            machine.install()
            if not interactive:
                say(f"the machine is up after {time.monotonic() - started:.0f} s")
            yield machine
        finally:
            machine.kill()


def make_image():
    made = subprocess.run([SOURCE / "scripts/vm-image"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if made.returncode != 0:
        raise MachineError("there is no image")
    return Path(made.stdout.strip())


# test

def pytest_command(report, words):
    return ["/usr/bin/python3", "-B", "-m", "pytest", "-q", "-rs", "--tb=short", "--durations=40", f"--junitxml={report}", *words]


def divide(words):
    """Returns pytest's arguments for the two runs, None if the named files leave nothing for it."""
    def is_path(word):
        return word.split("::")[0].endswith(".py")
    paths = [word for word in words if is_path(word)]
    others = [word for word in words if not is_path(word)]
    if "-m" not in words:
        others = ["-m", "not by_hand", *others]
    outside = [path for path in paths if OUTSIDE in path]
    inside = [path for path in paths if OUTSIDE not in path]
    if not paths:
        return [INSIDE, f"--ignore={OUTSIDE}", *others], [OUTSIDE, *others]
    return [*inside, *others] if inside else None, [*outside, *others] if outside else None


def selects_nothing(words):
    """Reports whether these arguments select no test, so that no machine has to be started."""
    command = pytest_command("/dev/null", [*words, "--collect-only"])
    return subprocess.run(command, cwd=SOURCE, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode == NOTHING


def test_inside(on, words, logs, seconds):
    if words is None or selects_nothing(words):
        return NOTHING
    with on.machine("inside") as machine:
        environment = {"HOSTLET_SOURCE": "/payload/source", "HOSTLET_BUILD": "/payload/hardened", "HOSTLET_VARIANT": "hardened"}
        command = pytest_command("/root/report.xml", words)
        try:
            status = machine.run(["sh", "-c", 'cd /payload/source && exec "$@"', "sh", *command], seconds, check=False,
                                 environment=environment, live=True).status
        finally:
            with contextlib.suppress(MachineError, CommandFailed):
                (logs / "vm-inside.xml").write_bytes(machine.read("/root/report.xml"))
            with contextlib.suppress(MachineError, CommandFailed):
                (logs / "vm-inside.journal").write_bytes(machine.run("journalctl -b -o short-precise --no-pager").bytes)
            (logs / "vm-inside.console").write_text(machine.log())
    return status


@contextlib.contextmanager
def begun_outside(on, words, logs):
    """Starts the tests outside, which wait for machines most of the time; their output is stored. Yields their process, or None."""
    if words is None or selects_nothing([f"--confcutdir={SOURCE / OUTSIDE}", *words]):
        yield None
        return
    environment = {**os.environ, "HOSTLET_VM_IMAGE": str(on.image), "HOSTLET_VM_PAYLOAD": str(on.payload),
                   "PYTHONDONTWRITEBYTECODE": "1"}
    # Its conftest.py and not that of the tests inside, which is in the folder above.
    command = pytest_command(logs / "vm-outside.xml", [f"--confcutdir={SOURCE / OUTSIDE}", *words])
    with open(logs / "vm-outside.log", "wb") as log:
        process = subprocess.Popen(command, cwd=SOURCE, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                   env=environment, start_new_session=True)
    try:
        yield process
    finally:
        ground.stop(process, 30)


def end_outside(process, logs, seconds):
    if not process:
        return NOTHING
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    status = ground.stop(process, 30)
    say("the tests outside:")
    print((logs / "vm-outside.log").read_text(errors="replace"), flush=True)
    return status if status >= 0 else BROKEN


def test(words, logs, build):
    inside, outside = divide(words)
    seconds = SELECTED_SECONDS if "-m" in words else SECONDS
    logs.mkdir(parents=True, exist_ok=True)
    for name in ("vm-inside.xml", "vm-outside.xml"):
        (logs / name).unlink(missing_ok=True)
    with Ground(build) as on, begun_outside(on, outside, logs) as process:
        statuses = [test_inside(on, inside, logs, seconds), end_outside(process, logs, seconds)]
    say(f"reports and logs are in {logs}")
    bad = [status for status in statuses if status not in (0, NOTHING)]
    return max(bad) if bad else min(statuses)


# The other commands

FILESYSTEMS = """mkfs.xfs -q -f /dev/disk/by-id/virtio-xfs &&
    mkfs.ext4 -q -F -O quota,project -E lazy_itable_init=1,quotatype=prjquota /dev/disk/by-id/virtio-ext4 &&
    mkdir -p /srv/xfs /srv/ext4 && mount -o prjquota /dev/disk/by-id/virtio-xfs /srv/xfs &&
    mount -o prjquota /dev/disk/by-id/virtio-ext4 /srv/ext4"""


def run(words, build):
    with Ground(build) as on, on.machine("run") as machine:
        machine.run(FILESYSTEMS)
        return machine.run(" ".join(words), 3600, check=False, live=True).status


def shell(build):
    with Ground(build) as on, on.machine("shell", interactive=True) as machine:
        machine.run(FILESYSTEMS)
        return machine.process.wait()


def main(words):
    logs, build = runner.LOGS, True
    while words and words[0].startswith("--"):
        option = words.pop(0)
        if option == "--no-build":
            build = False
        elif option == "--logs" and words:
            logs = Path(words.pop(0)).resolve()
        else:
            words.clear()
    command, words = (words[0], words[1:]) if words else ("", [])
    end_on_signals()
    try:
        if command == "build" and not words:
            say(f"the image is {make_image()}")
            return 0
        if command == "test":
            return test(words, logs, build)
        if command == "run" and words:
            return run(words, build)
        if command == "shell" and not words:
            return shell(build)
    except (MachineError, CommandFailed, subprocess.SubprocessError, RuntimeError, OSError) as error:
        print(f"scripts/vm: {error}", file=sys.stderr, flush=True)
        return BROKEN
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
