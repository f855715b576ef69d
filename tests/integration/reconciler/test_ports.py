"""Published ports have a protocol and an address: they are published so by Docker, they conflict so, ranges are shared out among
replicas, and what cannot work is refused by plan and apply before anything is changed."""

import json
import os
import socket

import pytest
from lib import ground
from lib.apps import App, get, manifest

NULL = {"container-driver": {"runtime": "null"}}

SCRIPT = "mkdir -p /home/action/www; echo here > /home/action/www/index.html; exec httpd -f -p 8080 -h /home/action/www"


def free_ports(n):
    found = set()
    while len(found) < n:
        found.add(ground.free_port())
    return sorted(found)


def toml(name, table, ports='{name = "web", port = 8080}, {name = "dns", port = 5353}', more=""):
    return f'name = "{name}"\nimage = "one:1"\nservice_ports = [{ports}]\n{more}[hostlet]\nprobation = 0\npull = "missing"\n{table}\n'


def udp_arrives(engine, name, host, port):
    """Sends a datagram; reports whether the container receives one, by its kernel's count of those that no program awaits."""
    def count():
        lines = [line.split() for line in engine.execute(name, "cat", "/proc/net/snmp")[1].splitlines() if line.startswith("Udp:")]
        return int(lines[1][lines[0].index("NoPorts")])
    before = count()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.sendto(b"hello", (host, port))
    return count() > before


@pytest.fixture
def ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"this machine has no IPv6 loopback: {error}")


