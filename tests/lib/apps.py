"""Provides instances for tests: short manifests, and waits for states that the reconciler reports."""

import contextlib
import json
import time
import urllib.error
import urllib.request

from . import ground, images
from .varlink import Closed, VarlinkError

PATIENCE = 30  # seconds; a deploy takes less than one, on a machine that is not busy


def manifest(name="web", image=images.BUSYBOX, script=None, *, tasks=None, packages=(), ports=(), host_ports=None,
             replicas=1, resources=None, spec=None, deploy=None, **hostlet):
    """Returns a manifest in the canonical form, which hostletctl and the reconciler both accept.

    'script' is a startup task; 'packages' are names or (name, version); 'ports' {name: port}; 'replicas' a number or a list of
    ids; 'host_ports' {replica id: {port: host port}}. Other arguments are members of [hostlet]; 'probation' is in milliseconds."""
    tasks = list(tasks or [])
    if script is not None:
        tasks.append({"name": "main", "on_startup": True, "script": script})
    ids = range(replicas) if isinstance(replicas, int) else replicas
    options = {"pull": "never", "probation_given": True, "probation_msec": hostlet.pop("probation", 200),
               "stop_timeout_msec": hostlet.pop("stop_timeout", 2000), **hostlet}
    names = {port: word for word, port in dict(ports).items()}
    made = {
        "meta": {"name": name},
        "spec": {"name": name, "version": "1.0.0", "image": image, "resources": resources or {},
                 "packages": [{"name": p} if isinstance(p, str) else {"name": p[0], "version": p[1]} for p in packages],
                 "service_ports": [{"name": word, "port": port} for word, port in dict(ports).items()],
                 "tasks": tasks, **(spec or {})},
        "deploy": {"replicas": [
            {"id": i, "service_ports": [{"name": names[port], "port": port, "host_port": outside}
                                        for port, outside in (host_ports or {}).get(i, {}).items()]} for i in ids],
            **(deploy or {})},
    }
    return {"app": made, "hostlet": options}


def server(text, port, data=True):
    """Returns a script that serves 'text' on a port, and counts its starts in the replica's data."""
    count = 'echo start >> /home/action/starts; echo start >> /opt/starts;' if data else ""
    return f"{count} mkdir -p /home/action/www; echo '{text}' > /home/action/www/index.html; " \
           f"exec httpd -f -p {port} -h /home/action/www"


