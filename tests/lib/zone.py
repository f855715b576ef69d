"""Makes the calls by which rpc-gateway passes a leader's facts and orders to the reconciler."""

import random
import subprocess

from .apps import App
from .engine import EngineError

HOST = "0123456789abcdef"
OTHER_HOST = "fedcba9876543210"


def facts(**changes):
    """Returns the zone's facts about this machine; None omits a member."""
    made = {"host_id": HOST, "lan_addr": "192.168.7.1", "status_url": "http://192.168.7.1:9532/in/api/v2/hostlet/inagent/status",
            "base_domain": "zone.test", "vpc_bridge_ip": "192.168.10.3", **changes}
    return {key: value for key, value in made.items() if value is not None}


def instance(name="web", revision=1, action="start", image="app:1", *, replicas=(0,), elsewhere=(), ports=(), spec=None, deploy=None,
             replica=None):
    """Returns an AppInstance as the leader's response contains it. 'replicas' are ids on this host, 'elsewhere' on another one;
    'ports' {port: host port} of each replica here; 'replica' is added to each replica here."""
    ours = [{"id": i, "host_id": HOST, "state": "start", "host_ipv4": "192.168.7.1",
             "service_ports": [{"name": f"p{port}", "port": port, "host_port": outside, "lan_addr": "192.168.7.1"}
                               for port, outside in dict(ports).items()], **(replica or {})} for i in replicas]
    others = [{"id": i, "host_id": OTHER_HOST, "host_ipv4": "192.168.7.2"} for i in elsewhere]
    return {
        "meta": {"id": "0011223344556677", "name": name, "user": "sysadmin", "created": 1, "updated": 2, "version": 3},
        "spec": {"name": name, "version": "1.0.0", "image": image,
                 "resources": {"cpu_limit": "100m", "memory_limit": "64Mi", "volume_limit": "1Gi"},
                 "service_ports": [{"name": f"p{port}", "port": port} for port in dict(ports)], **(spec or {})},
        "deploy": {"action": action, "revision": revision, "cpu_limit": 100, "memory_limit": 64 << 20, "volume_limit": 1 << 30,
                   "replica_cap": len(ours) + len(others), "replicas": ours + others, **(deploy or {})},
        "revision": 7,
        "status": {"id": "x"},
    }


class ZoneApp(App):
    """An instance that a zone orders."""

    def put(self, revision=1, action="start", image="app:1", **options):
        return self._insist("PutZoneState", instance=instance(self.name, revision, action, image, **options))

    def report(self, secret, stages, number=0):
        return self.tree.call("reconciler", "AgentReport", instance_name=self.name, replica_id=number, secret=secret,
                              updated=1, stages=stages)

    def hold(self, reason=None):
        return self._insist("Hold", name=self.name, **({"reason": reason} if reason else {}))

    def release(self):
        return self._insist("Release", name=self.name)

    def stages(self, number=0, owner="hostlet"):
        """Returns {name: stage} of the reported stages of a replica."""
        return {s["name"]: s for s in self.replica(number).get("stages", []) if s["owner"] == owner}

    def secret(self, number=0):
        return self.replica_file(number)["hostlet_endpoint"]["secret_key"]

    def destroyed(self):
        return self.wait(lambda i: i and i["settled"] and all(r["state"] == "destroyed" for r in i["replicas"]), "it is destroyed")


def join(tree, **changes):
    """Sends the facts of a zone to the tree's reconciler, which makes its machine a member."""
    return tree.call("reconciler", "PutZoneState", facts=facts(**changes))


def assign(tree, *names):
    """Sends the complete list of the zone's instances on this host."""
    return tree.call("reconciler", "PutZoneState", assigned={"names": list(names)})


class Vpc:
    """A /24 of this machine that no network uses. Called with a number it returns an address of it."""

    def __init__(self):
        for _ in range(50):
            self.prefix = f"10.{random.randint(64, 127)}.{random.randint(0, 250)}"
            routes = subprocess.run(["ip", "-4", "route", "show", self.cidr], capture_output=True, text=True, check=True).stdout
            if not routes.strip():
                return
        raise AssertionError("no free network")

    @property
    def cidr(self):
        return f"{self.prefix}.0/24"

    def __call__(self, number):
        return f"{self.prefix}.{number}"

    @staticmethod
    def subnet(engine):
        """Returns the subnet of Docker's network, or None."""
        try:
            return engine.request("GET", "/networks/invpc2_docker")["IPAM"]["Config"][0]["Subnet"]
        except EngineError as error:
            if error.status == 404:
                return None
            raise

    @staticmethod
    def remove(engine):
        try:
            engine.request("DELETE", "/networks/invpc2_docker")
        except EngineError as error:
            if error.status != 404:
                raise
