"""Tests the fetcher against a real nginx: resolving, downloading, sharing, resuming after kills."""

import hashlib
import json
import os
import pwd
import random
import shutil
import stat
import subprocess

import pytest
from lib.fetcher import ConnectProxy, Fetcher, messages
from lib import ground, packages
from lib.nginx import Nginx
from lib.tree import SOURCE, program
from lib.varlink import VarlinkError

VECTORS = SOURCE / "tests" / "vectors" / "ipk"


@pytest.fixture
def make_fetcher(place):
    made = []

    def make(settings, name="tree", environment=None):
        made.append(Fetcher(place / name, settings, environment))
        return made[-1]
    yield make
    for fetcher in made:
        fetcher.stop()


@pytest.fixture
def server(place):
    """nginx with a slow location of 4 MB/s."""
    nginx = Nginx(place / "nginx", slow_rate="4m")
    nginx.start()
    yield nginx
    nginx.stop()


def fill(directory, *, size=200_000, name="demo", version="1.0.0", **options):
    """Makes a repository with one package of incompressible bytes; returns it and the package's file."""
    repository = packages.Repository(directory)
    path = repository.add(name, version, files={"data": random.Random(size).randbytes(size)}, how="none", **options)
    return repository, path


def stored(fetcher, package):
    return fetcher.store / package["name"] / f"{package['id']}.ipk"


def downloads(nginx, log="access.log"):
    return [request for request in nginx.requests(log) if request["uri"].endswith(".ipk")]


def assert_stored(fetcher, package, original, answers=None):
    path = stored(fetcher, package)
    assert path.read_bytes() == original.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert not list(fetcher.partial.iterdir())
    if answers:
        assert answers[-1]["path"] == str(path)
        assert answers[-1]["done"] == answers[-1]["total"] == original.stat().st_size


# Resolving

@pytest.fixture(params=["headers", "index", "http"])
def vectors_url(request, place, server):
    """The sample packages, as each kind of repository."""
    directory = server.root
    for path in VECTORS.glob("*.ipk"):
        shutil.copy(path, directory)
    if request.param != "headers":
        repository = packages.Repository(directory)
        for path in sorted(VECTORS.glob("*.ipk")):
            data = path.read_bytes()
            header = json.loads(data[8:8 + int.from_bytes(data[4:8], "little")])
            repository.add_bytes(path.name, data, header)
    return f"{server.url}/" if request.param == "http" else f"file://{directory}"


@pytest.mark.sanitized
def test_version_rules(make_fetcher, vectors_url):
    fetcher = make_fetcher({"repositories": vectors_url}).start()
    for rule, version in (("", "1.0.2"), (None, "1.0.2"), ("1", "1.0.2"), ("1.0", "1.0.2"), ("1.0.1", "1.0.1"),
                          ("1.0.1-r1", "1.0.1-r1"), ("1.0.0", "1.0.0")):
        package = fetcher.resolve("tiny", rule, arch="amd64")
        assert package["version"] == version and package["id"] == f"tiny_{version}_linux_amd64"
        original = VECTORS / f"{package['id']}.ipk"
        assert package["size"] == original.stat().st_size
        assert package.get("sha256") in (None, hashlib.sha256(original.read_bytes()).hexdigest())
        assert_stored(fetcher, package, original, fetcher.fetch(package))
    for rule, more in (("9", {}), ("1.0.7", {}), ("", {"arch": "arm64"}), ("", {"os": "all"}), ("", {"arch": "src"})):
        with pytest.raises(VarlinkError, match="tiny") as caught:
            fetcher.resolve("tiny", rule, **{"arch": "amd64", **more})
        assert caught.value.name == "io.hostlet.NotFound"
    with pytest.raises(VarlinkError) as caught:
        fetcher.resolve("nothing")
    assert caught.value.name == "io.hostlet.NotFound" and vectors_url in str(caught.value)


@pytest.mark.parametrize("parameters", [
    {"name": "../etc"}, {"name": ""}, {"name": "a b"}, {"name": "demo", "version": "1.0/2"}, {"name": "demo", "version": "x"},
    {"name": "demo", "arch": "../x"}, {"name": "demo", "os": ""}])
def test_bad_names_are_refused(make_fetcher, repository, parameters):
    fetcher = make_fetcher({"repositories": repository.url}).start()
    with pytest.raises(VarlinkError) as caught:
        fetcher.call("Resolve", **parameters)
    assert caught.value.name == "io.hostlet.Refused"


def test_packages_for_all_systems_are_found(make_fetcher, server):
    repository = packages.Repository(server.root)
    data, header = packages.ipk("demo", "2.0.0", files={"a": b"all"}, release={"os": "all", "arch": "src"})
    repository.add_bytes("demo.ipk", data, header)
    fetcher = make_fetcher({"repositories": f"{server.url}/"}).start()
    package = fetcher.resolve("demo")
    assert package["id"] == "demo_2.0.0_all_src"
    assert_stored(fetcher, package, server.root / "demo.ipk", fetcher.fetch(package))
    with pytest.raises(VarlinkError, match=f"for linux/{packages.ARCH}"):
        fetcher.resolve("demo", arch=packages.ARCH)


