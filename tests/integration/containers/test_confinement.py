"""Tests the confinement of a tenant who is root in a container: the seccomp profile, on a real Docker daemon, tried from inside."""

import contextlib
import errno
import json
import os
import platform

import pytest

from lib.container_driver import D
from lib import ground, images
from lib.apps import App, config_label, driver_containers, manifest
from lib.hostile import HostileDaemon, answer
from lib.tree import program
from lib.varlink import VarlinkError
from lib.zone import ZoneApp, join

PROBE_IMAGE = "hostlet-test/probe:1"
SLEEP = ["/bin/busybox", "sleep", "1000"]

# System calls that the filter refuses and that the kernel alone would not: name of the attempt -> errno.
REFUSED = {
    **{f"{abi}.ioctl.{what}{high}": errno.EPERM for abi in ("64", "32") for what in ("fssetxattr", "setflags", "setflags32")
       for high in ("", ".bit32", ".bit63", ".all-high")},
    "unshare.user": errno.EPERM, "clone.user": errno.EPERM, "clone.user.bit32": errno.EPERM, "clone.net": errno.EPERM,
    "clone3": errno.ENOSYS, "32.clone3": errno.ENOSYS, "32.unshare": errno.EPERM, "32.clone-newuser": errno.EPERM,
    "32.quotactl": errno.EPERM, "quotactl": errno.EPERM, "setns": errno.EPERM, "mount": errno.EPERM, "open_tree": errno.EPERM,
    "fsopen": errno.EPERM, "bpf": errno.EPERM, "keyctl": errno.EPERM, "add_key": errno.EPERM, "request_key": errno.EPERM,
    "userfaultfd": errno.EPERM, "perf_event_open": errno.EPERM, "io_uring_setup": errno.EPERM, "io_uring_enter": errno.EPERM,
    "io_uring_register": errno.EPERM, "open_by_handle_at": errno.EPERM, "pivot_root": errno.EPERM, "syslog": errno.EPERM,
    "personality.read-implies-exec": errno.EPERM, "socket.vsock": errno.EPERM, "socket.vsock.bit32": errno.EPERM,
    "socket.alg": errno.EPERM, "socket.alg.bit63": errno.EPERM, "socketpair.tipc": errno.EPERM, "32.socket-vsock": errno.EPERM,
}
# Calls that must continue to work.
WORKS = {"32.getpid", "32.clone", "32.socket-inet", "32.socketcall-inet", "clone.plain", "socket.unix", "socket.inet",
         "socket.netlink", "socketpair.unix", "personality.query", "chroot", "mknod.fifo", "64.ioctl.fionread",
         "64.ioctl.fionread.bit32", "32.ioctl.fionread"}
# Refused, with any error: a number that libseccomp has no name for is ENOSYS.
DENIED = {"64.file_setattr", "32.file_setattr", "x32.file_setattr", "x32.unshare",
          *(f"{abi}.ioctl.{what}{high}" for abi in ("x32", "x32-plain") for what in ("fssetxattr", "setflags", "setflags32")
            for high in ("", ".bit32", ".bit63", ".all-high"))}


def tries(text):
    """Returns {attempt: errno} from the probe's output."""
    lines = [line.split() for line in text.replace("\r", "").splitlines()]
    found = {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[1].isdigit()}
    assert ["end"] in lines, text
    return found


@pytest.fixture
def probe_image(engine):
    """Provides busybox with the probe program."""
    if not engine.has_image(PROBE_IMAGE):
        images.load_busybox(engine, PROBE_IMAGE, {"bin/tenant-probe": program("tenant-probe").read_bytes()})
    return PROBE_IMAGE


@pytest.fixture
def docker_driver(make_driver, engine, dockerd):
    """Makes a started driver on the private daemon, with further settings of [container-driver]."""
    def make(**settings):
        return make_driver({"runtime": "docker", "docker_socket": dockerd.socket, **settings}).start()
    return make


def run(driver, image, **more):
    driver.create(image=image, command=SLEEP, **more)
    driver.on("Start")
    return "i8k_web_0"


