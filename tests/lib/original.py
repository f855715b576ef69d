"""Makes a machine of the original agent of InnerStack v2 from tests/vectors/original: its files, and the container and network that its
Docker showed, with the prefix, addresses, ports and image of the test."""

import json
import re
import socket

from . import ground, images, zone
from .tree import SOURCE

VECTORS = SOURCE / "tests/vectors/original"
IMAGE = "demo/deb:1"
NETWORK = "invpc2_docker"
MADE = ("Env", "Cmd", "Image", "Labels", "ExposedPorts", "Tty", "OpenStdin", "User", "WorkingDir", "Entrypoint", "Volumes")


def vector(name):
    return json.loads((VECTORS / name).read_text())


class Machine:
    """'vpc' is the network (lib/zone.py), 'leader' a function of the host's key that starts a leader, or None."""

    name, container, replica = "pair", "i8k_pair_1", 1

    def __init__(self, place, engine, vpc, leader=None):
        self.dir = place / "innerstack"
        self.apps = self.dir / "apps"
        self.engine, self.vpc = engine, vpc
        self.ports = ground.free_port(), ground.free_port()
        self.host_port = ground.free_port()
        self.address = vpc(3)
        config = (VECTORS / "innerstack.toml").read_text()
        self.host = re.search(r'host_id = "(\w+)"', config)[1]
        self.key = re.search(rf'"ak_({self.host})_(\w+)"', config).groups()
        self.secret = vector("hostlet_active.json")["secret_keys"][self.container]
        self.leader = leader(self.key) if leader else None
        self._write_config(config)
        self.write_active(vector("hostlet_active.json"))
        self.home = self.apps / self.container / "home/action/.innerstack"
        self.home.mkdir(parents=True)
        (self.apps / self.container / "opt").mkdir()
        self.file = self.home / "app_replica.json"
        self.file.write_text(json.dumps(self._adapted(vector("app_replica.json")), indent=2))
        (self.home / "ininit").write_text("trap 'exit 0' TERM\nwhile :; do sleep 0.1; done\n")

    def _write_config(self, text):
        hosts = json.dumps([self.leader.address] if self.leader else [])
        for pattern, value in ((r"http_port = \d+", f"http_port = {self.ports[1]}"), (r"peer_port = \d+", f"peer_port = {self.ports[0]}"),
                               (r"zone_hosts = .*", f"zone_hosts = {hosts}"), (r'lan_addr = ".*"', 'lan_addr = "127.0.0.1"'),
                               (r'vpc_instance_cidr = ".*"', f'vpc_instance_cidr = "{self.vpc.cidr}"'), (r"/opt/innerstack", str(self.dir))):
            text = re.sub(pattern, value, text)
        (self.dir / "etc").mkdir(parents=True)
        (self.dir / "etc/innerstack.toml").write_text(text)

    def write_active(self, content):
        (self.dir / "etc/hostlet_active.json").write_text(json.dumps(content))

    def _adapted(self, value):
        """Returns a JSON value of the vectors with this machine's prefix, addresses and port."""
        text = json.dumps(value)
        for old, new in (("/opt/innerstack", str(self.dir)), ("10.10.5.0/24", self.vpc.cidr), ("10.10.5.3", self.address), ("26397", str(self.host_port))):
            text = text.replace(old, new)
        return json.loads(text)

    def run(self):
        """Makes network and container as Docker showed them, and starts the container."""
        self.engine.tag(images.BUSYBOX, IMAGE)
        network = self._adapted(vector("network_inspect.json")[0])
        self.engine.request("POST", "/networks/create", {key: network[key] for key in ("Name", "Driver", "IPAM", "Options", "Labels", "Internal")})
        shown = self._adapted(vector("container_inspect.json")[0])
        endpoint = {"IPAMConfig": shown["NetworkSettings"]["Networks"][NETWORK]["IPAMConfig"]}
        body = {**{key: shown["Config"][key] for key in MADE}, "HostConfig": shown["HostConfig"], "NetworkingConfig": {"EndpointsConfig": {NETWORK: endpoint}}}
        made = self.engine.request("POST", "/containers/create", body, query={"name": self.container})
        self.engine.request("POST", f"/containers/{made['Id']}/start", b"")
        return self

    def identity(self, container=None):
        seen = self.engine.inspect(container or self.container)
        return seen["Id"], seen["State"]["StartedAt"], seen["State"]["Pid"], seen["RestartCount"]

    def shown_address(self):
        return self.engine.inspect(self.container)["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]

    def order(self, messages, revision=1, script="exec httpd -f -p 8000 -h /home/action", **deploy):
        """Returns the zone's order for the instance, as the leader sends it."""
        from google.protobuf import json_format
        app = self._adapted(vector("app_replica.json"))["app"]
        app["deploy"].pop("stages")
        app["deploy"].update(revision=revision, **deploy)
        app["spec"]["tasks"][0]["script"] = script
        return json_format.ParseDict(app, messages.app.AppInstance())

    def reports(self):
        """Returns the latest stages that the leader received of the replica: {name: (state, revision)} of hostlet's own."""
        for request in reversed(self.leader.called("HostStatusUpdate")):
            for report in request.replica_stages:
                if report.instance_name == self.name and report.replica_id == self.replica:
                    return {stage.name: (stage.state, stage.revision) for stage in report.stages if stage.owner == "hostlet"}
        return {}

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.host_port), 1):
                return True
        except OSError:
            return False


