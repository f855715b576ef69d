"""Counts the lines that the tests reach: runs them with the coverage build and prints one figure per folder of src. Called by
scripts/coverage.

Each part (units, seeds, integration) writes gcov's counters into a directory of its own, in which every user of the tree can
write: libgcov writes them there by GCOV_PREFIX. A part's counters stay until the part is run again, so the parts can be run one
by one, and the table is always the sum of all parts that were run with this build.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import run

SOURCE = run.SOURCE
BUILD = run.BUILDS / "coverage"
REPORT = BUILD / "report"
# Outside of the checkout, which may be in a directory that the users of the tree's processes cannot enter.
COUNTERS = Path(os.environ.get("HOSTLET_COVERAGE_COUNTERS") or "/var/tmp/hostlet-coverage")

PARTS = ("units", "seeds", "integration")
# A line that contains only abort() cannot be reached by a test: it runs when memory is exhausted or two tables disagree.
NOT_COUNTED = r".*\b(abort|__builtin_unreachable)\(\);.*"


def set_environment(part):
    """Directs the counters of processes that start from now on into the part's directory, which it empties."""
    directory = COUNTERS / part
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    directory.chmod(0o777)
    os.environ["GCOV_PREFIX"] = str(directory)
    os.environ["GCOV_PREFIX_STRIP"] = str(len(BUILD.parts) - 1)


def units():
    run.units("units", "coverage")


def seeds():
    if run.run("seeds", "make fuzz-replay", ["make", "-j", run.JOBS, "fuzz-replay"], cwd=BUILD) != 0:
        run.record("seeds", "make fuzz-replay", "failed")
        return
    for target in run.fuzz_targets():
        files = [path for folder in run.seed_folders(target) for path in sorted(folder.iterdir()) if path.is_file()]
        status = run.run("seeds", target, [BUILD / "tests/fuzz" / f"replay-{target}", *files])
        run.record("seeds", target, "passed" if status == 0 else "failed")


def integration(arguments):
    run.pytest("integration", "coverage", "tests/integration", "not failpoints and not quickstart", arguments, timeout=7200)


def read_counters(part):
    """Converts one part's counters to a file that gcovr can add to others. Returns the file, or None."""
    directory = COUNTERS / part
    if not any(directory.rglob("*.gcda")):
        return None
    # All sources: one that no process of this part ran counts as well.
    for notes in (BUILD / "src").rglob("*.gcno"):
        link = directory / notes.relative_to(BUILD)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(notes)
    result = REPORT / f"{part}.json"
    subprocess.run(["gcovr", "--root", SOURCE, "--filter", f"{SOURCE}/src/", "--exclude-lines-by-pattern", NOT_COUNTED,
                    "--gcov-ignore-parse-errors", "-j", run.JOBS, "--json", result, directory],
                   cwd=BUILD, check=True, stdout=subprocess.DEVNULL)
    return result


def summarize(traces, *outputs):
    """Adds up parts; returns gcovr's summary."""
    path = REPORT / "summary.json"
    command = ["gcovr", "--root", SOURCE, "--json-summary", path, *outputs]
    for trace in traces:
        command += ["--add-tracefile", trace]
    subprocess.run(command, cwd=BUILD, check=True, stdout=subprocess.DEVNULL)
    return json.loads(path.read_text())


def folder_of(filename):
    """Groups the files into rows: src/NAME for the processes, src/lib/NAME for the libraries."""
    parts = Path(filename).parts
    return "/".join(parts[:3 if parts[1] == "lib" else 2])


def per_cent(covered, total):
    return f"{100 * covered / total:5.1f}" if total else "    -"


def print_table(summary):
    rows = {}
    for file in summary["files"]:
        row = rows.setdefault(folder_of(file["filename"]), [0, 0, 0, 0])
        for i, key in enumerate(("line_covered", "line_total", "branch_covered", "branch_total")):
            row[i] += file[key]
    rows = dict(sorted(rows.items()))
    rows["all"] = [sum(values) for values in zip(*rows.values())]
    print(f"{'folder':24} {'lines':>7} {'%':>5}   {'branches':>8} {'%':>5}")
    for name, (lines, all_lines, branches, all_branches) in rows.items():
        print(f"{name:24} {all_lines:7} {per_cent(lines, all_lines)}   {all_branches:8} {per_cent(branches, all_branches)}")
    (REPORT / "folders.json").write_text(json.dumps({name: {"lines": row[1], "lines_covered": row[0], "branches": row[3],
                                                            "branches_covered": row[2]} for name, row in rows.items()}, indent=1))


def report():
    shutil.rmtree(REPORT, ignore_errors=True)
    (REPORT / "html").mkdir(parents=True)
    traces = {part: trace for part in PARTS if (trace := read_counters(part))}
    if not traces:
        print("coverage: no part was run with this build", file=sys.stderr)
        return
    alone = {part: summarize([trace]) for part, trace in traces.items()}
    summary = summarize(traces.values(), "--html-details", REPORT / "html" / "index.html")
    print_table(summary)
    print("parts: " + ", ".join(f"{part} alone {one['line_percent']} % of lines" for part, one in alone.items()))
    print(f"every line: {REPORT}/html/index.html; the table: {REPORT}/folders.json")


def main(arguments):
    parser = argparse.ArgumentParser(prog="scripts/coverage", description="Runs the tests with the coverage build and prints "
                                     "the lines and branches that they reach, per folder of src.")
    parser.add_argument("--units-only", action="store_true", help="unit tests and fuzz seeds, without the integration tests")
    parser.add_argument("--report-only", action="store_true", help="run nothing; the table of what was counted before")
    parser.add_argument("-k", metavar="NAME", help="only the integration tests that pytest selects by this expression")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    if not options.report_only:
        if not run.build("coverage"):
            return run.summary(started)
        set_environment("units")
        units()
        set_environment("seeds")
        seeds()
        if not options.units_only:
            set_environment("integration")
            integration(["-k", options.k] if options.k else [])
    report()
    return 0 if options.report_only else run.summary(started)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