def bundle(dockerd, engine, name):
    """Returns what Docker passed to the runtime below it: the container's config.json."""
    identity = engine.inspect(name)["Id"]
    found = list((dockerd.place / "exec").rglob(f"{identity}/config.json"))
    assert found, f"no bundle of {name}"
    return json.loads(found[0].read_text())


# Attempts of a tenant

def test_the_profile_refuses_system_calls_of_every_abi(docker_driver, engine, probe_image):
    """Calls as a 64-bit program, as a 32-bit one, as x32, and with bits that the kernel ignores; as a child of process 1 and by
    exec into the container."""
    container = run(docker_driver(), probe_image)
    found = tries(engine.execute(container, "/bin/tenant-probe")[1])
    x86 = platform.machine() == "x86_64"
    expected = {name: code for name, code in REFUSED.items() if x86 or not name.startswith(("32", "x32"))}
    assert {name: found.get(name) for name in expected} == expected
    worked = {name for name in WORKS if x86 or not name.startswith("32")}
    assert {name for name in worked if found.get(name) != 0} == set()
    denied = {name for name in DENIED if x86 or "32.f" not in name and "x32" not in name}
    assert {name: found.get(name) for name in denied if found.get(name) not in (errno.EPERM, errno.ENOSYS)} == {}


def test_without_the_profile_the_same_calls_reach_the_kernel(docker_driver, engine, probe_image):
    """Shows that the test before this one tests the filter: with Docker's own profile, none of these calls is refused with EPERM."""
    container = run(docker_driver(seccomp="runtime"), probe_image)
    found = tries(engine.execute(container, "/bin/tenant-probe")[1])
    for what in ("fssetxattr", "setflags", "setflags32"):
        assert found[f"64.ioctl.{what}"] != errno.EPERM, what
    assert found["io_uring_setup"] != errno.EPERM


def test_filter_is_on_every_process_of_a_deployed_application(tree, engine, probe_image):
    """Covers inagent, the task that it started as another user, and a process started by exec."""
    app = App(tree)
    app.deploy(manifest(image=probe_image, script="/bin/tenant-probe 64.ioctl.fssetxattr > /opt/tried; exec sleep 1000"))
    text = ground.wait_until(lambda: (app.directory() / "opt/tried").read_text() if (app.directory() / "opt/tried").exists() and
                             "end" in (app.directory() / "opt/tried").read_text() else None, 20, "the task has made its attempt")
    assert set(tries(text).values()) == {errno.EPERM}
    status = engine.execute(app.container(), "sh", "-c", "for p in /proc/[0-9]*; do grep -h '^Seccomp:' $p/status; done")[1]
    assert {line.split()[1] for line in status.splitlines() if line.strip()} == {"2"}


@pytest.mark.parametrize("image", ["shell_image", "busybox_image", "debian_image"])
def test_ordinary_images_start_and_work(request, docker_driver, engine, image):
    """Docker reads a profile only when a container starts."""
    container = run_shell(docker_driver(), request.getfixturevalue(image))
    code, output = engine.execute(container, "/bin/sh", "-c", "(echo a; echo b) | while read x; do echo got-$x; done; kill -0 1")
    assert code == 0 and "got-a" in output and "got-b" in output


def run_shell(driver, image):
    driver.create(image=image, command=["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do read x || sleep 1000 & wait; done"])
    driver.on("Start")
    return "i8k_web_0"


def test_tools_of_a_debian_image_work(docker_driver, engine, debian_image):
    container = run_shell(docker_driver(), debian_image)
    script = "set -e; useradd -m probe; chown probe /home/probe; chmod 700 /home/probe; touch /tmp/a; mv /tmp/a /tmp/b; " \
             "cp -a /etc/passwd /tmp/c; ln -s c /tmp/d; mkfifo /tmp/f; ls -l /tmp; timeout 5 sha256sum /tmp/c; date; " \
             "chroot / /bin/true; nice -n 5 true; stat /; sync; echo fine"
    code, output = engine.execute(container, "/bin/bash", "-c", script)
    assert code == 0 and output.rstrip().endswith("fine"), output


# Capabilities

ALWAYS = {"CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "SETGID", "SETUID", "SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT",
          "KILL"}
