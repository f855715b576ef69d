"""Causes random faults in a running tree, sends orders meanwhile, and checks the result. Used by scripts/chaos and by a short
test. The seed determines the faults and orders; their timing depends on the machine."""

import contextlib
import json
import os
import random
import signal
import time
from pathlib import Path

from google.protobuf import json_format

from . import ground
from .apps import App, driver_containers, manifest
from .leader import Leader
from .varlink import Closed, VarlinkError
from .zone import instance
from .zone_proto import KEY

CONVERGED = 90  # seconds until the desired state is reached, once the faults have ended


class Wish:
    """The last order for one instance, which is the desired state in the end."""

    def __init__(self, tree, name, image):
        self.app = App(tree, name)
        self.image = image
        self.action = None  # start, stop, destroy
        self.note = 0
        self.replicas = 1

    def manifest(self):
        return manifest(self.app.name, self.image, replicas=self.replicas, init="image", command=["sleep", "1000000"],
                        env={"NOTE": str(self.note)}, probation=100, stop_timeout=1000)

    def change(self, choose):
        """Sends one random order, repeated when a process is killed meanwhile. Returns its name."""
        what = choose.choice(["update", "update", "scale", "stop", "start", "destroy"] if self.action else ["deploy"])
        if self.action in (None, "destroy"):
            self.app.gone()
            what = "deploy"
        if what in ("deploy", "update"):
            self.note += 1
        if what == "scale":
            self.replicas = choose.randint(1, 4)
        if what in ("deploy", "update", "scale"):
            self.app.apply(self.manifest())
            # An apply does not change the action: a stopped instance stays stopped until it is started.
            self.action = self.app.get()["action"]
        elif what == "destroy":
            self.app.destroy(purge=True)
            self.action = "destroy"
        else:
            getattr(self.app, what)()
            self.action = what
        return what

    def is_true(self):
        seen = self.app.get()
        if self.action in (None, "destroy"):
            return seen is None
        assert seen, "the container does not exist"
        state = "running" if self.action == "start" else "stopped"
        states = [(r["id"], r["state"]) for r in seen["replicas"]]
        assert states == [(i, state) for i in range(self.replicas)] or (
            self.action == "stop" and all(s in ("stopped", "none") for _, s in states)), (states, seen.get("message"))
        assert seen["settled"] and not seen["failed"], seen.get("message")
        assert self.action == "stop" or all(r.get("revision") == seen["revision"] for r in seen["replicas"])
        return True


class ZoneChaosLeader(Leader):
    """A leader that keeps its orders and the received reports across its own restarts."""

    up = True

    def start(self):
        super().start()
        self.up = True
        return self

    def stop(self, grace=0):
        if self.up:
            super().stop(grace)
        self.up = False

    def order(self, message):
        with self.lock:
            self.instances = [i for i in self.instances if i.meta.name != message.meta.name] + [message]

    def stages(self, name):
        """Returns the latest report about replica 0: {stage: state}."""
        told = {}
        for request in self.called("HostStatusUpdate"):
            for report in request.replica_stages:
                if (report.instance_name, report.replica_id) == (name, 0):
                    told = {stage.name: stage.state for stage in report.stages}
        return told


def zone_order(messages):
    """Makes the orders of ZoneWish."""
    def make(name, revision, action, image):
        text = json.dumps(instance(name, revision, action, image)).replace("0123456789abcdef", KEY[0])
        return json_format.Parse(text, messages.app.AppInstance(), ignore_unknown_fields=True)
    return make


class ZoneWish(Wish):
    """The zone's desired state of one instance: orders change the leader's response, and stages report their effect."""

    def __init__(self, tree, name, image, leader, make):
        super().__init__(tree, name, image)
        self.leader = leader
        self.make = make  # (name, revision, action, image, note) → AppInstance message
        self.revision = 0

    def change(self, choose):
        what = choose.choice(["update", "update", "stop", "start", "destroy"] if self.action else ["deploy"])
        self.action = what if what in ("stop", "destroy") else "start"
        self.revision += 1
        self.leader.order(self.make(self.app.name, self.revision, self.action, self.image))
        return what

    def is_true(self):
        if not self.action:
            return True
        seen = self.app.get()
        assert seen and seen["revision"] == self.revision and seen["settled"] and not seen["failed"], seen
        state = {"start": "running", "stop": ("stopped", "none"), "destroy": "destroyed"}[self.action]
        assert seen["replicas"][0]["state"] in state, seen["replicas"]
        told = self.leader.stages(self.app.name)
        mine = {s["name"]: s["state"] for s in seen["replicas"][0].get("stages", [])}
        assert told == mine, f"the leader received {told}, and not {mine}"
        return True