def test_first_repository_with_a_match_wins(make_fetcher, place, server):
    first = packages.Repository(place / "first")
    first.add("demo", "1.0.0", files={"a": b"first"})
    second = packages.Repository(server.root)
    second.add("demo", "2.0.0", files={"a": b"second"})
    fetcher = make_fetcher({"repositories": [f"file://{first.directory}", f"{server.url}/"]}).start()
    package = fetcher.resolve("demo")
    assert package["version"] == "1.0.0" and package["repository"] == f"file://{first.directory}/"
    assert server.requests() == []  # the later one is not even asked
    package = fetcher.resolve("demo", "2")
    assert package["version"] == "2.0.0" and package["repository"] == f"{server.url}/"
    assert len(server.requests()) == 1


def test_unreachable_repository_is_not_skipped(make_fetcher, place, repository):
    repository.add("demo", "1.0.0", files={"a": b"x"})
    port = ground.free_port()
    fetcher = make_fetcher({"repositories": [f"http://127.0.0.1:{port}", repository.url]}).start()
    with pytest.raises(VarlinkError) as caught:
        fetcher.resolve("demo")
    assert caught.value.name == "io.hostlet.RetryLater"
    assert f"http://127.0.0.1:{port}/" in str(caught.value) and "tried 3 times" in str(caught.value)
    missing = make_fetcher({"repositories": [f"file://{place}/missing", repository.url]}, "other").start()
    with pytest.raises(VarlinkError) as caught:
        missing.resolve("demo")
    assert caught.value.name == "io.hostlet.RetryLater" and "missing" in str(caught.value)


def test_no_repositories(make_fetcher):
    fetcher = make_fetcher({}).start()
    with pytest.raises(VarlinkError, match="no repositories are configured") as caught:
        fetcher.resolve("demo")
    assert caught.value.name == "io.hostlet.NotFound"


def test_damaged_file_in_a_directory_without_index(make_fetcher, repository):
    repository.add("demo", "1.0.0", index=False, files={"a": b"x"})
    (repository.directory / "broken_1.0.0_linux_amd64.ipk").write_bytes(b"IPK1\xff\xff\xff\xff")
    fetcher = make_fetcher({"repositories": repository.url}).start()
    assert fetcher.resolve("demo")["version"] == "1.0.0"
    with pytest.raises(VarlinkError, match="1 files of it left out.*broken_1.0.0"):
        fetcher.resolve("broken")


def test_new_packages_are_seen_at_once(make_fetcher, server):
    repository, _ = fill(server.root)
    fetcher = make_fetcher({"repositories": f"{server.url}/"}).start()
    assert fetcher.resolve("demo")["version"] == "1.0.0"
    repository.add("demo", "1.0.1", files={"a": b"newer"})
    assert fetcher.resolve("demo")["version"] == "1.0.1"


