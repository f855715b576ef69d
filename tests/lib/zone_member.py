"""Runs a gateway as a member of a zone, alone: with a leader that misbehaves on request, and a fake reconciler."""

import json
import queue
import threading

from .gateway import gateway
from google.protobuf import json_format
from . import ground
from .fakes import FakeService, Refusal
from .leader import Leader, not_ready
from .zone_proto import KEY

LAN = "192.168.77.7"
MIB = 1 << 20


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, data):
    """Returns a field of a message, as bytes."""
    return varint(number << 3 | 2) + varint(len(data)) + data


class MemberLeader(Leader):
    """Instances as dictionaries (lib/zone.py), and behaviours of HostStatusUpdate:

    normal; not_ready; slow (answers after 'seconds'); silent (until released); refused (every token); truncated and malformed
    (bytes that are no message); bad_utf8, bomb and number (one more instance that cannot be taken); huge (24 MiB), too_huge."""

    def __init__(self, messages, **options):
        self.release = threading.Event()
        self.seconds = 1
        self.orders = []
        super().__init__(messages, **options)

    def order(self, *instances):
        self.orders = list(instances)
        self.instances = [json_format.ParseDict(one, self.messages.app.AppInstance()) for one in instances]

    def behave(self, name="normal"):
        hooks = {"normal": None, "not_ready": not_ready, "refused": self._refuse,
                 "not_of_the_zone": self._not_of_the_zone, "slow": lambda *_: self._wait(self.seconds), "silent": lambda *_: self._wait(20)}
        hook = hooks[name] if name in hooks else lambda *_: self._strange(name)
        self.hooks.pop("HostStatusUpdate", None)
        if hook:
            self.hooks["HostStatusUpdate"] = hook

    def _wait(self, seconds):
        self.release.wait(seconds)

    def stop(self, grace=0):
        self.release.set()
        super().stop(grace)

    @property
    def updates(self):
        return [json_format.MessageToDict(request, preserving_proto_field_name=True) for request in self.called("HostStatusUpdate")]

    def count(self):
        return len(self.called("HostStatusUpdate"))

    def wait_updates(self, n=1, timeout=15):
        """Waits for n more updates, and returns the last."""
        self.wait_called("HostStatusUpdate", self.count() + n, timeout)
        return self.updates[-1]

    def reports(self, name="web"):
        """Returns all reports about the first replica of an instance, oldest first."""
        return [report for update in self.updates for report in update.get("replica_stages", []) if report["instance_name"] == name]

    @staticmethod
    def _refuse(_request, context):
        import grpc
        context.abort(grpc.StatusCode.UNAUTHENTICATED,
                      "authentication failed: rpc error: code = Unauthenticated desc = verify denied")

    @staticmethod
    def _not_of_the_zone(_request, context):
        import grpc
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "unknown service inapi.ZoneInternalService")

    def _strange(self, name):
        good = self._status_update(None, None).SerializeToString()
        if name == "truncated":
            return good[:-3]
        if name == "malformed":
            return good + b"\xff\xff\xff"
        app, common = self.messages.app, self.messages.common

        def instance(named, **deploy):
            return app.AppInstance(meta=common.Metadata(name=named), spec=app.AppSpec(name=named, description="M" * 8),
                                   deploy=app.AppDeploy(**deploy)).SerializeToString()
        if name == "bad_utf8":
            return good + field(2, instance("bad-text").replace(b"M" * 8, b"a\xff\xfe\x80bcde"))
        if name == "number":
            return good + field(2, instance("bad-number", revision=1 << 63))
        if name == "bomb":
            stage = b""
            for _ in range(20_000):
                stage = field(16, stage)
            return good + field(2, field(1, field(2, b"bomb")) + field(20, field(22, stage)))
        room = (24 if name == "huge" else 25) * MIB - len(good) - 500
        return good + field(2, app.AppInstance(meta=common.Metadata(name="huge"),
                                               spec=app.AppSpec(name="huge", description="x" * room)).SerializeToString())


