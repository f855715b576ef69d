"""Tests what survives a power cut and a reboot: the ledger, the limits, the service and its containers. One machine for all: a
boot takes as long as most tests."""

import json
import random

import pytest
from lib import ground

QUOTAS = "env PYTHONPATH=/payload/source/tests /usr/bin/python3 -B /payload/source/tests/system/quotas.py"
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
    """Restores the state after installation, with these settings, on new file systems."""
    machine.run("""set -e
        systemctl stop hostlet.service
        systemctl enable hostlet.service
        if systemctl -q is-active docker.service; then docker ps -aq | xargs -r docker rm -f >/dev/null; fi
        rm -rf /var/lib/hostlet /etc/projects /etc/projid
        umount -q /srv/xfs /srv/ext4 || true
        mkfs.xfs -q -f /dev/disk/by-id/virtio-xfs
        mkfs.ext4 -q -F -O quota,project -E lazy_itable_init=1,quotatype=prjquota /dev/disk/by-id/virtio-ext4
        mount /srv/xfs
        mount /srv/ext4
        mkdir -p /srv/xfs/apps /srv/ext4/apps /etc/hostlet
        cat >/etc/hostlet/hostlet.conf""", stdin=settings.encode())


def show(machine, apps):
    return json.loads(machine.run(f"{QUOTAS} {apps} show").stdout)


def until(machine, command, timeout=120):
    """Waits, in the machine, until a command succeeds."""
    machine.run(f"until {command} >/dev/null 2>&1; do sleep 0.2; done", timeout=timeout)


def cut_and_look(machine, point, number):
    """Makes many changes, a power cut during them, and a boot: returns the number of the last change that got a reply."""
    machine.begin(f"exec {QUOTAS} {point}/apps storm {number}", timeout=600)
    changes = random.randrange(20, 60)
    text = machine.listen(lambda so_far: so_far.count("\n") >= changes)
    ground.let_pass(random.uniform(0, 0.1))  # not always after a reply
    machine.kill()
    answered = {}
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):
            change = json.loads(line)
            answered[change["name"]] = number = change["number"]
    machine.start().wait()
    until(machine, "systemctl is-active hostlet.service")
    ledger = show(machine, f"{point}/apps")["ledger"]
    for name, change in answered.items():
        assert name in ledger and ledger[name]["hard"] >= change * MIB, \
            f"{name}: change {change} was answered, the ledger has {ledger.get(name)}"
    machine.run(f"{QUOTAS} {point}/apps settle")
    assert machine.run(f"ls -A {point}/apps /etc | grep -c hostlet_vol", check=False).stdout.strip() == "0"
    return number + 1000  # certainly beyond the changes that were begun and not seen


def storms(machine, kind, cuts):
    configure(machine, f"[hostlet]\napp_path = /srv/{kind}/apps\n[container-driver]\nruntime = null\n[quota-keeper]\ncheck_interval = 0\n")
    machine.run("systemctl start hostlet.service")
    number = 0
    for _ in range(cuts):
        number = cut_and_look(machine, f"/srv/{kind}", number)


@pytest.mark.limit(500)
def test_two_power_cuts_leave_a_usable_ledger(machine):
    storms(machine, "xfs", 2)


@pytest.mark.by_hand
@pytest.mark.limit(1800)
@pytest.mark.parametrize("kind", ["xfs", "ext4"])
def test_ten_power_cuts_leave_a_usable_ledger(machine, kind):
    storms(machine, kind, 10)


