"""Measures a member of a zone: the cost of a round with the leader, the speed of packages in chunks, and the memory of the
gateway. The leader is Python on grpc's own library, so its share of each figure is measured beside it."""

import json
import os
import random
import statistics
import subprocess
import time
import zlib

import grpc
from google.protobuf import json_format
from lib import ground, packages
from lib.leader import Leader
from lib.nginx import Nginx
from lib.tree import Tree
from lib.zone import instance
from lib.zone_proto import KEY, Messages, token
from supervision import pss

SIZES = (10, 250, 2000)
PACKAGE = 500 << 20
CHUNK = 1 << 20
TICK = os.sysconf("SC_CLK_TCK")


def cpu(pid):
    """Returns the seconds of processor time that a process has used."""
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def peak(pid):
    """Returns the peak memory of a process in MiB."""
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0


def member(place, name, leader, **zone):
    tree = Tree(place / name, {"container-driver": {"runtime": "null"}, "reconciler": {"probation": "0s"},
                               "zone": {"enable": True, "listen": "127.0.0.1", "lan_addr": "127.0.0.1", "peer_port": ground.free_port(),
                                        "http_port": ground.free_port(), **zone}}).start()
    tree.call("rpc-gateway", "ZoneInit", host_id=KEY[0], access_key="ak_{}_{}".format(*KEY), hosts=[leader.address])
    return tree


def rounds(place, results, messages, n, count):
    """Measures round trips of status updates whose response contains n instances of one replica on this host."""
    leader = Leader(messages)
    tree = None
    try:
        made = [json.loads(json.dumps(instance(f"app{i}", 1, "start", "null/image:1")).replace("0123456789abcdef", KEY[0])) for i in range(n)]
        answer = messages.zone.HostStatusUpdateResponse(
            app_instances=[json_format.ParseDict(m, messages.app.AppInstance(), ignore_unknown_fields=True) for m in made])
        data = answer.SerializeToString()
        leader.hooks["HostStatusUpdate"] = lambda *_: data
        tree = member(place, f"rounds{n}", leader, interval="200ms")

        def all_run():
            with tree.connect("reconciler", 60) as client:
                found = [a["instance"] for a in client.stream("io.hostlet.Reconciler.List") if a.get("instance")]
            return len(found) == n and all(i["settled"] and not i["failed"] for i in found)
        ground.wait_until(all_run, 600, f"{n} replicas run", interval=0.5)
        ground.let_pass(2)  # the last stages are reported; the idle state is measured
        pid, trips, last = tree.pid("rpc-gateway"), [], 0
        before, begun = cpu(pid), len(leader.called("HostStatusUpdate"))
        while len(trips) < count:
            status = tree.call("rpc-gateway", "ZoneStatus")
            if status.get("last_success") != last:
                last = status["last_success"]
                trips.append(status["round_trip_usec"] / 1000)
            ground.let_pass(0.05)
        updates = len(leader.called("HostStatusUpdate")) - begun
        results.add(f"round trip with {n} replicas ({len(data) / 1024:.0f} KiB): p50", [statistics.median(trips)], "ms")
        results.add(f"round trip with {n} replicas: p99", [sorted(trips)[int(len(trips) * 0.99) - 1]], "ms")
        results.add(f"processor time of the gateway for one update with {n} replicas", [(cpu(pid) - before) * 1000 / updates], "ms")
        results.add(f"PSS of the gateway with {n} replicas", [pss(pid) / 1024], "MiB", aim="8 MiB" if n == 10 else None)
    finally:
        if tree:
            tree.stop()
        leader.stop()


def by_python(leader, messages, identity, size):
    """Downloads with grpc's own client, one chunk after the other, as the original agent does. Returns the seconds."""
    options = [("grpc.max_receive_message_length", 64 << 20)]
    with grpc.insecure_channel(leader.address, options=options) as channel:
        call = channel.unary_unary("/inapi.ZoneInternalService/PackageChunk",
                                   request_serializer=messages.zone.PackageChunkRequest.SerializeToString,
                                   response_deserializer=messages.zone.PackageChunkResponse.FromString)
        begun = time.perf_counter()
        for index in range(-(-size // CHUNK)):
            answer = call(messages.zone.PackageChunkRequest(id=identity, index=index), metadata=[("x-inauth2", token())])
            assert zlib.crc32(answer.chunk.data) == answer.chunk.crc32
        return time.perf_counter() - begun


def download(place, results, messages, runs):
    leader, nginx = Leader(messages), Nginx(place / "nginx")
    data, header = packages.ipk("big", "1.0.0", block=random.Random(1).randbytes(1 << 20) * (PACKAGE >> 20))
    identity = leader.add_package(data, header, CHUNK)
    nginx.start()
    (nginx.root / "big.ipk").write_bytes(data)
    tree = member(place, "download", leader)
    times = {"curl": [], "python": [], "ours": []}
    try:
        reference = tree.call("fetcher", "Resolve", name="big")["package"]
        memory = 0
        for _ in range(runs):
            begun = time.perf_counter()
            subprocess.run(["curl", "-sfo", place / "big", f"{nginx.url}/big.ipk"], check=True)
            times["curl"].append(PACKAGE / (time.perf_counter() - begun) / 1e6)
            (place / "big").unlink()
            times["python"].append(PACKAGE / by_python(leader, messages, identity, len(data)) / 1e6)
            begun = time.perf_counter()
            with tree.connect("fetcher", 600) as fetcher:
                list(fetcher.stream("io.hostlet.Fetcher.Fetch", package=reference))
            times["ours"].append(PACKAGE / (time.perf_counter() - begun) / 1e6)
            memory = max(memory, peak(tree.pid("fetcher")))
            tree.call("fetcher", "Remove", name="big", id=reference["id"])
            os.sync()
        curl = results.add("500 MiB over loopback: curl from nginx, to a file", times["curl"], "MB/s")
        python = results.add("500 MiB by chunks: grpc's Python client, one by one, to nowhere", times["python"], "MB/s")
        row = results.add("500 MiB by chunks: fetch, check each, verify, sync", times["ours"], "MB/s", python)
        results.compare(row, curl, "none: the leader is Python")
        results.add("peak memory of the fetcher", [memory], "MiB")
    finally:
        tree.stop()
        nginx.stop()
        leader.stop()


def measure(place, results, runs):
    messages = Messages(place / "messages")
    for n in SIZES:
        rounds(place, results, messages, n, max(20, 5 * runs))
    download(place, results, messages, max(2, runs // 4))
