"""A configuration that a service would refuse at its start, or that could only fail later, is refused by hostletd --check and by a
reload, by the service's own check: the sentence is the same, and nothing changes."""

import json
import subprocess

import pytest
from lib import ground
from lib.services import run_hostletd, status, wait_for
from lib.tree import BUILD, SOURCE, VARIANT, program

# {DIR} is a directory with the files of the fixture 'files'. Each row: hostlet.conf, and a part of the sentence.
FETCHER, DRIVER, ZONE = "[fetcher]\n", "[container-driver]\n", "[zone]\nenable = yes\n"
MISTAKES = {
    "scheme": (FETCHER + "repositories = ftp://packages.example/x", "fetcher': [fetcher] repositories: 'ftp://packages.example/x' is none of"),
    "no host": (FETCHER + "repositories = https:///x", "'https:///x' names no host"),
    "a port that is none": (FETCHER + "repositories = http://packages.example:99999/", "has a port that is not from 1 to 65535"),
    "half an address": (FETCHER + "repositories = http://[::1/", "'http://[::1/' names no host"),
    "twice": (FETCHER + "repositories = file:///x file:///x/", "'file:///x/' occurs twice"),
    "a shared password file": (FETCHER + "credentials = {DIR}/netrc-0644", "netrc-0644' may be read or written by others"),
    "no password file": (FETCHER + "credentials = {DIR}/none", "[fetcher] credentials: cannot open"),
    "a bad password file": (FETCHER + "credentials = {DIR}/netrc-bad", "netrc-bad:1: expected machine NAME"),
    "no authorities": (FETCHER + "ca_file = {DIR}/empty", "[fetcher] ca_file: TLS: no certificates to trust in"),
    "no file of authorities": (FETCHER + "ca_file = {DIR}/none", "[fetcher] ca_file: TLS: cannot read"),
    "no profile": (DRIVER + "seccomp = {DIR}/none", "container-driver': the seccomp profile '{DIR}/none' cannot be opened"),
    "a bad profile": (DRIVER + "seccomp = {DIR}/empty", "the seccomp profile '{DIR}/empty', line"),
    "a profile that only root can read": (DRIVER + "seccomp = {DIR}/netrc-bad", "the driver's user must be able to read it"),
    "a name server's name": (DRIVER + "dns_servers = 192.0.2.1 dns.example", "dns_servers: 'dns.example' is not an IP address"),
    "a long path of a socket": (DRIVER + "docker_socket = /run/" + 104 * "x", "is too long for the path of a socket"),
    "bad credentials": (DRIVER + "docker_config = {DIR}/config.json", "[container-driver] docker_config: '{DIR}/config.json': the \"auth\" of"),
    "a host name": (ZONE + "listen = localhost", "rpc-gateway': [zone] listen = localhost: is not an IP address"),
    "an address of a link": (ZONE + "listen = fe80::1", "[zone] listen = fe80::1: nothing can listen on this address"),
    "one port twice": (ZONE + "peer_port = 9532", "zone.peer_port and zone.http_port are the same port 9532"),
    "who may read": (ZONE + "metrics_allow = all", "[zone] metrics_allow: 'all' is no address or network"),
    "TLS in part": (ZONE + "tls_ca = {DIR}/empty", "[zone] tls_certificate, tls_key and tls_ca: all of them, or none"),
    "TLS": (ZONE + "tls_ca = {DIR}/empty\ntls_key = {DIR}/empty\ntls_certificate = {DIR}/empty", "TLS: cannot use '{DIR}/empty'"),
}


@pytest.fixture
def files(place):
    place.chmod(0o755)
    for name, text, mode in (("netrc-0644", "machine a password b\n", 0o644), ("netrc-bad", "default\n", 0o600), ("empty", "", 0o644),
                             ("config.json", json.dumps({"auths": {"r.example": {"auth": "nonsense"}}}), 0o644)):
        (place / name).write_text(text)
        (place / name).chmod(mode)
    return str(place)


