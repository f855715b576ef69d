"""Tests the file with the names of the zone's applications, which net-keeper writes for a name server."""

import contextlib
import os
import pwd
import subprocess
import tomllib

import pytest
from lib import ground
from lib.tree import BUILD, SOURCE
from lib.worker import Worker

NETWORK = {"host_id": "0123456789ab", "lan_addr": "192.168.60.1", "bridge_ip": "192.168.10.1", "instance_cidr": "10.10.1.0/24",
           "domain": "zone.test", "hosts": [{"id": "0123456789ab", "peer": "192.168.60.1", "bridge": "192.168.10.1", "instance": "10.10.1.0/24"}]}
WEB = [{"name": "web_0", "address": "10.10.1.3"}, {"name": "web_1", "address": "10.10.2.3"}]
SERVERS = {"zone": {"enable": "yes", "dns_servers": "192.168.60.53"}}


def make(place, namespace, settings):
    worker = Worker("net-keeper", place / "tree", settings)
    worker.wrapper = namespace.wrapper
    return worker


@pytest.fixture
def keeper(place, namespace):
    worker = make(place, namespace, SERVERS)
    yield worker
    worker.stop()


def put(keeper, records, **changes):
    return keeper.call("io.hostlet.NetKeeper.SetNetwork", network={**NETWORK, "records": records, **changes})


def leave(keeper):
    return keeper.call("io.hostlet.NetKeeper.SetNetwork")


def file_of(keeper):
    return keeper.prefix / "etc/indns_conf.d/innerstack.toml"


def records(path):
    return {r["name"]: r["ips"] for r in tomllib.loads(path.read_text()).get("records", [])}


def test_the_file_lists_the_names_and_follows_them(keeper):
    file = file_of(keeper)
    keeper.start()
    assert not file.exists()
    put(keeper, WEB)
    assert records(file) == {"web_0.zone.test": ["10.10.1.3"], "web_1.zone.test": ["10.10.2.3"]}
    assert file.stat().st_mode & 0o777 == 0o644
    assert keeper.call("io.hostlet.NetKeeper.Info")["dns_file"] == str(file)
    first = file.stat()
    put(keeper, list(reversed(WEB)))  # the order of the zone's map is not stable
    keeper.kill()
    keeper.start()
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    put(keeper, WEB[:1])
    assert records(file) == {"web_0.zone.test": ["10.10.1.3"]}
    put(keeper, [])
    assert records(file) == {}
    leave(keeper)
    assert list(file.parent.iterdir()) == []


def test_hostile_names_are_shown_and_not_written(keeper):
    keeper.start()
    answer = put(keeper, [*WEB, {"name": 'x"]\n[[records]]\nname = "bank.test', "address": "10.0.0.9"}])
    assert records(file_of(keeper)).keys() == {"web_0.zone.test", "web_1.zone.test"}
    assert any("1 of the zone's names cannot be written" in p for p in answer["problems"])
    assert "no domain" in put(keeper, WEB, domain=None)["problems"][0] and records(file_of(keeper)) == {}
    assert "dns_problem" in keeper.call("io.hostlet.NetKeeper.Info")
    put(keeper, WEB)
    assert "dns_problem" not in keeper.call("io.hostlet.NetKeeper.Info")


def test_without_name_servers_no_file_is_written(place, namespace):
    keeper = make(place, namespace, {})
    keeper.start()
    try:
        put(keeper, WEB)
        assert not file_of(keeper).parent.exists() and "dns_file" not in keeper.call("io.hostlet.NetKeeper.Info")
    finally:
        keeper.stop()


def test_the_file_is_deleted_when_the_name_servers_are_no_longer_configured(keeper, place, namespace):
    file = file_of(keeper)
    keeper.start()
    put(keeper, WEB)
    keeper.stop()
    without = make(place, namespace, {})
    without.start()
    assert not file.exists()
    without.stop()
    # Another program's file stays.
    file.write_text('[[records]]\nname = "theirs"\nips = ["10.0.0.1"]\n')
    without.start()
    leave(without)
    without.stop()
    assert "theirs" in file.read_text()


