"""Builds hostlet's variants, runs the tiers of tests, gathers their counts. Called by scripts/test.

Every tier yields results (tier, name, outcome, reason). A unit test program counts as its cmocka cases, an integration tier as
its pytest cases, a build or a check by one command as one case. The last line printed is the sum, and continuous integration
reads nothing else, so every failure of this program becomes a failed case, never a missing one.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import typing
import xml.etree.ElementTree
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
BUILDS = Path(os.environ.get("HOSTLET_BUILD_ROOT") or SOURCE / "build").resolve()
LOGS = BUILDS / "logs"
JOBS = str(os.cpu_count() or 2)
PARTS = str(min(os.cpu_count() or 1, 4))  # processes of pytest, each with daemons of its own: most tests wait most of their time

VARIANTS = {
    "hardened": ["--enable-werror"],
    "failpoints": ["--enable-werror", "--enable-failpoints"],
    "sanitized": ["--enable-werror", "--enable-sanitizers"],
    "clang": ["--enable-werror", "CC=clang", "CXX=clang++"],
    "coverage": ["--enable-werror", "--enable-coverage"],  # for scripts/coverage; no tier of scripts/test uses it
}

results = []  # (tier, name, outcome, reason); outcome: passed, failed, skipped


def record(tier, name, outcome, reason=""):
    results.append((tier, name, outcome, reason))
    if outcome == "failed":
        print(f"FAILED {tier}: {name}" + (f": {reason}" if reason else ""), flush=True)


def run(tier, title, command, *, cwd=SOURCE, timeout=900, live=False, extra_environment=None):
    """Runs a command with its output in a log of its own (and shown, when live). Returns its exit status; prints the log of a
    failure."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log_path = LOGS / (re.sub(r"[^A-Za-z0-9]+", "-", f"{tier}-{title}") + ".log")
    environment = {**os.environ, **(extra_environment or {})}
    with open(log_path, "wb") as log:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, start_new_session=True,
                                   stdout=None if live else log, stderr=subprocess.STDOUT)
        try:
            status = process.wait(timeout)
        except BaseException as error:
            # The tests get time to clean up before the group is killed.
            for number, patience in ((signal.SIGINT, 60), (signal.SIGKILL, None)):
                try:
                    os.killpg(process.pid, number)
                    process.wait(patience)
                    break
                except subprocess.TimeoutExpired:
                    continue
                except ProcessLookupError:
                    break
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            print(f"{title}: stopped after {timeout} s", flush=True)
            status = -1
    if status != 0 and not live:
        lines = log_path.read_text(errors="replace").splitlines()
        print(f"--- {title}: the end of {log_path}")
        print("\n".join(lines[-150:]), flush=True)
    return status


# Builds

def configure_is_stale():
    configure = SOURCE / "configure"
    if not configure.exists() or not (SOURCE / "Makefile.in").exists():
        return True
    made = min(configure.stat().st_mtime, (SOURCE / "Makefile.in").stat().st_mtime)
    inputs = [SOURCE / "configure.ac", SOURCE / "Makefile.am", *SOURCE.glob("*/local.mk"), *SOURCE.glob("src/**/local.mk")]
    return any(path.stat().st_mtime > made for path in inputs)


built = {}  # variant: whether it built


def build(variant):
    """Configures and builds a variant once; returns its directory, or None when that failed."""
    directory = BUILDS / variant
    if variant in built:
        return directory if built[variant] else None
    started = time.monotonic()
    built[variant] = False
    if (SOURCE / "config.status").exists():
        record("build", variant, "failed", "the checkout was configured in place: run 'make distclean' there first")
        return None
    if configure_is_stale() and run("build", "autoreconf", ["autoreconf", "-fi"]) != 0:
        record("build", variant, "failed", "autoreconf")
        return None
    directory.mkdir(parents=True, exist_ok=True)
    options = VARIANTS[variant]
    wanted = " ".join(options)
    stamp = directory / "configured-with"
    if not (directory / "Makefile").exists() or not stamp.exists() or stamp.read_text() != wanted:
        # The results of configure depend on the compiler alone, so the gcc variants share them.
        cache = BUILDS / ("config.cache.clang" if "CC=clang" in options else "config.cache.gcc")
        if run("build", f"configure {variant}", [str(SOURCE / "configure"), f"--cache-file={cache}", *options],
               cwd=directory) != 0:
            cache.unlink(missing_ok=True)
            record("build", variant, "failed", "configure")
            return None
        stamp.write_text(wanted)
    status = run("build", f"make {variant}", ["make", "-j", JOBS, "all"], cwd=directory)
    built[variant] = status == 0
    record("build", variant, "passed" if status == 0 else "failed", "" if status == 0 else "make")
    print(f"built {variant} in {time.monotonic() - started:.0f} s", flush=True)
    return directory if status == 0 else None