NUMBERS = {"CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "FSETID": 4, "KILL": 5, "SETGID": 6, "SETUID": 7, "SETPCAP": 8,
           "NET_BIND_SERVICE": 10, "NET_RAW": 13, "SYS_CHROOT": 18, "MKNOD": 27, "AUDIT_WRITE": 29, "SETFCAP": 31}
# Every way to send a self-made packet.
RAW = ("socket.packet-raw", "socket.packet-datagram", "socket.inet-packet", "socket.raw-icmp", "socket.raw-icmpv6",
       "32.socketcall-packet", "32.socketcall-raw")


def bounding_set(engine, container, pid=1):
    status = engine.execute(container, "/bin/sh", "-c", f"while read k v; do case $k in CapBnd:|NoNewPrivs:) echo $k$v;; esac; done "
                                                        f"</proc/{pid}/status")[1]
    said = dict(line.split(":") for line in status.replace("\r", "").split())
    mask = int(said["CapBnd"], 16)
    names = {name for name, number in NUMBERS.items() if mask >> number & 1}
    assert mask == sum(1 << NUMBERS[name] for name in names), f"unknown capabilities in {mask:x}"
    return names, said["NoNewPrivs"] == "1"


@pytest.mark.parametrize("raw", [False, True], ids=["ours", "with-net-raw"])
def test_a_container_cannot_forge_arp_replies_for_its_gateway(docker_driver, dockerd, engine, probe_image, raw):
    """The attack: a forged ARP reply claims the gateway's address, after which the neighbour's reports and their X-Secret-Key
    arrive at the attacker. With NET_RAW, as Docker grants it, it succeeds."""
    driver = docker_driver()
    victim = run(driver, probe_image)
    driver.create("evil", image=probe_image, command=SLEEP, **({"capabilities": ["NET_RAW"]} if raw else {}))
    driver.on("Start", "evil")
    attacker = "i8k_evil_0"

    def neighbour(address=dockerd.address):
        """Returns the hardware address that the victim has for an address, by default its gateway's."""
        return next((line.split()[3] for line in engine.execute(victim, "cat", "/proc/net/arp")[1].splitlines()
                     if line.startswith(address + " ") and "00:00:00:00:00:00" not in line), None)

    def meet(address):
        """Connects to a closed port, for which the victim has to resolve the address."""
        engine.execute(victim, "nc", "-w", "2", address, "9")
        return ground.wait_until(lambda: neighbour(address), 10, f"{address} is resolved")

    gateway = meet(dockerd.address)
    own = engine.inspect(attacker)["NetworkSettings"]["MacAddress"]
    assert gateway != own
    sent = tries(engine.execute(attacker, "/bin/tenant-probe", "forge-arp", dockerd.address)[1])["forge-arp"]
    if raw:
        assert sent == 0
        ground.wait_until(lambda: neighbour() == own, 10, "the victim stores the forged address")
        return
    assert sent == errno.EPERM
    # The attacker's genuine replies are accepted, and would be accepted after a forged one.
    assert meet(engine.inspect(attacker)["NetworkSettings"]["IPAddress"]) == own
    assert neighbour() == gateway


def test_containers_have_no_more_capabilities_than_ordinary_images_need(docker_driver, engine, probe_image):
    container = run(docker_driver(), probe_image)
    assert bounding_set(engine, container) == (ALWAYS, False)
    found = tries(engine.execute(container, "/bin/tenant-probe")[1])
    names = [name for name in RAW if platform.machine() == "x86_64" or not name.startswith("32")]
    assert {name: found[name] for name in names} == {name: errno.EPERM for name in names}
    assert found["mknod.device"] == errno.EPERM and found["mknod.fifo"] == 0
    assert found["socket.icmp-datagram"] == 0, "pings that use it need no capability (ping_group_range)"


def test_capabilities_that_a_manifest_restores_are_granted(docker_driver, engine, probe_image):
    container = run(docker_driver(), probe_image, capabilities=["NET_RAW", "MKNOD", "AUDIT_WRITE", "CHOWN"])
    assert bounding_set(engine, container)[0] == ALWAYS | {"NET_RAW", "MKNOD", "AUDIT_WRITE"}
    found = tries(engine.execute(container, "/bin/tenant-probe")[1])
    assert {found[name] for name in RAW if name in found} == {0}
    assert found["mknod.device"] == 0


