"""Tests that no file in a container belongs to the unpacker's user: publishing makes it root's, and refuses what cannot be made
root's.

The attacker here is that user, as an attacker would be who controls the unpacker."""

import contextlib
import json
import os
import pwd
import stat
import subprocess

import pytest
from lib import ground, packages
from lib.apps import App, driver_containers, manifest, names_below
from lib.tree import BUILD, SOURCE, VARIANT, program
from lib.varlink import Closed, VarlinkError

USER = "hostlet-unpacker"
ID = packages.package_id("site", "1.0.0")
PUBLISH = {"name": "site", "id": ID}

jailed = pytest.mark.skipif(VARIANT == "sanitized", reason="that build has no jail: all of it is root's anyway")


def as_unpacker(script, *arguments, check=False):
    """Runs a shell as that user and returns its output and error messages, since a test must see why it failed."""
    return subprocess.run(["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "sh", "-c", script, "sh", *map(str, arguments)],
                          capture_output=True, text=True, check=check, timeout=30)


def owners(directory):
    """Returns (uid, gid, whether others can write) of everything below a directory, itself included."""
    found = [directory, *directory.rglob("*")]
    return {(s.st_uid, s.st_gid, bool(not stat.S_ISLNK(s.st_mode) and s.st_mode & 0o7022)) for s in (p.lstat() for p in found)}


def is_taken(tree):
    store = tree.prefix / "var/ipk_install"
    return all(owners(package) == {(0, 0, False)} for package in store.iterdir() if not package.name.startswith("."))


def add_site(repository, version="1.0.0", **files):
    entries = [packages.entry("bin/tool", b"#!/bin/sh\necho site\n", mode=0o6777), packages.entry("share/file", version.encode(), mode=0o666),
               packages.entry("link", kind=b"2", target="../../../../etc/passwd", mode=0o777)]
    repository.add("site", version, entries=entries)


@pytest.fixture
def site(null_tree, repository):
    """A tree with an application that uses the package."""
    add_site(repository)
    App(null_tree).deploy(manifest(image="one:1", packages=["site"]))
    return null_tree


@pytest.mark.sanitized
def test_packages_in_a_container_belong_to_root(site):
    store = site.prefix / "var/ipk_install"
    assert names_below(store) == [".publishing", ".staging", "site"]
    assert is_taken(site) and owners(store / ".publishing") == {(0, 0, False)}
    assert stat.S_IMODE((store / ".publishing").stat().st_mode) == 0o700
    assert names_below(store / ".publishing") == names_below(store / ".staging") == []
    install = store / "site" / ID
    assert {p.name: stat.S_IMODE(p.stat().st_mode) for p in (install, install / "bin/tool", install / "share/file")} == {
        ID: 0o755, "tool": 0o755, "file": 0o644}
    assert os.readlink(install / "link") == "../../../../etc/passwd"


@jailed
def test_the_unpackers_user_can_replace_nothing(site):
    """Tries both steps of a replacement and other ways: each is refused, before and after a restart."""
    store = site.prefix / "var/ipk_install"
    for _ in range(2):
        for attempt in ('rm -rf "$1/site/$2" && ln -s / "$1/site/$2"', 'mv "$1/site/$2" "$1/site/old"', 'mv "$1/site" "$1/old"',
                        'ln -s / "$1/other"', 'ln -s / "$1/site/other"', 'ln -sfn / "$1/site/$2"', 'mkdir "$1/new"',
                        'echo evil > "$1/site/$2/share/file"', 'touch "$1/site/$2/new"', 'chmod 777 "$1/site/$2"', 'chmod 4755 "$1/site/$2/bin/tool"',
                        'rm "$1/site/$2/link"', 'mv "$1/.staging" "$1/gone"', 'rmdir "$1/.staging"', 'ls "$1/.publishing"',
                        'touch "$1/.publishing/x"', 'mv "$1/.publishing" "$1/.staging/x"'):
            tried = as_unpacker(attempt, store, ID)
            assert tried.returncode != 0, f"'{attempt}' succeeded"
        assert (store / "site" / ID / "share/file").read_bytes() == b"1.0.0" and is_taken(site)
        assert os.path.islink(store / "site" / ID) is False
        site.restart()


@jailed
def test_a_restarted_container_gets_the_package_and_not_the_root_directory(tree, engine, repository, busybox_image):
    add_site(repository)
    app = App(tree)
    app.deploy(manifest(script="exec sleep 1000", packages=["site"]))
    as_unpacker('mv "$1" "$1.old"; rm -rf "$1"; ln -sfn / "$1"', tree.prefix / "var/ipk_install/site" / ID)
    app.stop()
    app.stopped()
    app.start()
    app.running(1)
    listing = engine.execute("i8k_web_0", "ls", "/usr/innerstack/site")[1]
    assert listing.split() == ["bin", "link", "share"]


class Staged:
    """Makes a package as the unpacker leaves it, by that user; calls the processes directly."""

    def __init__(self, tree):
        self.tree = tree
        self.store = tree.prefix / "var/ipk_install"
        self.path = self.store / ".staging" / ID
        self.make()

    def make(self):
        as_unpacker('mkdir -p "$1/bin" && echo good > "$1/bin/tool" && ln -s / "$1/link"', self.path, check=True)

    def publish(self):
        return self.tree.call("provisioner", "Publish", **PUBLISH)

    def refused(self, message):
        with pytest.raises(VarlinkError, match=message) as refusal:
            self.publish()
        assert refusal.value.name == "io.hostlet.Refused"
        assert not (self.store / "site" / ID).exists() and not self.path.exists()
        ground.wait_until(lambda: names_below(self.store / ".publishing") == [], 10, "the refused package is deleted")


@pytest.fixture
def staged(null_tree):
    null_tree.call("provisioner", "Unpublish", **PUBLISH)  # it exists, and so does .publishing
    return Staged(null_tree)


HOSTILE = {
    "fifo": ('mkfifo "$1/bin/fifo"', "'bin/fifo' is neither a file"),
    "hard link outside": ('ln "$1/bin/tool" "$1/../outside"', "'bin/tool' has a second link"),
    "hard link inside": ('ln "$1/bin/tool" "$1/tool"', "has a second link"),
    "a link instead": ('rm -r "$1"; ln -s / "$1"', "not a directory"),
    "a file instead": ('rm -r "$1"; echo > "$1"', "not a directory"),
    "a socket": ('/usr/bin/python3 -c "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])" "$1/s"', "'s' is neither a file"),
    "control characters": ('mkfifo "$1/$(printf "a\\nb\\033[2J")"', r"a\\\\x0ab\\\\x1b"),
}


@jailed
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_trees_are_refused(staged, name):
    script, message = HOSTILE[name]
    as_unpacker(script, staged.path, check=True)
    staged.refused(message)
    staged.make()
    assert staged.publish()["path"] == str(staged.store / "site" / ID)
    assert is_taken(staged.tree)


@jailed
@pytest.mark.parametrize("how", ["write", "map"])
def test_a_file_that_the_unpacker_still_writes_to_is_refused(staged, how):
    code = ("import mmap, os, sys\nfd = os.open(sys.argv[1], os.O_RDWR)\n"
            + ("m = mmap.mmap(fd, 4)\nos.close(fd)\n" if how == "map" else "") + "print('open', flush=True)\nsys.stdin.read()")
    with subprocess.Popen(["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "/usr/bin/python3", "-c", code,
                           str(staged.path / "bin/tool")], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"open\n"
        staged.refused("'bin/tool' is open for writing")
        holder.stdin.close()
    staged.make()
    staged.publish()
    assert is_taken(staged.tree)


@jailed
def test_access_lists_are_removed(staged):
    as_unpacker('mkdir "$1/open" && chmod 777 "$1/open" "$1/bin/tool"', staged.path, check=True)
    user = pwd.getpwnam(USER).pw_uid
    acl = b"\2\0\0\0" + b"".join(tag.to_bytes(2, "little") + b"\7\0" + who.to_bytes(4, "little")
                                 for tag, who in ((1, 2**32 - 1), (2, user), (4, 2**32 - 1), (16, 2**32 - 1), (32, 2**32 - 1)))
    try:
        os.setxattr(staged.path / "bin/tool", "system.posix_acl_access", acl)
        os.setxattr(staged.path / "open", "system.posix_acl_default", acl)
    except OSError as error:
        pytest.skip(f"no access lists here: {error}")
    install = staged.publish()["path"]
    assert as_unpacker('echo evil > "$1/bin/tool"', install).returncode != 0
    assert as_unpacker('touch "$1/open/new"', install).returncode != 0
    assert os.listxattr(f"{install}/bin/tool") == os.listxattr(f"{install}/open") == []


@jailed
def test_directories_of_an_earlier_version_become_roots(site):
    """Makes the earlier state: the directory is the unpacker's own, with files that it may have planted."""
    store = site.prefix / "var/ipk_install"
    before = (store / "site" / ID).stat().st_ino
    site.stop()
    subprocess.run(["chown", "-Rh", f"{USER}:{USER}", store], check=True)
    subprocess.run(["rm", "-r", store / ".publishing", store / ".staging"], check=True)
    as_unpacker('ln -s / "$1/etc" && ln -s / "$1/site/site_2.0.0_linux_amd64" && ln -s /etc "$1/.publishing" && mkdir "$1/mine" && chmod 777 "$1/mine"',
                store, check=True)
    (store / "site/.staging-site_2.0.0_linux_amd64-0123/deep").mkdir(parents=True)
    site.start()
    assert store.stat().st_uid == (store / "site").stat().st_uid == (store / "mine").stat().st_uid == 0
    assert stat.S_IMODE((store / "mine").stat().st_mode) == 0o755
    assert not os.path.lexists(store / "etc") and not os.path.lexists(store / "site/site_2.0.0_linux_amd64")
    # The provisioner gets no call, and applications keep running.
    ground.wait_until(lambda: (store / "site" / ID).exists() and is_taken(site), 20, "all of it is root's")
    assert (store / "site" / ID).stat().st_ino == before, "containers mount the package"
    ground.wait_until(lambda: names_below(store / "site") == [ID] and names_below(store / ".publishing") == [], 60, "the rest is deleted")
    App(site).running(1)


def as_an_earlier_version_left_it(tree):
    tree.stop()
    subprocess.run(["chown", "-Rh", f"{USER}:{USER}", tree.prefix / "var/ipk_install/site"], check=True)


@jailed
def test_an_interrupted_setup_is_completed(site):
    """The directory belongs to root already, and files planted by the unpacker's user are not removed yet."""
    site.stop()
    store = site.prefix / "var/ipk_install"
    planted = store / "site/site_2.0.0_linux_amd64"
    planted.symlink_to("/")
    os.lchown(planted, pwd.getpwnam(USER).pw_uid, 0)
    subprocess.run([program("hostletd"), "--prefix", site.prefix, "--services", SOURCE / "svc", "--libexec", BUILD, "--setup"], check=True, timeout=30)
    assert names_below(store / "site") == [ID]


@jailed
def test_a_refused_package_of_a_running_application_is_unpacked_again(tree, engine, repository, busybox_image):
    """Its container exists and needs no creation, but the package to mount no longer exists."""
    add_site(repository)
    app = App(tree)
    app.deploy(manifest(script="exec sleep 1000", packages=["site"]))
    install = tree.prefix / "var/ipk_install/site" / ID
    as_an_earlier_version_left_it(tree)
    as_unpacker('ln "$1/bin/tool" "$1/second"', install, check=True)
    tree.start()
    ground.wait_until(lambda: not install.exists(), 20, "it is refused")
    app.stop()
    app.stopped()
    app.start()
    app.running(1)
    assert is_taken(tree)
    assert engine.execute("i8k_web_0", "ls", "/usr/innerstack/site")[1].split() == ["bin", "link", "share"]


@jailed
@pytest.mark.failpoints
@pytest.mark.parametrize("point", ["publish.moved", "publish.directory", "publish.taken", "publish.named"])
def test_an_update_gets_its_packages_although_processes_are_killed(make_tree, repository, point):
    """The provisioner gets no call, and is started again for its unfinished work."""
    add_site(repository)
    tree = make_tree({"container-driver": {"runtime": "null"}, "fetcher": {"repositories": repository.url}}).start()
    App(tree).deploy(manifest(image="one:1", packages=["site"]))
    store = tree.prefix / "var/ipk_install"
    as_an_earlier_version_left_it(tree)
    tree.start(failpoint=f"{point}:kill")
    ground.wait_until(lambda: tree.failpoint_taken(point), 20, "the process was killed")
    ground.wait_until(lambda: (store / "site" / ID).exists() and is_taken(tree) and names_below(store / ".publishing") == [], 20,
                      "all of it is root's")
    App(tree).running(1)


def test_leftovers_of_a_removed_package_are_deleted_after_a_restart(make_tree, repository):
    tree = make_tree({"container-driver": {"runtime": "null"}, "fetcher": {"repositories": repository.url}}).start()
    tree.stop()
    left = tree.prefix / "var/ipk_install/.publishing/.deleting-0123456789abcdef/deep"
    left.parent.parent.mkdir(mode=0o700, exist_ok=True)
    left.mkdir(parents=True)
    tree.start()
    ground.wait_until(lambda: names_below(tree.prefix / "var/ipk_install/.publishing") == [], 60, "it is deleted")


@pytest.mark.sanitized
@pytest.mark.parametrize("what", ["link", "parent", "owner", "mode", "file"])
def test_the_driver_mounts_only_packages_of_root(site, what):
    store = site.prefix / "var/ipk_install"
    install = store / "site" / ID
    if what == "link":
        install.rename(install.with_name("real"))
        install.symlink_to(install.with_name("real"))
    elif what == "parent":
        (store / "site").rename(store / "real")
        (store / "site").symlink_to("real")
    elif what == "owner":
        os.chown(install, 65534, 65534)
    elif what == "mode":
        install.chmod(0o777)
    else:
        install.rename(install.with_name("real"))
        install.write_text("")
    with pytest.raises(VarlinkError, match="no container gets") as refusal:
        site.call("container-driver", "Create", instance="other", replica_id=0, image="one:1", init="inagent", host_id="0" * 12, config="x", revision=1,
                  packages=[PUBLISH])
    assert refusal.value.name == "io.hostlet.Refused" and str(install) in str(refusal.value)
    assert "i8k_other_0" not in driver_containers(site)


@pytest.mark.sanitized
def test_requests_are_idempotent_and_refuse_names_that_lead_elsewhere(site):
    store = site.prefix / "var/ipk_install"
    assert site.call("provisioner", "Publish", **PUBLISH)["path"] == str(store / "site" / ID)
    for name, identity in (("../x", ID), ("site", "../../etc"), ("other", ID), ("", ""), (".staging", ID)):
        for method in ("Publish", "Unpublish"):
            with pytest.raises(VarlinkError) as refusal:
                site.call("provisioner", method, name=name, id=identity)
            assert refusal.value.name == "io.hostlet.Refused"
    with pytest.raises(VarlinkError, match="not unpacked") as missing:
        site.call("provisioner", "Publish", name="site", id=packages.package_id("site", "9.9.9"))
    assert missing.value.name == "io.hostlet.RetryLater"


@pytest.mark.sanitized
def test_removal_follows_no_link_and_leaves_nothing(site, place):
    store = site.prefix / "var/ipk_install"
    (place / "outside").mkdir()
    (place / "outside/file").write_text("stays")
    (store / "site" / ID / "out").symlink_to(place / "outside")
    app = App(site)
    app.destroy()
    app.gone()
    ground.wait_until(lambda: names_below(store / "site") == [] and names_below(store / ".publishing") == [], 10, "it is removed")
    assert (place / "outside/file").read_text() == "stays"


@jailed
def test_only_the_reconciler_and_root_may_publish(staged):
    for user in (USER, "hostlet-fetcher", "hostlet-rpc-gateway", "hostlet-container-driver"):
        said = subprocess.run(["setpriv", f"--reuid={user}", "--regid=hostlet", "--clear-groups", "/usr/bin/python3", "-c",
                               "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(sys.argv[2].encode() + b'\\0');"
                               "print(s.recv(65536))", str(staged.tree.socket("provisioner")),
                               json.dumps({"method": "io.hostlet.Provisioner.Publish", "parameters": PUBLISH})],
                              capture_output=True, text=True, timeout=30)
        assert "path" not in said.stdout, user
    assert staged.path.is_dir()


@pytest.mark.sanitized
@pytest.mark.limit(240)
@pytest.mark.parametrize("service", ["unpacker", "provisioner"])
def test_a_kill_leaves_complete_packages_and_nothing_else(make_tree, repository, service):
    """Kills it at any point of its work: published packages are complete, and nothing else is left."""
    repository.add("large", "1.0.0", files={f"d{n % 40}/f{n}": b"x" * 200 for n in range(2000)}, how="zstd")
    tree = make_tree({"container-driver": {"runtime": "null"}, "fetcher": {"repositories": repository.url},
                      "reconciler": {"retry_min": "20ms", "retry_max": "100ms"}}).start()
    app, store = App(tree), tree.prefix / "var/ipk_install"
    install = store / "large" / packages.package_id("large", "1.0.0")
    works = {"unpacker": store / ".staging", "provisioner": store / ".publishing"}[service]
    app.apply(manifest(image="one:1", packages=["large"]))
    ground.wait_until(lambda: install.exists() or any(works.glob("*")), 20, f"{service} works", interval=0.001)
    tree.kill_service(service)
    app.running(1)
    assert len([p for p in install.rglob("*") if p.is_file()]) == 2000 and is_taken(tree)

    def tidy():
        for worker in ("provisioner", "unpacker"):
            with contextlib.suppress(Closed), tree.connect(worker) as connection:
                list(connection.stream(f"io.hostlet.{worker.capitalize()}.List"))
        assert names_below(store / ".staging") == names_below(store / ".publishing") == []
        return True
    ground.wait_until(tidy, 100, "nothing is left over")  # deletions yield to other work of the machine
