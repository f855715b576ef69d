"""What must survive a reboot, and a power cut: the service, its containers, the limits and the ledger."""

import json

import pytest

QUOTAS = "/usr/bin/python3 -B /payload/source/tests/system/quotas.py"
MIB = 1 << 20
LIMIT = 150 * MIB

IMAGE = """mkdir -p /root/image/bin && cp /bin/busybox /root/image/bin/ && ln -sf busybox /root/image/bin/sh &&
    tar -C /root/image -c . | docker import - test/busybox:1 >/dev/null"""
MANIFEST = {
    "app": {"meta": {"name": "web"},
            "spec": {"name": "web", "version": "1.0.0", "image": "test/busybox:1", "resources": {"volume_limit": "150Mi"},
                     "tasks": [{"name": "main", "on_startup": True, "script": "while :; do /bin/busybox sleep 1000; done"}]},
            "deploy": {"replicas": [{"id": 0}]}},
    "hostlet": {"pull": "never", "probation_given": True, "probation_msec": 200},
}


def configure(machine, settings):
    machine.run("cat >/etc/hostlet/hostlet.conf", stdin=settings.encode())


def show(machine, point):
    return json.loads(machine.run(f"{QUOTAS} {point} show").stdout)


def until(machine, command, timeout=120):
    """Waits, in the machine, until a command succeeds."""
    machine.run(f"until {command} >/dev/null 2>&1; do sleep 0.2; done", timeout=timeout)


@pytest.mark.limit(500)
def test_the_enabled_service_its_container_and_its_limit_survive_a_reboot(machine):
    configure(machine, "[hostlet]\napp_path = /srv/xfs/apps\n")
    machine.run("systemctl enable --now docker.service hostlet.service", timeout=180)
    machine.run(IMAGE)
    machine.run("hostletctl apply -", stdin=json.dumps(MANIFEST).encode(), timeout=120)
    before = show(machine, "/srv/xfs")["list"]["i8k_web_0"]
    assert before["hard"] == LIMIT and "not_enforced" not in before
    container = machine.run("docker inspect -f '{{.Id}}' i8k_web_0").stdout

    machine.reboot()
    until(machine, "systemctl is-active hostlet.service")
    until(machine, "hostletctl app web --json | jq -e '.instance.settled and .instance.replicas[0].state == \"running\"'")
    after = show(machine, "/srv/xfs")["list"]["i8k_web_0"]
    assert (after["project"], after["hard"]) == (before["project"], LIMIT)
    assert machine.run("docker inspect -f '{{.Id}}' i8k_web_0").stdout == container
    said = machine.run("docker exec i8k_web_0 /bin/busybox dd if=/dev/zero of=/opt/fill bs=64k count=3200", check=False)
    assert said.status != 0 and "No space left" in said.stderr
    assert machine.run("systemctl --failed --no-legend").stdout == ""
    machine.run(f"{QUOTAS} /srv/xfs agree")


def cut_and_look(machine, point, number, seconds):
    """A storm of changes, a power cut in its midst, a boot: returns the number of the last change that was answered."""
    begun = machine.begin(f"exec {QUOTAS} {point} storm {number}", timeout=600)
    assert begun
    lines = machine.listen(seconds).splitlines(keepends=True)
    machine.kill()
    answered = {}
    for line in lines:
        if line.endswith("\n"):
            change = json.loads(line)
            answered[change["name"]] = number = change["number"]
    assert len(answered) > 3, f"the storm was none: {lines}"
    machine.start().wait()
    until(machine, "systemctl is-active hostlet.service")
    ledger = show(machine, point)["ledger"]
    for name, change in answered.items():
        assert name in ledger and ledger[name]["hard"] >= change * MIB, \
            f"{name}: change {change} was answered, the ledger has {ledger.get(name)}"
    machine.run(f"{QUOTAS} {point} settle")
    assert machine.run(f"ls -A {point}/apps /etc | grep -c hostlet_vol", check=False).stdout.strip() == "0"
    return number + 1000  # surely beyond what was begun and not seen


def storms(machine, kind, cuts):
    configure(machine, f"[hostlet]\napp_path = /srv/{kind}/apps\n[driver]\nruntime = null\n[quota]\ncheck_interval = 0\n")
    machine.run("systemctl enable --now hostlet.service")
    number = 0
    for cut in range(cuts):
        number = cut_and_look(machine, f"/srv/{kind}", number, 4 + cut * 0.37 % 3)


@pytest.mark.limit(500)
def test_two_power_cuts_leave_a_usable_ledger(machine):
    storms(machine, "xfs", 2)


@pytest.mark.by_hand
@pytest.mark.limit(1800)
@pytest.mark.parametrize("kind", ["xfs", "ext4"])
def test_ten_power_cuts_leave_a_usable_ledger(machine, kind):
    storms(machine, kind, 10)