@pytest.mark.parametrize("capability", ["SYS_ADMIN", "NET_ADMIN", "ALL", "CAP_NET_RAW", "DAC_READ_SEARCH", ""])
def test_the_driver_grants_no_other_capability(make_driver, capability):
    driver = make_driver({"runtime": "null"}).start()
    name, said = driver.refused(driver.create, capabilities=["NET_RAW", capability])
    assert name == "Refused" and f"'{capability}' is given to no container" in said
    assert driver.list() == {}


def test_a_manifest_restores_capabilities_and_plan_shows_them(tree, engine, probe_image):
    app = App(tree)
    plain = manifest(image=probe_image, init="image", command=SLEEP)
    assert "grants" not in app.plan(plain)
    app.deploy(plain)
    wanted = manifest(image=probe_image, init="image", command=SLEEP, capabilities=["NET_RAW", "NET_RAW", "KILL"])
    said = app.plan(wanted)
    assert said["changed"] and len(said["grants"]) == 1 and "capability NET_RAW" in said["grants"][0]
    assert any("NET_RAW" in change.get("reason", "") for change in said["changes"])
    path = tree.prefix / "web.json"
    path.write_text(json.dumps(wanted))
    assert "gives: capability NET_RAW" in tree.ctl("plan", path).stdout
    assert app.deploy(wanted)["revision"] == 2, "another container, hence another revision"
    assert bounding_set(engine, app.container())[0] == ALWAYS | {"NET_RAW"}
    # Shown whether it changes or not. The manifest is the same in another order.
    again = manifest(image=probe_image, init="image", command=SLEEP, capabilities=["KILL", "NET_RAW"])
    said = app.plan(again)
    assert not said["changed"] and len(said["grants"]) == 1
    app.deploy(plain)
    assert bounding_set(engine, app.container())[0] == ALWAYS