class Plain:
    """A machine of the original agent with replicas of simulated containers. 'make' makes a tree with settings; start() starts it."""

    host, secret = "0123456789ab", "S" * 48

    def __init__(self, place, make):
        self.dir = place / "innerstack"
        self.apps = self.dir / "apps"
        self.apps.mkdir(parents=True)
        (self.dir / "etc").mkdir()
        self.ports = ground.free_port(), ground.free_port()
        self.tree = make({"container-driver": {"runtime": "null"}, "reconciler": {"probation": "50ms"}})
        self.ids = {}
        self.null = self.tree.prefix / "var/hostlet/container-driver/null"
        self.null.mkdir(parents=True)
        self.reset()

    def reset(self):
        self.config()
        self.active({}, {})
        (self.tree.prefix / "etc/hostlet.conf.d/90-later.conf").unlink(missing_ok=True)

    def config(self, **changes):
        """Writes innerstack.toml; 'changes' are values in TOML."""
        values = {"http_port": self.ports[1], "peer_port": self.ports[0], "zone_hosts": "[]", "host_id": f'"{self.host}"', "lan_addr": '"127.0.0.1"',
                  "access_key": f'"ak_{self.host}_{self.secret}"', "app_path": f'"{self.apps}"', "dns_servers": "[]", "vpc_instance_cidr": '""', **changes}
        lines = [f"{key} = {value}" for key, value in values.items()]
        (self.dir / "etc/innerstack.toml").write_text("\n".join(["[server]", *lines[:3], "[hostlet]", *lines[3:], ""]))

    def active(self, revisions, secrets):
        (self.dir / "etc/hostlet_active.json").write_text(json.dumps({"applied_revisions": revisions, "secret_keys": secrets}))

    def quotas(self, ids):
        items = [{"id": number, "mnt": "/", "name": name, "soft": 1 << 30, "hard": 1 << 30, "used": 0} for name, number in ids.items()]
        (self.dir / "etc/hostlet_vol_quota.json").write_text(json.dumps({"items": items, "updated": 1, "id_offset": 5000, "mount_points": []}))

    def later_setting(self, text):
        path = self.tree.prefix / "etc/hostlet.conf.d/90-later.conf"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def content(self, name, revision, secret=None, host_id=None):
        return {"app": {**self.order(name, revision)}, "replica": {"host_id": host_id or self.host}, "hostlet_endpoint": {"secret_key": secret or ""}}

    def order(self, name, revision, **options):
        return json.loads(json.dumps(zone.instance(name, revision, **options)).replace(zone.HOST, self.host))

    def file(self, name, **content):
        place = self.apps / f"i8k_{name}_0/home/action/.innerstack"
        place.mkdir(parents=True)
        (place / "app_replica.json").write_text(json.dumps(self.content(name, **content)))

    def container(self, name, *, labels=True, tree=None, slot="current", **changes):
        """A container of the null runtime, as its file describes it; before the tree starts."""
        identifier = f"{len(self.ids):064x}"
        self.ids[name if slot == "current" else f"{name}.old"] = identifier
        shown = {"id": identifier, "name": f"i8k_{name}_0" + ("" if slot == "current" else ".old"), "instance": name, "replica_id": 0, "slot": slot,
                 "ours": False, "state": "running", "image": "app:1", "restart": "always", "exit_code": 0, "started_at": 1, "cpu_limit": 100,
                 "memory_limit": 64 << 20}
        marks = {"app_name": changes.pop("app_name", name), "app_rep_id": changes.pop("app_rep_id", "0")} if labels else {}
        (self.null / f"{identifier}.json").write_text(json.dumps({"container": {**shown, **changes}, **({"tree": tree} if tree else {}), **marks}))

    def start(self):
        self.tree.write_config()
        self.tree.start()
        return self

    # What an import leaves

    def _read(self, path, standard):
        whole = self.tree.prefix / path
        return json.loads(whole.read_text()) if whole.exists() else standard

    def ledger(self):
        return {c["name"]: c["revision"] for c in self._read("var/hostlet/container-driver/adopted.json", {}).get("containers", [])}

    def secrets(self):
        place = self.tree.prefix / "var/hostlet/reconciler/secrets"
        return {path.name: path.read_text().strip() for path in place.iterdir() if path.name.startswith("i8k_")}

    def projects(self):
        return {item["name"]: item["id"] for item in self._read("etc/hostlet_vol_quota.json", {"items": []})["items"]}

    def state(self):
        parts = self.tree.prefix / "etc/hostlet.conf.d"
        return self.ledger(), self.secrets(), self._read("var/hostlet/zone/zone.json", None), sorted(parts.iterdir()) if parts.exists() else []
