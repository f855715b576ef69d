"""Measures the zone's network: messages and time for 250 machines, in a network namespace of its own. The peers are ip and bridge of
iproute2, each with all of its commands in one process."""

import subprocess
import time

import network_throughput
from lib import ground
from lib.net_keeper import DEVICE, ZERO, NetKeeper, ethernet, host, messages, network
from lib.netns import Lan
from supervision import pss, wakeups

OTHERS = range(2, 251)
IDLE = 10  # seconds


def timed(function, *arguments):
    begun = time.monotonic()
    function(*arguments)
    return (time.monotonic() - begun) * 1000


def by_hand(machine):
    """Makes the network of 250 machines with iproute2."""
    machine.batch([f"link add {DEVICE} mtu 1450 up type vxlan id 10 dstport 8472 dev eth0 nolearning", f"address add 10.77.1.1/24 dev {DEVICE}",
                   *(f"route add {host(n)['instance']} via {host(n)['bridge']}" for n in OTHERS)])
    lines = "\n".join(f"fdb append {ZERO} dst {host(n)['peer']} dev {DEVICE}\n"
                      f"fdb add {ethernet(host(n)['id'])} dst {host(n)['peer']} dev {DEVICE}" for n in OTHERS)
    subprocess.run([*machine.wrapper, "bridge", "-batch", "-"], input=lines, text=True, check=True)


def restart(keeper):
    keeper.kill()
    return timed(keeper.start)


def counted(keeper, log, results):
    """Counts the messages that strace sees."""
    plain = keeper.wrapper
    keeper.stop()
    keeper.traced(log)
    keeper.start()
    keeper.set(network(others=OTHERS))
    results.add("changing messages, 250 machines, first time", [len(messages(log))], "", aim="750")
    keeper.kill()
    log.unlink()
    keeper.start()
    results.add("… a restart with nothing changed", [len(messages(log))], "", aim="0")
    log.write_text("")
    keeper.set(network(hosts=[host(1), *(host(n) for n in OTHERS[:-1]), host(250, peer="192.168.60.251")]))
    results.add("… one machine changed", [len(messages(log))], "", aim="3")
    keeper.set(None)
    keeper.stop()
    keeper.wrapper = plain


def quiet(keeper, results):
    """Measures the process while nothing happens."""
    pid = keeper.process.pid
    before = wakeups(pid)
    ground.let_pass(IDLE)
    results.add(f"wake-ups in {IDLE} s in which nothing happens", [wakeups(pid) - before], "", aim="0")
    results.add("memory (PSS) with 250 machines", [pss(pid) / 1024], "MiB")


def messages_and_time(place, results, runs):
    times = {name: [] for name in ("hand", "first", "one", "same", "empty", "restart")}
    with Lan("hostlet-bench") as lan:
        keeper = NetKeeper(place / "tree", lan.machine("a", "192.168.60.1/24"))
        keeper.start()
        for _ in range(runs):
            times["empty"].append(restart(keeper))
            times["hand"].append(timed(by_hand, keeper.machine))
            keeper.machine.inside("link", "delete", DEVICE)
            times["first"].append(timed(keeper.set, network(others=OTHERS)))
            times["one"].append(timed(keeper.set, network(others=OTHERS[:-1])))
            times["same"].append(timed(keeper.set, network(others=OTHERS[:-1])))
            times["restart"].append(restart(keeper))
            assert "changes" not in keeper.ask("Info")
            keeper.set(None)
        peer = results.add("ip -batch, bridge -batch: 250 machines", times["hand"], "ms")
        results.add("SetNetwork, 250 machines, first time", times["first"], "ms", peer)
        results.add("SetNetwork, one of 250 machines left", times["one"], "ms")
        results.add("SetNetwork, nothing changed", times["same"], "ms")
        empty = results.add("kill, start until ready, without a network", times["empty"], "ms")
        results.add("kill, start until ready, 250 machines, nothing changed", times["restart"], "ms", empty)
        results.add("… of which reading and comparing", [b - a for a, b in zip(times["empty"], times["restart"])], "ms", aim="20 ms")
        keeper.set(network(others=OTHERS))
        quiet(keeper, results)
        keeper.set(None)
        counted(keeper, place / "strace", results)


def measure(place, results, runs):
    messages_and_time(place, results, runs)
    network_throughput.measure(place, results, runs)