def test_a_manifest_cannot_request_capabilities_beyond_dockers(null_tree):
    app = App(null_tree)
    for name in ("SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "cap_net_raw"):
        with pytest.raises(VarlinkError) as caught:
            app.apply(manifest(image="app:1", init="image", capabilities=[name]))
        assert caught.value.name == "io.hostlet.Refused"
        assert f"'{name}' is none of CHOWN, " in str(caught.value) and "NET_RAW" in str(caught.value)


def test_a_zones_instance_cannot_restore_capabilities(make_tree, docker_settings, vpc, engine, probe_image):
    tree = make_tree(docker_settings).start()
    join(tree, vpc_instance_cidr=vpc.cidr)
    app = ZoneApp(tree)
    spec = {"tasks": [{"name": "main", "on_startup": True, "script": "exec sleep 1000"}]}
    for where in ("spec", "deploy", "replica"):
        options = {"spec": spec, "replica": {"vpc_ipv4": vpc(17)}}
        options[where] = {**options.get(where, {}), "capabilities": ["NET_RAW"], "hostlet": {"capabilities": ["NET_RAW"]}}
        with contextlib.suppress(VarlinkError):
            app.put(1, "start", probe_image, **options)
    app.put(2, "start", probe_image, spec=spec, replica={"vpc_ipv4": vpc(17)})
    app.running()
    assert bounding_set(engine, app.container()) == (ALWAYS, False)


# read_only, no_new_privileges

def test_read_only_root_with_inagent(tree, engine, probe_image):
    """/tmp and /run are in memory, the data is unchanged, the image is read-only."""
    app = App(tree)
    app.deploy(manifest(image=probe_image, read_only=True, resources={"memory_limit": "64Mi"}, script="""
        set -e
        echo a > /tmp/a; echo b > /home/action/b; echo c > /opt/c
        cp /bin/busybox /tmp/true && /tmp/true
        ! echo d 2>/dev/null > /etc/d || exit 3
        exec sleep 1000"""))
    host = engine.inspect(app.container())["HostConfig"]
    assert host["ReadonlyRootfs"] is True and set(host["Tmpfs"]) == {"/tmp", "/run"}
    sh = lambda script: engine.execute(app.container(), "sh", "-c", script)  # noqa: E731
    assert sh("echo x > /run/x && cat /tmp/a /home/action/b /opt/c")[0] == 0
    for place in ("/etc/x", "/x", "/usr/innerstack/x", "/var/x", "/bin/busybox"):
        assert "Read-only file system" in sh(f"echo x > {place}")[1] or "nonexistent" in sh(f"echo x > {place}")[1], place
    sizes = {line.split()[5]: int(line.split()[1]) for line in sh("df -k /tmp /run")[1].splitlines()[1:]}
    assert sizes == {"/tmp": 32 << 10, "/run": 32 << 10}
    options = sh("grep -E ' /(tmp|run) ' /proc/mounts")[1]
    assert all("nosuid" in line and "nodev" in line for line in options.splitlines())


def test_read_only_root_of_an_ordinary_image(tree, engine, entry_image, shell_image):
    """Tests an image with its own user, and one without the directories that are mounted over."""
    app = App(tree)
    app.deploy(manifest(image=entry_image, init="image", read_only=True))
    assert engine.execute(app.container(), "sh", "-c", "id -u; echo x > /tmp/x && cat /tmp/x")[0] == 0
    assert engine.execute(app.container(), "touch", "/www/x", user="0")[0] != 0
    other = App(tree, "bare")
    other.deploy(manifest("bare", image=shell_image, init="image", read_only=True,
                          command=["/bin/sh", "-c", "echo x > /tmp/x && echo y > /run/y && while :; do read x </tmp/x; kill -STOP $$; done"]))


def test_no_new_privileges(tree, engine, probe_image):
    """inagent still becomes another user, since that needs no program with set-user-id."""
    app = App(tree)
    app.deploy(manifest(image=probe_image, no_new_privileges=True, script="id -u > /opt/user; exec sleep 1000"))
    assert bounding_set(engine, app.container()) == (ALWAYS, True)
    user = app.directory() / "opt/user"
    ground.wait_until(lambda: user.exists() and user.read_text() == "2048\n", 20, "the task runs as action")
    assert engine.execute(app.container(), "/bin/tenant-probe", "64.ioctl.fssetxattr")[0] == 0
    options = engine.inspect(app.container())["HostConfig"]["SecurityOpt"]
    assert "no-new-privileges:true" in options and any(o.startswith("seccomp={") for o in options)


def test_a_container_without_these_options_keeps_its_label(null_tree):
    """Otherwise every container of an earlier version would be recreated. The text is the label that earlier versions made; they
    included the limits as well (test_limits.py)."""
    app = App(null_tree)
    app.deploy(manifest(image="app:1", init="image", command=["a", "b"], probation=0))
    container = driver_containers(null_tree)["i8k_web_0"]
    host = null_tree.prefix / "var/hostlet/reconciler/host_id"
    assert container["config"] == config_label(command=["a", "b"], host_id=host.read_text().strip(), init="image")
    for options in ({"capabilities": ["MKNOD"]}, {"read_only": True}, {"no_new_privileges": True}):
        before = driver_containers(null_tree)["i8k_web_0"]["config"]
        app.deploy(manifest(image="app:1", init="image", command=["a", "b"], probation=0, **options))
        assert driver_containers(null_tree)["i8k_web_0"]["config"] != before


# Compared with Docker's own

def allowed(profile):
    """Returns {system call: [conditions]}; a call without a condition has [()]."""
    found = {}
    for rule in profile["syscalls"]:
        if rule["action"] == "SCMP_ACT_ALLOW":
            for name in rule["names"]:
                found.setdefault(name, []).append(tuple(tuple(sorted(a.items())) for a in rule.get("args") or ()))
    return found


def test_profile_is_at_least_as_strict_as_dockers_own(docker_driver, dockerd, engine, probe_image):
    """Compares the profiles as the daemon passed them to runc, for the same container with the same capabilities."""
    container = run(docker_driver(), probe_image)
    ours = bundle(dockerd, engine, container)
    capabilities = [c.removeprefix("CAP_") for c in ours["process"]["capabilities"]["bounding"]]
    other = engine.run(probe_image, SLEEP, host={"CapDrop": ["ALL"], "CapAdd": capabilities})
    theirs = bundle(dockerd, engine, other)
    engine.remove(other)
    assert theirs["process"]["capabilities"]["bounding"] == ours["process"]["capabilities"]["bounding"]
    ours, theirs = ours["linux"]["seccomp"], theirs["linux"]["seccomp"]
    assert ours["defaultAction"] == theirs["defaultAction"] == "SCMP_ACT_ERRNO"
    assert set(ours["architectures"]) == set(theirs["architectures"])
    us, they = allowed(ours), allowed(theirs)
    assert set(us) - set(they) == set()
    looser = {name for name in us for conditions in us[name]
              if () not in they[name] and conditions not in they[name]}
    assert looser == set()
    assert {"io_uring_setup", "io_uring_enter", "io_uring_register"}.isdisjoint(us)
    assert () not in us["ioctl"] and () not in us["socket"] and () not in us["clone"]


# The setting

def test_containers_are_made_with_the_configured_profile(docker_driver, dockerd, engine, probe_image, place):
    place.chmod(0o755)
    path = place / "profile.json"
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "args": []}]}))
    path.chmod(0o644)
    driver = docker_driver(seccomp=path)
    container = run(driver, probe_image)
    code, output = engine.execute(container, "mkdir", "/tmp/x")
    assert code != 0 and "Operation not permitted" in output
    assert engine.execute(container, "touch", "/tmp/x")[0] == 0
    info = driver.call(D + "Info")
    assert info["seccomp"] == str(path) and "seccomp_reason" not in info


