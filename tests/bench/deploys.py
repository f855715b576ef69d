"""Measures the time from apply to a running container, with image and package present and without a probation, against docker run
-d of the same image."""

import subprocess
import time

from lib import images
from lib.dockerd import Dockerd
from lib.packages import Repository
from lib.tree import Tree


def manifest(name, package):
    return {"name": name, "version": "1.0.0", "image": images.BUSYBOX,
            "resources": {"cpu_limit": "500m", "memory_limit": "64Mi", "volume_limit": "100Mi"},
            "packages": [{"name": package, "version": "1.0"}],
            "tasks": [{"name": "serve", "on_startup": True, "script": "exec sleep 1000000"}],
            "hostlet": {"probation": "0s"}}


def measure(place, results, runs):
    daemon = Dockerd(place / "docker")
    daemon.place.mkdir()
    daemon.start()
    repository = Repository(place / "repository")
    repository.add("bench", "1.0.0", files={"a": b"1"})
    tree = Tree(place / "tree", {"container-driver": {"runtime": "docker", "docker_socket": str(daemon.socket)},
                                 "fetcher": {"repositories": f"file://{repository.directory}"}})
    try:
        images.load_busybox(daemon.engine)
        tree.start()
        tree.apply(manifest("keeper", "bench"))  # the package stays in use and therefore present
        docker, ours = [], []
        install = next((tree.prefix / "var/ipk_install/bench").iterdir())
        for n in range(runs + 1):
            begun = time.perf_counter()
            subprocess.run(["docker", "-H", f"unix://{daemon.socket}", "run", "-d", "--name", f"peer{n}", "--cpus", "0.5",
                            "--memory", "64m", "--restart", "always", "--mount",
                            f"type=bind,src={install},dst=/usr/innerstack/bench,ro", images.BUSYBOX, "sleep", "1000000"],
                           check=True, stdout=subprocess.DEVNULL)
            middle = time.perf_counter()
            tree.apply(manifest(f"bench{n}", "bench"))
            end = time.perf_counter()
            if n:
                docker.append((middle - begun) * 1000)
                ours.append((end - middle) * 1000)
            daemon.engine.remove(f"peer{n}")
            tree.ctl("destroy", f"bench{n}", "--purge")
        peer = results.add("docker run -d", docker, "ms")
        results.add("hostletctl apply to running", ours, "ms", peer, "1.2x")
    finally:
        tree.stop()
        daemon.stop()