# Units

CMOCKA_CASE = re.compile(r"^\[\s+(OK|FAILED|SKIPPED)\s+\] (\w+)$")


def read_unit_program(tier, trs):
    """Runs one test program of automake's harness: records its cmocka cases, or itself if it has none or crashed."""
    name = trs.stem
    verdict = re.search(r"^:test-result: (\w+)", trs.read_text(), re.MULTILINE)
    verdict = verdict.group(1) if verdict else "ERROR"
    log = trs.with_suffix(".log")
    text = log.read_text(errors="replace") if log.exists() else ""
    cases = {}
    for line in text.splitlines():
        match = CMOCKA_CASE.match(line)
        if match:
            cases[match.group(2)] = {"OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}[match.group(1)]
    if verdict == "SKIP":
        record(tier, name, "skipped", text.strip().splitlines()[-1] if text.strip() else "exit 77, without a reason")
        return
    for case, outcome in cases.items():
        reason = ""
        if outcome == "skipped":
            told = re.search(rf"^skip {case}: (.*)$", text, re.MULTILINE)
            reason = told.group(1) if told else "skip() without a reason"
        record(tier, f"{name}.{case}", outcome, reason)
    died = verdict not in ("PASS", "XFAIL") and "failed" not in cases.values()
    if died or not cases:
        record(tier, name, "failed" if died else "passed", verdict if died else "")
    if verdict not in ("PASS", "XFAIL"):
        print(f"--- {log}\n{text[-20000:]}", flush=True)


def units(tier, variant):
    directory = build(variant)
    if not directory:
        record(tier, "make check", "failed", f"{variant} was not built")
        return
    for old in directory.rglob("*.trs"):
        old.unlink()
    environment = {"ASAN_OPTIONS": "abort_on_error=1:detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
    log_status = run(tier, "make check", ["make", "-k", "-j", JOBS, "check"], cwd=directory,
                     extra_environment=environment)
    programs = sorted(directory.rglob("*.trs"))
    before = len([result for result in results if result[2] == "failed"])
    for trs in programs:
        read_unit_program(tier, trs)
    after = len([result for result in results if result[2] == "failed"])
    if log_status != 0 and before == after:
        record(tier, "make check", "failed", "make check ended with an error that no test reported")


# Checks by one command

def lint(_pytest_arguments):
    directory = build("hardened")
    status = run("lint", "make lint", ["make", "lint"], cwd=directory) if directory else -1
    record("lint", "make lint", "passed" if status == 0 else "failed")


def dist(_pytest_arguments):
    """Runs make distcheck: an unpacked tarball builds, passes its units, installs, and uninstalls without leftovers."""
    directory = build("hardened")
    status = -1
    if directory:
        status = run("dist", "make distcheck", ["make", "-j", JOBS, "distcheck"], cwd=directory,
                     extra_environment={"DISTCHECK_CONFIGURE_FLAGS": "--enable-werror"})
    record("dist", "make distcheck", "passed" if status == 0 else "failed")


FUZZ_SECONDS = 5  # per target: a smoke test, and that the targets still build


def fuzz_targets():
    return sorted(path.stem for path in (SOURCE / "tests/fuzz").glob("*.c") if path.stem != "replay")


def seed_folders(target):
    """Returns the directory of a fuzz target's seeds."""
    vectors = {"manifest": "app-spec", "package": "ipk"}.get(target)
    return [SOURCE / "tests/fuzz/seeds" / target, *([SOURCE / "tests/vectors" / vectors] if vectors else [])]


def fuzz(seconds):
    """Runs each fuzz target for the given time, from its seeds."""
    directory = build("hardened")
    if not directory:
        record("fuzz", "make fuzz", "failed", "hardened was not built")
        return
    if run("fuzz", "make fuzz-possible", ["make", "fuzz-possible"], cwd=directory) != 0:
        record("fuzz", "make fuzz", "skipped", "this clang has no libFuzzer (Debian: libclang-rt-14-dev)")
        return
    if run("fuzz", "make fuzz", ["make", "-j", JOBS, "fuzz"], cwd=directory) != 0:
        record("fuzz", "make fuzz", "failed")
        return
    for target in fuzz_targets():
        corpus = LOGS / "fuzz" / target
        corpus.mkdir(parents=True, exist_ok=True)
        status = run("fuzz", target, [directory / "tests/fuzz" / target, f"-max_total_time={seconds}", "-timeout=20",
                                      "-print_final_stats=1", f"-artifact_prefix={LOGS}/fuzz-{target}-", corpus, *seed_folders(target)],
                     timeout=seconds + 900)
        record("fuzz", target, "passed" if status == 0 else "failed", f"the input lies in {LOGS}" if status else "")


# Integration

def read_junit(tier, path):
    """Records the cases of a pytest run. Returns their number."""
    count = 0
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        count += 1
        name = f"{case.get('classname', '').removeprefix('tests.')}.{case.get('name')}"
        outcome, reason = "passed", ""
        for child in case:
            if child.tag in ("failure", "error"):
                outcome, reason = "failed", (child.get("message") or "").splitlines()[0][:200] if child.get("message") else ""
                break
            if child.tag == "skipped":
                outcome, reason = "skipped", child.get("message") or "no reason given"
        record(tier, name, outcome, reason)
    return count


def pytest(tier, variant, folder, marker, arguments, timeout=2400):
    directory = build(variant)
    if not directory:
        record(tier, folder, "failed", f"{variant} was not built")
        return
    report = LOGS / f"{tier}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-rs", "--tb=short", "--durations=40", "-n", PARTS, "--dist", "loadfile",
               f"--junitxml={report}", "-m", marker]
    paths = [argument for argument in arguments if argument.split("::")[0].endswith(".py")]
    command += arguments if paths else [str(SOURCE / folder), *arguments]
    environment = {
        "HOSTLET_BUILD": str(directory), "HOSTLET_SOURCE": str(SOURCE), "HOSTLET_VARIANT": variant,
        "PYTHONDONTWRITEBYTECODE": "1",
        # The jailed processes of the sanitized variant: the search for leaks does not work under ptrace limits or at a kill.
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1", "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    }
    status = run(tier, "pytest", command, timeout=timeout, live=True, extra_environment=environment)
    count = 0
    try:
        count = read_junit(tier, report)
    except (OSError, xml.etree.ElementTree.ParseError) as error:
        record(tier, "pytest", "failed", f"no report: {error}")
        return
    # 0: all passed, 1: some failed (counted above), 5: nothing collected, a possible result of an expression (-k).
    if status not in (0, 1, 5) or (status == 1 and not any(r[0] == tier and r[2] == "failed" for r in results)):
        record(tier, "pytest", "failed", f"pytest ended with status {status}")
    if count == 0:
        print(f"{tier}: no test was selected", flush=True)


def failpoints(rest):
    if not rest:
        units("failpoints", "failpoints")
    if not lacks("failpoints", "the tests in trees", DOCKER):
        pytest("failpoints", "failpoints", "tests/integration", "failpoints and not by_hand", rest)


def machine(rest, timeout=3000):
    """Runs the system tests, in a virtual machine that scripts/vm makes and ends: those inside of it, those outside."""
    missing = [variant for variant in ("hardened", "failpoints") if not build(variant)]
    if missing:
        record("vm", "tests/system", "failed", f"{missing[0]} was not built")
        return
    reports = [LOGS / "vm-inside.xml", LOGS / "vm-outside.xml"]
    for report in reports:
        report.unlink(missing_ok=True)
    status = run("vm", "scripts/vm test", [SOURCE / "scripts/vm", "--logs", LOGS, "--no-build", "test", *rest], timeout=timeout,
                 live=True, extra_environment={"HOSTLET_NO_DEPS": "1"})
    count = 0
    for report in reports:
        if report.exists():
            try:
                count += read_junit("vm", report)
            except xml.etree.ElementTree.ParseError as error:
                record("vm", report.name, "failed", f"no report: {error}")
    if status not in (0, 1, 5) or (status == 1 and not any(r[0] == "vm" and r[2] == "failed" for r in results)) or \
            (status == 0 and not count):
        record("vm", "scripts/vm test", "failed", f"it ended with status {status} and {count} results")
    elif count == 0:
        print("vm: no test was selected", flush=True)


def chaos(_pytest_arguments):
    """Runs ten minutes of random kills on each runtime."""
    directory = build("hardened")
    if not directory:
        record("chaos", "scripts/chaos", "failed", "hardened was not built")
        return
    for options in ([], ["--zone"], ["--runtime", "docker"]):
        command = [SOURCE / "scripts/chaos", "--seconds", "600", "--instances", "12", *options]
        status = run("chaos", " ".join(["chaos", *options]), command,
                     extra_environment={"HOSTLET_BUILD": str(directory), "HOSTLET_NO_DEPS": "1"})
        record("chaos", " ".join(command[1:]), "passed" if status == 0 else "failed")


# The needs of a tier: programs, which scripts/deps installs, and properties of the machine.

def works(*command):
    """Reports whether a command succeeds."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=60).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def program(name):
    return f"the program {name} (scripts/deps)", lambda: shutil.which(name) is not None, "failed"


def lacks(tier, part, needs):
    """Reports whether something in 'needs' is missing. One line then names it, and the part counts as one case: failed if
    packages are missing, skipped if the machine lacks a property."""
    missing = [(what, outcome) for what, is_here, outcome in needs if not is_here()]
    if missing:
        words = f"this machine lacks {', '.join(what for what, _ in missing)}"
        outcome = "failed" if any(outcome == "failed" for _, outcome in missing) else "skipped"
        record(tier, part, outcome, words)
        if outcome == "skipped":
            print(f"SKIPPED {tier}: {part}: {words}", flush=True)
    return bool(missing)


ROOT = ("root's rights", lambda: os.geteuid() == 0, "skipped")
MOUNTS = ("the right to mount", lambda: works("unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"), "skipped")
BRIDGES = ("the right to make a bridge", lambda: works("unshare", "--net", "ip", "link", "add", "probe", "type", "bridge"), "skipped")
CGROUPS = ("control groups that can be written", lambda: any(
    path.is_dir() and os.access(path, os.W_OK) and not os.statvfs(path).f_flag & os.ST_RDONLY
    for path in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory"))), "skipped")
TREE = (ROOT, MOUNTS, program("nginx"))
DOCKER = (*TREE, BRIDGES, CGROUPS, program("dockerd"))
MACHINE = (ROOT, MOUNTS, program("qemu-system-x86_64"), program("mmdebstrap"))


class Tier(typing.NamedTuple):
    what: str
    run: typing.Callable  # gets pytest's arguments
    needs: tuple = ()  # of (the need, a function that reports whether it is met, the consequence for the tier without it)


ALWAYS = "not failpoints and not quickstart and not by_hand"

TIERS = {
    "lint": Tier("formatting, shell scripts, house rules", lint),
    "unit": Tier("unit tests of the hardened build (gcc)", lambda _: units("unit", "hardened")),
    "sanitized": Tier("unit tests under ASan and UBSan", lambda _: units("sanitized", "sanitized")),
    "clang": Tier("compiled by clang, unit tests", lambda _: units("clang", "clang"), (program("clang"),)),
    "dist": Tier("make distcheck", dist),
    "fuzz": Tier("libFuzzer on all untrusted input, some seconds each", lambda _: fuzz(FUZZ_SECONDS), (program("clang"),)),
    "integration": Tier("the real tree with a real dockerd, the hardened build",
                        lambda rest: pytest("integration", "hardened", "tests/integration", ALWAYS, rest), DOCKER),
    "failpoints": Tier("processes killed at every failpoint: units and the tree", failpoints),
    "sanitized-tree": Tier("the tree under ASan and UBSan, without its jail",
                           lambda rest: pytest("sanitized-tree", "sanitized", "tests/integration",
                                               "sanitized and not failpoints and not by_hand", rest), TREE),
    "vm": Tier("the tree under systemd, quotas in a real kernel: in a virtual machine", machine, MACHINE),
    "quickstart": Tier("scripts/quickstart from nothing to an answering application, and its removal",
                       lambda rest: pytest("quickstart", "hardened", "tests/integration", "quickstart", rest), DOCKER),
}

# scripts/test --release: tests that are too long for every run.
RELEASE = {
    "integration": Tier("the integration tests marked by_hand",
                        lambda rest: pytest("integration", "hardened", "tests/integration", "by_hand and not failpoints", rest, 4 * 3600), DOCKER),
    "chaos": Tier("scripts/chaos for ten minutes: on the null runtime, with a zone, on Docker", chaos, DOCKER),
    "fuzz": Tier("each fuzz target for ten minutes", lambda _: fuzz(600), (program("clang"),)),
    "vm": Tier("the system tests marked by_hand: random kills, power cuts",
               lambda rest: machine(["-m", "by_hand", *rest], 4 * 3600), MACHINE),
}


def summary(started):
    for tier, name, _, reason in (result for result in results if result[2] == "skipped"):
        print(f"skipped {tier}: {name}: {reason}")
    for tier, name, _, reason in (result for result in results if result[2] == "failed"):
        print(f"failed {tier}: {name}" + (f": {reason}" if reason else ""))
    counts = {outcome: sum(1 for r in results if r[2] == outcome) for outcome in ("passed", "failed", "skipped")}
    print(f"took {time.monotonic() - started:.0f} s")
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped", flush=True)
    return 1 if counts["failed"] or not counts["passed"] else 0


def run_tier(name, tier, rest):
    try:
        if not lacks(name, "the whole tier", tier.needs):
            tier.run(rest)
    except Exception as error:  # a broken tier must not hide the others
        record(name, "runner", "failed", f"{type(error).__name__}: {error}")


def usage():
    print("usage: scripts/test [--release] [TIER…] [pytest's arguments: -k EXPRESSION, FILE.py…]")
    for title, tiers in (("tiers, in this order:", TIERS), ("with --release instead, hours in all:", RELEASE)):
        print(title)
        for name, tier in tiers.items():
            print(f"  {name:15} {tier.what}")


def main(arguments):
    tiers = TIERS
    if arguments and arguments[0] == "--release":
        tiers, arguments = RELEASE, arguments[1:]
    if arguments and arguments[0] in ("-h", "--help", "--list"):
        usage()
        return 0
    split = next((i for i, argument in enumerate(arguments) if argument not in tiers), len(arguments))
    chosen, rest = arguments[:split] or list(tiers), arguments[split:]
    if split == 0 and rest and not rest[0].startswith("-") and not rest[0].split("::")[0].endswith(".py"):
        print(f"scripts/test: no tier '{rest[0]}'; scripts/test --list shows them", file=sys.stderr)
        return 2
    started = time.monotonic()
    for name in chosen:
        print(f"=== {name}: {tiers[name].what}", flush=True)
        begun = time.monotonic()
        run_tier(name, tiers[name], rest)
        print(f"=== {name}: {time.monotonic() - begun:.0f} s", flush=True)
    return summary(started)


if __name__ == "__main__":
    if shutil.which("make") is None:
        print("scripts/test: 'make' is missing: run scripts/deps", file=sys.stderr)
        print("0 passed, 1 failed, 0 skipped")
        sys.exit(1)
    sys.exit(main(sys.argv[1:]))