def test_info_and_log_name_the_profile_in_use(docker_driver):
    driver = docker_driver()
    assert driver.call(D + "Info")["seccomp"] == "hostlet"
    assert "containers are made with the seccomp profile 'hostlet'" in driver.log()
    driver.stop()
    driver = docker_driver(seccomp="runtime")
    assert driver.call(D + "Info")["seccomp"] == "runtime"
    assert "the engine's own seccomp profile (seccomp = runtime)" in driver.log()


@pytest.mark.parametrize("seccomp, said", [
    ("hostlet", "seccomp: new containers get hostlet's profile"),
    ("runtime", "seccomp: new containers get the engine's own profile; disk quotas limit only accidental growth")])
def test_status_shows_the_profile_in_use(make_tree, docker_settings, engine, seccomp, said):
    tree = make_tree({"container-driver": {**docker_settings["container-driver"], "seccomp": seccomp}}).start()
    assert said in ground.wait_until(lambda: (text := tree.ctl("status").stdout) and "seccomp:" in text and text, 20, "status")


GOOD = json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]})


@pytest.mark.parametrize("what, text, mode, owner, said", [
    ("absent", None, 0o644, 0, "cannot be opened: No such file"),
    ("not-json", "{", 0o644, 0, "line 1"),
    ("action", GOOD.replace("SCMP_ACT_ALLOW", "ALLOW"), 0o644, 0, "/syscalls/0/action: 'ALLOW'"),
    ("default", GOOD.replace("defaultAction", "defaultaction"), 0o644, 0, "/defaultAction"),
    ("names", GOOD.replace('["read"]', "[1]"), 0o644, 0, "/syscalls/0"),
    ("writable", GOOD, 0o664, 0, "can be written by others"),
    ("foreign", GOOD, 0o644, 12345, "belongs to user 12345"),
    ("secret", GOOD, 0o600, 0, "cannot be opened: Permission denied"),
])
def test_a_bad_profile_is_refused_at_the_start(make_driver, place, what, text, mode, owner, said):
    """The driver exits with 100: an administrator must act. One message names the file."""
    place.chmod(0o755)
    path = place / f"{what}.json"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
        os.chown(path, owner, owner)
    driver = make_driver({"runtime": "null", "seccomp": path})
    with pytest.raises(AssertionError):
        driver.start(timeout=10)
    assert driver.process.wait(10) == 100
    lines = [line for line in driver.log().splitlines() if str(path) in line]
    assert len(lines) == 1 and said in lines[0], driver.log()
    driver.process = None


def test_a_profile_setting_that_is_neither_a_choice_nor_a_path_is_refused(make_driver):
    driver = make_driver({"runtime": "null", "seccomp": "FILE"})
    with pytest.raises(AssertionError):
        driver.start(timeout=10)
    assert driver.process.wait(10) == 100
    assert "seccomp = FILE: expected hostlet|runtime or an absolute path" in driver.log()
    driver.process = None