def test_docker_publishes_by_protocol_and_address(tree, engine, busybox_image, ipv6):
    web, web6, dns = free_ports(3)
    wanted = manifest(script=SCRIPT, spec={"service_ports": [
        {"name": "web", "port": 8080}, {"name": "web6", "port": 8080}, {"name": "dns", "port": 5353}]})
    wanted["app"]["deploy"]["replicas"] = [{"id": 0, "service_ports": [
        {"name": "web", "host_port": web, "host_address": "127.0.0.2"},
        {"name": "web6", "host_port": web, "host_address": "::"},
        {"name": "dns", "host_port": dns, "protocol": "udp", "host_address": "127.0.0.1"}]}]
    shown = tree.ctl("plan", "-", stdin=json.dumps(wanted)).stdout
    for line in (f"web 127.0.0.2:{web}->8080", f"web6 [::]:{web}->8080", f"dns 127.0.0.1:{dns}/udp->5353"):
        assert f"replica 0: publishes {line}" in shown, shown
    app = App(tree)
    app.deploy(wanted)
    ground.wait_until(lambda: get(web, host="127.0.0.2") == "here\n" and get(web, host="[::1]") == "here\n", 10, "TCP is published")
    ground.wait_until(lambda: udp_arrives(engine, "i8k_web_0", "127.0.0.1", dns), 10, "UDP is published")
    assert get(web) is None and not udp_arrives(engine, "i8k_web_0", "127.0.0.2", dns)
    listed = tree.ctl("app", "web").stdout
    assert f"web 127.0.0.2:{web}->8080" in listed and f"dns 127.0.0.1:{dns}/udp->5353" in listed
    assert f"[::]:{web}" in tree.ctl("apps").stdout
    # The application reads the contract's form, which knows neither addresses nor protocols.
    file = tree.prefix / "apps/i8k_web_0/home/action/.innerstack/app_replica.json"
    for replica in (json.loads(file.read_text())["replica"], json.loads(file.read_text())["app"]["deploy"]["replicas"][0]):
        assert {"name": "dns", "port": 5353, "host_port": dns} in replica["service_ports"]
        assert all(set(port) <= {"name", "port", "host_port", "lan_addr"} for port in replica["service_ports"])
    # The reconciler's next process finds no drift, and the same manifest changes nothing.
    before = engine.inspect("i8k_web_0")["Id"]
    tree.ctl("service", "restart", "reconciler")
    assert "unchanged" in tree.apply(wanted).stdout
    # Back to all IPv4 addresses: that is a new revision.
    wanted["app"]["spec"]["service_ports"] = [{"name": "web", "port": 8080}]
    wanted["app"]["deploy"]["replicas"] = [{"id": 0, "service_ports": [{"name": "web", "host_port": web6}]}]
    app.deploy(wanted)
    assert get(web6) == "here\n" and get(web6, host="127.0.0.3") == "here\n" and get(web, host="127.0.0.2") is None
    after = engine.inspect("i8k_web_0")
    assert after["Id"] != before
    assert after["HostConfig"]["PortBindings"] == {"8080/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(web6)}]}
    with open(tree.prefix / "var/hostlet/reconciler/instances/web.json", encoding="utf-8") as record:
        assert json.load(record)["replicas"][0]["ports"] == [{"name": "web", "port": 8080, "host_port": web6}]


def test_only_the_address_changes(tree, dockerd, engine, busybox_image):
    """A range with exactly one port for each replica, whose listeners are those of the replaced containers."""
    first = ground.free_port() // 10 * 10

    def wanted(address, **more):
        made = manifest(script=SCRIPT, replicas=2, spec={"service_ports": [{"name": "web", "port": 8080}]}, **more)
        for replica in made["app"]["deploy"]["replicas"]:
            replica["service_ports"] = [{"name": "web", "host_port": first, "host_port_last": first + 1, "host_address": address}]
        return made
    app = App(tree)
    for address in ("0.0.0.0", "127.0.0.1", "0.0.0.0"):
        app.deploy(wanted(address))
        assert [replica["ports"][0]["host_port"] for replica in app.get()["replicas"]] == [first, first + 1]
    # A daemon that hangs lists no containers, and their listeners are there: they do not refuse a new revision.
    with dockerd.stopped():
        assert "refused" not in tree.ctl("plan", "-", stdin=json.dumps(wanted("0.0.0.0", env={"A": "b"}))).stdout
    # Another program has what a stopped instance had.
    app.stop()
    app.stopped()
    with socket.create_server(("127.0.0.1", first + 1)):
        for said in refusal(tree, json.dumps(wanted("0.0.0.0"))):
            assert f"host port {first + 1} is in use by another program" in said


def refusal(tree, text):
    planned = tree.ctl("plan", "-", stdin=text, check=False)
    applied = tree.apply(text, check=False)
    assert planned.returncode == 1 and applied.returncode == 1, (planned, applied)
    return planned.stdout + planned.stderr, applied.stdout + applied.stderr


def test_conflicts_are_by_protocol_and_address(make_tree, ipv6):
    a, b, c, d = free_ports(4)
    tree = make_tree(NULL).start()
    tree.apply(toml("one", f'host_ports = {{web = "127.0.0.1:{a}", dns = "{a}/udp"}}'))
    # The same number elsewhere.
    tree.apply(toml("two", f'host_ports = {{web = "127.0.0.2:{a}", dns = "[::]:{a}"}}'))
    with socket.create_server(("::", b), family=socket.AF_INET6) as only_six, \
            socket.create_server(("::", c), family=socket.AF_INET6, dualstack_ipv6=True) as both, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", d))
        assert only_six and both
        tree.apply(toml("three", f'host_ports = {{web = {b}, dns = {d}}}'))
        for table, what in ((f"web = {a}, dns = 1", f"host port {a} is in use by instance"),
                            (f'web = "127.0.0.3:{a}/udp", dns = 1', f"host port 127.0.0.3:{a}/udp is in use by instance one"),
                            (f'web = "[::1]:{a}", dns = 1', f"host port [::1]:{a} is in use by instance two"),
                            (f'web = "[::]:{b}", dns = 1', f"host port [::]:{b} is in use by another program"),
                            (f"web = {c}, dns = 1", f"host port {c} is in use by another program"),
                            (f'web = "{d}/udp", dns = 1', f"host port {d}/udp is in use by another program"),
                            (f'web = "192.0.2.1:{a}", dns = 1', f"host port 192.0.2.1:{a}: this machine has no such address")):
            for said in refusal(tree, toml("four", f"host_ports = {{{table}}}")):
                assert what in said, said
    assert App(tree, "four").get() is None


def test_a_range_is_shared_out_among_replicas(make_tree):
    first = ground.free_port() // 10 * 10
    tree = make_tree(NULL).start()
    text = toml("web", f'replicas = {{}}\nhost_ports = {{web = "127.0.0.1:{first}-{first + 3}"}}', '{name = "web", port = 80}')

    def ports():
        return [r["ports"][0] for r in App(tree).get()["replicas"]]
    with socket.create_server(("127.0.0.1", first + 1)):
        tree.apply(text.replace("{}", "2"))
        assert [p["host_port"] for p in ports()] == [first, first + 2]
        assert all(p["host_address"] == "127.0.0.1" and "host_port_last" not in p for p in ports())
        for said in refusal(tree, text.replace("{}", "4")):
            assert f"no host port is free between {first} and {first + 3}" in said
    tree.apply(text.replace("{}", "4"))  # the first ones keep theirs
    assert [p["host_port"] for p in ports()] == [first, first + 2, first + 1, first + 3]
    for said in refusal(tree, text.replace("{}", "5")):
        assert f"5 ports are wanted of 127.0.0.1:{first}-{first + 3}, which has 4" in said


def test_a_directory_that_wants_one_port_twice_is_refused_before_anything(make_tree, place):
    a, b = free_ports(2)
    tree = make_tree(NULL).start()
    directory = place / "manifests"
    directory.mkdir()
    one = '{name = "web", port = 80}'
    (directory / "1.toml").write_text(toml("one", f"host_ports = {{web = {a}}}", one))
    (directory / "2.toml").write_text(toml("two", f"host_ports = {{web = {b}}}", one))
    (directory / "3.toml").write_text(toml("three", f'host_ports = {{web = "127.0.0.1:{a}"}}', one))
    for command in ("plan", "apply"):
        told = tree.ctl(command, directory, check=False)
        assert told.returncode == 1
        assert f"{directory}/1.toml and {directory}/3.toml: instance 'one' and instance 'three' want the same host port " \
               f"127.0.0.1:{a}" in told.stderr
    assert tree.ctl_json("apps") == []
    (directory / "3.toml").write_text(toml("three", f'host_ports = {{web = "{a}/udp"}}', one))
    tree.ctl("apply", directory)
    assert len(tree.ctl_json("apps")) == 3


def test_a_directory_with_a_manifest_that_the_reconciler_refuses_is_not_applied_at_all(make_tree, place):
    """What only the reconciler knows of a later manifest is found before the first one is applied."""
    port, = free_ports(1)
    share = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * 6 // 10 >> 20
    tree = make_tree({**NULL, "reconciler": {"overcommit": "refuse"}}).start()
    directory = place / "manifests"
    directory.mkdir()
    one = '{name = "web", port = 80}'
    large = f'[resources]\nmemory_limit = "{share}Mi"\n'
    for file, name in ((1, "one"), (2, "two")):
        (directory / f"{file}.toml").write_text(toml(name, "", "", large))
    (directory / "3.toml").write_text(toml("three", f"host_ports = {{web = {port}}}", one))
    (directory / "4.toml").write_text(toml("four", "", ""))
    with socket.create_server(("", port)):
        for option in ((), ("--no-wait",)):
            told = tree.ctl("apply", *option, directory, check=False)
            assert told.returncode == 1 and told.stdout == ""
            assert f"{directory}/2.toml: the memory limits of all replicas would be" in told.stderr
            assert f"{directory}/3.toml: host port {port} is in use by another program" in told.stderr
            assert "1.toml" not in told.stderr and "nothing was applied" in told.stderr
        assert tree.ctl_json("apps") == []
        (directory / "2.toml").unlink()
        (directory / "3.toml").unlink()
        tree.ctl("apply", directory)
    assert {app["name"] for app in tree.ctl_json("apps")} == {"one", "four"}


def test_what_can_never_work_is_refused_by_plan_and_apply(make_tree):
    peer, http = free_ports(2)
    tree = make_tree({**NULL, "zone": {"enable": "yes", "listen": "127.0.0.1", "peer_port": peer, "http_port": http}}).start()
    good = toml("web", "")
    for image, why in (("docker://x", "it has no scheme: write 'x'"), ("http://x/y", "it has no scheme: write 'x/y'"),
                       ("MyImage:1", "'MyImage' is no name"), ("a:b:c", "'b:c' is no tag"), ("x//y", "'x//y' is no name"),
                       ("n@sha256:abc", "a digest is 'sha256:' and 64")):
        for said in refusal(tree, good.replace("one:1", image)):
            assert f"image: '{image}' is no reference of an image" in said and why in said, said
    for said in refusal(tree, toml("web", f"host_ports = {{web = {http}, dns = {peer}}}")):
        assert f"host port {http} is hostlet's own ([zone] http_port)" in said
        assert f"host port {peer} is hostlet's own ([zone] peer_port)" in said
    assert tree.ctl_json("apps") == []
