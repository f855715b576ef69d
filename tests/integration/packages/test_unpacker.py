"""Tests the unpacker as a process: requests, sharing, cancelling, limits, kills at every step."""

import contextlib
import os
import pwd
import random
import signal
import socket
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from lib import ground, packages
from lib.tree import SOURCE, VARIANT
from lib.unpacker import LIST, REMOVE, UNPACK, Unpacker
from lib.varlink import Closed, Varlink, VarlinkError

pytestmark = pytest.mark.sanitized


@pytest.fixture
def unpacker(place):
    made = []

    def make(**settings):
        made.append(Unpacker(place / "tree", settings))
        return made[-1]
    yield make
    for process in made:
        process.stop()


def big_files(megabytes=48):
    """Makes incompressible files, so that unpacking takes a moment."""
    source = random.Random(1)
    return {f"data/{n}": source.randbytes(2 ** 20) for n in range(megabytes)}


def test_unpacks_and_removes(unpacker):
    process = unpacker().start()
    identity = process.add("Demo", "1.0.1-r1", how="xz", files={"bin/demo": b"#!/bin/sh\n", "share/a": b"a" * 100000})
    answer = process.call(UNPACK, name="Demo", id=identity)
    path = Path(answer["path"])
    assert path == process.staging / identity.replace("demo", "Demo")  # "demo" would have the same id
    assert (path / "bin/demo").read_bytes() == b"#!/bin/sh\n"
    assert stat.S_IMODE((path / "bin/demo").stat().st_mode) == 0o755
    assert (path / "share/a").stat().st_size == 100000
    assert answer["entries"] == 5 and answer["size"] == 100010
    if VARIANT != "sanitized":
        assert (path / "bin/demo").stat().st_uid == pwd.getpwnam("hostlet-unpacker").pw_uid
    assert process.call(UNPACK, name="Demo", id=identity)["path"] == str(path)
    assert process.stream(LIST) == [{}]  # of published packages
    process.call(REMOVE, name="Demo", id=identity)
    process.call(REMOVE, name="Demo", id=identity)
    assert process.left() == []


def test_published_packages_are_found_and_listed(unpacker):
    process = unpacker().start()
    identity = process.add(files={"a": b"a"})
    path = process.installs / "demo" / identity
    path.mkdir(parents=True)
    assert process.call(UNPACK, name="demo", id=identity)["path"] == str(path)
    assert process.stream(LIST) == [{"id": identity, "name": "demo", "path": str(path)}, {}]
    process.call(REMOVE, name="demo", id=identity)  # the unpacker must not remove it
    assert path.is_dir() and process.left() == []


@pytest.mark.skipif(VARIANT == "sanitized", reason="that build has no jail")
def test_the_unpacker_writes_to_staging_alone(unpacker):
    """The directory that contains the packages' names is root's, also where another version left it to the unpacker."""
    process = unpacker()
    process.installs.mkdir()
    user = pwd.getpwnam("hostlet-unpacker")
    os.chown(process.installs, user.pw_uid, user.pw_gid)
    process.start()
    for path, uid, mode in ((process.installs, 0, 0o755), (process.staging, user.pw_uid, 0o700)):
        found = path.stat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (uid, mode), path


def test_another_checksum_is_refused(unpacker):
    """The fetcher's user can replace its file by another package of the same name and id: the unpacker compares it with the
    resolved checksum."""
    process = unpacker().start()
    data, header = packages.ipk("demo", "1.0.0", files={"a": b"a"})
    other, _ = packages.ipk("demo", "1.0.0", files={"a": b"other"})
    identity = process.add(data=other)
    with pytest.raises(VarlinkError, match="checksum") as refusal:
        process.call(UNPACK, name="demo", id=identity, checksum=header["release"]["checksum"])
    assert refusal.value.name == "io.hostlet.Refused" and process.left() == []
    process.add(data=data)
    assert process.call(UNPACK, name="demo", id=identity, checksum=header["release"]["checksum"])["path"]


