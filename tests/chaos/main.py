"""Implements scripts/chaos: kills processes of a running tree at random while it receives orders, then checks that the actual
state equals the desired state and that nothing exists twice. It prints each act on a line; the seed repeats the random choices."""

import argparse
import os
import random
import sys
import time
from pathlib import Path

from lib import ground, images
from lib.chaos import Chaos, Wish, ZoneChaosLeader, ZoneWish, zone_order
from lib.dockerd import Dockerd
from lib.tree import Tree
from lib.zone_proto import KEY, Messages

FAST = {"probation": "100ms", "retry_min": "50ms", "retry_max": "1s"}


def main():
    parser = argparse.ArgumentParser(prog="scripts/chaos", description="Random faults against a running tree.")
    parser.add_argument("--seconds", type=float, default=60, help="of faults (60)")
    parser.add_argument("--instances", type=int, default=6, help="how many (6)")
    parser.add_argument("--seed", type=int, help="of the random choices (random, and printed)")
    parser.add_argument("--runtime", choices=["null", "docker"], default="null", help="null, or a private dockerd (null)")
    parser.add_argument("--zone", action="store_true", help="a zone's leader, which is stopped at times, sends the orders")
    parser.add_argument("--quiet", action="store_true", help="only the result")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("it starts hostletd and dockerd: run it as root")
    seed = random.randrange(10 ** 6) if arguments.seed is None else arguments.seed
    place = ground.make_place("chaos")
    daemon = leader = None
    try:
        settings, image = {"container-driver": {"runtime": "null"}, "reconciler": FAST}, "null/image:1"
        if arguments.runtime == "docker":
            daemon = Dockerd(place / "docker")
            daemon.place.mkdir()
            daemon.start()
            images.load_busybox(daemon.engine)
            settings["container-driver"] = {"runtime": "docker", "docker_socket": str(daemon.socket)}
            image = images.BUSYBOX
        if arguments.zone:
            messages = Messages(place / "messages")
            leader = ZoneChaosLeader(messages)
            settings["zone"] = {"enable": True, "listen": "127.0.0.1", "lan_addr": "127.0.0.1", "peer_port": ground.free_port(),
                                "http_port": ground.free_port()}
        tree = Tree(place / "tree", settings).start()
        if leader:
            tree.call("rpc-gateway", "ZoneInit", host_id=KEY[0], access_key="ak_{}_{}".format(*KEY), hosts=[leader.address])
        begun = time.monotonic()

        def say(text):
            if not arguments.quiet:
                print(f"{time.monotonic() - begun:7.2f}  {text}", flush=True)
        try:
            names = [f"chaos{n}" for n in range(arguments.instances)]
            wishes = [ZoneWish(tree, name, image, leader, zone_order(messages)) if leader else Wish(tree, name, image) for name in names]
            chaos = Chaos(tree, wishes, seed, daemon, say, leader)
            print(f"seed {seed}", flush=True)
            chaos.run(arguments.seconds)
            took = chaos.check()
            print(f"as desired {took:.2f} s after the last fault; " +
                  ", ".join(f"{count} x {what}" for what, count in sorted(chaos.done.items())))
        except BaseException:
            log = Path(f"/var/tmp/hostlet-chaos-{seed}.log")
            log.write_text(tree.log())
            print(f"seed {seed} failed; the tree's log is {log}", file=sys.stderr)
            raise
        finally:
            tree.stop()
    finally:
        if leader:
            leader.stop()
        if daemon:
            daemon.stop()
        ground.remove(place)


if __name__ == "__main__":
    main()
