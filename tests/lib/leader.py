"""Implements a zone's leader on Debian's own grpc: the responses of a healthy one and of one with failures. It is one server on
loopback; tests set behaviours while it runs."""

import contextlib
import hashlib
import hmac
import ipaddress
import json
import threading
import time
import zlib
from base64 import urlsafe_b64decode
from concurrent import futures

import grpc

from . import ground
from .zone_proto import KEY


def _decode(part):
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def number(address):
    """Returns an IPv4 address as the messages carry it."""
    return int(ipaddress.IPv4Address(address))


class Member:
    """A host of a zone, as its leader knows it. 'vpc' and 'instances' are as in Leader."""

    def __init__(self, vpc, secret="S" * 48):
        self.vpc = vpc
        self.secret = secret
        self.instances = []


class Leader:
    """'messages' is zone_proto.Messages. What it does is in these, which a test changes:

    instances    AppInstance messages that each status update is answered with
    network      a ZoneNetworkMap, map_network(); None: no response has one
    vpc          this machine's address on the VXLAN device and its containers' network: ("192.168.10.3", "10.10.3.0/24")
    members      {host id: Member}: further hosts, each with its own key, addresses and instances
    packages     {id: (Package message, bytes)}; add_package()
    hooks        {method: function(request, context)}: called before the answer; may abort, sleep, or return the answer itself
    clock        seconds that its clock is ahead
    """

    def __init__(self, messages, key=KEY, port=None, credentials=None, host="127.0.0.1", space=None):
        self.messages = messages
        self.host = host
        self.space = space  # the namespace in which it listens (lib/netns.py); None: the test's own
        self.key = key
        self.port = port or ground.free_port()
        self.credentials = credentials  # None: plaintext
        self.instances = []
        self.network = None
        self.vpc = ("", "")
        self.members = {}
        self.packages = {}
        self.hooks = {}
        self.clock = 0
        self.calls = []  # (method, request, metadata)
        self.lock = threading.Lock()
        self.server = None
        self.start()

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    # Start and stop

    def start(self):
        zone = self.messages.zone
        services = {
            "inapi.ZoneService": {"Ping": (zone.PingRequest, self._ping), "PackageList": (zone.PackageListRequest, self._package_list)},
            "inapi.ZoneInternalService": {"HostStatusUpdate": (zone.HostStatusUpdateRequest, self._status_update),
                                          "PackageChunk": (zone.PackageChunkRequest, self._package_chunk)},
        }
        self.server = grpc.server(futures.ThreadPoolExecutor(max_workers=16),
                                  options=[("grpc.max_send_message_length", 64 << 20), ("grpc.max_receive_message_length", 64 << 20),
                                           ("grpc.so_reuseport", 0)])
        for service, methods in services.items():
            handlers = {name: grpc.unary_unary_rpc_method_handler(self._serve(name, answer), request_deserializer=request.FromString,
                                                                  response_serializer=lambda m: m if isinstance(m, bytes)
                                                                  else m.SerializeToString())
                        for name, (request, answer) in methods.items()}
            self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        with self.space.entered() if self.space else contextlib.nullcontext():
            ground.wait_until(self._listen, 10, "the leader's port")
        self.server.start()
        return self

    def _listen(self):
        if self.credentials:
            return self.server.add_secure_port(self.address, self.credentials)
        return self.server.add_insecure_port(self.address)

    def stop(self, grace=0):
        self.server.stop(grace).wait(10)

    def called(self, method):
        with self.lock:
            return [request for name, request, _ in self.calls if name == method]

    def wait_called(self, method, count=1, timeout=20):
        return ground.wait_until(lambda: len(self.called(method)) >= count and self.called(method), timeout, f"{count} x {method}")

    # Serving

    def _serve(self, name, answer):
        def handler(request, context):
            metadata = dict(context.invocation_metadata())
            with self.lock:
                self.calls.append((name, request, metadata))
            if name != "Ping":
                self._authenticate(metadata, context)
            hook = self.hooks.get(name)
            made = hook(request, context) if hook else None
            return made if made is not None else answer(request, context)
        return handler

    def _authenticate(self, metadata, context):
        """Makes a token as contract section 1 defines it: kid, expiry, signature."""
        def refuse(why):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, f"authentication failed: rpc error: code = Unauthenticated desc = {why}")
        token = metadata.get("x-inauth2")
        if not token:
            refuse("authorization token is missing")
        try:
            header, claims, signature = token.split(".")
            kid, expires = json.loads(_decode(header))["kid"], json.loads(_decode(claims))["exp"]
        except (ValueError, KeyError):
            refuse("invalid access_token")
        secrets = dict([self.key], **{name: member.secret for name, member in self.members.items()})
        if kid not in secrets:
            refuse(f"access-key({kid}) not found")
        if expires <= time.time() + self.clock:
            refuse("access-token expired")
        if not hmac.compare_digest(_decode(signature), hmac.new(secrets[kid].encode(), f"{header}.{claims}".encode(), hashlib.sha256).digest()):
            refuse("verify denied")

    def _ping(self, _request, _context):
        return self.messages.zone.PingResponse(message="pong")

    def _status_update(self, request, _context):
        asker = self.members.get(request.host.id, self) if request else self
        answer = self.messages.zone.HostStatusUpdateResponse(app_instances=asker.instances, vpc_bridge_ip=asker.vpc[0],
                                                             vpc_instance_cidr=asker.vpc[1])
        if self.network:
            answer.zone_network_map.CopyFrom(self.network)
        return answer

    def map_network(self, hosts, names=None, revision=1, domain="zone", bridges="192.168.0.0/16", instances="10.10.0.0/16"):
        """Sends this map from now on. 'hosts' is {id: (peer, bridge, network)}, such as ("10.0.0.3", "192.168.10.3", "10.10.3.0"),
        'names' is {name: address}."""
        made = self.messages.zone.ZoneNetworkMap(vpc_bridge_cidr=bridges, vpc_instance_cidr=instances, vpc_network_domain=domain,
                                                 revision=revision, updated=int(time.time()))
        for identity, (peer, bridge, network) in hosts.items():
            host = made.vpc_bridge_host[number(bridge)]
            host.id, host.peer, host.bridge, host.instance = identity, number(peer), number(bridge), number(network)
        for name, address in (names or {}).items():
            made.vpc_instance[number(address)] = name
        self.network = made

    # Packages

    def add_package(self, data, header, chunk_size=1 << 20, state="complete"):
        """Adds a package as tests' packages.ipk() makes it."""
        p = self.messages.package.Package()
        for part in ("metadata", "release"):
            for field, value in header[part].items():
                setattr(getattr(p, part), field, value)
        p.file.state, p.file.size, p.file.chunk_size = state, len(data), chunk_size
        release = header["release"]
        identity = f"{header['metadata']['name']}_{release['version']}_{release['os']}_{release['arch']}".lower()
        self.packages[identity] = (p, data)
        return identity

    def _matches(self, package, request):
        r = package.release
        wanted = request.version.split(".") if request.version else []
        version = r.version == request.version if len(wanted) == 3 else r.version.split(".")[:len(wanted)] == wanted
        return package.metadata.name == request.name and r.os == request.os and r.arch == request.arch and version

    def _package_list(self, request, _context):
        found = [p for p, _ in self.packages.values() if request.all or self._matches(p, request)]
        found.sort(key=lambda p: p.release.version, reverse=True)
        return self.messages.zone.PackageListResponse(items=found[:1] if request.latest_only else found)

    def _package_chunk(self, request, context):
        if request.id not in self.packages:
            context.abort(grpc.StatusCode.UNKNOWN, "package not found")
        package, data = self.packages[request.id]
        size, total = package.file.chunk_size, -(-len(data) // package.file.chunk_size)
        if not 0 <= request.index < total:
            context.abort(grpc.StatusCode.UNKNOWN, f"chunk index {request.index} out of range (total: {total})")
        answer = self.messages.zone.PackageChunkResponse()
        answer.file.CopyFrom(package.file)
        answer.chunk.index = request.index
        answer.chunk.data = data[request.index * size:(request.index + 1) * size]
        answer.chunk.crc32 = zlib.crc32(answer.chunk.data)
        return answer


def not_the_leader(_request, context):
    """Returns a follower's response."""
    context.abort(grpc.StatusCode.UNKNOWN, "zonelet leader")


def not_ready(_request, context):
    context.abort(grpc.StatusCode.UNKNOWN, "zonelet leader not ready")


@contextlib.contextmanager
def running(messages, **options):
    leader = Leader(messages, **options)
    try:
        yield leader
    finally:
        leader.stop()