def test_index_is_downloaded_again_only_when_it_changed(make_fetcher, server):
    fill(server.root)
    fetcher = make_fetcher({"repositories": f"{server.url}/"}).start()
    fetcher.resolve("demo")
    fetcher.resolve("demo")
    fetcher.stop()
    fetcher.start()  # another process: it has the index on disk
    fetcher.resolve("demo")
    assert [request["status"] for request in server.requests()] == [200, 304, 304]
    fetcher.stop()
    cache, = (fetcher.prefix / "var/hostlet/fetcher").glob("*.cache")
    whole = cache.read_bytes()
    cache.write_bytes(whole[:len(whole) // 2])  # a damaged cache causes one more request
    server.forget_requests()
    fetcher.start()
    assert fetcher.resolve("demo")["version"] == "1.0.0"
    assert [request["status"] for request in server.requests()] == [304, 200]
    assert cache.read_bytes() == whole
    fetcher.stop()
    fetcher.settings["repositories"] = f"{server.url}/other"
    fetcher.start()
    assert not cache.exists()


# Downloading

@pytest.mark.sanitized
def test_download(make_fetcher, server):
    _, original = fill(server.root, size=3_000_000)
    fetcher = make_fetcher({"repositories": f"{server.url}/"}).start()
    package = fetcher.resolve("demo")
    answers = fetcher.fetch(package)
    assert_stored(fetcher, package, original, answers)
    assert "downloading" in messages(answers) and "verifying" in messages(answers)
    assert fetcher.fetch(package) == [answers[-1]]  # present: answered at once
    assert [(request["status"], request["bytes"]) for request in downloads(server)] == [(200, original.stat().st_size)]
    assert fetcher.call("Fetch", package=package)["path"] == str(stored(fetcher, package))


@pytest.mark.parametrize("kind", ["index", "headers"])
def test_local_copy(make_fetcher, repository, kind):
    original = repository.add("demo", "1.0.0", index=kind == "index", how="none",
                              files={"a": random.Random(1).randbytes(3_000_000)})
    fetcher = make_fetcher({"repositories": repository.url}).start()
    package = fetcher.resolve("demo")
    assert_stored(fetcher, package, original, fetcher.fetch(package))


def test_local_file_that_is_a_link_is_refused(make_fetcher, place, repository):
    original = repository.add("demo", "1.0.0", files={"a": b"x"})
    shutil.move(original, place / "elsewhere.ipk")
    original.symlink_to(place / "elsewhere.ipk")
    fetcher = make_fetcher({"repositories": repository.url}).start()
    package = fetcher.resolve("demo")
    with pytest.raises(VarlinkError, match="demo_1.0.0"):
        fetcher.fetch(package)
    assert not stored(fetcher, package).exists()


def test_many_callers_one_download(make_fetcher, server):
    _, original = fill(server.root, size=6_000_000)
    fetcher = make_fetcher({"repositories": f"{server.url}/slow"}).start()
    package = fetcher.resolve("demo")
    connections = [fetcher.begin(package) for _ in range(10)]
    for connection in connections:
        answers = fetcher.finish(connection)
        assert answers[-1]["path"] == str(stored(fetcher, package))
        assert len(answers) > 2  # progress to everyone
    assert len(downloads(server)) == 1
    assert_stored(fetcher, package, original)


def test_a_caller_that_leaves_does_not_stop_the_others(make_fetcher, server):
    _, original = fill(server.root, size=3_000_000)
    fetcher = make_fetcher({"repositories": f"{server.url}/slow"}).start()
    package = fetcher.resolve("demo")
    leaving, staying = fetcher.begin(package), fetcher.begin(package)
    fetcher.wait_for_bytes(package, 300_000)
    leaving.close()
    assert fetcher.finish(staying)[-1]["path"]
    assert len(downloads(server)) == 1
    assert_stored(fetcher, package, original)


def test_a_download_without_callers_stops_and_resumes_later(make_fetcher, server):
    _, original = fill(server.root, size=8_000_000)
    fetcher = make_fetcher({"repositories": f"{server.url}/slow"}).start()
    package = fetcher.resolve("demo")
    connection = fetcher.begin(package)
    fetcher.wait_for_bytes(package, 1_000_000)
    connection.close()
    first = ground.wait_until(lambda: downloads(server), 10, "the transfer ended")
    assert first[0]["bytes"] < original.stat().st_size and not first[0]["complete"]
    kept = fetcher.partial_size(package)
    answers = fetcher.fetch(package)
    assert_stored(fetcher, package, original, answers)
    second = downloads(server)[1]
    began = int(second["range"].removeprefix("bytes=").removesuffix("-"))
    assert second["status"] == 206 and f"from byte {began}" in messages(answers)
    # Received data was still being written when the transfer ended; nothing that was on disk is transferred again.
    assert began >= max(kept, 1) and second["bytes"] == original.stat().st_size - began


def test_parallel_transfers_are_bounded(make_fetcher, server):
    repository = packages.Repository(server.root)
    for name in ("one", "two", "three"):
        repository.add(name, "1.0.0", files={"a": random.Random(name).randbytes(2_000_000)}, how="none")
    fetcher = make_fetcher({"repositories": f"{server.url}/slow", "parallel": 1}).start()
    connections = [fetcher.begin(fetcher.resolve(name)) for name in ("one", "two", "three")]
    answers = [fetcher.finish(connection) for connection in connections]
    assert "waiting for other transfers" not in messages(answers[0])
    assert "waiting for other transfers" in messages(answers[1]) and "waiting for other transfers" in messages(answers[2])
    assert len(list(fetcher.store.glob("*/*.ipk"))) == 3


def test_list_and_remove(make_fetcher, server):
    fill(server.root, size=8_000_000)
    fetcher = make_fetcher({"repositories": [f"{server.url}/slow"]}).start()
    assert fetcher.list() == []
    package = fetcher.resolve("demo")
    connection = fetcher.begin(package)
    fetcher.wait_for_bytes(package, 100_000)
    with pytest.raises(VarlinkError, match="is being fetched") as caught:
        fetcher.call("Remove", name="demo", id=package["id"])
    assert caught.value.name == "io.hostlet.RetryLater"
    partial, = fetcher.list()
    assert partial["id"] == package["id"] and "complete" not in partial and partial["size"] >= 100_000
    fetcher.finish(connection)
    there, = fetcher.list()
    assert there == {"id": package["id"], "name": "demo", "path": str(stored(fetcher, package)), "size": package["size"],
                     "complete": True}
    fetcher.call("Remove", name="demo", id=package["id"])
    assert fetcher.list() == [] and not (fetcher.store / "demo").exists()
    fetcher.call("Remove", name="demo", id=package["id"])  # again: succeeds
    with pytest.raises(VarlinkError) as caught:
        fetcher.call("Remove", name="..", id="x")
    assert caught.value.name == "io.hostlet.Refused"


# Resuming

def test_resumes_at_any_byte(make_fetcher, server):
    """The partial file is cut to any length, as a kill leaves it: no stored byte is requested again."""
    _, original = fill(server.root, size=300_000)
    size = original.stat().st_size
    block = 8 + int.from_bytes(original.read_bytes()[4:8], "little")
    fetcher = make_fetcher({"repositories": f"{server.url}/"}).start()
    package = fetcher.resolve("demo")
    facts = {"format": 1, "url": f"{server.url}/{original.name}", "sha256": package["sha256"],
             "checksum": package["checksum"], "size": size, "etag": etag_of(server, original)}
    for cut in (1, 4, 7, 8, 9, block - 1, block, block + 1, 65536, size // 2, size - 1, size):
        fetcher.call("Remove", name="demo", id=package["id"])
        server.forget_requests()
        (fetcher.partial / original.name).write_bytes(original.read_bytes()[:cut])
        (fetcher.partial / f"{package['id']}.json").write_text(json.dumps(facts))
        for path in fetcher.partial.iterdir():
            shutil.chown(path, "hostlet-fetcher", "hostlet-fetcher")
        answers = fetcher.fetch(package)
        assert_stored(fetcher, package, original, answers)
        asked = [(request["status"], request["range"], request["bytes"]) for request in downloads(server)]
        assert asked == ([(206, f"bytes={cut}-", size - cut)] if cut < size else []), cut


def etag_of(server, path):
    """Makes it as nginx does."""
    status = path.stat()
    return f'"{int(status.st_mtime):x}-{status.st_size:x}"'


@pytest.mark.limit(300)
def test_kill_at_many_positions(make_fetcher, server):
    """After each of several SIGKILLs the new process resumes at the end of the file."""
    _, original = fill(server.root, size=24_000_000)
    fetcher = make_fetcher({"repositories": f"{server.url}/slow"}).start()
    package = fetcher.resolve("demo")
    kept = []
    while len(kept) < 30 and (not kept or kept[-1] < 20_000_000):
        connection = fetcher.begin(package)
        fetcher.wait_for_bytes(package, (kept[-1] if kept else 0) + random.randrange(1, 200_000))
        fetcher.kill()
        connection.close()
        kept.append(fetcher.partial_size(package))
        fetcher.start()
    answers = fetcher.fetch(package)
    assert_stored(fetcher, package, original, answers)
    requests = ground.wait_until(lambda: len(downloads(server)) == len(kept) + 1 and downloads(server), 10, "the log")
    assert [request["range"] for request in requests] == ["", *(f"bytes={cut}-" for cut in kept)]
    assert kept == sorted(kept) and len(kept) > 8


@pytest.mark.failpoints
@pytest.mark.parametrize("source", ["http", "file"])
@pytest.mark.parametrize("point", ["fetch.partial_opened", "fetch.begun", "fetch.bytes", "fetch.bytes@2", "fetch.bytes@5",
                                   "fetch.received", "fetch.verified", "fetch.synced", "fetch.renamed"])
def test_killed_at_each_step(make_fetcher, server, source, point):
    _, original = fill(server.root, size=2_000_000)
    url = f"{server.url}/slow" if source == "http" else f"file://{server.root}"
    fetcher = make_fetcher({"repositories": url}).start()
    package = fetcher.resolve("demo")
    fetcher.stop()
    fetcher.start(failpoint=f"{point}:kill")
    connection = fetcher.begin(package)
    assert fetcher.wait() == -9
    connection.close()
    assert (fetcher.once / point.partition("@")[0]).exists()
    kept = fetcher.partial_size(package)
    fetcher.start()
    answers = fetcher.fetch(package)
    assert_stored(fetcher, package, original, answers)
    if source == "http":
        asked = [request["range"] for request in downloads(server)]
        again = {"fetch.partial_opened": [""], "fetch.begun": ["", ""], "fetch.renamed": [""]}.get(
            point, [""] if kept == original.stat().st_size else ["", f"bytes={kept}-"])
        assert asked == again


@pytest.mark.failpoints
@pytest.mark.parametrize("point", ["fetch.partial_opened", "fetch.begun", "fetch.bytes", "fetch.received", "fetch.verified",
                                   "fetch.synced", "fetch.renamed"])
def test_error_at_each_step(make_fetcher, server, point):
    """A failed system call yields an error reply, and the next request succeeds."""
    _, original = fill(server.root, size=500_000)
    fetcher = make_fetcher({"repositories": f"{server.url}/"}).start(failpoint=f"{point}:error")
    package = fetcher.resolve("demo")
    with pytest.raises(VarlinkError, match="demo_1.0.0"):
        fetcher.fetch(package)
    assert_stored(fetcher, package, original, fetcher.fetch(package))


@pytest.mark.failpoints
@pytest.mark.parametrize("point", ["index.cached", "remove.unlinked"])
def test_killed_beside_a_download(make_fetcher, server, point):
    _, original = fill(server.root)
    fetcher = make_fetcher({"repositories": f"{server.url}/"}).start()
    package = fetcher.resolve("demo")
    fetcher.fetch(package)
    fetcher.stop()
    for cache in (fetcher.prefix / "var/hostlet/fetcher").glob("*.cache"):
        cache.unlink()
    fetcher.start(failpoint=f"{point}:kill")
    with pytest.raises(Exception, match="end of stream|reset"):
        fetcher.resolve("demo")
        fetcher.call("Remove", name="demo", id=package["id"])
    assert fetcher.wait() == -9
    fetcher.start()
    assert fetcher.resolve("demo") == package
    fetcher.call("Remove", name="demo", id=package["id"])
    assert fetcher.list() == []


@pytest.mark.failpoints
def test_failpoints_are_listed(place):
    listed = subprocess.run([program("fetcher"), "--failpoints"], capture_output=True, text=True, check=True).stdout.split()
    assert listed == ["fetch.partial_opened", "fetch.begun", "fetch.bytes", "fetch.received", "fetch.verified",
                      "fetch.synced", "fetch.renamed", "index.cached", "remove.unlinked"]


def test_server_without_ranges_starts_over_and_the_log_shows_it(make_fetcher, server):
    _, original = fill(server.root, size=2_000_000)
    fetcher = make_fetcher({"repositories": f"{server.url}/noranges"}).start()
    package = fetcher.resolve("demo")
    cut_short(fetcher, package, original, f"{server.url}/noranges/", etag_of(server, original))
    answers = fetcher.fetch(package)
    assert "starting over" in messages(answers)
    assert_stored(fetcher, package, original, answers)
    assert [(request["status"], request["range"]) for request in downloads(server)] == [(200, "bytes=700000-")]


def cut_short(fetcher, package, original, base, etag, size=None):
    """Makes the state that a kill at byte 700,000 leaves."""
    fetcher.partial.mkdir(exist_ok=True)
    (fetcher.partial / original.name).write_bytes(original.read_bytes()[:700_000])
    (fetcher.partial / f"{package['id']}.json").write_text(json.dumps(
        {"format": 1, "url": f"{base}{original.name}", "sha256": package["sha256"], "checksum": package["checksum"],
         "size": size or package["size"], "etag": etag}))
    for path in fetcher.partial.iterdir():
        shutil.chown(path, "hostlet-fetcher", "hostlet-fetcher")


def test_file_that_changed_meanwhile_starts_over(make_fetcher, server):
    _, original = fill(server.root, size=2_000_000)
    fetcher = make_fetcher({"repositories": f"{server.url}/"}).start()
    package = fetcher.resolve("demo")
    cut_short(fetcher, package, original, f"{server.url}/", '"another-file"')
    answers = fetcher.fetch(package)
    assert "starting over" in messages(answers)
    assert_stored(fetcher, package, original, answers)


def test_damaged_partial_file_is_found_by_the_hash(make_fetcher, server):
    _, original = fill(server.root, size=2_000_000)
    fetcher = make_fetcher({"repositories": f"{server.url}/"}).start()
    package = fetcher.resolve("demo")
    cut_short(fetcher, package, original, f"{server.url}/", etag_of(server, original))
    with open(fetcher.partial / original.name, "r+b") as file:
        file.seek(500_000)
        file.write(b"\0" * 4096)  # as after a power cut
    answers = fetcher.fetch(package)
    assert "starting over" in messages(answers)
    assert_stored(fetcher, package, original, answers)
    assert [(request["status"], request["range"]) for request in downloads(server)] == [(206, "bytes=700000-"), (200, "")]


def test_partial_file_larger_than_the_package(make_fetcher, server):
    _, original = fill(server.root, size=300_000)
    fetcher = make_fetcher({"repositories": f"{server.url}/"}).start()
    package = fetcher.resolve("demo")
    cut_short(fetcher, package, original, f"{server.url}/", etag_of(server, original))
    with open(fetcher.partial / original.name, "ab") as file:
        file.write(b"x" * 700_000)
    assert_stored(fetcher, package, original, fetcher.fetch(package))


def test_terminated_in_the_middle(make_fetcher, server):
    _, original = fill(server.root, size=8_000_000)
    fetcher = make_fetcher({"repositories": f"{server.url}/slow"}).start()
    package = fetcher.resolve("demo")
    connection = fetcher.begin(package)
    fetcher.wait_for_bytes(package, 500_000)
    assert fetcher.stop() == 0
    connection.close()
    kept = fetcher.partial_size(package)
    fetcher.start()
    assert_stored(fetcher, package, original, fetcher.fetch(package))
    assert downloads(server)[-1]["range"] == f"bytes={kept}-"


# Content of the store

def test_other_contents_under_one_id_are_a_conflict(make_fetcher, repository):
    repository.add("demo", "1.0.0", files={"a": b"one"})
    fetcher = make_fetcher({"repositories": repository.url}).start()
    package = fetcher.resolve("demo")
    fetcher.fetch(package)
    before = stored(fetcher, package).read_bytes()
    repository.add("demo", "1.0.0", files={"a": b"two"})
    other = fetcher.resolve("demo")
    assert other["checksum"] != package["checksum"]
    with pytest.raises(VarlinkError, match="other contents") as caught:
        fetcher.fetch(other)
    assert caught.value.name == "io.hostlet.Conflict"
    assert stored(fetcher, package).read_bytes() == before
    assert fetcher.fetch(package)[-1]["path"]
    fetcher.call("Remove", name="demo", id=package["id"])
    fetcher.fetch(other)
    with pytest.raises(VarlinkError) as caught:
        fetcher.fetch(package)
    assert caught.value.name == "io.hostlet.Conflict"


def test_contradicting_requests_at_the_same_time(make_fetcher, server):
    fill(server.root, size=4_000_000)
    fetcher = make_fetcher({"repositories": f"{server.url}/slow"}).start()
    package = fetcher.resolve("demo")
    connection = fetcher.begin(package)
    fetcher.wait_for_bytes(package, 1)
    with pytest.raises(VarlinkError) as caught:
        fetcher.fetch({**package, "checksum": "sha256:" + "0" * 64})
    assert caught.value.name == "io.hostlet.Conflict"
    fetcher.finish(connection)


def test_damaged_package_in_the_store_is_fetched_again(make_fetcher, server):
    _, original = fill(server.root)
    fetcher = make_fetcher({"repositories": f"{server.url}/"}).start()
    package = fetcher.resolve("demo")
    fetcher.fetch(package)
    os.truncate(stored(fetcher, package), 1000)
    assert_stored(fetcher, package, original, fetcher.fetch(package))
    assert len(downloads(server)) == 2 and "damaged" in fetcher.log()


@pytest.mark.parametrize("change", [
    {"id": "../../etc/passwd"}, {"id": "other_1.0.0_linux_amd64"}, {"name": "../x"}, {"sha256": "x"}, {"checksum": "md5:1"},
    {"size": -1}, {"version": "1/2"}, {"arch": "a/b"}])
def test_bad_references_are_refused(make_fetcher, repository, change):
    repository.add("demo", "1.0.0", files={"a": b"x"})
    fetcher = make_fetcher({"repositories": repository.url}).start()
    package = fetcher.resolve("demo")
    with pytest.raises(VarlinkError) as caught:
        fetcher.fetch({**package, **change})
    assert caught.value.name == "io.hostlet.Refused"


def test_file_of_the_reference_cannot_leave_the_repository(make_fetcher, place, repository):
    """A bad file name is not used: the package is resolved instead."""
    original = repository.add("demo", "1.0.0", files={"a": b"x"})
    shutil.copy(original, place / "secret.ipk")
    fetcher = make_fetcher({"repositories": repository.url}).start()
    package = fetcher.resolve("demo")
    answers = fetcher.fetch({**package, "file": "../secret.ipk"})
    assert "searching the repositories" in messages(answers)
    assert_stored(fetcher, package, original, answers)


def test_repository_that_was_removed_from_the_configuration(make_fetcher, place, server):
    """The reference stays valid while any repository has the same package."""
    repository, original = fill(server.root)
    fetcher = make_fetcher({"repositories": f"{server.url}/"}).start()
    package = fetcher.resolve("demo")
    fetcher.stop()
    shutil.copytree(server.root, place / "copy")
    fetcher.settings["repositories"] = f"file://{place}/copy"
    fetcher.start()
    assert_stored(fetcher, package, original, fetcher.fetch(package))
    assert downloads(server) == []
    fetcher.call("Remove", name="demo", id=package["id"])
    other = packages.Repository(place / "copy")
    other.add("demo", "1.0.0", files={"a": b"something else"})
    with pytest.raises(VarlinkError, match="with these contents") as caught:
        fetcher.fetch(package)
    assert caught.value.name == "io.hostlet.NotFound"


def test_file_that_moved_within_its_repository(make_fetcher, server):
    repository, original = fill(server.root)
    fetcher = make_fetcher({"repositories": f"{server.url}/"}).start()
    package = fetcher.resolve("demo")
    (server.root / "new").mkdir()
    moved = shutil.move(original, server.root / "new" / original.name)
    repository.items[0]["file"] = f"new/{original.name}"
    repository.write_index()
    assert_stored(fetcher, package, moved, fetcher.fetch(package))


# The network

def test_tls_with_a_configured_authority(make_fetcher, server):
    _, original = fill(server.root)
    fetcher = make_fetcher({"repositories": f"{server.tls_url}/", "ca_file": server.ca_file}).start()
    package = fetcher.resolve("demo")
    assert_stored(fetcher, package, original, fetcher.fetch(package))
    distrustful = make_fetcher({"repositories": f"{server.tls_url}/"}, "other").start()
    with pytest.raises(VarlinkError, match="certificate") as caught:
        distrustful.resolve("demo")
    assert caught.value.name == "io.hostlet.Failed"


def test_redirects_are_followed(make_fetcher, server):
    _, original = fill(server.root)
    fetcher = make_fetcher({"repositories": f"{server.url}/redirect"}).start()
    package = fetcher.resolve("demo")
    assert_stored(fetcher, package, original, fetcher.fetch(package))


def test_redirect_loops_end(make_fetcher, server):
    fill(server.root)
    fetcher = make_fetcher({"repositories": f"{server.url}/loop"}).start()
    with pytest.raises(VarlinkError, match="(?i)redirects") as caught:
        fetcher.resolve("demo")
    assert caught.value.name == "io.hostlet.Failed"


@pytest.mark.parametrize("location,name,words", [
    ("error", "RetryLater", "503.*tried 3 times"), ("missing", "Failed", "index.json.*404"), ("private", "Failed", "denied.*401")])
def test_statuses_of_an_index(make_fetcher, server, location, name, words):
    fill(server.root)
    fetcher = make_fetcher({"repositories": f"{server.url}/{location}"}).start()
    with pytest.raises(VarlinkError, match=words) as caught:
        fetcher.resolve("demo")
    assert caught.value.name == f"io.hostlet.{name}"
    # nginx writes its log after the response.
    tries = 3 if name == "RetryLater" else 1
    ground.wait_until(lambda: len(server.requests()) >= tries, 5, "the requests are logged")
    assert len(server.requests()) == tries


@pytest.mark.parametrize("location,name,tries", [("missing", "NotFound", 1), ("private", "Failed", 1), ("error", "RetryLater", 3)])
def test_statuses_of_a_package(make_fetcher, server, location, name, tries):
    """The index contains the package, and the server refuses to send it."""
    repository, original = fill(server.root)
    fetcher = make_fetcher({"repositories": [f"{server.url}/", f"{server.url}/{location}/"]}).start()
    package = {**fetcher.resolve("demo"), "repository": f"{server.url}/{location}/"}
    repository.items = []
    repository.write_index()  # so that resolving it again does not help
    with pytest.raises(VarlinkError, match="demo_1.0.0_linux") as caught:
        fetcher.fetch(package)
    ground.wait_until(lambda: len(downloads(server)) >= tries, 5, "the downloads are logged")
    assert len(downloads(server)) == tries
    if location == "missing":  # the repositories are asked whether it moved; that one has no index either
        assert "index.json" in str(caught.value)
    else:
        assert caught.value.name == f"io.hostlet.{name}"
    if tries > 1:
        assert f"tried {tries} times" in str(caught.value)


def test_password_in_the_url_is_used_and_not_shown(make_fetcher, server):
    _, original = fill(server.root)
    url = server.url.replace("http://", "http://user:secret@")
    fetcher = make_fetcher({"repositories": f"{url}/private"}).start()
    package = fetcher.resolve("demo")
    assert package["repository"] == f"{server.url}/private/"
    answers = fetcher.fetch(package)
    assert_stored(fetcher, package, original, answers)
    with pytest.raises(VarlinkError) as caught:
        fetcher.resolve("nothing")
    shown = fetcher.log() + json.dumps(answers) + str(caught.value) + "".join(
        path.read_text(errors="replace") for path in (fetcher.prefix / "var/hostlet").rglob("*") if path.is_file())
    assert "secret" not in shown and "user:" not in shown


def test_proxy_from_the_environment(make_fetcher, server):
    _, original = fill(server.root)
    fetcher = make_fetcher({"repositories": f"{server.url}/"}, environment={"http_proxy": server.proxy_url}).start()
    package = fetcher.resolve("demo")
    assert_stored(fetcher, package, original, fetcher.fetch(package))
    assert len(downloads(server, "proxy.log")) == 1
    direct = make_fetcher({"repositories": f"{server.url}/"}, "direct",
                          {"http_proxy": "http://127.0.0.1:1", "no_proxy": "127.0.0.1"}).start()
    assert direct.resolve("demo")["id"] == package["id"]


def test_https_through_a_proxy(make_fetcher, server):
    _, original = fill(server.root)
    proxy = ConnectProxy()
    try:
        fetcher = make_fetcher({"repositories": f"{server.tls_url}/", "ca_file": server.ca_file},
                               environment={"https_proxy": proxy.url}).start()
        package = fetcher.resolve("demo")
        assert_stored(fetcher, package, original, fetcher.fetch(package))
        assert set(proxy.seen) == {("CONNECT", f"localhost:{server.tls_port}")}
    finally:
        proxy.stop()


# Space and memory

@pytest.fixture
def small_store(place):
    """A filesystem of 4 MiB for the store of the tree 'tree'."""
    store = place / "tree" / "var" / "ipk"
    store.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", store], check=True)
    yield store
    ground.unmount_below(store)


def test_too_little_space_is_seen_before(make_fetcher, server, small_store):
    fill(server.root, size=6_000_000)
    fetcher = make_fetcher({"repositories": f"{server.url}/", "keep_free": "0"}).start()
    package = fetcher.resolve("demo")
    with pytest.raises(VarlinkError, match="needs 60.* more bytes") as caught:
        fetcher.fetch(package)
    assert caught.value.name == "io.hostlet.RetryLater" and downloads(server) == []


def test_space_that_must_stay_free(make_fetcher, server, small_store):
    fill(server.root, size=2_000_000)
    fetcher = make_fetcher({"repositories": f"{server.url}/", "keep_free": "3M"}).start()
    package = fetcher.resolve("demo")
    with pytest.raises(VarlinkError, match="must stay free"):
        fetcher.fetch(package)


def test_disk_full_in_the_middle(make_fetcher, server, small_store):
    """The space is released, and the next attempt, with enough space, succeeds."""
    _, original = fill(server.root, size=3_000_000)
    fetcher = make_fetcher({"repositories": f"{server.url}/slow", "keep_free": "0"}).start()
    package = fetcher.resolve("demo")
    connection = fetcher.begin(package)
    fetcher.wait_for_bytes(package, 100_000)
    with open(small_store / "filler", "wb", buffering=0) as filler, pytest.raises(OSError):
        while True:
            filler.write(b"x" * 65536)
    with pytest.raises(VarlinkError, match="(?i)no space left") as caught:
        fetcher.finish(connection)
    assert caught.value.name == "io.hostlet.RetryLater"
    assert list(fetcher.partial.iterdir()) == []
    (small_store / "filler").unlink()
    assert_stored(fetcher, package, original, fetcher.fetch(package))


def test_memory_does_not_grow_with_the_package(make_fetcher, server):
    for name, size in (("small", 1_000_000), ("large", 150_000_000)):
        repository = packages.Repository(server.root / name)
        repository.add(name, "1.0.0", files={"data": bytes(size)}, how="none")
    peaks = []
    for name in ("small", "large"):
        fetcher = make_fetcher({"repositories": f"{server.url}/{name}"}, name).start()
        fetcher.fetch(fetcher.resolve(name))
        status = dict(line.split(":", 1) for line in open(f"/proc/{fetcher.process.pid}/status") if ":" in line)
        peaks.append(int(status["VmHWM"].split()[0]))
    assert peaks[1] - peaks[0] < 4096, f"KiB at most: {peaks}"


# The process

@pytest.mark.parametrize("url,words", [
    ("ftp://host/", "ftp://host/"), ("file://relative/path", "absolute path"), ("http:///path", "names no host"),
    ("http://host/?x=1", "character"), ("host", "none of"), ("file:///a%zz", "escape"),
    ("http://a.example/ http://u:p@a.example/", "twice")])
def test_bad_repositories_are_a_lasting_failure(make_fetcher, url, words):
    fetcher = make_fetcher({"repositories": url}).start(wait=False)
    assert fetcher.wait() == 100
    assert words in fetcher.log() and "[fetcher] repositories" in fetcher.log() and "u:p" not in fetcher.log()


def test_two_fetchers_on_one_tree(make_fetcher, repository, place):
    fetcher = make_fetcher({"repositories": repository.url}).start()
    other = Fetcher(fetcher.prefix, fetcher.settings)
    other.log_path = place / "other.log"
    other.start(wait=False)
    try:
        assert other.wait() == 1
        assert "another fetcher" in other.log()
    finally:
        other.stop()


def test_the_fetcher_runs_in_its_jail(make_fetcher, repository):
    fetcher = make_fetcher({"repositories": repository.url}).start()
    status = dict(line.rstrip("\n").split(":\t", 1) for line in open(f"/proc/{fetcher.process.pid}/status") if ":\t" in line)
    uid = str(pwd.getpwnam("hostlet-fetcher").pw_uid)
    assert status["Uid"].split() == [uid] * 4 and status["NoNewPrivs"] == "1"
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (fetcher.prefix / "var/ipk").stat().st_uid == int(uid)
    assert stat.S_IMODE((fetcher.prefix / "var/hostlet/fetcher").stat().st_mode) == 0o700


def test_leftovers_are_cleaned_at_start(make_fetcher, repository):
    fetcher = make_fetcher({"repositories": repository.url}).start()
    fetcher.stop()
    old, recent = fetcher.partial / "old_1.0.0_linux_amd64.ipk", fetcher.partial / "new_1.0.0_linux_amd64.ipk"
    temporary = fetcher.partial / ".new_1.0.0_linux_amd64.json.0123456789ab.tmp"
    for path in (old, recent, temporary):
        path.write_bytes(b"x")
    os.utime(old, (1, 1))
    fetcher.start()
    assert list(fetcher.partial.iterdir()) == [recent]
