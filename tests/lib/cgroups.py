"""Reads the limits that the kernel enforces for a container, on cgroup v1 and v2."""

from pathlib import Path

from . import ground

ROOT = Path("/sys/fs/cgroup")
V2 = (ROOT / "cgroup.controllers").exists()


def _read(pid, controller, name):
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if V2 or controller in names.split(","):
            return ((ROOT if V2 else ROOT / controller) / path.lstrip("/") / name).read_text().strip()
    raise AssertionError(f"process {pid} is in no group of {controller}")


def limits(pid):
    """Returns (millicores, bytes of memory, processes) of the container whose first process is 'pid'; None: no limit."""
    if V2:
        quota, period = _read(pid, "cpu", "cpu.max").split()
        memory, pids = _read(pid, "memory", "memory.max"), _read(pid, "pids", "pids.max")
    else:
        quota, period = _read(pid, "cpu", "cpu.cfs_quota_us"), _read(pid, "cpu", "cpu.cfs_period_us")
        memory, pids = _read(pid, "memory", "memory.limit_in_bytes"), _read(pid, "pids", "pids.max")
    cpu = None if quota in ("max", "-1") else int(quota) * 1000 // int(period)
    return (cpu, None if memory == "max" or int(memory) >= 1 << 60 else int(memory), None if pids == "max" else int(pids))


def wait_for(engine, name, cpu, memory, pids):
    """Waits until the kernel enforces these limits for a container."""
    def check():
        assert limits(engine.inspect(name)["State"]["Pid"]) == (cpu, memory, pids)
        return True
    ground.wait_until(check, 30, f"{name} has the limits {cpu}, {memory}, {pids}")
