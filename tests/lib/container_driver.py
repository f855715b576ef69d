"""Runs container-driver alone, as its callers use it."""

import contextlib
import shutil
import threading
import uuid

import pytest

from . import ground
from .varlink import VarlinkError
from .worker import Worker

D = "io.hostlet.ContainerDriver."
HOST = "0123456789ab"


class Driver(Worker):
    def __init__(self, prefix, settings):
        super().__init__("container-driver", prefix, {"container-driver": settings})
        self.tree_id = str(uuid.uuid4())
        (self.prefix / "var/hostlet").mkdir(exist_ok=True)
        (self.prefix / "var/hostlet/tree.id").write_text(self.tree_id + "\n")
        (self.prefix / "apps").mkdir(exist_ok=True)
        (self.prefix / "var/hostlet/container-driver").mkdir(exist_ok=True)
        shutil.chown(self.prefix / "var/hostlet/container-driver", "hostlet-container-driver", "hostlet-container-driver")

    def create(self, instance="web", replica_id=0, image="app:1", **more):
        more = {"revision": 1, "config": "c1", "host_id": HOST, "init": "image", **more}
        return self.call(D + "Create", instance=instance, replica_id=replica_id, image=image, **more)

    def on(self, method, instance="web", replica_id=0, slot="current", **more):
        return self.call(D + method, instance=instance, replica_id=replica_id, slot=slot, **more)

    def inspect(self, **which):
        return self.on("Inspect", **which).get("container")

    def rename(self, source, target, instance="web", replica_id=0):
        parameters = {"instance": instance, "replica_id": replica_id, "from": source, "to": target}
        return self.call(D + "Rename", **parameters)

    def list(self):
        return {c["container"]["name"]: c["container"] for c in self.stream(D + "List") if c.get("container")}

    def refused(self, call, *arguments, **parameters):
        """Returns the error's short name and its reason."""
        with pytest.raises(VarlinkError) as caught:
            call(*arguments, **parameters)
        return caught.value.name.rpartition(".")[2], str(caught.value)

    def wait_state(self, state, **which):
        def reached():
            container = self.inspect(**which) or {"state": "missing"}
            return container if container["state"] == state else None
        return ground.wait_until(reached, 20, f"the container is {state}")


class Watch:
    """Reads the snapshots and events in the background. Each has a kind: there, complete, container, lost."""

    def __init__(self, driver):
        self.events = []
        self.connection = driver.connect(timeout=60)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        with contextlib.suppress(Exception):
            while True:  # a stream that ends without an error is followed by another one
                for answer in self.connection.stream(D + "Watch"):
                    self._take(answer)

    def _take(self, answer):
        if "event" in answer:
            self.events.append({"event": "container", **answer["event"]})
        elif "container" in answer:
            self.events.append({"event": "there", "container": answer["container"]})
        elif "lost" in answer:
            self.events.append({"event": "lost", "reason": answer["lost"]})
        elif "complete" in answer:
            self.events.append({"event": "complete"})

    def wait(self, predicate, what, timeout=20):
        return ground.wait_until(lambda: next((e for e in list(self.events) if predicate(e)), None), timeout,
                                 f"{what} among {self.events}")

    def count(self, kind):
        return sum(1 for e in self.events if e["event"] == kind)

    def close(self):
        self.connection.close()