@pytest.mark.parametrize("kind", ["fifo", "directory", "socket"])
def test_package_file_that_is_no_file(unpacker, kind):
    process = unpacker().start()
    identity = process.add(files={"a": b"a"})
    file = process.packages / "demo" / f"{identity}.ipk"
    file.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        {"fifo": lambda: os.mkfifo(file), "directory": file.mkdir, "socket": lambda: listener.bind(str(file))}[kind]()
        with pytest.raises(VarlinkError):  # and it does not wait
            process.call(UNPACK, name="demo", id=identity)
    assert process.left() == []


@pytest.mark.parametrize("how", ["xz", "gzip", "zstd", "none"])
def test_every_compression(unpacker, how):
    process = unpacker().start()
    identity = process.add(how=how, files={"a": b"content" * 1000})
    answers = process.stream(UNPACK, name="demo", id=identity)
    assert (Path(answers[-1]["path"]) / "a").read_bytes() == b"content" * 1000


def test_every_sample_package(unpacker):
    process = unpacker().start()
    for sample in sorted((SOURCE / "tests/vectors/ipk").glob("*.ipk")):
        version = sample.name.split("_")[1]
        directory = process.packages / "tiny"
        directory.mkdir(exist_ok=True)
        (directory / sample.name).write_bytes(sample.read_bytes())
        if version == "1.0.2":
            with pytest.raises(VarlinkError, match="entry 'bin/link' is a symbolic link with an empty target"):
                process.call(UNPACK, name="tiny", id=sample.stem)
        else:
            answer = process.call(UNPACK, name="tiny", id=sample.stem)
            assert (Path(answer["path"]) / "bin/tiny").stat().st_size == 20
    assert process.left() == ["tiny_1.0.0_linux_amd64", "tiny_1.0.1-r1_linux_amd64", "tiny_1.0.1_linux_amd64"]


def test_names_that_leave_the_directory_are_refused(unpacker):
    process = unpacker().start()
    good = process.add(files={"a": b"a"})
    for name, identity in [("../x", good), ("demo", "../../etc"), ("demo", good + "/.."), ("other", good), ("", ""),
                           ("demo", "demo_1.0.0_linux_amd64/x"), (".", good), ("demo", good.upper())]:
        for method in (UNPACK, REMOVE):
            with pytest.raises(VarlinkError) as refusal:
                process.call(method, name=name, id=identity)
            assert refusal.value.name == "io.hostlet.Refused", (name, identity)
    with pytest.raises(VarlinkError) as missing:
        process.call(UNPACK, name="demo", id=packages.package_id("demo", "9.9.9"))
    assert missing.value.name == "io.hostlet.NotFound"
    assert process.left() == []


def test_package_file_that_is_a_link(unpacker, place):
    """The fetcher's directory is foreign: a link in it is not followed."""
    process = unpacker().start()
    data, _ = packages.ipk("demo", "1.0.0", files={"a": b"a"})
    (place / "elsewhere.ipk").write_bytes(data)
    identity = process.add(files={"a": b"a"})
    file = process.packages / "demo" / f"{identity}.ipk"
    file.unlink()
    file.symlink_to(place / "elsewhere.ipk")
    with pytest.raises(VarlinkError):
        process.call(UNPACK, name="demo", id=identity)
    assert process.left() == []


def test_limits_are_configurable(unpacker):
    process = unpacker(max_entries=3, max_size="1M", max_path=20, keep_free=0).start()
    many = process.add("many", files={"a": b"", "b": b"", "c": b""})
    large = process.add("large", files={"a": b"x" * 2 ** 20})
    long = process.add("long", files={"n" * 21: b""})
    for name, identity, message in [("many", many, "entry 'c' exceeds the allowed number of entries"), ("large", large, "larger than is allowed|unpacks to"),
                                    ("long", long, "has a name that is too long")]:
        with pytest.raises(VarlinkError, match=message):
            process.call(UNPACK, name=name, id=identity)
    assert process.left() == []


