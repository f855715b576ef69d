"""Tests the zone as a repository of packages: searched, and downloaded in chunks, from a leader on Debian's own grpc."""

import json
import random
import signal
import threading

import pytest
from lib.fetcher import INTERFACE, Fetcher
from lib import ground, packages
from lib.certificates import Certificates
from lib.leader import Leader, not_ready, not_the_leader
from lib.tree import SOURCE, VARIANT
from lib.varlink import VarlinkError
from lib.zone_proto import KEY, Messages

pytestmark = pytest.mark.sanitized

CHUNK = 64 << 10
DATA = random.Random(7).randbytes(1 << 20)


@pytest.fixture(scope="session")
def messages(session_place):
    return Messages(session_place / "messages")


@pytest.fixture
def make_leader(messages):
    made = []

    def make(**options):
        made.append(Leader(messages, **options))
        return made[-1]
    yield make
    for leader in made:
        leader.stop()


class ZoneFetcher(Fetcher):
    """A fetcher whose machine belongs to the zone of these leaders."""

    def join(self, *leaders, key=KEY, first=None):
        directory = self.prefix / "var/hostlet/zone"
        directory.mkdir(parents=True, exist_ok=True)
        for path in (self.prefix, self.prefix / "var", self.prefix / "var/hostlet"):
            path.chmod(0o755)
        new = directory / "new"
        new.write_text(json.dumps({"format": 1, "host_id": key[0], "access_key": "ak_{}_{}".format(*key),
                                   "hosts": [leader.address for leader in leaders], **({"leader": first} if first else {})}))
        new.chmod(0o644)
        new.rename(directory / "zone.json")
        return self

    def call(self, method, **parameters):
        with self.connect() as connection:
            return connection.call(f"{INTERFACE}.{method}", **parameters)

    def resolve(self, name, version=None):
        return self.call("Resolve", name=name, **({"version": version} if version else {}))["package"]

    def fetch(self, package):
        return self.call("Fetch", package=package)["path"]


@pytest.fixture
def fetcher(place):
    made = ZoneFetcher(place / "tree", {"repositories": "zone"})
    yield made
    made.stop()


def put(leader, name="demo", version="1.0.0", data=DATA, chunk_size=CHUNK, **options):
    """Uploads an incompressible package. Returns its bytes."""
    whole, header = packages.ipk(name, version, files={"data": data}, how="none")
    leader.add_package(whole, header, chunk_size, **options)
    return whole


def content(path):
    with open(path, "rb") as file:
        return file.read()


# Success