def get(port, path="/", host="127.0.0.1"):
    """Returns the body of the response there, or None."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{host}:{port}{path}", timeout=5) as answer:
            return answer.read().decode()
    except (OSError, urllib.error.URLError):
        return None


def answers(port, text):
    ground.wait_until(lambda: (get(port) or "").strip() == text, PATIENCE, f"port {port} answers '{text}'")


class App:
    """One instance of a tree. Calls are repeated when the process behind them was killed, as its real callers do."""

    def __init__(self, tree, name="web"):
        self.tree = tree
        self.name = name

    # Orders

    def _insist(self, method, **parameters):
        def attempt():
            try:
                return [self.tree.call("reconciler", method, **parameters)]
            except (OSError, Closed) as error:
                failure = error
            except VarlinkError as error:
                if error.name not in ("io.hostlet.RetryLater", "io.hostlet.ServiceDown"):
                    raise
                failure = error
            self.tree.revive()
            raise AssertionError(repr(failure))
        return ground.wait_until(attempt, PATIENCE, f"{method} of {self.name}", 0.02)[0]

    def apply(self, wanted):
        return self._insist("Apply", manifest=wanted)

    def plan(self, wanted):
        return self._insist("Plan", manifest=wanted)

    def start(self):
        return self._insist("Start", name=self.name)

    def stop(self):
        return self._insist("Stop", name=self.name)

    def destroy(self, purge=False):
        try:
            return self._insist("Destroy", name=self.name, purge=purge)
        except VarlinkError as error:
            if error.name == "io.hostlet.NotFound":  # the reply was lost, the order was not
                return None
            raise

    # States

    def get(self):
        """Returns the instance, or None if it does not exist."""
        try:
            return self._insist("Get", name=self.name)["instance"]
        except VarlinkError as error:
            if error.name == "io.hostlet.NotFound":
                return None
            raise

    def replica(self, number=0):
        return next(r for r in self.get()["replicas"] if r["id"] == number)

    def wait(self, predicate, what, timeout=PATIENCE):
        """Waits until predicate(instance) is true, by the reconciler's own Watch; the instance is None when it no longer exists."""
        deadline = time.monotonic() + timeout
        last = "nothing"
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"{self.name}: {what}: not within {timeout} s; last seen:\n{json.dumps(last, indent=1)}")
            try:
                with self.tree.connect("reconciler", max(left, 0.1)) as connection:
                    for item in connection.stream("io.hostlet.Reconciler.Watch", name=self.name):
                        if item.get("complete"):
                            continue
                        last = None if item.get("gone") else item["instance"]
                        if predicate(last):
                            return last
                        connection.socket.settimeout(max(deadline - time.monotonic(), 0.01))
            except VarlinkError as error:
                if error.name == "io.hostlet.NotFound":
                    last = None
                    if predicate(None):
                        return None
            except (OSError, Closed):
                pass
            self.tree.revive()
            ground.let_pass(0.02)  # between two connections; the stream does the waiting

    def settled(self, timeout=PATIENCE):
        """Waits until the instance is settled."""
        return self.wait(lambda i: i is None or i["settled"], "it settles", timeout)

    def running(self, revision=None, timeout=PATIENCE):
        """Waits until every replica runs the revision (by default the desired one), and the instance is settled."""
        def ready(i):
            return i and i["settled"] and not i["failed"] and i["action"] == "start" and i["replicas"] and all(
                r["state"] == "running" and r.get("revision") == (revision or i["revision"]) for r in i["replicas"])
        return self.wait(ready, f"it runs revision {revision or 'as desired'}", timeout)

    def fallen_back(self, revision, timeout=PATIENCE):
        """Waits until a failed update is rolled back: the old revision runs, and the reason is shown."""
        def back(i):
            return i and i["settled"] and i["failed"] and all(
                r.get("revision") == revision and not r.get("step") for r in i["replicas"])
        return self.wait(back, f"revision {revision} runs again", timeout)

    def stopped(self):
        return self.wait(lambda i: i and i["settled"] and i["action"] == "stop" and all(
            r["state"] in ("stopped", "none") for r in i["replicas"]), "it is stopped")

    def gone(self):
        return self.wait(lambda i: i is None, "it is gone")

    def deploy(self, wanted):
        """Applies and waits until it runs."""
        said = self.apply(wanted)
        self.running(said["revision"])
        return said

    # Containers and files

    def container(self, number=0):
        return f"i8k_{self.name}_{number}"

    def directory(self, number=0):
        return self.tree.prefix / "apps" / self.container(number)

    def replica_file(self, number=0):
        return json.loads((self.directory(number) / "home/action/.innerstack/app_replica.json").read_text())

    def record(self):
        return json.loads((self.tree.prefix / f"var/hostlet/reconciler/instances/{self.name}.json").read_text())


def driver_containers(tree):
    """Returns container-driver's List: {name: container}."""
    with tree.connect("container-driver", 30) as connection:
        items = [item.get("container") for item in connection.stream("io.hostlet.ContainerDriver.List")]
    return {item["name"]: item for item in items if item}


def config_label(**members):
    """Returns the label io.hostlet.config of a container of replica 0 of 'web', revision 1: the hash of its definition, FNV-1a."""
    text = json.dumps({"config": "", "image": "", "instance": "web", "replica_id": 0, "revision": 1, **members},
                      sort_keys=True, separators=(",", ":"))
    number = 0xcbf29ce484222325
    for byte in text.encode():
        number = (number ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return f"{number:016x}"


def names_below(directory):
    """Returns the names in a directory, sorted, the hidden ones too; none if the directory does not exist."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(path.name for path in directory.iterdir())
    return []