def check(prefix, *arguments):
    return run_hostletd("--prefix", prefix, "--services", SOURCE / "svc", "--libexec", BUILD, *arguments, "--check")


def test_what_a_service_would_refuse_is_refused_before(make_tree, files, place):
    tree = make_tree({"container-driver": {"runtime": "null"}}).start()
    process = status(tree, "container-driver")["pid"]
    good = (tree.prefix / "etc/hostlet.conf").read_text()
    changes = tree.prefix / "etc/hostlet.conf.d/50-test.conf"
    for what, (text, sentence) in MISTAKES.items():
        if VARIANT == "sanitized" and "only root" in what:
            continue  # this build has no jail: its driver reads as root
        changes.write_text(text.replace("{DIR}", files) + "\n")
        sentence = sentence.replace("{DIR}", files)
        checked = check(tree.prefix)
        assert checked.returncode == 100 and sentence in checked.stderr, f"{what}: {checked}"
        told = tree.ctl("reload", check=False)
        assert told.returncode == 1, f"{what}: {told}"
        assert "the configuration is not accepted, and nothing changes: service '" in told.stderr and sentence in told.stderr, what
    assert status(tree, "container-driver")["pid"] == process and status(tree, "rpc-gateway")["state"] == "listening"
    # A directory that a start refuses: others can write into it, or it is a file.
    for path, sentence in ((files, "nobody but root may be able to write there"), (files + "/empty", "is not a directory")):
        place.chmod(0o777)
        changes.write_text(f"[hostlet]\napp_path = {path}\n")
        assert sentence in check(tree.prefix).stderr and sentence in tree.ctl("reload", check=False).stderr
        place.chmod(0o755)
    # What is not used is not judged: the zone is off.
    changes.write_text("[zone]\nlisten = localhost\ntls_ca = /none\n[fetcher]\nrepositories = file:///x zone\n")
    assert check(tree.prefix).returncode == 0
    # Two reloads at once: both wait for the same end.
    words = [program("hostletctl"), "--prefix", tree.prefix, "reload"]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
    assert [one.wait(20) for one in both] == [0, 0], [one.stdout.read() for one in both]
    assert (tree.prefix / "etc/hostlet.conf").read_text() == good


def test_a_service_that_cannot_run_is_refused_before(place, start, services):
    services.take("quota-keeper")
    tree = start()
    for change, sentence in (({"exec": place / "none"}, f"cannot execute '{place}/none'"),
                             ({"capabilities": "CAP_FLY"}, "unknown capability 'CAP_FLY'"),
                             ({"peers": "hostlet-fetcher:Inform"}, "io.hostlet.QuotaKeeper has no method 'Inform'"),
                             ({"exec": "/bin/false"}, "its check of the configuration failed without a message")):
        services.take("quota-keeper", **change)
        checked = run_hostletd("--prefix", tree.prefix, *services.arguments, "--libexec", BUILD, "--check")
        assert checked.returncode == 100 and "service 'quota-keeper': " in checked.stderr and sentence in checked.stderr, checked
        told = tree.ctl("reload", check=False)
        assert told.returncode == 1 and sentence in told.stderr, told
    services.take("quota-keeper", check="no", exec="/bin/false")  # not asked
    assert run_hostletd("--prefix", tree.prefix, *services.arguments, "--check").returncode == 0
    wait_for(tree, "quota-keeper", "ready")


def test_the_end_of_the_tree_ends_a_reload(start, services):
    services.add("slow", "if '--check' in sys.argv:\n    rest()\nready()\nserve()\n", check="yes")
    tree = start()
    words = [program("hostletctl"), "--prefix", tree.prefix, "reload"]
    waiting = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(tree, "slow", "ready")
    ground.wait_until(lambda: services.count("slow start") == 2, 10, "the check runs")
    assert tree.stop() == 0
    assert waiting.wait(20) != 0 and "the tree is stopping" in waiting.stdout.read()