@pytest.mark.limit(500)
def test_the_enabled_service_its_container_and_its_limit_survive_a_reboot(machine):
    configure(machine, "[hostlet]\napp_path = /srv/xfs/apps\n")
    machine.run("systemctl enable docker.service && systemctl start docker.service hostlet.service", timeout=180)
    machine.run(IMAGE)
    machine.run("hostletctl apply -", stdin=json.dumps(MANIFEST).encode(), timeout=120)
    before = show(machine, "/srv/xfs/apps")["list"]["i8k_web_0"]
    assert before["hard"] == LIMIT and "not_enforced" not in before
    container = machine.run("docker inspect -f '{{.Id}}' i8k_web_0").stdout

    machine.reboot()
    until(machine, "systemctl is-active hostlet.service")
    until(machine, "hostletctl app web --json | jq -e '.instance.settled and .instance.replicas[0].state == \"running\"'")
    after = show(machine, "/srv/xfs/apps")["list"]["i8k_web_0"]
    assert (after["project"], after["hard"]) == (before["project"], LIMIT)
    assert machine.run("docker inspect -f '{{.Id}}' i8k_web_0").stdout == container
    said = machine.run("docker exec i8k_web_0 /bin/busybox dd if=/dev/zero of=/opt/fill bs=64k count=3200", check=False)
    assert said.status != 0 and "No space left" in said.stderr
    assert machine.run("systemctl --failed --no-legend").stdout == ""
    machine.run(f"{QUOTAS} /srv/xfs/apps agree")


# The machine has no network device: this is its LAN, also after a reboot.
LAN = """cat >/etc/systemd/system/lan.service <<'END' && systemctl daemon-reload && systemctl enable --now lan.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip link add lan0 type bridge
ExecStart=ip address add 192.168.60.1/24 dev lan0
ExecStart=ip link set lan0 up
[Install]
WantedBy=multi-user.target
END"""
CALL = """env PYTHONPATH=/payload/source/tests /usr/bin/python3 -B -c '
import json, sys
from lib import varlink
print(json.dumps(varlink.call("/run/hostlet/" + sys.argv[1], sys.argv[2], **json.load(sys.stdin))))' """
NETWORK = """ip -j -4 route show dev invpc2_vxlan.10 | jq -ce '[.[] | select(.gateway) | [.dst, .gateway]]'
    bridge fdb show dev invpc2_vxlan.10 | grep -o '^00:00:00:00:00:00 dst [0-9.]*'"""


def call(machine, service, method, **parameters):
    return json.loads(machine.run(f"{CALL} {service}.sock {method}", stdin=json.dumps(parameters).encode()).stdout)


@pytest.mark.limit(500)
def test_the_zone_s_network_survives_a_reboot_without_a_leader(machine):
    """net-keeper has CAP_NET_ADMIN alone, under systemd as anywhere. The leader never answers."""
    configure(machine, "[container-driver]\nruntime = null\n[zone]\nenable = yes\nlan_addr = 192.168.60.1\n")
    machine.run(LAN)
    machine.run("systemctl start hostlet.service", timeout=180)
    call(machine, "rpc-gateway", "io.hostlet.RpcGateway.ZoneInit", host_id="0123456789ab", access_key="ak_0123456789ab_" + "S" * 48, hosts=["192.168.60.2:9533"])
    hosts = [{"id": f"{n:012x}", "peer": f"192.168.60.{n}", "bridge": f"10.77.1.{n}", "instance": f"10.78.{n}.0/24"} for n in (1, 2, 3)]
    call(machine, "net-keeper", "io.hostlet.NetKeeper.SetNetwork", network={
        "host_id": hosts[0]["id"], "lan_addr": "192.168.60.1", "bridge_ip": "10.77.1.1", "instance_cidr": "10.78.1.0/24",
        "vpc_bridge_cidr": "10.77.0.0/16", "vpc_instance_cidr": "10.78.0.0/16", "hosts": hosts})
    made = machine.run(NETWORK).stdout
    assert "10.78.2.0/24" in made and "192.168.60.3" in made

    machine.reboot()
    until(machine, "systemctl is-active hostlet.service")
    info = ground.wait_until(lambda: (lambda i: i["masquerade"] and i["device_ok"] and i)(call(machine, "net-keeper", "io.hostlet.NetKeeper.Info")), 60,
                             "the network is made")
    assert info["peers"] == 2 and not info.get("problems")
    assert machine.run(NETWORK).stdout == made
    pid = machine.run("systemctl show -P MainPID hostlet.service").stdout.strip()
    held = machine.run(f"grep -h CapEff /proc/$(pgrep -P {pid} net-keeper)/status").stdout.split()[1]
    assert int(held, 16) == 1 << 12  # CAP_NET_ADMIN
    machine.run("hostletctl zone leave; systemctl disable --now lan.service; ip link delete lan0", check=False)
