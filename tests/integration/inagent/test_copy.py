"""Tests inagent's command copy, which copies the content of a volume, on this machine's own file system."""

import os
import stat
import subprocess

import pytest
from lib.inagent import INAGENT


def copy(*words):
    return subprocess.run([INAGENT, "copy", *words], capture_output=True, text=True, check=False)


@pytest.fixture
def source(place):
    (place / "from").mkdir()
    (place / "to").mkdir()
    return place / "from"


@pytest.fixture
def target(place):
    return place / "to"


def facts(path):
    """Returns what a copy keeps of an entry beside its content."""
    st = path.lstat()
    attributes = {} if stat.S_ISLNK(st.st_mode) else {name: os.getxattr(path, name) for name in os.listxattr(path)}
    device = st.st_rdev if stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode) else None
    return (st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, device, attributes)


def test_a_copy_keeps_everything_of_a_tree(source, target):
    (source / "file").write_bytes(b"content" * 1000)
    (source / "setuid").write_text("x")
    (source / "empty").touch()
    (source / "dir/below").mkdir(parents=True)
    (source / "dir/below/deep").write_text("deep")
    os.link(source / "file", source / "dir/other-name")
    (source / "link").symlink_to("dir/below/deep")
    (source / "outside").symlink_to("/etc/passwd")
    os.link(source / "link", source / "linked-link", follow_symlinks=False)
    os.mkfifo(source / "fifo", 0o640)
    os.mknod(source / "device", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    with open(source / "sparse", "wb") as file:
        file.write(b"begin")
        file.seek(64 << 20)
        file.write(b"end")
    (source / ".hostlet-links-0").write_text("the tenant's own")
    os.chown(source / "setuid", 1234, 2345)
    (source / "setuid").chmod(0o6755)
    os.setxattr(source / "file", "user.colour", b"blue\0green")
    os.setxattr(source / "dir", "user.of", b"a directory")
    capability = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service, effective
    os.setxattr(source / "setuid", "security.capability", capability)
    os.chown(source / "link", 1, 2, follow_symlinks=False)
    os.chown(source / "dir", 77, 88)
    (source / "dir").chmod(0o2770)
    source.chmod(0o1700)
    os.chown(source, 999, 999)
    for path in sorted(source.rglob("*"), reverse=True) + [source]:
        os.utime(path, ns=(1_000_000_000, 1_234_567_890_123_456_789), follow_symlinks=False)

    done = copy("/data", source, target)
    assert (done.returncode, done.stderr) == (0, "")
    names = sorted(path.relative_to(source) for path in source.rglob("*"))
    assert sorted(path.relative_to(target) for path in target.rglob("*")) == names
    assert facts(target) == facts(source)
    for name in names:
        assert facts(target / name) == facts(source / name), name
    for name in ("file", "dir/below/deep", "sparse", ".hostlet-links-0", "empty"):
        assert (target / name).read_bytes() == (source / name).read_bytes()
    assert (target / "file").stat().st_ino == (target / "dir/other-name").stat().st_ino
    assert (target / "file").stat().st_nlink == 2 and (target / "linked-link").lstat().st_nlink == 2
    assert os.readlink(target / "outside") == "/etc/passwd"
    assert (target / "sparse").stat().st_blocks < 1000


def test_several_volumes_are_copied_one_after_the_other(place):
    for name in ("a", "b", "to-a", "to-b"):
        (place / name).mkdir()
    (place / "a/1").write_text("1")
    (place / "b/2").write_text("2")
    assert copy("/a", place / "a", place / "to-a", "/b", place / "b", place / "to-b").returncode == 0
    assert (place / "to-a/1").read_text() == "1" and (place / "to-b/2").read_text() == "2"


def test_what_cannot_be_copied_is_named(source, target):
    (source / "dir").mkdir()
    (source / "dir/file").write_text("x")
    (target / "dir").mkdir()  # it is not empty
    done = copy("/var/lib/app", source, target)
    assert done.returncode == 1 and "cannot make the copy of '/var/lib/app/dir': File exists" in done.stderr
    deep = source / "dir"
    os.rmdir(target / "dir")
    fd = os.open(deep, os.O_RDONLY)
    for _ in range(2500):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    done = copy("/data", source, target)
    subprocess.run(["rm", "-rf", deep, target / "dir"], check=True)  # which Python's own function cannot do
    assert done.returncode == 1 and "cannot copy '/data': its directories are nested deeper than 2000 levels" in done.stderr
    assert copy("/data", source).returncode == 1 and copy("/data", source / "missing", target).returncode == 1


def test_a_full_disk_is_the_reason_of_a_failed_copy(source, target):
    """On another file system than the source, where the kernel does not copy, so that inagent does."""
    (source / "big").write_bytes(os.urandom(4 << 20))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2052k", "tmpfs", target], check=True)
    try:
        done = copy("/data", source, target)
        assert done.returncode == 1 and "cannot copy '/data/big': No space left on device" in done.stderr
        (source / "big").write_bytes(os.urandom((1 << 20) + 7))
        (target / "big").unlink()
        assert copy("/data", source, target).returncode == 0
        assert (target / "big").read_bytes() == (source / "big").read_bytes()
    finally:
        subprocess.run(["umount", target], check=True)
