"""Tests the fetcher against servers and indexes that send wrong data, stall, flood and loop."""

import hashlib
import json
import random
import shutil
import threading
import time

import pytest
from lib.fetcher import Fetcher, Hostile, messages, send
from lib import ground, packages
from lib.varlink import Varlink, VarlinkError

DATA, HEADER = packages.ipk("demo", "1.0.0", files={"data": random.Random(7).randbytes(1_500_000)}, how="none")
ID = packages.package_id("demo", "1.0.0")
SHA256 = hashlib.sha256(DATA).hexdigest()
ITEM = {"file": f"{ID}.ipk", "size": len(DATA), "sha256": SHA256, "package": HEADER}


def index(*items, **changes):
    return json.dumps({"format": 1, "items": list(items), **changes}).encode()


def without(item, *names):
    return {name: value for name, value in item.items() if name not in names}


@pytest.fixture
def world(place):
    """Provides world(answer, item=…, **settings): a server whose package is answered by 'answer(request, start, count)', and a
    fetcher. 'start' is where the requested range begins, 'count' counts the requests for the package from 1."""
    made = []

    def make(answer, items=(ITEM,), **settings):
        def on_request(request):
            if request.path.endswith("index.json"):
                send(request, 200, index(*items))
                return
            asked = request.headers.get("Range")
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            answer(request, start, len([1 for path, _ in server.seen if path.endswith(".ipk")]))
        server = Hostile(on_request)
        fetcher = Fetcher(place / "tree", {"repositories": server.url, **settings}).start()
        made.extend([fetcher, server])
        fetcher.server = server
        return fetcher
    yield make
    for one in made:
        one.stop()


def ranges(fetcher):
    return [asked for path, asked in fetcher.server.seen if path.endswith(".ipk")]


def part(request, start, data=DATA, **headers):
    send(request, 206, data[start:], Content_Range=f"bytes {start}-{len(data) - 1}/{len(data)}", **headers)


def fetch(fetcher):
    return fetcher.fetch(fetcher.resolve("demo"))


def assert_stored(fetcher, answers):
    assert (fetcher.store / "demo" / f"{ID}.ipk").read_bytes() == DATA
    assert answers[-1]["path"] and not list(fetcher.partial.iterdir())


def assert_not_stored(fetcher):
    assert not (fetcher.store / "demo").exists()
    assert fetcher.process.poll() is None


def cut(request, at=600_000, **headers):
    """Announces the whole file, and closes the connection in the middle."""
    send(request, 200, DATA[:at], length=len(DATA), **headers)


# Responses after which the download recovers