def test_a_full_disk_is_retry_later(unpacker):
    process = unpacker(keep_free="1000000G").start()
    identity = process.add(files={"a": b"a"})
    with pytest.raises(VarlinkError, match="are to stay free") as refusal:
        process.call(UNPACK, name="demo", id=identity)
    assert refusal.value.name == "io.hostlet.RetryLater"
    assert process.left() == []


@pytest.mark.parametrize("inodes, keep, words, most", [
    (4000, {}, "room for [0-9]+ more files .inodes., and 4096 are to stay free", 4000),     # before the first entry
    (6000, {}, "room for [0-9]+ more files .inodes., and 4096 are to stay free", 4096 - 256),  # on the way
    (2000, {"keep_free_inodes": 0}, "No space left on device", 0)])
def test_no_inodes_is_retry_later(unpacker, inodes, keep, words, most):
    """A package of many small files never uses the last inodes of the filesystem, and releases those that it used."""
    process = unpacker(keep_free=0, **keep)
    process.installs.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=64m,nr_inodes={inodes}", "none", process.installs], check=True)
    try:
        process.start()
        left = []
        stop = threading.Event()

        def watch():
            while not stop.wait(0.0005):
                left.append(os.statvfs(process.installs).f_favail)
        before = os.statvfs(process.installs).f_favail
        watching = threading.Thread(target=watch)
        watching.start()
        identity = process.add("demo", files={f"d/{n}": b"" for n in range(3000)}, how="none")
        with pytest.raises(VarlinkError, match=words) as refusal:
            process.call(UNPACK, name="demo", id=identity)
        stop.set()
        watching.join()
        assert refusal.value.name == "io.hostlet.RetryLater"
        assert min(left) >= min(most, before) - 4 and process.left() == []
        assert os.statvfs(process.installs).f_favail >= before - 2
        small = process.add("small", files={"a": b"a"})
        if inodes != 4000:
            assert process.call(UNPACK, name="small", id=small)["path"]
    finally:
        process.stop()
        ground.unmount_below(process.installs)


def test_requests_share_one_extraction(unpacker):
    process = unpacker().start()
    identity = process.add(how="none", files=big_files())
    connections = [process.connect() for _ in range(8)]
    for connection in connections:
        connection.send({"method": UNPACK, "parameters": {"name": "demo", "id": identity}})
    paths = {connection.receive()["parameters"]["path"] for connection in connections}
    assert paths == {str(process.staging / identity)}
    assert process.log().count("unpacked") == 1
    for connection in connections:
        connection.close()


def test_a_client_that_leaves_does_not_cancel_for_others(unpacker):
    process = unpacker().start()
    identity = process.add(how="none", files=big_files())
    message = {"method": UNPACK, "parameters": {"name": "demo", "id": identity}}
    with process.connect() as stays:
        with process.connect() as leaves:
            leaves.send(message)
            stays.send(message)
        assert stays.receive()["parameters"]["path"]


def test_an_extraction_without_clients_is_cancelled(unpacker):
    """An extraction whose last client has hung up ends, and leaves nothing."""
    process = unpacker().start()
    identity = process.add(how="none", entries=[packages.entry(f"d{n // 1000}/f{n}") for n in range(30000)])
    with process.connect() as connection:
        connection.send({"method": UNPACK, "parameters": {"name": "demo", "id": identity}})
        ground.wait_until(lambda: process.left(), 10, "staging has a directory", interval=0.001)
    ground.wait_until(lambda: "cancelled" in process.log(), 10, "it is cancelled")
    ground.wait_until(lambda: process.left() == [], 10, "staging is empty")


def test_a_cancelled_extraction_can_be_requested_again(unpacker):
    process = unpacker().start()
    identity = process.add(how="none", files=big_files())
    for _ in range(5):
        with process.connect() as connection:
            connection.send({"method": UNPACK, "parameters": {"name": "demo", "id": identity}})
            with contextlib.suppress(AssertionError):
                ground.wait_until(lambda: process.left(), 1, "it began")
    assert process.call(UNPACK, name="demo", id=identity)["path"]
    assert process.left() == [identity]