class MemberReconciler(FakeService):
    """Records the calls of PutZoneState, and reports instances by Watch."""

    def __init__(self, prefix):
        super().__init__(prefix, "reconciler", {"Watch": self.watch, "PutZoneState": self.put})
        self.path.chmod(0o666)
        self.told = {}
        self.watchers = []
        self.known = {}
        self.refuse = {}
        self.network_answer = None  # a function: replies to a network, or raises

    def put(self, p):
        name = p.get("instance", {}).get("meta", {}).get("name")
        if name in self.refuse:
            raise Refusal(*self.refuse[name])
        if name:
            self.known[name] = p["instance"]
        if ("network" in p or "no_network" in p) and self.network_answer:
            return self.network_answer()
        unknown = [n for n in p.get("assigned", {}).get("names", []) if n not in self.known]
        return {"changed": True, **({"managed": True} if name else {}), **({"unknown": unknown} if unknown else {})}

    def watch(self, _):
        waiting = queue.Queue()
        for i in list(self.told.values()):
            waiting.put({"instance": i})
        waiting.put({"complete": True})
        self.watchers.append(waiting)
        while True:
            try:
                yield waiting.get(timeout=0.2)
            except queue.Empty:
                pass
            yield None  # sends the one before at once

    def tell(self, name, stages, number=0, origin="zone", **more):
        """Sets an instance with one replica at these stages ({name: state})."""
        replica = {"id": number, "container": f"i8k_{name}_{number}", "state": "running",
                   "stages": [{"name": n, "owner": "hostlet", "revision": 1, "state": s, "created": 1000} for n, s in stages.items()]}
        self.told[name] = {"name": name, "origin": origin, "action": "start", "revision": 1, "settled": True, "failed": False,
                           "replicas": [replica], **more}
        for waiting in self.watchers:
            waiting.put({"instance": self.told[name]})

    def break_watches(self):
        """Sends a malformed change: the gateway connects again, as to a restarted reconciler."""
        for waiting in self.watchers:
            waiting.put({"instance": {}})

    def put_names(self):
        return [p["instance"]["meta"]["name"] for p in self.called("PutZoneState") if "instance" in p]

    def lists(self):
        return [p["assigned"].get("names", []) for p in self.called("PutZoneState") if "assigned" in p]

    def networks(self):
        """Returns the networks that were delivered; None: that there is none."""
        return [p.get("network") for p in self.called("PutZoneState") if "network" in p or "no_network" in p]

    def facts(self):
        return [p["facts"] for p in self.called("PutZoneState") if "facts" in p]


class World:
    """A gateway, its reconciler, and leaders."""

    def __init__(self, place, messages, **zone):
        self.messages = messages
        self.worker = gateway(place, **{"lan_addr": LAN, "interval": "300ms", **zone})
        config = (self.worker.prefix / "etc/hostlet.conf").read_text().splitlines()
        self.peer_port = int(next(line.split(" = ")[1] for line in config if line.startswith("peer_port")))
        self.reconciler = MemberReconciler(self.worker.prefix)
        self.leaders = []
        self.worker.start()

    def call(self, method, **parameters):
        return self.worker.call(f"io.hostlet.RpcGateway.{method}", **parameters)

    def leader(self, behaviour="normal", **options):
        self.leaders.append(MemberLeader(self.messages, **options))
        self.leaders[-1].behave(behaviour)
        return self.leaders[-1]

    def init(self, *hosts):
        return self.call("ZoneInit", host_id=KEY[0], access_key="ak_{}_{}".format(*KEY), hosts=list(hosts))

    def status(self):
        return self.call("ZoneStatus")

    def wait_state(self, *states, timeout=20):
        def look():
            found = self.status()
            assert found["state"] in states, found
            return found
        return ground.wait_until(look, timeout, f"the zone's state is {states}")

    def file(self):
        return json.loads((self.worker.prefix / "var/hostlet/zone/zone.json").read_text())

    def close(self):
        self.worker.stop()
        for leader in self.leaders:
            leader.stop()
        self.reconciler.close()
