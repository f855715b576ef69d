"""Tests how the zone's network is made on engines whose versions differ, as fake engines: no Docker 28 is at hand. From that
version on, Docker drops what other machines send to a container, unless the network has an option."""

import json

import pytest
from lib.container_driver import D
from lib.hostile import HostileDaemon, answer

CIDR = "10.99.3.0/24"
PREFIX = "com.docker.network."
MTU = {PREFIX + "driver.mtu": "1450"}
ROUTED = {PREFIX + "bridge.enable_ip_masquerade": "false", **MTU}
UNPROTECTED = {PREFIX + "bridge.gateway_mode_ipv4": "nat-unprotected"}
TRUSTED = {PREFIX + "bridge.trusted_host_interfaces": "invpc2_vxlan.10"}


class Engine:
    """Has networks, and creates containers. 'networks' are those that exist."""

    def __init__(self, path, api, podman=False):
        self.networks = {}
        version = {"ApiVersion": api, "MinAPIVersion": "1.24", "Version": "1",
                   "Components": [{"Name": "Podman Engine", "Version": "4.3.1"}] if podman else []}
        self.daemon = HostileDaemon(path, self._reply, version=json.dumps(version).encode())

    def _reply(self, line, _):
        if line.endswith("/info"):
            return answer(json.dumps({"ServerVersion": "1", "Driver": "overlay", "Architecture": "x86_64", "NCPU": 2,
                                      "MemTotal": 1 << 30, "SecurityOptions": []}).encode())
        if "/containers/create" in line:
            return answer(b'{"Id": "abc", "Warnings": []}', status=201)
        if line.endswith("/networks/create"):
            wanted = json.loads(self.daemon.bodies[-1])
            self.networks[wanted["Name"]] = {**wanted, "Id": "0123456789abcdef", "Containers": {}}
            return answer(b'{"Id": "0123456789abcdef"}', status=201)
        if "/networks/" in line:
            network = self.networks.get(line.rpartition("/")[2])
            return answer(json.dumps(network).encode()) if network else answer(b'{"message": "no such network"}', status=404)
        return answer(b"[]")


@pytest.fixture
def start(make_driver, place):
    made = []

    def begin(api, **options):
        engine = Engine(place / "fake.sock", api, **options)
        made.append(engine)
        return engine, make_driver({"runtime": "docker", "docker_socket": engine.daemon.path}).start()
    yield begin
    for engine in made:
        engine.daemon.close()


def create(driver, **options):
    return driver.create(image="app:1", command=["sleep", "1"], vpc_ipv4="10.99.3.7", vpc_cidr=CIDR, **options)


@pytest.mark.parametrize("api, given, expected, shown", [
    ("1.41", {}, {}, {"mtu": 1500, "masquerades": True, "closed": False}),  # a caller that knows of no options
    ("1.41", {"vpc_mtu": 1450}, MTU, {"mtu": 1450, "masquerades": True, "closed": False}),
    ("1.47", {"vpc_mtu": 1450, "vpc_masqueraded": True}, ROUTED, {"mtu": 1450, "masquerades": False, "closed": False}),
    ("1.48", {"vpc_mtu": 1450, "vpc_masqueraded": True}, ROUTED | UNPROTECTED, {"mtu": 1450, "masquerades": False, "closed": False}),
    ("1.50", {"vpc_mtu": 1450, "vpc_masqueraded": True}, ROUTED | TRUSTED, {"mtu": 1450, "masquerades": False, "closed": False}),
    ("1.52", {}, TRUSTED, {"mtu": 1500, "masquerades": True, "closed": False}),  # newer than the driver's own
])
def test_the_network_has_the_options_that_the_engine_needs(start, api, given, expected, shown):
    engine, driver = start(api)
    assert driver.call(D + "CheckNetwork", cidr=CIDR) == {}
    create(driver, **given)
    assert engine.networks["invpc2_docker"]["Options"] == expected
    assert driver.call(D + "CheckNetwork", cidr=CIDR) == {"network": shown}


def test_podman_is_not_asked_for_an_option_that_it_refuses(start):
    engine, driver = start("1.41", podman=True)
    create(driver, vpc_mtu=1450, vpc_masqueraded=True)
    assert engine.networks["invpc2_docker"]["Options"] == MTU


@pytest.mark.parametrize("api, options, closed", [
    ("1.41", {}, False), ("1.51", {}, True), ("1.51", {PREFIX + "bridge.gateway_mode_ipv4": "routed"}, False), ("1.48", UNPROTECTED, False)])
def test_an_existing_network_stays_and_is_reported(start, api, options, closed):
    """It was made by the original agent, or before Docker was updated."""
    engine, driver = start(api)
    engine.networks["invpc2_docker"] = made = {"Name": "invpc2_docker", "Id": "0123456789abcdef", "Driver": "bridge", "Options": options,
                                               "IPAM": {"Config": [{"Subnet": CIDR}]}, "Containers": {"x": {}}}
    create(driver, vpc_mtu=1450, vpc_masqueraded=True)
    assert engine.networks == {"invpc2_docker": made} and not [r for r in engine.daemon.requests if "/networks/create" in r]
    assert driver.call(D + "CheckNetwork", cidr=CIDR)["network"] == {"mtu": 1500, "masquerades": True, "closed": closed}
