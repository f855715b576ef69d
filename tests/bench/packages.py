"""Measures how long a package of 60 MB in 5,000 files takes from nginx to a synced directory of root, in each compression:
fetcher, unpacker and provisioner through their sockets, against two pipelines of curl and bsdtar on the same tar."""

import os
import random
import shutil
import subprocess
import time

from lib import ground
from lib.nginx import Nginx
from lib.tree import Tree, program

FILES, BYTES = 5000, 60_000_000
KINDS = {"xz": (".xz", ["xz", "-6", "-T2", "--block-size=4MiB"]), "gzip": (".gz", ["gzip", "-6"]),
         "zstd": (".zst", ["zstd", "-3", "-q"]), "none": ("", ["cat"])}


def make_files(directory):
    """Makes files of which half of the bytes compress well, as code does. The sizes are spread like those of a source tree."""
    noise = random.Random(7)
    words = [bytes(noise.choices(b"abcdefghijklmnopqrstuvwxyz_(){};", k=noise.randint(3, 10))) for _ in range(3000)]
    sizes = [noise.expovariate(1) for _ in range(FILES)]
    scale = BYTES / sum(sizes)
    for n, size in enumerate(sizes):
        path = directory / f"d{n % 50:02}/e{n % 7}/file{n}"
        path.parent.mkdir(parents=True, exist_ok=True)
        length = int(size * scale)
        text = b" ".join(noise.choices(words, k=length // 8 + 1))[:length * 7 // 8]
        path.write_bytes(text + noise.randbytes(length - len(text)))


def seconds(command, environment=None):
    begun = time.perf_counter()
    subprocess.run(["bash", "-ec", "set -o pipefail; " + command], check=True, env={**os.environ, **(environment or {})},
                   stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def ours(tree, name, reference):
    """Fetches, unpacks and publishes as the reconciler requests it. The removal afterwards is not measured."""
    begun = time.perf_counter()
    with tree.connect("fetcher", 300) as fetcher:
        list(fetcher.stream("io.hostlet.Fetcher.Fetch", package=reference))
    with tree.connect("unpacker", 300) as unpacker:
        list(unpacker.stream("io.hostlet.Unpacker.Unpack", name=name, id=reference["id"]))
    with tree.connect("provisioner", 300) as provisioner:
        assert provisioner.call("io.hostlet.Provisioner.Publish", name=name, id=reference["id"])["path"]
    taken = time.perf_counter() - begun
    for service, method in (("provisioner", "Provisioner.Unpublish"), ("fetcher", "Fetcher.Remove")):
        with tree.connect(service, 300) as client:
            client.call(f"io.hostlet.{method}", name=name, id=reference["id"])
    hidden = tree.prefix / "var/ipk_install/.publishing"
    ground.wait_until(lambda: not any(hidden.iterdir()), 60, "the removed package is deleted")
    return taken


def measure(place, results, runs):
    source, nginx = place / "source", Nginx(place / "nginx")
    make_files(source)
    nginx.start()
    tree = Tree(place / "tree", {"container-driver": {"runtime": "null"}, "fetcher": {"repositories": nginx.url}})
    try:
        for kind, (suffix, packer) in KINDS.items():
            subprocess.run([program("hostletctl"), "package", "build", source, "--name", f"bench-{kind}", "--version", "1.0.0",
                            "--compress", kind, "-o", nginx.root], check=True, stdout=subprocess.DEVNULL)
            tar = nginx.root / f"bench.tar{suffix}"
            with open(tar, "wb") as out:
                archiver = subprocess.Popen(["tar", "-C", source, "-cf", "-", "."], stdout=subprocess.PIPE)
                subprocess.run(packer, stdin=archiver.stdout, stdout=out, check=True)
        subprocess.run([program("hostletctl"), "package", "index", nginx.root], check=True, stdout=subprocess.DEVNULL)
        tree.start()
        for kind, (suffix, _) in KINDS.items():
            compare(place, nginx, tree, kind, suffix, results, max(3, runs // 2))
    finally:
        tree.stop()
        nginx.stop()


def compare(place, nginx, tree, kind, suffix, results, runs):
    """Runs the three in turn, each into new directories, so that a drift of the machine affects all of them alike."""
    url, times = f"{nginx.url}/bench.tar{suffix}", {"pipe": [], "steps": [], "ours": []}
    name = f"bench-{kind}"
    reference = tree.call("fetcher", "Resolve", name=name)["package"]
    for n in range(runs + 1):
        target = place / f"peer-{kind}-{n}"
        target.mkdir()
        taken = {}
        taken["pipe"] = seconds(f"curl -sf {url} | bsdtar -xf - -C {target}")
        shutil.rmtree(target)
        target.mkdir()
        taken["steps"] = seconds(f"curl -sfo {place}/archive {url}; sha256sum {place}/archive; "
                                 f"bsdtar -xf {place}/archive -C {target}; sync -f {target}")
        shutil.rmtree(target)
        taken["ours"] = ours(tree, name, reference)
        os.sync()  # pending writes of the removal must not be charged to the next run
        for key in times if n else ():
            times[key].append(taken[key])
    pipe = results.add(f"{kind}: curl | bsdtar -x", times["pipe"], "s")
    steps = results.add(f"{kind}: curl -o; sha256sum; bsdtar; sync -f", times["steps"], "s")
    row = results.add(f"{kind}: fetch, verify, unpack, publish, sync", times["ours"], "s", pipe,
                      "0.5x" if kind == "xz" else "1.2x")
    results.compare(row, steps, "0.5x" if kind == "xz" else "0.8x")