def test_progress_is_streamed(unpacker):
    process = unpacker().start()
    identity = process.add(how="none", files=big_files(64))
    answers = process.stream(UNPACK, name="demo", id=identity)
    assert answers[-1]["path"] and answers[-1]["done"] == answers[-1]["total"] > 60 * 2 ** 20
    steps = [answer["done"] for answer in answers]
    assert steps == sorted(steps) and all("path" not in answer for answer in answers[:-1])


def test_killed_while_it_works(unpacker):
    """After a SIGKILL in the middle nothing is published; the next process removes the leftovers and does the work."""
    process = unpacker().start()
    identity = process.add(how="none", files=big_files())
    with process.connect() as connection:
        connection.send({"method": UNPACK, "parameters": {"name": "demo", "id": identity}})
        ground.wait_until(lambda: process.left(), 10, "staging has a directory")
        process.kill()
        with pytest.raises(Closed):
            connection.receive()
    assert identity not in process.left()
    process.start()
    ground.wait_until(lambda: process.left() == [], 10, "the leftovers are removed")
    answer = process.call(UNPACK, name="demo", id=identity)
    assert len(list((Path(answer["path"]) / "data").iterdir())) == 48


def test_terminated_while_it_works(unpacker):
    process = unpacker().start()
    identity = process.add(how="none", files=big_files())
    with process.connect() as connection:
        connection.send({"method": UNPACK, "parameters": {"name": "demo", "id": identity}})
        ground.wait_until(lambda: process.left(), 10, "staging has a directory")
        process.process.send_signal(signal.SIGTERM)
        assert process.process.wait(20) == 0
    assert process.left() in ([], [identity])


STEPS = ["unpack.staged", "unpack.entry", "unpack.extracted", "unpack.synced", "unpack.before_rename", "unpack.renamed"]


@pytest.mark.failpoints
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_each_step(unpacker, step):
    process = unpacker().start(f"{step}:kill")
    identity = process.add(files={"a": b"a"})
    with pytest.raises(Closed):
        process.call(UNPACK, name="demo", id=identity)
    assert process.process.wait(10) == -signal.SIGKILL
    installed = identity
    assert (installed in process.left()) == (step == "unpack.renamed")
    process.start()
    assert process.call(UNPACK, name="demo", id=identity)["path"]
    ground.wait_until(lambda: process.left() == [installed], 10, "only the requested package is left")


@pytest.mark.failpoints
@pytest.mark.parametrize("step", STEPS)
def test_error_at_each_step(unpacker, step):
    process = unpacker().start(f"{step}@1:error")
    identity = process.add(files={"a": b"a"})
    with pytest.raises(VarlinkError, match=step):
        process.call(UNPACK, name="demo", id=identity)
    assert process.left() == ([identity] if step == "unpack.renamed" else [])
    assert process.call(UNPACK, name="demo", id=identity)["path"]


@pytest.mark.skipif(VARIANT == "sanitized", reason="that build has no jail")
def test_jail(unpacker):
    process = unpacker().start()
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{process.process.pid}/status").read_text().splitlines()
                  if ":\t" in line)
    uid = str(pwd.getpwnam("hostlet-unpacker").pw_uid)
    assert status["Uid"].split() == [uid] * 4
    assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert os.readlink(f"/proc/{process.process.pid}/ns/net") != os.readlink("/proc/self/ns/net")


def test_malformed_messages_are_survived(unpacker):
    process = unpacker().start()
    identity = process.add(files={"a": b"a"})
    for garbage in (b"\0", b"{}\0", b"[1]\0", b"\xff" * 1000 + b"\0", b'{"method":7}\0', b'{"method":"x"'):
        with Varlink(process.socket) as connection:
            connection.send_raw(garbage)
    for parameters in ({}, {"name": 7, "id": identity}, {"name": "demo", "id": identity, "more": 1}):
        with pytest.raises(VarlinkError):
            process.call(UNPACK, **parameters)
    assert process.call(UNPACK, name="demo", id=identity)["path"]