def test_the_directory_stays_roots_and_other_files_in_it_are_safe(keeper):
    """The process is in the directory's group, and the directory is sticky. The original agent's file is replaced."""
    place = file_of(keeper).parent
    place.mkdir(mode=0o755)
    (place / "other.toml").write_text("theirs = 1\n")
    file_of(keeper).write_text("# of the original agent\n")
    keeper.start()
    put(keeper, WEB)
    assert "web_0.zone.test" in records(file_of(keeper))
    stat = place.stat()
    user = pwd.getpwnam("hostlet-net-keeper")
    assert (stat.st_uid, stat.st_gid, stat.st_mode & 0o7777) == (0, user.pw_gid, 0o1775)
    assert file_of(keeper).stat().st_uid == user.pw_uid
    stolen = subprocess.run(["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "mv", "-f",
                             file_of(keeper), place / "other.toml"], capture_output=True, text=True, check=False)
    assert stolen.returncode != 0 and (place / "other.toml").read_text() == "theirs = 1\n"


def test_a_full_disk_is_tried_again(keeper):
    """The zone sends the same network only once."""
    directory = file_of(keeper).parent
    directory.mkdir(mode=0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", directory], check=True)
    try:
        full = directory / "full"
        with open(full, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * 4096):
                pass
        keeper.start()
        assert any("No space left" in problem for problem in put(keeper, WEB)["problems"])
        assert not file_of(keeper).exists()
        full.unlink()
        ground.wait_until(lambda: file_of(keeper).exists() and "web_0.zone.test" in records(file_of(keeper)), 20, "the file is written")
        leave(keeper)
        keeper.stop()
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


def test_a_link_to_a_file_of_another_user_gives_it_to_nobody(keeper, place):
    """Whoever can write in the directory could link to any file, where fs.protected_hardlinks is 0."""
    secret = place / "secret"
    secret.write_text("secret\n")
    file_of(keeper).parent.mkdir(mode=0o755)
    os.link(secret, file_of(keeper))
    keeper.start()
    assert any("is not written" in problem for problem in put(keeper, WEB)["problems"])
    assert (secret.stat().st_uid, secret.read_text()) == (0, "secret\n")


def test_a_configured_directory_must_be_writable(place, namespace):
    directory = place / "names"
    directory.mkdir(mode=0o755)
    os.chown(directory, 0, 0)
    settings = {**SERVERS, "net-keeper": {"dns_records": str(directory / "zone.toml")}}
    keeper = make(place, namespace, settings)
    check = subprocess.run([BUILD / "net-keeper", "--prefix", keeper.prefix, "--services", SOURCE / "svc", "--libexec", BUILD, "--check"],
                           capture_output=True, text=True, check=False)
    assert check.returncode == 100 and "chgrp hostlet-net-keeper" in check.stderr and str(directory) in check.stderr
    assert directory.stat().st_mode & 0o7777 == 0o755
    os.chown(directory, 0, pwd.getpwnam("hostlet-net-keeper").pw_gid)
    directory.chmod(0o1775)
    keeper.start()
    try:
        put(keeper, WEB)
        assert "web_1.zone.test" in records(directory / "zone.toml")
        # Later it is not writable any more: the network is made nevertheless, and the problem is shown.
        directory.chmod(0o755)
        assert any("zone.toml' is not written" in p for p in put(keeper, WEB[:1])["problems"])
    finally:
        keeper.stop()


@pytest.mark.failpoints
def test_a_kill_leaves_no_file_that_a_name_server_would_read(keeper):
    file = file_of(keeper)
    keeper.start()
    put(keeper, WEB[:1])
    keeper.stop()
    keeper.start(failpoint="records.before_write:kill")
    with pytest.raises(Exception):
        put(keeper, WEB)
    keeper.process.wait(10)
    half = file.parent / ".innerstack.toml.0123456789ab.tmp"  # as a kill within the write leaves it
    half.write_text("half")
    os.chown(half, file.stat().st_uid, file.stat().st_gid)
    assert [p.name for p in file.parent.iterdir() if p.name.endswith(".toml")] == [file.name]
    assert records(file).keys() == {"web_0.zone.test"}
    keeper.start()
    assert records(file).keys() == {"web_0.zone.test", "web_1.zone.test"}
    assert [p.name for p in file.parent.iterdir()] == [file.name]