def test_no_container_is_recreated_for_a_change_of_the_profile(make_tree, docker_settings, engine, probe_image):
    """Existing containers keep running unchanged; the next revision gets the new profile."""
    settings = {"container-driver": {**docker_settings["container-driver"], "seccomp": "runtime"}}
    tree = make_tree(settings).start()
    app = App(tree)
    wanted = manifest(image=probe_image, init="image", command=SLEEP)
    app.deploy(wanted)
    before = engine.inspect(app.container())
    tree.write_config({"container-driver": docker_settings["container-driver"]})
    tree.restart()
    app.running(1)
    assert app.apply(wanted)["changed"] is False
    app.running(1)
    after = engine.inspect(app.container())
    assert after["Id"] == before["Id"] and after["State"]["StartedAt"] == before["State"]["StartedAt"]
    assert not tree.call("reconciler", "Plan", manifest=wanted)["changed"]
    app.deploy(manifest(image=probe_image, init="image", command=[*SLEEP[:-1], "1001"]))
    found = tries(engine.execute(app.container(), "/bin/tenant-probe", "64.ioctl.setflags")[1])
    assert set(found.values()) == {errno.EPERM}


# Other engines

class FakeEngine:
    """Implements as much of Docker's API as a creation needs, and records the requests."""

    def __init__(self, path, components, options):
        self.created = []
        self.info = {"ServerVersion": "1", "Driver": "overlay", "Architecture": "x86_64", "NCPU": 2, "MemTotal": 1 << 30,
                     "SecurityOptions": options}
        self.version = {"ApiVersion": "1.41", "MinAPIVersion": "1.24", "Version": "4.3.1", "Components": components}
        self.daemon = HostileDaemon(path, self._reply, version=json.dumps(self.version).encode())

    def _reply(self, line, _):
        if line.endswith("/info"):
            return answer(json.dumps(self.info).encode())
        if "/containers/create" in line:
            self.created.append(json.loads(self.daemon.bodies[-1]))
            return answer(b'{"Id": "abc", "Warnings": []}', status=201)
        return answer(b"[]")


@pytest.fixture
def fake_engine(place):
    made = []

    def make(components=(), options=("name=seccomp,profile=default",)):
        made.append(FakeEngine(place / "fake.sock", list(components), list(options)))
        return made[-1]
    yield make
    for item in made:
        item.daemon.close()


PODMAN = [{"Name": "Podman Engine", "Version": "4.3.1"}, {"Name": "Conmon", "Version": "2.1.6"}]


@pytest.mark.parametrize("components, options, seccomp, why", [
    ([{"Name": "Engine", "Version": "20.10.24"}], ["name=apparmor", "name=seccomp,profile=default"], "hostlet", None),
    (PODMAN, ["name=seccomp,profile=default"], "runtime", "podman accepts no profile from its clients"),
    (PODMAN, [], "none", "the engine has no seccomp"),
    ([], ["name=apparmor"], "none", "the engine has no seccomp"),
], ids=["docker", "podman", "podman-without", "without"])
def test_an_engine_without_seccomp_gets_no_profile_and_status_shows_it(make_driver, fake_engine, components, options, seccomp, why):
    engine = fake_engine(components, options)
    driver = make_driver({"runtime": "docker", "docker_socket": engine.daemon.path}).start()
    driver.create(image="app:1", command=SLEEP)
    sent = [o for o in engine.created[-1]["HostConfig"]["SecurityOpt"] if o.startswith("seccomp")]
    assert len(sent) == (1 if seccomp == "hostlet" else 0)
    if sent:
        assert json.loads(sent[0].removeprefix("seccomp="))["defaultAction"] == "SCMP_ACT_ERRNO"
    log = engine.created[-1]["HostConfig"]["LogConfig"]
    assert (log["Type"], "compress" in log["Config"]) == (("json-file", False) if components == PODMAN else ("local", True))
    info = driver.call(D + "Info")
    assert info["seccomp"] == seccomp and info.get("seccomp_reason") == why
    if why:
        assert why in driver.log()