@pytest.mark.sanitized
def test_a_lost_connection_is_resumed_at_the_same_byte(world):
    def answer(request, start, count):
        if count == 1:
            cut(request, ETag='"a"')
        elif count == 2:
            send(request, 206, DATA[start:start + 300_000], length=len(DATA) - start, ETag='"a"',
                 Content_Range=f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
        else:
            assert request.headers["If-Range"] == '"a"'
            part(request, start, ETag='"a"')
    fetcher = world(answer, attempts=2)
    answers = fetch(fetcher)
    assert_stored(fetcher, answers)
    assert ranges(fetcher) == [None, "bytes=600000-", "bytes=900000-"]  # each attempt advanced: none counts as the last
    assert "trying again" in messages(answers)


def test_attempts_without_progress_are_counted(world):
    fetcher = world(lambda request, start, count: cut(request) if count == 1 else send(request, 503))
    with pytest.raises(VarlinkError, match="503.*tried 3 times.*600000 bytes are kept") as caught:
        fetch(fetcher)
    assert caught.value.name == "io.hostlet.RetryLater" and len(ranges(fetcher)) == 3
    assert_not_stored(fetcher)


def test_a_server_error_is_retried(world):
    def answer(request, start, count):
        if count == 1:
            send(request, 503, Retry_After="1")
        elif count == 2:
            request.connection.close()
        else:
            send(request, 200, DATA)
    fetcher = world(answer)
    before = time.monotonic()
    assert_stored(fetcher, fetch(fetcher))
    assert time.monotonic() - before >= 1


def test_weak_validators_are_not_used_for_ranges(world):
    def answer(request, start, count):
        if count == 1:
            cut(request, ETag='W/"a"', Last_Modified="Mon, 01 Jan 2024 00:00:00 GMT")
        else:
            assert request.headers["If-Range"] == "Mon, 01 Jan 2024 00:00:00 GMT"
            part(request, start)
    fetcher = world(answer)
    assert_stored(fetcher, fetch(fetcher))


def test_part_of_another_file_is_found_by_the_hash(world):
    """The server claims to continue the same file and sends another: the fetcher starts over once."""
    other = random.Random(8).randbytes(len(DATA))

    def answer(request, start, count):
        if count == 1:
            cut(request)
        elif count == 2:
            part(request, start, other)
        else:
            send(request, 200, DATA)
    fetcher = world(answer)
    answers = fetch(fetcher)
    assert_stored(fetcher, answers)
    assert ranges(fetcher) == [None, "bytes=600000-", None] and "starting over" in messages(answers)


@pytest.mark.parametrize("name,headers", [
    ("begins elsewhere", {"Content_Range": f"bytes 0-{len(DATA) - 1}/{len(DATA)}"}),
    ("another size", {"Content_Range": f"bytes 600000-{len(DATA)}/{len(DATA) + 1}"}),
    ("garbage", {"Content_Range": "bytes six-seven/eight"}),
    ("overflow", {"Content_Range": "bytes 600000-99999999999999999999999/99999999999999999999999999"}),
    ("missing", {}),
    ("another file", {"Content_Range": f"bytes 600000-{len(DATA) - 1}/{len(DATA)}", "ETag": '"b"'})])
def test_wrong_range_replies_start_over(world, name, headers):
    def answer(request, start, count):
        if count == 1:
            cut(request, ETag='"a"')
        elif start:
            send(request, 206, DATA[start:], **headers)
        else:
            send(request, 200, DATA)
    fetcher = world(answer)
    answers = fetch(fetcher)
    assert_stored(fetcher, answers)
    assert ranges(fetcher) == [None, "bytes=600000-", None] and "starting over" in messages(answers)


@pytest.mark.parametrize("length", ["*/100", "*/999999999", "nonsense", None])
def test_range_not_satisfiable_starts_over(world, length):
    def answer(request, start, count):
        if count == 1:
            cut(request)
        elif start:
            send(request, 416, b"x" * 1000, **({"Content_Range": f"bytes {length}"} if length else {}))
        else:
            send(request, 200, DATA)
    fetcher = world(answer)
    assert_stored(fetcher, fetch(fetcher))
    assert ranges(fetcher) == [None, "bytes=600000-", None]


def test_a_complete_file_of_unknown_size_is_accepted(world):
    """The size is unknown; the first process was killed between the last byte and the end."""
    def answer(request, start, count):
        if not start:
            send(request, 200, DATA, length=False)
        else:
            send(request, 416, Content_Range=f"bytes */{len(DATA)}")
    fetcher = world(answer, [without(ITEM, "size", "sha256")])
    package = fetcher.resolve("demo")
    assert "size" not in package and "sha256" not in package
    (fetcher.partial / f"{ID}.ipk").write_bytes(DATA)
    (fetcher.partial / f"{ID}.json").write_text(json.dumps(
        {"format": 1, "url": f"{fetcher.server.url}{ID}.ipk", "checksum": package["checksum"]}))
    for path in fetcher.partial.iterdir():
        shutil.chown(path, "hostlet-fetcher", "hostlet-fetcher")
    assert_stored(fetcher, fetcher.fetch(package))
    assert ranges(fetcher) == [f"bytes={len(DATA)}-"]


@pytest.mark.parametrize("facts", [b"", b"{", b"[]", b'{"format":1}', b'{"format":2,"url":"x"}', b'{"format":1,"url":7}',
                                   b"\xff\xfe" * 100, b"x" * 100_000])
def test_damaged_metadata_starts_over(world, facts):
    fetcher = world(lambda request, start, count: send(request, 200, DATA))
    package = fetcher.resolve("demo")
    (fetcher.partial / f"{ID}.ipk").write_bytes(b"IPK1" + b"\0" * 1000)
    (fetcher.partial / f"{ID}.json").write_bytes(facts)
    for path in fetcher.partial.iterdir():
        shutil.chown(path, "hostlet-fetcher", "hostlet-fetcher")
    assert_stored(fetcher, fetcher.fetch(package))
    assert ranges(fetcher) == [None]


# Responses that fail the download

def other_ipk(**options):
    return packages.ipk(**{"name": "demo", "version": "1.0.0", "files": {"data": b"y" * 1_400_000}, "how": "none", **options})[0]


WRONG = {
    "page of a portal": (b"<html>log in first</html>" * 10_000, "does not begin with IPK1|bytes"),
    "other bytes": (DATA[:-1] + bytes([DATA[-1] ^ 1]), "its sha256 is"),
    "longer": (DATA + b"x", "has 15.* bytes, the package"),
    "shorter": (DATA[:-1], "has 15.* bytes, the package"),
    "empty": (b"", "has 0 bytes, the package"),
    "other package": (other_ipk(name="other"), "bytes"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_contents(world, what):
    body, words = WRONG[what]
    fetcher = world(lambda request, start, count: send(request, 200, body))
    with pytest.raises(VarlinkError, match=words) as caught:
        fetch(fetcher)
    assert caught.value.name == "io.hostlet.Failed" and len(ranges(fetcher)) == 1
    assert_not_stored(fetcher)
    assert list(fetcher.partial.iterdir()) == []  # no part of it is used again


WRONG_UNSIZED = {
    "page of a portal": (b"<html>log in first</html>" * 10_000, "does not begin with IPK1"),
    "other bytes": (DATA[:-1] + bytes([DATA[-1] ^ 1]), "checksum"),
    "longer": (DATA + b"x", "trailing data"),
    "shorter": (DATA[:-1], "truncated"),
    "empty": (b"", "truncated"),
    "a few bytes": (b"IPK", "truncated"),
    "huge header": (b"IPK1\xff\xff\xff\x7f" + DATA, "its header claims to have"),
    "empty header": (b"IPK1\0\0\0\0" + DATA, "its header claims to have"),
    "header that is no JSON": (b"IPK1\x10\0\0\0" + b"x" * 100, "not JSON"),
    "other package": (other_ipk(name="other"), "its header contains the id 'other_1.0.0"),
    "other version": (other_ipk(version="1.0.1"), "its header contains the id 'demo_1.0.1"),
    "other data": (other_ipk(), "the repository expects"),
    "header that lies": (other_ipk(release={"checksum": HEADER["release"]["checksum"]}), "its header contains"),
}


@pytest.mark.parametrize("what", WRONG_UNSIZED)
def test_wrong_contents_where_only_the_checksum_is_known(world, what):
    body, words = WRONG_UNSIZED[what]
    fetcher = world(lambda request, start, count: send(request, 200, body), [without(ITEM, "size", "sha256")])
    with pytest.raises(VarlinkError, match=words) as caught:
        fetch(fetcher)
    assert caught.value.name == "io.hostlet.Failed" and len(ranges(fetcher)) == 1
    assert_not_stored(fetcher)
    assert list(fetcher.partial.iterdir()) == []


def test_contents_that_stay_wrong_fail_the_download(world):
    """The contents are always cut and wrong: the fetcher starts over once, then fails."""
    wrong = DATA[:-1] + bytes([DATA[-1] ^ 1])

    def answer(request, start, count):
        if start:
            part(request, start, wrong)
        else:
            cut(request)
    fetcher = world(answer)
    with pytest.raises(VarlinkError, match="sha256") as caught:
        fetch(fetcher)
    assert caught.value.name == "io.hostlet.Failed"
    assert ranges(fetcher) == [None, "bytes=600000-", None, "bytes=600000-"]


def test_ranges_that_stay_wrong_fail_the_download(world):
    def answer(request, start, count):
        if start:
            send(request, 206, DATA[start:])
        else:
            cut(request)
    fetcher = world(answer)
    with pytest.raises(VarlinkError) as caught:
        fetch(fetcher)
    assert caught.value.name == "io.hostlet.RetryLater" and len(ranges(fetcher)) < 12


def flood(request):
    request.send_response_only(200)
    request.send_header("Connection", "close")
    request.end_headers()
    request.wfile.write(DATA)
    while True:
        request.wfile.write(b"z" * 65536)


def test_body_without_end(world):
    fetcher = world(lambda request, start, count: flood(request))
    with pytest.raises(VarlinkError, match="more than") as caught:
        fetch(fetcher)
    assert caught.value.name == "io.hostlet.Failed"
    assert list(fetcher.partial.iterdir()) == []


def test_body_without_end_and_size_unknown(world):
    fetcher = world(lambda request, start, count: flood(request), [without(ITEM, "size", "sha256")], max_size="4M")
    with pytest.raises(VarlinkError, match="max_size") as caught:
        fetch(fetcher)
    assert caught.value.name == "io.hostlet.Failed"
    ground.wait_until(lambda: not list(fetcher.partial.iterdir()), 5, "nothing of it is stored")


@pytest.mark.parametrize("sent", [0, 100_000])
def test_a_stalled_server_fails_the_download(world, sent):
    def answer(request, start, count):
        if count == 1:
            cut(request, sent)
            request.wfile.flush()
            request.connection.settimeout(30)
            request.connection.recv(1)  # until the other side closes the connection
        elif start:
            part(request, start)
        else:
            send(request, 200, DATA)
    fetcher = world(answer, low_speed_time="1s")
    answers = fetch(fetcher)
    assert_stored(fetcher, answers)
    assert len(ranges(fetcher)) == 2 and "trying again" in messages(answers)


def test_a_trickling_server_fails_the_download(world):
    def answer(request, start, count):
        if count > 1:
            return send(request, 200, DATA) if not start else part(request, start)
        cut(request, 0)
        for byte in DATA:
            request.wfile.write(bytes([byte]))
            request.wfile.flush()
            ground.let_pass(0.1)
    fetcher = world(answer, low_speed_time="1s")
    answers = fetch(fetcher)
    assert_stored(fetcher, answers)
    assert "trying again" in messages(answers) and ranges(fetcher)[1].startswith("bytes=")


def test_an_unrequested_partial_response(world):
    fetcher = world(lambda request, start, count: part(request, 0))
    with pytest.raises(VarlinkError, match="not asked for"):
        fetch(fetcher)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x", "unix:///run/x"])
def test_redirects_to_other_protocols(world, target):
    fetcher = world(lambda request, start, count: send(request, 302, Location=target))
    with pytest.raises(VarlinkError) as caught:
        fetch(fetcher)
    assert caught.value.name == "io.hostlet.Failed"
    assert_not_stored(fetcher)


def test_redirect_from_https_to_http(place, nginx):
    """A repository by https redirects to http: its certificate must protect every response, so the redirect is refused."""
    directory = packages.Repository(nginx.root)
    directory.add("demo", "1.0.0", files={"a": b"x"})
    config = nginx.place / "nginx.conf"
    nginx.stop()
    config.write_text(config.read_text().replace(
        "location /missing/ { return 404; }", "location /missing/ { return 404; } "
        f"location ~ ^/down/(.*)$ {{ return 302 {nginx.url}/$1; }}"))
    nginx.process = ground.start(["nginx", "-p", nginx.place, "-c", config], nginx.place / "start.log")
    ground.wait_until(nginx._answers, 10, "nginx answers")
    fetcher = Fetcher(place / "tree", {"repositories": f"{nginx.tls_url}/down", "ca_file": nginx.ca_file}).start()
    try:
        with pytest.raises(VarlinkError) as caught:
            fetcher.resolve("demo")
        assert caught.value.name == "io.hostlet.Failed"
        # nginx writes its log after its response; a request to the place without TLS would be logged as well.
        ground.wait_until(nginx.requests, 10, "nginx has logged the request")
        assert [request["uri"] for request in nginx.requests()] == ["/down/index.json"]
    finally:
        fetcher.stop()


def test_headers_without_end(world):
    def answer(request, start, count):
        request.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            request.wfile.write(b"X-Flood: " + b"x" * 8000 + b"\r\n")
    fetcher = world(answer)
    with pytest.raises(VarlinkError):
        fetch(fetcher)
    assert_not_stored(fetcher)


@pytest.mark.parametrize("headers", [{"ETag": '"\x80\xff"'}, {"ETag": '"' + "e" * 20_000 + '"'}, {"Last_Modified": "x" * 10_000},
                                     {"Content_Range": "bytes 0-1/2"}, {"Retry_After": "-1"}])
def test_strange_headers_do_no_harm(world, headers):
    fetcher = world(lambda request, start, count: send(request, 200, DATA, **headers))
    assert_stored(fetcher, fetch(fetcher))


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200\r\n\r\n", b"HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n",
                                    b"HTTP/1.1 204 X\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"])
def test_responses_that_are_not_http(world, answer):
    fetcher = world(lambda request, start, count: request.wfile.write(answer), attempts=2)
    with pytest.raises(VarlinkError, match=ID) as caught:
        fetch(fetcher)
    assert caught.value.name in ("io.hostlet.Failed", "io.hostlet.RetryLater")
    assert_not_stored(fetcher)


# Indexes

def test_many_callers_one_index(place):
    """Callers that arrive during the download get the same reply."""
    go = threading.Event()

    def answer(request):
        go.wait(20)
        send(request, 200, index(ITEM))
    server = Hostile(answer)
    fetcher = Fetcher(place / "tree", {"repositories": server.url}).start()
    try:
        connections = [fetcher.connect() for _ in range(10)]
        for connection in connections:
            connection.send({"method": "io.hostlet.Fetcher.Resolve", "parameters": {"name": "demo"}})
        ground.wait_until(lambda: server.seen, 10, "the index is asked for")
        fetcher.list()  # so that all of them were read
        connections.pop().close()
        go.set()
        for connection in connections:
            assert connection.receive()["parameters"]["package"]["id"] == ID
        assert len(server.seen) == 1
    finally:
        go.set()
        fetcher.stop()
        server.stop()


def changed(**changes):
    return {**ITEM, **changes}


def release(**changes):
    return {**ITEM, "package": {**HEADER, "release": {**HEADER["release"], **changes}}}


INDEXES = {
    "no JSON": b"<html>",
    "cut": index(ITEM)[:-10],
    "empty": b"",
    "no object": b"[]",
    "no format": b'{"items":[]}',
    "newer format": index(format=2),
    "format of another type": index(format="1"),
    "no items": b'{"format":1}',
    "items of another type": index(items={}),
    "item of another type": index(7),
    "member twice": b'{"format":1,"format":1,"items":[]}',
    "nested too deeply": b'{"format":1,"items":' + b"[" * 100_000,
    "not UTF-8": b'{"format":1,"items":["\xff"]}',
    "no file": index(without(ITEM, "file")),
    "file that leads up": index(changed(file="../demo.ipk")),
    "file that leads up inside": index(changed(file="a/../../demo.ipk")),
    "absolute file": index(changed(file="/etc/demo.ipk")),
    "file on another host": index(changed(file="http://evil.example/demo.ipk")),
    "file on another host, short": index(changed(file="//evil.example/demo.ipk")),
    "file with a query": index(changed(file="demo.ipk?x=.ipk")),
    "file with an escape": index(changed(file="%2e%2e/demo.ipk")),
    "file with a line break": index(changed(file="a\r\nHost: x.ipk")),
    "negative size": index(changed(size=-1)),
    "absurd size": index(changed(size=1 << 70)),
    "size of another type": index(changed(size="1")),
    "sha256 of another type": index(changed(sha256=1)),
    "short sha256": index(changed(sha256="00")),
    "no package": index(without(ITEM, "package")),
    "package of another type": index(changed(package=[])),
    "no checksum": index(release(checksum="")),
    "other checksum": index(release(checksum="md5:0")),
    "name that leads up": index(changed(package={**HEADER, "metadata": {"name": "../x"}})),
    "version that leads up": index(release(version="1/../2")),
    "id twice": index(ITEM, changed(file="other.ipk")),
    "a bad one behind a good one": index(ITEM, changed(size=-1)),
}


@pytest.mark.parametrize("source", ["http", "file"])
@pytest.mark.parametrize("what", INDEXES)
def test_hostile_index(place, what, source):
    directory = place / "repository"
    directory.mkdir()
    (directory / "index.json").write_bytes(INDEXES[what])
    server = Hostile(lambda request: send(request, 200, INDEXES[what]))
    url = server.url if source == "http" else f"file://{directory}/"
    fetcher = Fetcher(place / "tree", {"repositories": url}).start()
    try:
        with pytest.raises(VarlinkError) as caught:
            fetcher.resolve("demo")
        assert caught.value.name == "io.hostlet.Failed" and f"repository {url}" in str(caught.value)
        if what == "a bad one behind a good one":
            assert "items[1]" in str(caught.value)
        if what == "id twice":
            assert ID in str(caught.value)
        assert fetcher.process.poll() is None
        assert not list((fetcher.prefix / "var/hostlet/fetcher").glob("*.cache"))
    finally:
        fetcher.stop()
        server.stop()


def test_index_without_end(place):
    """The fetcher reads 64 MiB of it, and releases them."""
    def answer(request):
        request.send_response_only(200)
        request.end_headers()
        request.wfile.write(b'{"format":1,"items":[')
        while True:
            request.wfile.write(b" " * (1 << 20))
    server = Hostile(answer)
    fetcher = Fetcher(place / "tree", {"repositories": server.url}).start()
    try:
        with pytest.raises(VarlinkError, match="larger than") as caught:
            fetcher.resolve("demo")
        assert caught.value.name == "io.hostlet.Failed" and len(server.seen) == 1
    finally:
        fetcher.stop()
        server.stop()


def test_an_unrequested_not_modified(place):
    server = Hostile(lambda request: send(request, 304))
    fetcher = Fetcher(place / "tree", {"repositories": server.url}).start()
    try:
        with pytest.raises(VarlinkError, match="304") as caught:
            fetcher.resolve("demo")
        assert caught.value.name == "io.hostlet.Failed"
    finally:
        fetcher.stop()
        server.stop()


def test_callers_that_leave_in_every_state(world):
    """Callers make requests for one package and hang up at random moments: nothing hangs, nothing is left, and a later request
    succeeds."""
    def answer(request, start, count):
        if count % 3 == 1:
            cut(request, 200_000)
        elif count % 3 == 2:
            send(request, 503)
        elif start:
            part(request, start)
        else:
            send(request, 200, DATA)
    fetcher = world(answer, attempts=50)
    package = fetcher.resolve("demo")
    chance = random.Random(3)
    for _ in range(60):
        connections = [fetcher.begin(package) for _ in range(chance.randrange(1, 4))]
        for connection in connections:
            connection.socket.settimeout(chance.random() * 0.02)
            try:
                connection.receive()
            except (TimeoutError, OSError):
                pass
            connection.close()
        if chance.random() < 0.3:
            try:
                fetcher.call("Remove", name="demo", id=ID)
            except VarlinkError as error:
                assert error.name == "io.hostlet.RetryLater"
    assert_stored(fetcher, fetcher.fetch(package))


def test_garbage_on_the_socket(world):
    fetcher = world(lambda request, start, count: send(request, 200, DATA))
    for junk in (b"\0", b"{}\0", b"\xff" * 1000 + b"\0", b'{"method":"io.hostlet.Fetcher.Fetch","parameters":{"package":7}}\0',
                 b'{"method":"io.hostlet.Fetcher.Fetch","parameters":{}}\0', b'{"method":"io.hostlet.Fetcher.List"}\0'):
        with Varlink(fetcher.socket) as connection:
            connection.send_raw(junk)
            connection.socket.shutdown(1)
            connection.at_end()
    assert_stored(fetcher, fetch(fetcher))
