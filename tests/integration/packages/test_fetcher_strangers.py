"""Tests that the fetcher protects its secrets and this machine from foreign servers: passwords, redirects to addresses that only
this machine can reach, and servers that trickle."""

import gzip
import hashlib
import json
import os
import pwd
import random
import subprocess
import threading

import pytest
from lib.fetcher import Fetcher, Hostile, messages, send
from lib import packages
from lib.tree import program
from lib.varlink import VarlinkError

DATA, HEADER = packages.ipk("demo", "1.0.0", files={"data": random.Random(7).randbytes(1_500_000)}, how="none")
ID = packages.package_id("demo", "1.0.0")
SHA256 = hashlib.sha256(DATA).hexdigest()
PASSWORD = "s3cr3t"


def index(data=DATA, header=HEADER):
    item = {"file": f"{ID}.ipk", "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "package": header}
    return json.dumps({"format": 1, "items": [item]}).encode()


@pytest.fixture
def stop_at_end():
    made = []
    yield made.append
    for one in reversed(made):
        one.stop()


@pytest.fixture
def make_fetcher(place, stop_at_end):
    def make(settings, environment=None):
        fetcher = Fetcher(place / "tree", settings, environment)
        stop_at_end(fetcher)
        return fetcher
    return make


def fetch(fetcher):
    return fetcher.fetch(fetcher.resolve("demo"))


def assert_stored(fetcher, data=DATA):
    assert (fetcher.store / "demo" / f"{ID}.ipk").read_bytes() == data


def ranges(server):
    return [asked for path, asked in server.seen if path.endswith(".ipk")]


# Passwords

@pytest.fixture
def secret_file(place):
    def make(text, mode=0o600, owner="root", name="netrc"):
        path = place / name
        path.write_text(text)
        path.chmod(mode)
        os.chown(path, pwd.getpwnam(owner).pw_uid, -1)
        return path
    return make


def private(request):
    """Requires "user" and PASSWORD."""
    if request.headers.get("Authorization") != "Basic dXNlcjpzM2NyM3Q=":
        send(request, 401, WWW_Authenticate="Basic realm=x")
    elif request.path.endswith("index.json"):
        send(request, 200, index())
    else:
        send(request, 200, DATA)


def everything_shown(fetcher):
    described = subprocess.run([program("fetcher"), "--describe"], capture_output=True, text=True, check=True).stdout
    files = "".join(path.read_text(errors="replace") for path in (fetcher.prefix / "var").rglob("*")
                    if path.is_file() and path.suffix != ".ipk")
    with open(f"/proc/{fetcher.process.pid}/cmdline") as line:
        return fetcher.log() + described + files + line.read()


@pytest.mark.sanitized
@pytest.mark.parametrize("owner", ["root", "hostlet-fetcher"])
def test_credentials_from_a_file_are_used_and_not_shown(make_fetcher, secret_file, stop_at_end, owner):
    server = Hostile(private)
    stop_at_end(server)
    path = secret_file(f"# a comment\nmachine other.example login x password y\nmachine 127.0.0.1 login user\n  password {PASSWORD}\n",
                       owner=owner)
    fetcher = make_fetcher({"repositories": server.url, "credentials": path}).start()
    answers = fetch(fetcher)
    assert_stored(fetcher)
    with pytest.raises(VarlinkError) as caught:
        fetcher.resolve("nothing")
    assert PASSWORD not in everything_shown(fetcher) + json.dumps(answers) + str(caught.value)
    fetcher.stop()
    # Without credentials the same server refuses, and a wrong password is not shown in any message.
    path.write_text("machine 127.0.0.1 login user password wr0ng\n")
    fetcher.start()
    with pytest.raises(VarlinkError, match=r"access is denied .*\[fetcher\] credentials") as caught:
        fetcher.resolve("demo")
    assert "wr0ng" not in everything_shown(fetcher) + str(caught.value)


@pytest.mark.parametrize("mode, owner, words", [
    (0o644, "root", "chmod 0600"), (0o640, "root", "chmod 0600"), (0o604, "root", "chmod 0600"), (0o620, "root", "chmod 0600"),
    (0o602, "root", "chmod 0600"), (0o644, "hostlet-fetcher", "chmod 0600"), (0o600, "nobody", "chown it to root")])
def test_credentials_that_other_users_can_access_are_refused(make_fetcher, secret_file, mode, owner, words):
    path = secret_file(f"machine h login user password {PASSWORD}\n", mode, owner)
    fetcher = make_fetcher({"repositories": "http://h/", "credentials": path}).start(wait=False)
    assert fetcher.wait() == 100
    assert f"[fetcher] credentials: '{path}'" in fetcher.log() and words in fetcher.log() and PASSWORD not in fetcher.log()


@pytest.mark.parametrize("what, words", [
    ("missing", "cannot open"), ("link", "symbolic link"), ("directory", "not a regular file"), ("fifo", "not a regular file"),
    ("default login u password s3cr3t\n", "netrc:1: expected machine"), ("machine h\nmachine i password s3cr3t\n", "netrc:2: the machine before")])
def test_malformed_credentials_are_refused(make_fetcher, secret_file, place, what, words):
    path = place / "netrc"
    if what == "link":
        path.symlink_to(secret_file(f"machine h login u password {PASSWORD}\n", name="real"))
    elif what == "directory":
        path.mkdir(mode=0o700)
    elif what == "fifo":
        os.mkfifo(path, 0o600)
    elif what != "missing":
        secret_file(what)
    fetcher = make_fetcher({"repositories": "http://h/", "credentials": path}).start(wait=False)
    assert fetcher.wait() == 100
    assert "[fetcher] credentials" in fetcher.log() and words in fetcher.log() and PASSWORD not in fetcher.log()


def test_url_with_password_needs_a_private_configuration_file(make_fetcher, stop_at_end):
    server = Hostile(private)
    stop_at_end(server)
    url = server.url.replace("http://", f"http://user:{PASSWORD}@")
    fetcher = make_fetcher({"repositories": url})
    fetcher.config_mode = 0o644
    fetcher.start(wait=False)
    assert fetcher.wait() == 100
    assert "hostlet.conf:" in fetcher.log() and "[fetcher] repositories" in fetcher.log() and "0600" in fetcher.log()
    assert PASSWORD not in fetcher.log()
    fetcher.config_mode = 0o600
    fetch(fetcher.start())
    assert_stored(fetcher)
    assert PASSWORD not in everything_shown(fetcher)


@pytest.mark.parametrize("form", ["file", "url"])
def test_a_redirect_carries_no_password(make_fetcher, secret_file, stop_at_end, form):
    """Redirects to another port of the same host and to another name of it, although the file has credentials for that one as
    well."""
    def redirect(request):
        send(request, 302, Location=f"http://{target}:{thief.port}{request.path}")
    thief = Hostile(lambda request: send(request, 200, index() if request.path.endswith("json") else DATA))
    server = Hostile(redirect)
    stop_at_end(thief)
    stop_at_end(server)
    path = secret_file(f"machine 127.0.0.1:{server.port} login user password {PASSWORD}\n"
                       f"machine 127.0.0.1 login user password {PASSWORD}\nmachine localhost login user password {PASSWORD}\n")
    settings = {"repositories": server.url, "credentials": path}
    if form == "url":
        settings = {"repositories": server.url.replace("http://", f"http://user:{PASSWORD}@")}
    for target in ("127.0.0.1", "localhost"):
        fetcher = make_fetcher(settings).start()
        assert fetcher.resolve("demo")["id"] == ID
        fetcher.stop()
    assert all("Authorization" in headers for headers in server.headers) and len(server.headers) == 2
    assert len(thief.headers) == 2 and not any("Authorization" in headers for headers in thief.headers)


@pytest.mark.parametrize("url, warned", [("http://packages.example/", True), ("https://packages.example/", False),
                                         ("http://127.0.0.1:1/", False), ("http://other.example/", False)])
def test_unencrypted_passwords_cause_a_warning(make_fetcher, secret_file, url, warned):
    path = secret_file("machine packages.example login u password p\nmachine 127.0.0.1 login u password p\n")
    fetcher = make_fetcher({"repositories": url, "credentials": path}).start()
    assert ("unencrypted" in fetcher.log()) == warned


# Redirects

class Net:
    """A network namespace with addresses for documentation, link-local ones and those of metadata services, and one server
    on all of them."""

    def __init__(self, namespace, place):
        for address in ("198.51.100.1/32", "198.51.100.2/32", "169.254.1.1/32", "169.254.169.254/32", "100.100.100.200/32",
                        "fd00:ec2::254/128", "2001:db8::1/128"):
            namespace.inside("address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))
        hosts = place / "hosts"
        hosts.write_text("127.0.0.1 localhost\n127.0.0.1 rebound.example\n198.51.100.1 repository.example\n"
                         "169.254.169.254 metadata.example\n")
        self.command = ["unshare", "-m", "sh", "-c", f"mount --bind {hosts} /etc/hosts && exec nsenter --net=/run/netns/{namespace.name} \"$@\"",
                        "sh"]
        self.location = None
        with namespace.entered():
            self.server = Hostile(self.answer, "::")
        self.stop = self.server.stop

    def answer(self, request):
        """/repository/ has an index, and a package at another address; /elsewhere/ has everything."""
        if request.path.startswith("/repository/") and (request.path.endswith(".ipk") or "/index/" in self.location):
            send(request, 302, Location=self.location)
        elif request.path.startswith("/chain"):
            send(request, 302, Location=f"http://127.0.0.1:{self.server.port}/elsewhere/{ID}.ipk")
        else:
            send(request, 200, index() if request.path.endswith("json") else DATA)

    def url(self, host, path):
        return f"http://{host}:{self.server.port}/{path}"


@pytest.fixture
def net(namespace, place, stop_at_end):
    made = Net(namespace, place)
    stop_at_end(made)
    return made


def follow(net, make_fetcher, origin, location, environment=None):
    net.location = location
    fetcher = make_fetcher({"repositories": net.url(origin, "repository/")}, environment)
    fetcher.command = net.command
    return fetcher.start()


SELF = ["127.0.0.1", "127.0.0.2", "127.1", "2130706433", "0x7f.1", "0.0.0.0", "0.0.0.1", "[::1]", "[::]", "[::ffff:127.0.0.1]", "localhost",
        "rebound.example"]
LINK = ["169.254.169.254", "metadata.example", "[::ffff:169.254.169.254]", "100.100.100.200", "[fd00:ec2::254]"]


@pytest.mark.parametrize("origin, host", [
    *[("198.51.100.1", host) for host in SELF + LINK], ("repository.example", "rebound.example"), ("[2001:db8::1]", "[::1]"),
    ("127.0.0.1", "169.254.169.254"), ("169.254.1.1", "127.0.0.1")])
def test_redirect_to_this_machine_or_its_link_is_not_followed(net, make_fetcher, origin, host):
    """The address decides, in any name or form: the fetcher does not even connect."""
    fetcher = follow(net, make_fetcher, origin, net.url(host, f"elsewhere/{ID}.ipk"))
    package = fetcher.resolve("demo")
    reached = len(net.server.reached)
    with pytest.raises(VarlinkError, match="a redirect to .* is not followed") as caught:
        fetcher.fetch(package)
    assert caught.value.name == "io.hostlet.Failed"
    assert not any("elsewhere" in path for path, _ in net.server.seen)
    home = {"repository.example": "198.51.100.1"}.get(origin, origin.strip("[]"))
    assert set(net.server.reached[reached:]) <= {home}
    assert not (fetcher.store / "demo").exists()


@pytest.mark.parametrize("origin, host", [("198.51.100.1", "198.51.100.2"), ("repository.example", "[2001:db8::1]"), ("127.0.0.1", "127.0.0.2"),
                                          ("127.0.0.1", "[::1]"), ("localhost", "rebound.example"), ("169.254.1.1", "169.254.169.254"),
                                          ("127.0.0.1", "198.51.100.1")])
def test_redirect_to_other_hosts_or_within_the_same_place_is_followed(net, make_fetcher, origin, host):
    fetcher = follow(net, make_fetcher, origin, net.url(host, f"elsewhere/{ID}.ipk"))
    fetch(fetcher)
    assert_stored(fetcher)


def test_redirects_of_indexes_and_chains_are_checked(net, make_fetcher):
    fetcher = follow(net, make_fetcher, "198.51.100.1", net.url("127.0.0.1", "elsewhere/index/index.json"))
    with pytest.raises(VarlinkError, match="a redirect to 127.0.0.1, which is this machine, is not followed"):
        fetcher.resolve("demo")
    net.location = net.url("198.51.100.2", "chain")
    with pytest.raises(VarlinkError, match="a redirect to 127.0.0.1, which is this machine, is not followed"):
        fetch(fetcher)
    assert not any("elsewhere" in path for path, _ in net.server.seen) and "127.0.0.1" not in net.server.reached


def test_redirect_into_an_existing_connection_is_refused(namespace, net, make_fetcher, stop_at_end):
    """curl would reuse an open connection, so a check of new connections alone is not enough."""
    def answer(request):
        if request.path.startswith("/evil/"):
            send(request, 302, Location=net.url("127.0.0.1", "secret/index.json").replace(f":{net.server.port}", f":{local.port}"))
            return
        body = index().replace(b'"demo"', b'"none"').replace(ID.encode(), ID.replace("demo", "none").encode())
        request.send_response_only(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
        request.close_connection = False
    with namespace.entered():
        local = Hostile(answer, "::")
    stop_at_end(local)
    fetcher = make_fetcher({"repositories": f"http://127.0.0.1:{local.port}/local/ http://198.51.100.1:{local.port}/evil/"})
    fetcher.command = net.command
    fetcher.start()
    with pytest.raises(VarlinkError, match="a redirect to 127.0.0.1, which is this machine, is not followed"):
        fetcher.resolve("demo")
    assert [path for path, _ in local.seen] == ["/local/index.json", "/evil/index.json"]


def test_redirects_behind_a_proxy_are_checked(make_fetcher, stop_at_end):
    """The proxy is on this machine, and resolves names itself: the fetcher can connect to it, and checks addresses in URLs."""
    def answer(request):
        if request.path.endswith("index.json"):
            send(request, 200, index())
        elif request.path.startswith("http://repository.invalid/"):
            send(request, 302, Location=locations.pop(0))
        else:
            send(request, 200, DATA)
    proxy = Hostile(answer)
    stop_at_end(proxy)
    fetcher = make_fetcher({"repositories": "http://repository.invalid/"},
                           {"http_proxy": proxy.url, "no_proxy": ""}).start()
    for host in ("127.0.0.1", "localhost", "[::1]", "169.254.169.254", "127.1"):
        locations = [f"http://{host}/{ID}.ipk"]
        with pytest.raises(VarlinkError, match="is not followed"):
            fetch(fetcher)
    assert all(path.startswith("http://repository.invalid/") for path, _ in proxy.seen)
    locations = [f"http://other.invalid/{ID}.ipk"]
    fetch(fetcher)
    assert_stored(fetcher)


# Servers that trickle

class Trickle:
    """A server that sends 'piece' bytes every twentieth of a second, for 'seconds' at most."""

    def __init__(self, piece, data=DATA, header=HEADER, seconds=60):
        self.piece, self.data, self.header, self.seconds = piece, data, header, seconds
        self.over = threading.Event()
        self.server = Hostile(self.answer)
        self.url = self.server.url

    def answer(self, request):
        if request.path.endswith("index.json"):
            send(request, 200, index(self.data, self.header))
            return
        asked = request.headers.get("Range")
        at = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        send(request, 206 if at else 200, length=len(self.data) - at, ETag='"a"',
             **({"Content_Range": f"bytes {at}-{len(self.data) - 1}/{len(self.data)}"} if at else {}))
        for _ in range(int(self.seconds * 20)):
            if at >= len(self.data) or self.over.wait(0.05):
                break
            request.wfile.write(self.data[at:at + self.piece])
            at += self.piece

    def stop(self):
        self.over.set()
        self.server.stop()


def test_slow_but_steady_server_completes_the_download(make_fetcher, stop_at_end):
    """The download needs several transfers; each continues where the last one was cut off."""
    server = Trickle(20_000)
    stop_at_end(server)
    fetcher = make_fetcher({"repositories": server.url, "transfer_timeout": "1s", "attempts": 2}).start()
    answers = fetch(fetcher)
    assert_stored(fetcher)
    asked = [int(r.removeprefix("bytes=").rstrip("-")) if r else 0 for r in ranges(server.server)]
    assert len(asked) >= 3 and asked == sorted(set(asked)) and asked[0] == 0
    assert "transfer_timeout" in messages(answers) and "starting over" not in messages(answers)


def test_trickling_server_fails_the_download_and_keeps_the_partial_file(make_fetcher, stop_at_end):
    server = Trickle(500)
    stop_at_end(server)
    fetcher = make_fetcher({"repositories": server.url, "transfer_timeout": "1s", "low_speed_limit": 1}).start()
    package = fetcher.resolve("demo")
    with pytest.raises(VarlinkError, match="transfer_timeout.*tried 3 times.* bytes are kept") as caught:
        fetcher.fetch(package)
    assert caught.value.name == "io.hostlet.RetryLater"
    kept = fetcher.partial_size(package)
    assert kept > 0 and len(ranges(server.server)) == 3
    server.piece = len(DATA)
    fetcher.fetch(package)
    assert ranges(server.server)[-1] == f"bytes={kept}-"
    assert_stored(fetcher)


def test_trickling_server_that_closes_connections_fails_the_download(make_fetcher, stop_at_end):
    """Each attempt transfers more than a mebibyte, which would count as progress if it did not take so long."""
    data, header = packages.ipk("demo", "1.0.0", files={"data": random.Random(8).randbytes(64 << 20)}, how="none")
    server = Trickle(120_000, data, header, seconds=0.6)
    stop_at_end(server)
    fetcher = make_fetcher({"repositories": server.url, "transfer_timeout": "1s"}).start()
    with pytest.raises(VarlinkError, match="tried 3 times.* bytes are kept") as caught:
        fetch(fetcher)
    assert caught.value.name == "io.hostlet.RetryLater" and len(ranges(server.server)) == 3


def test_index_has_a_time_limit(make_fetcher, stop_at_end):
    over = threading.Event()

    def answer(request):
        send(request, 200, length=1 << 20)
        while not over.wait(0.05):
            request.wfile.write(b" ")
    server = Hostile(answer)
    stop_at_end(server)
    fetcher = make_fetcher({"repositories": server.url, "transfer_timeout": "1s", "low_speed_limit": 1}).start()
    try:
        with pytest.raises(VarlinkError, match="tried 3 times") as caught:
            fetcher.resolve("demo")
        assert caught.value.name == "io.hostlet.RetryLater"
    finally:
        over.set()


# Encodings

@pytest.mark.parametrize("what", ["index.json", ".ipk"])
def test_an_encoding_that_was_not_asked_for_is_named(make_fetcher, stop_at_end, what):
    """Servers send files that they have compressed before whether the client accepts that or not."""
    def answer(request):
        body = index() if request.path.endswith("index.json") else DATA
        if request.path.endswith(what):
            send(request, 200, gzip.compress(body), Content_Encoding="gzip")
        else:
            send(request, 200, body, Content_Encoding="identity")
    server = Hostile(answer)
    stop_at_end(server)
    fetcher = make_fetcher({"repositories": server.url}).start()
    with pytest.raises(VarlinkError) as refused:
        fetch(fetcher)
    assert f"{what}: the response has 'Content-Encoding: gzip'" in str(refused.value)
