"""Tests hostile packages in the running unpacker: each is refused with the entry's name, nothing is written elsewhere, nothing
stays."""

import hashlib
import lzma
import tarfile
import zlib

import pytest

from lib import packages
from lib.packages import entry
from lib.unpacker import UNPACK, Unpacker
from lib.varlink import VarlinkError

pytestmark = pytest.mark.sanitized

FILE, LINK, DIRECTORY = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE


def link(name, target):
    return entry(name, kind=LINK, target=target, mode=0o777)


def directory(name, mode=0o755):
    return entry(name, kind=DIRECTORY, mode=mode)


# name: (entries, the text of the refusal). OUTSIDE is replaced by a directory that must stay unchanged.
ARCHIVES = {
    "absolute name": ([entry("/OUTSIDE/x", b"x")], "/OUTSIDE/x' has an absolute name"),
    "parent": ([entry("../x", b"x")], "'../x' has '..'"),
    "parent within": ([entry("a/../../../x", b"x")], "'a/../../../x' has '..'"),
    "parent as directory": ([directory("a/..")], "'a/../' has '..'"),
    "long name with parent": ([entry("a/" * 60 + "../" * 70 + "x", b"x")], "has '..'"),
    "file through link": ([link("l", "OUTSIDE"), entry("l/x", b"x")], "'l/x' lies beneath a symbolic link"),
    "file through two links": ([link("a", "OUTSIDE"), link("b", "a"), entry("b/x", b"x")], "'b/x' lies beneath"),
    "file through link to root": ([link("l", "/"), entry("l/OUTSIDE/x", b"x")], "/x' lies beneath"),
    "file through link upwards": ([link("l", "../../../../.."), entry("l/x", b"x")], "'l/x' lies beneath"),
    "directory through link": ([link("l", "OUTSIDE"), directory("l/d")], "'l/d' lies beneath"),
    "deep directory through link": ([link("l", "OUTSIDE"), entry("l/d/e/x", b"x")], "'l/d/e/x' lies beneath"),
    "link through link": ([link("l", "OUTSIDE"), link("l/m", "/etc")], "'l/m' lies beneath"),
    "directory over link": ([link("l", "OUTSIDE"), directory("l", 0o777)], "'l' comes twice"),
    "file over link": ([link("l", "OUTSIDE/x"), entry("l", b"x")], "'l' comes twice"),
    "link to a package's own directory": ([directory("d"), link("l", "d"), entry("l/x", b"x")], "'l/x' lies beneath"),
    "hard link": ([entry("a", b"x"), entry("b", kind=tarfile.LNKTYPE, target="a")], "'b' is a hard link"),
    "hard link outside": ([entry("b", kind=tarfile.LNKTYPE, target="/etc/passwd")], "'b' is a hard link"),
    "hard link to link": ([link("l", "/etc/shadow"), entry("b", kind=tarfile.LNKTYPE, target="l")], "'b' is a hard link"),
    "character device": ([entry("n", kind=tarfile.CHRTYPE, devmajor=1, devminor=3)], "'n' is a device"),
    "block device": ([entry("n", kind=tarfile.BLKTYPE, devmajor=8, devminor=0)], "'n' is a device"),
    "fifo": ([entry("n", kind=tarfile.FIFOTYPE)], "'n' is a fifo"),
    "empty link": ([link("bin/link", "")], "'bin/link' is a symbolic link with an empty target"),
    "twice": ([entry("a", b"x"), entry("./a", b"y")], "'a' comes twice"),
    "twice with slash": ([entry("d/a", b"x"), entry("d//a", b"y")], "'d/a' comes twice"),
    "file over directory": ([directory("a"), entry("a", b"x")], "'a' comes twice"),
    "directory over file": ([entry("a", b"x"), directory("a")], "'a' comes twice"),
    "beneath a file": ([entry("a", b"x"), entry("a/b", b"x")], "'a/b' lies beneath"),
    "root is a link": ([link(".", "OUTSIDE"), entry("x", b"x")], "'.' is the package's root"),
    "empty name": ([entry("", b"x")], "has an empty name"),
    "name too long": ([entry("/".join(["n" * 100] * 60), b"x")], "has a name that is too long"),
    "part too long": ([entry("n" * 256, b"x")], "more than 255 bytes"),
    "too deep": ([entry("d/" * 300 + "x", b"x")], "is in too many directories"),
    "escape sequences": ([entry("/\x1b]0;owned\x07", b"x")], r"'/\x1b]0;owned\x07' has an absolute name"),
    "garbage between entries": ([entry("a", b"x"), b"\xff" * 512, entry("b", b"x")], "cannot read the archive"),
    "second archive": ([entry("a", b"x"), b"\0" * 1024, entry("b", b"x")], "trailing data after the end of its archive"),
    "nothing": ([], "has no entries"),
}


@pytest.fixture
def process(place):
    unpacker = Unpacker(place / "tree").start()
    yield unpacker
    unpacker.stop()