class Chaos:
    """'faults' are functions without arguments, each a name in the report."""

    def __init__(self, tree, wishes, seed, daemon=None, say=lambda text: None, leader=None):
        self.tree = tree
        self.daemon = daemon
        self.leader = leader
        self.choose = random.Random(seed)
        self.wishes = wishes
        self.say = say
        self.done = {}
        self.faults = [self.kill_service] * 6 + [self.kill_hostletd]
        if daemon:
            self.faults += [self.kill_container, self.remove_container, self.restart_daemon]
        if leader:
            self.faults += [self.toggle_leader] * 2

    def kill_service(self):
        children = sorted(self.tree.children().items())
        if not children:
            return "no service"
        name, pid = self.choose.choice(children)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return f"kill {name}"

    def kill_hostletd(self):
        self.tree.kill()
        self.tree.revive()
        return "kill hostletd"

    def _some_container(self):
        names = sorted(self.containers())
        return self.choose.choice(names) if names else None

    def kill_container(self):
        name = self._some_container()
        if name:
            with contextlib.suppress(Exception):  # it may have been removed, or not run
                self.daemon.engine.kill(name)
        return "kill container"

    def remove_container(self):
        name = self._some_container()
        if name:
            with contextlib.suppress(Exception):
                self.daemon.engine.remove(name)
        return "remove container"

    def toggle_leader(self):
        if self.leader.up:
            self.leader.stop()
        else:
            self.leader.start()
        return "leader up or down"

    def restart_daemon(self):
        self.daemon.restart()
        return "restart dockerd"

    def containers(self):
        """Returns {name: what the runtime shows}, for this tree's instances."""
        if self.daemon:
            return {c["Names"][0].lstrip("/"): c for c in self.daemon.engine.containers() if "/i8k_chaos" in c["Names"][0]}
        deadline = time.monotonic() + 30
        while True:
            try:
                return driver_containers(self.tree)
            except (OSError, Closed, VarlinkError):
                if time.monotonic() > deadline:
                    raise
                self.tree.revive()

    def run(self, seconds):
        """Causes faults and sends orders, one after the other, for the given time; 'done' counts them."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if self.choose.random() < 0.5:
                wish = self.choose.choice(self.wishes)
                done = wish.change(self.choose)
                self.say(f"{wish.app.name}: {done}")
            else:
                done = self.choose.choice(self.faults)()
                self.say(done)
            self.done[done] = self.done.get(done, 0) + 1
            ground.let_pass(self.choose.random() * 0.2)  # the pause is one of the random choices, and waits for no condition

    def check(self):
        """Waits until the actual state equals the desired state, and nothing exists twice or is left over. Returns the seconds it
        took."""
        begun = time.monotonic()
        if self.leader and not self.leader.up:
            self.leader.start()
        for wish in self.wishes:
            left = max(CONVERGED - (time.monotonic() - begun), 1)
            ground.wait_until(wish.is_true, left, f"{wish.app.name} is as desired ({wish.action})")
        took = time.monotonic() - begun
        wanted = {wish.app.container(n) for wish in self.wishes if wish.action == "start" for n in range(wish.replicas)}
        allowed = wanted | {wish.app.container(n) for wish in self.wishes if wish.action == "stop"
                            for n in range(wish.replicas)}
        names = set(self.containers())
        assert wanted <= names <= allowed, f"containers {sorted(names)}, desired {sorted(wanted)}"
        var = Path(self.tree.prefix / "var")
        passages = [var / "ipk_install/.staging", var / "ipk_install/.publishing"]
        left = [str(path) for path in var.rglob(".*") if path.name != ".partial" and path not in passages]
        left += [str(path) for passage in passages if passage.exists() for path in passage.iterdir()]
        assert not left, f"left over: {left}"
        self.check_quiet()
        return took

    def check_quiet(self):
        """Restarts the tree, which must find everything in the desired state: no container is replaced."""
        def ids():
            return {name: c.get("Id") or c["id"] for name, c in self.containers().items()}
        before = ids()
        self.tree.restart()
        for wish in self.wishes:
            ground.wait_until(wish.is_true, CONVERGED, f"{wish.app.name} is as desired after a restart")
        assert ids() == before, "containers were recreated without a reason"
