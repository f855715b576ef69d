"""Implements scripts/bench: takes every measurement beside that of a real peer in the same run. Machines are noisy, so it reports
medians and ratios, never single figures. Nothing here fails on a slow machine."""

import argparse
import json
import os
import sys

from lib import ground
from results import Results

import deploys
import inagent
import network
import output
import packages
import quota
import scale
import supervision
import zone

PARTS = {
    "supervision": (supervision.measure, "restarts, start on demand, memory and wake-ups, against s6 and runit"),
    "packages": (packages.measure, "fetch, verify, unpack and sync, against curl with bsdtar"),
    "deploys": (deploys.measure, "apply to running, against docker run"),
    "output": (output.measure, "the output of tasks through inagent, against a program that writes to the log itself"),
    "quota": (quota.measure, "disk quotas of 200 replicas, against xfs_quota; needs an XFS with prjquota, as scripts/vm has it"),
    "inagent": (inagent.measure, "size, start, memory and wake-ups of inagent, against a shell and busybox's crond"),
    "scale": (scale.measure, "100 instances of 5 replicas on the null runtime"),
    "network": (network.measure, "the network of 250 machines, against ip and bridge"),
    "zone": (zone.measure, "rounds with a zone's leader, and 500 MiB in chunks against curl"),
}


def main():
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Measures hostlet against its peers in the same run.",
        epilog="parts: " + "; ".join(f"{name}: {text}" for name, (_, text) in PARTS.items()))
    parser.add_argument("parts", nargs="*", metavar="PART", help="which parts (all)")
    parser.add_argument("--json", action="store_true", help="the results as JSON on standard output")
    parser.add_argument("--runs", type=int, default=11, help="counted runs of each measurement (11)")
    arguments = parser.parse_args()
    unknown = [part for part in arguments.parts if part not in PARTS]
    if unknown:
        parser.error(f"unknown part: {', '.join(unknown)}")
    if os.geteuid() != 0:
        parser.error("it starts hostletd and dockerd: run it as root")

    results = Results(sys.stderr if arguments.json else sys.stdout)
    for name in arguments.parts or PARTS:
        place = ground.make_place(f"bench-{name}")
        try:
            results.begin(name)
            PARTS[name][0](place, results, arguments.runs)
        finally:
            ground.remove(place)
    if arguments.json:
        print(json.dumps(results.rows, indent=1))


if __name__ == "__main__":
    main()