def refused(process, data, message):
    identity = process.add("evil", "1.0.0", data=data)
    with pytest.raises(VarlinkError) as refusal:
        process.call(UNPACK, name="evil", id=identity)
    assert refusal.value.name == "io.hostlet.Refused"
    assert message in refusal.value.parameters["reason"]
    assert process.left() == []


@pytest.mark.parametrize("case", ARCHIVES)
def test_hostile_archive(process, place, case):
    entries, message = ARCHIVES[case]
    outside = place / "o"
    outside.mkdir()
    outside.chmod(0o1777)
    path = str(outside)
    for item in entries:
        if not isinstance(item, bytes):
            item[0].name = item[0].name.replace("/OUTSIDE", path)
            item[0].linkname = item[0].linkname.replace("OUTSIDE", path)
    data, _ = packages.ipk("evil", "1.0.0", entries, how="none")
    refused(process, data, message.replace("/OUTSIDE", path))
    assert list(outside.iterdir()) == []


def good_block():
    return packages.make_tar([entry("file", b"content")])


def test_wrong_checksum(process):
    data, _ = packages.ipk("evil", "1.0.0", block=good_block(), how="none", release={"checksum": "sha256:" + "0" * 64})
    refused(process, data, "is damaged: its data block has the checksum")


def test_no_checksum(process):
    data, _ = packages.ipk("evil", "1.0.0", block=good_block(), how="none", release={"checksum": ""})
    refused(process, data, "release.checksum is missing")


def test_another_package(process):
    data, _ = packages.ipk("other", "1.0.0", block=good_block(), how="none")
    refused(process, data, "the file contains package 'other_1.0.0")


@pytest.mark.parametrize("is_, said", [("xz", "gzip"), ("gzip", "none"), ("none", "xz"), ("zstd", "xz")])
def test_compressed_otherwise(process, is_, said):
    block = packages.compress(good_block(), is_)
    data, _ = packages.ipk("evil", "1.0.0", block=block, how=said)
    refused(process, data, "but its header says")


def test_trailing_data_of_every_kind(process):
    for how in ("xz", "gzip", "zstd"):
        block = packages.compress(good_block(), how)
        for tail in (b"\0", b"junk", block):
            data, _ = packages.ipk("evil", "1.0.0", block=block + tail, how=how)
            refused(process, data, "trailing data")
    data, _ = packages.ipk("evil", "1.0.0", block=good_block() + b"junk", how="none")
    refused(process, data, "trailing data")
    data, _ = packages.ipk("evil", "1.0.0", block=good_block(), how="none")
    refused(process, data + b"junk", "trailing data")


def test_bomb(process):
    zeros = packages.make_tar([entry("zeros", b"\0" * (100 << 20))])
    data, _ = packages.ipk("evil", "1.0.0", block=lzma.compress(zeros, preset=1), how="xz")
    refused(process, data, "unpacks to more than 200 times its size")


def test_xz_that_wants_too_much_memory(process):
    # The dictionary's size is one byte of the block header, 40 being 4 GiB; an encoder that wrote it would need as much itself.
    block = bytearray(packages.compress(good_block(), "xz"))
    header_size = (block[12] + 1) * 4
    header = bytearray(block[12:12 + header_size - 4])
    header[header.index(b"\x21\x01") + 2] = 40
    block[12:12 + header_size] = header + zlib.crc32(header).to_bytes(4, "little")
    data, _ = packages.ipk("evil", "1.0.0", block=bytes(block), how="xz")
    refused(process, data, "MiB of memory")


def test_truncated_at_every_byte(process):
    """Cuts it at every byte, with a header that was made for the cut file: only the end of the stream can tell."""
    block = packages.compress(packages.make_tar([entry("file", b"content " * 20)]), "xz")
    for size in range(1, len(block)):
        data, _ = packages.ipk("evil", "1.0.0", block=block[:size], how="xz")
        refused(process, data, "evil_1.0.0")


def test_special_bits_are_dropped(process):
    identity = process.add("good", "1.0.0", entries=[directory(".", 0o7777), entry("su", b"x", mode=0o6755), directory("t", 0o1777)])
    path = process.staging / identity
    assert process.call(UNPACK, name="good", id=identity)["path"] == str(path)
    assert path.stat().st_mode & 0o7777 == 0o777
    assert (path / "su").stat().st_mode & 0o7777 == 0o755
    assert (path / "t").stat().st_mode & 0o7777 == 0o777


def test_links_are_stored_as_they_are(process):
    identity = process.add("good", "1.0.0", entries=[link("up", "../../../../etc/passwd"), link("abs", "/nowhere"), link("self", "self")])
    path = process.staging / identity
    process.call(UNPACK, name="good", id=identity)
    assert {name.name: str(name.readlink()) for name in path.iterdir()} == {
        "up": "../../../../etc/passwd", "abs": "/nowhere", "self": "self"}


def test_checksum_is_of_the_block(process):
    block = packages.compress(good_block(), "gzip")
    data, header = packages.ipk("good", "1.0.0", block=block, how="gzip")
    assert header["release"]["checksum"] == "sha256:" + hashlib.sha256(block).hexdigest()
    identity = process.add("good", "1.0.0", data=data)
    assert process.call(UNPACK, name="good", id=identity)["path"]