def test_a_package_is_downloaded_in_chunks(fetcher, make_leader):
    leader = make_leader()
    whole = put(leader)
    fetcher.join(leader).start()
    found = fetcher.resolve("demo", "1.0")
    assert found["id"] == packages.package_id("demo", "1.0.0") and found["repository"] == "zone/"
    assert content(fetcher.fetch(found)) == whole
    asked = [request.index for request in leader.called("PackageChunk")]
    assert sorted(asked) == list(range(-(-len(whole) // CHUNK))), "each chunk once"
    assert fetcher.fetch(found) and len(leader.called("PackageChunk")) == len(asked), "a stored package is not fetched again"
    request = leader.called("PackageList")[0]
    assert (request.name, request.version, request.os, request.arch, request.latest_only) == (
        "demo", "1.0", "linux", packages.ARCH, True)


@pytest.mark.parametrize("os, arch", [("linux", "src"), ("all", packages.ARCH), ("all", "src")])
def test_packages_for_all_systems_are_found(fetcher, make_leader, os, arch):
    leader = make_leader()
    whole, header = packages.ipk("demo", "2.0.0", files={"data": DATA}, how="none", release={"os": os, "arch": arch})
    leader.add_package(whole, header, CHUNK)
    fetcher.join(leader).start()
    found = fetcher.resolve("demo")
    assert (found["id"], found["os"], found["arch"]) == (f"demo_2.0.0_{os}_{arch}", os, arch)
    assert content(fetcher.fetch(found)) == whole
    with pytest.raises(VarlinkError, match=f"for linux/{packages.ARCH}"):
        fetcher.resolve("demo", "3")
    put(leader)
    assert fetcher.resolve("demo")["id"] == packages.package_id("demo", "1.0.0"), "the package for this machine is preferred"


def test_packages_of_the_original_builder(fetcher, make_leader):
    """Downloads packages that the original builder made, in chunks as the zone has them, and in small ones."""
    leader = make_leader()
    originals = {}
    for path in sorted((SOURCE / "tests/vectors/ipk").glob("*.ipk")):
        data = path.read_bytes()
        header = json.loads(data[8:8 + int.from_bytes(data[4:8], "little")])
        originals[header["release"]["version"]] = data
        leader.add_package(data, header, 100 if len(originals) % 2 else 1 << 20)
    assert len(originals) == 4
    fetcher.join(leader).start()
    for rule, version in (("", "1.0.2"), ("1.0", "1.0.2"), ("1.0.1", "1.0.1"), ("1.0.1-r1", "1.0.1-r1"), ("1.0.0", "1.0.0")):
        found = fetcher.call("Resolve", name="tiny", version=rule, arch="amd64")["package"]
        assert (found["id"], found["repository"]) == (f"tiny_{version}_linux_amd64", "zone/")
        assert content(fetcher.fetch(found)) == originals[version]
    asked = {request.id: 0 for request in leader.called("PackageChunk")}
    assert len(asked) == 4 and len(leader.called("PackageChunk")) == 2 + sum(-(-len(originals[v]) // 100) for v in ("1.0.0", "1.0.1"))


def test_a_package_is_downloaded_over_tls(fetcher, make_leader, place):
    certificates = Certificates(place / "tls")
    leader = make_leader(credentials=certificates.server())
    whole = put(leader)
    fetcher.extra["zone"] = {"enable": "yes", **certificates.settings}
    fetcher.join(leader).start()
    assert content(fetcher.fetch(fetcher.resolve("demo"))) == whole


@pytest.mark.parametrize("size", [1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_sizes_at_the_edges_of_chunks(fetcher, make_leader, size):
    leader = make_leader()
    whole = put(leader, data=b"x")
    whole = put(leader, data=DATA[:max(1, size)], chunk_size=max(1, len(whole) if size == 1 else CHUNK))
    fetcher.join(leader).start()
    assert content(fetcher.fetch(fetcher.resolve("demo"))) == whole


@pytest.mark.parametrize("chunk_size", [700_000, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_chunks_of_any_size(fetcher, make_leader, chunk_size):
    """Chunks of the zone have 1 MiB, as much as waits for the disk at a time."""
    leader = make_leader()
    whole = put(leader, data=DATA * 12, chunk_size=chunk_size)
    fetcher.join(leader).start()
    assert content(fetcher.fetch(fetcher.resolve("demo"))) == whole


def test_several_chunks_are_under_way_at_once(fetcher, make_leader):
    leader = make_leader()
    whole = put(leader)
    together, lock, seen = [0], threading.Lock(), []
    gate = threading.Barrier(4)

    def hook(request, _context):
        with lock:
            together[0] += 1
            seen.append(together[0])
        if 1 <= request.index <= 4:
            gate.wait(10)
        with lock:
            together[0] -= 1
    leader.hooks["PackageChunk"] = hook
    fetcher.join(leader).start()
    assert content(fetcher.fetch(fetcher.resolve("demo"))) == whole
    assert max(seen) == 4


def test_the_zone_is_asked_last_unless_named(place, make_leader):
    leader = make_leader()
    put(leader, version="2.0.0")
    local = packages.Repository(place / "repository")
    local.add("demo", "1.0.0", files={"data": b"local"})
    for repositories, version in ((local.directory.as_uri(), "1.0.0"), (f"zone {local.directory.as_uri()}", "2.0.0")):
        fetcher = ZoneFetcher(place / version, {"repositories": repositories})
        fetcher.extra = {"zone": {"enable": True}}
        fetcher.join(leader).start()
        try:
            assert fetcher.resolve("demo")["version"] == version
            assert fetcher.resolve("demo", "2")["version"] == "2.0.0", "a package that the first lacks is found in the next"
        finally:
            fetcher.stop()


def test_a_package_that_no_leader_has_is_not_found(fetcher, make_leader):
    leader = make_leader()
    put(leader)
    fetcher.join(leader).start()
    for name, version in (("nothing", None), ("demo", "9")):
        with pytest.raises(VarlinkError) as caught:
            fetcher.resolve(name, version)
        assert caught.value.name == "io.hostlet.NotFound" and "in zone/" in str(caught.value)


def test_machine_without_a_zone(fetcher):
    fetcher.start()
    with pytest.raises(VarlinkError, match="cannot be asked for package .* belongs to no zone"):
        fetcher.resolve("demo")


# Failures

def test_the_next_zone_host_is_asked_when_one_is_no_leader(fetcher, make_leader):
    follower, leader = make_leader(), make_leader()
    follower.hooks = {"PackageList": not_the_leader, "PackageChunk": not_ready}
    whole = put(leader)
    fetcher.join(follower, leader).start()
    assert content(fetcher.fetch(fetcher.resolve("demo"))) == whole
    assert len(follower.called("PackageList")) == 1 and not follower.called("PackageChunk"), "the one that answered is kept"


def test_a_download_continues_at_the_next_leader(fetcher, make_leader):
    first, second = make_leader(), make_leader()
    whole = put(first)
    put(second)
    reached = threading.Event()

    def hook(request, context):
        if request.index >= 6:
            reached.set()
            context.cancel() if hasattr(context, "cancel") else None
            threading.Event().wait(1)
    first.hooks["PackageChunk"] = hook
    fetcher.join(first, second).start()
    package = fetcher.resolve("demo")
    killer = threading.Thread(target=lambda: (reached.wait(20), first.stop()))
    killer.start()
    assert content(fetcher.fetch(package)) == whole
    killer.join()
    asked = [request.index for request in second.called("PackageChunk")]
    assert asked and min(asked) >= 3, "stored chunks are not requested again"


@pytest.mark.parametrize("what", ["crc", "short", "long", "other index", "no file", "no chunk"])
def test_a_wrong_chunk_is_requested_from_another_leader(fetcher, make_leader, what):
    liar, honest = make_leader(), make_leader()
    whole = put(liar)
    put(honest)

    def hook(request, context):
        if request.index != 5:
            return None
        answer = liar._package_chunk(request, context)  # pylint: disable=protected-access
        if what == "crc":
            answer.chunk.crc32 ^= 1
        elif what == "short":
            answer.chunk.data = answer.chunk.data[:-1]
        elif what == "long":
            answer.chunk.data += b"x"
        elif what == "other index":
            answer.chunk.index = 6
        elif what == "no file":
            answer.ClearField("file")
        else:
            answer.ClearField("chunk")
        return answer
    liar.hooks["PackageChunk"] = hook
    fetcher.join(liar, honest).start()
    package = fetcher.resolve("demo")
    if what == "no file":
        with pytest.raises(VarlinkError, match="does not describe the file"):
            fetcher.fetch(package)
        return
    assert content(fetcher.fetch(package)) == whole
    assert honest.called("PackageChunk")


def test_wrong_bytes_with_a_right_crc_never_reach_the_store(fetcher, make_leader):
    leader = make_leader()
    whole = put(leader)
    package, _ = leader.packages[packages.package_id("demo", "1.0.0")]
    leader.packages[packages.package_id("demo", "1.0.0")] = (package, whole[:-2000] + b"\0" * 2000)
    fetcher.join(leader).start()
    with pytest.raises(VarlinkError) as caught:
        fetcher.fetch(fetcher.resolve("demo"))
    assert caught.value.name == "io.hostlet.Failed"
    assert not list(fetcher.store.glob("demo/*"))


@pytest.mark.parametrize("state", ["uploading", ""])
def test_an_incomplete_package_is_retry_later(fetcher, make_leader, state):
    leader = make_leader()
    put(leader, state=state)
    fetcher.join(leader).start()
    with pytest.raises(VarlinkError) as caught:
        fetcher.resolve("demo")
    assert caught.value.name == "io.hostlet.RetryLater" and "not complete in the zone" in str(caught.value)


def test_uploaded_anew_with_other_chunks(fetcher, make_leader):
    leader = make_leader()
    whole = put(leader)
    changed = threading.Event()

    def hook(request, _context):
        if request.index == 7 and not changed.is_set():
            changed.set()
            put(leader, chunk_size=CHUNK // 2)
    leader.hooks["PackageChunk"] = hook
    fetcher.join(leader).start()
    assert content(fetcher.fetch(fetcher.resolve("demo"))) == whole
    assert "other chunks in the zone" in fetcher.log()


def test_a_refused_token_and_a_wrong_clock_are_reported(fetcher, make_leader):
    leader = make_leader()
    put(leader)
    leader.clock = 120
    fetcher.join(leader).start()
    with pytest.raises(VarlinkError) as caught:
        fetcher.resolve("demo")
    assert "access-token expired" in str(caught.value) and "clock and the zone's differ" in str(caught.value)
    leader.clock = 0
    fetcher.join(leader, key=(KEY[0], "T" * 48))
    with pytest.raises(VarlinkError, match="verify denied"):
        fetcher.resolve("demo")
    fetcher.join(leader)
    assert fetcher.resolve("demo")["version"] == "1.0.0", "zone.json is read again"


@pytest.mark.parametrize("chunk_size", [0, -1, (16 << 20) + 1, 1 << 62])
def test_invalid_chunk_sizes_are_refused(fetcher, make_leader, chunk_size):
    leader = make_leader()
    put(leader)
    fetcher.join(leader).start()
    package = fetcher.resolve("demo")
    leader.packages[package["id"]][0].file.chunk_size = chunk_size
    leader.hooks["PackageChunk"] = lambda request, _: leader.messages.zone.PackageChunkResponse(
        file=leader.packages[package["id"]][0].file, chunk={"index": request.index, "data": b"x"})
    with pytest.raises(VarlinkError, match="in chunks of"):
        fetcher.fetch(package)


def test_unrequested_packages_are_refused(fetcher, make_leader):
    leader = make_leader()
    put(leader, name="other")
    other = leader.packages[packages.package_id("other", "1.0.0")][0]
    leader.hooks["PackageList"] = lambda *_: leader.messages.zone.PackageListResponse(items=[other])
    fetcher.join(leader).start()
    with pytest.raises(VarlinkError, match="which was not asked for"):
        fetcher.resolve("demo")
    other.metadata.name, other.release.version = "demo", "../../x"
    with pytest.raises(VarlinkError):
        fetcher.resolve("demo")


@pytest.mark.failpoints
@pytest.mark.skipif(VARIANT != "failpoints", reason="needs failpoints")
def test_a_killed_fetcher_resumes_at_the_chunk(place, make_leader):
    leader = make_leader()
    whole = put(leader)
    fetcher = ZoneFetcher(place / "tree", {"repositories": "zone"}).join(leader)
    for point in ("fetch.begun", "fetch.bytes", "fetch.received", "fetch.verified", "fetch.synced", "fetch.renamed"):
        fetcher.start(failpoint=f"{point}:kill")
        package = fetcher.resolve("demo")
        with pytest.raises(Exception):
            fetcher.fetch(package)
        assert fetcher.process.wait(10) == -signal.SIGKILL, point
        fetcher.start()
        assert content(fetcher.fetch(package)) == whole
        fetcher.call("Remove", name="demo", id=package["id"])
        assert fetcher.stop() == 0


def test_a_kill_loses_one_chunk_at_most(fetcher, make_leader):
    leader = make_leader()
    whole = put(leader)
    reached = threading.Event()

    def hook(request, _context):
        if request.index == 9 and not reached.is_set():
            reached.set()
            threading.Event().wait(3)
    leader.hooks["PackageChunk"] = hook
    fetcher.join(leader).start()
    package = fetcher.resolve("demo")
    with fetcher.connect() as connection:
        connection.send({"method": f"{INTERFACE}.Fetch", "parameters": {"package": package}})
        assert reached.wait(20)
        ground.wait_until(lambda: (fetcher.partial / f"{package['id']}.ipk").stat().st_size >= 8 * CHUNK, 10, "eight chunks are written")
        fetcher.process.kill()
        fetcher.process.wait()
    before = len(leader.called("PackageChunk"))
    fetcher.start()
    assert content(fetcher.fetch(package)) == whole
    asked = [request.index for request in leader.called("PackageChunk")[before:]]
    assert min(asked) >= 8, f"requested again: {asked}"


def test_trickling_zone_host_fails_the_download_and_keeps_the_chunks(place, make_leader):
    """Each chunk arrives in time; the whole package would not."""
    leader = make_leader()
    whole = put(leader, chunk_size=4096)
    over = threading.Event()

    def hook(_request, _context):
        over.wait(0.4)
    leader.hooks["PackageChunk"] = hook
    fetcher = ZoneFetcher(place / "tree", {"repositories": "zone", "transfer_timeout": "1s"}).join(leader).start()
    try:
        package = fetcher.resolve("demo")
        with pytest.raises(VarlinkError, match="transfer_timeout.*tried 3 times.* bytes are kept") as caught:
            fetcher.fetch(package)
        assert caught.value.name == "io.hostlet.RetryLater"
        kept, before = fetcher.partial_size(package), len(leader.called("PackageChunk"))
        assert kept > 0
        over.set()
        assert content(fetcher.fetch(package)) == whole
        assert min(request.index for request in leader.called("PackageChunk")[before:]) >= kept // 4096
    finally:
        over.set()
        fetcher.stop()
