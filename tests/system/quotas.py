"""quota-keeper as its tests see it: its calls, and beside them the kernel, the files in /etc and the directories, each read by
other means than the product's (xfs_quota, lsattr).

As a program (with tests in PYTHONPATH), of the installed hostlet with the app path APPS, for the tests outside of the machine:
  quotas.py APPS storm N     changes limits for ever, from number N on; a line for each change that was answered
  quotas.py APPS settle      asks for all limits again; then as 'agree'
  quotas.py APPS agree       what does not agree, a line each; exit 1 if there is any
  quotas.py APPS show        the ledger and List, as JSON
"""

import contextlib
import json
import os
import random
import shutil
import sys
from pathlib import Path

from filesystems import run
from lib import ground
from lib.varlink import Closed, VarlinkError

MIB = 1 << 20
PATIENCE = 60
PROJECTS, PROJID = Path("/etc/projects"), Path("/etc/projid")
VALUES = ("soft", "hard", "inodes_soft", "inodes")


class Keeper:
    """The quota-keeper of a tree. Calls are repeated when it was killed meanwhile, as its callers do."""

    def __init__(self, tree):
        self.tree = tree
        self.apps = Path(tree.settings.get("hostlet", {}).get("app_path") or tree.prefix / "apps")

    # Calls

    def _insist(self, attempt):
        def once():
            try:
                return [attempt()]
            except (OSError, Closed) as error:
                raise AssertionError(repr(error)) from error
            except VarlinkError as error:
                if error.name not in ("io.hostlet.RetryLater", "io.hostlet.ServiceDown"):
                    raise
                raise AssertionError(repr(error)) from error
        return ground.wait_until(once, PATIENCE, "quota-keeper's answer", 0.02)[0]

    def call(self, method, **parameters):
        def attempt():
            with self.tree.connect("quota-keeper", PATIENCE) as connection:
                return connection.call(f"io.hostlet.QuotaKeeper.{method}", **parameters)
        return self._insist(attempt)

    def ensure(self, container, **limits):
        return self.call("Ensure", container=container, **limits)

    def get(self, container):
        return self.call("Get", container=container)

    def _stream(self, method, member):
        def attempt():
            with self.tree.connect("quota-keeper", PATIENCE) as connection:
                return [item[member] for item in connection.stream(f"io.hostlet.QuotaKeeper.{method}") if item.get(member)]
        return self._insist(attempt)

    def list(self):
        return {values["container"]: values for values in self._stream("List", "quota")}

    def report(self):
        return self._stream("Report", "finding")

    def ledger(self):
        """Returns the items on disk: {container: item}."""
        path = Path(self.call("Info")["ledger"])
        return {item["name"]: item for item in json.loads(path.read_text())["items"]} if path.exists() else {}

    # Directories

    def make(self, container):
        """Makes a replica's directory, as the provisioner does."""
        directory = self.apps / container
        directory.mkdir(mode=0o700)
        return directory

    def directories(self):
        return {path.name: path for path in self.apps.glob("i8k_*") if ".removed-" not in path.name}


# The kernel, by foreign tools

def kernel(point):
    """Returns xfs_quota's report, on ext4 too: {project: {used, soft, hard (bytes), used_inodes, inodes_soft, inodes}}."""
    found = {}
    for what, names, unit in (("b", ("used", "soft", "hard"), 1024), ("i", ("used_inodes", "inodes_soft", "inodes"), 1)):
        text = run("xfs_quota", "-x", "-f", "-c", f"report -p -n -N -{what}", point).stdout
        for line in text.splitlines():
            words = line.split()
            if words:
                row = found.setdefault(int(words[0].lstrip("#")), {})
                row.update({name: int(word) * unit for name, word in zip(names, words[1:4])})
    return found


def all_carry(paths):
    """Returns the project of each path, and whether new files in it inherit the project: {path: (project, inherited)}, as lsattr
    shows it."""
    text = run("lsattr", "-p", "-d", *paths).stdout if paths else ""
    words = [line.split(maxsplit=2) for line in text.splitlines()]
    return {Path(path): (int(project), "P" in flags) for project, flags, path in words}


def carries(path):
    return all_carry([path])[path]


def names_of_projects(point):
    """Returns the names in xfs_quota's report, as an administrator sees them."""
    return {line.split()[0] for line in run("xfs_quota", "-x", "-f", "-c", "report -p -N -b", point).stdout.splitlines() if line}


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def disagreements(keeper, point, foreign=()):
    """Returns every difference between ledger, kernel, directories and the files in /etc; 'foreign' are ids of other programs."""
    wrong = []
    keeper.list()  # replies when the recovery after a start has ended
    ledger, known, directories = keeper.ledger(), kernel(point), keeper.directories()
    carried = all_carry(list(directories.values()))
    for name, item in ledger.items():
        row = known.get(item["id"], {})
        for value in VALUES:
            wanted = item.get(value, 0)
            if value in ("soft", "hard"):
                wanted = -(-wanted // 1024) * 1024
            if row.get(value, 0) != wanted:
                wrong.append(f"{name}: the ledger says {value} {wanted}, the kernel {row.get(value, 0)}")
        if name not in directories:
            wrong.append(f"{name}: in the ledger, and has no directory")
        elif carried[directories[name]] != (item["id"], True):
            wrong.append(f"{name}: its directory carries {carried[directories[name]]}, the ledger says {item['id']}")
    ids = [item["id"] for item in ledger.values()]
    if len(set(ids)) != len(ids):
        wrong.append(f"ids are given twice: {sorted(ids)}")
    for project, row in known.items():
        if 100 <= project <= 110000 and any(row.values()) and project not in ids and project not in foreign:
            wrong.append(f"project {project} is the kernel's alone: {row}")
    shown = {line for line in lines(PROJECTS) if f":{keeper.apps}/" in line}
    wanted = {f"{item['id']}:{keeper.apps}/{name}" for name, item in ledger.items() if not item.get("released")}
    if shown != wanted or len(shown) != sum(f":{keeper.apps}/" in line for line in lines(PROJECTS)):
        wrong.append(f"/etc/projects: {sorted(shown ^ wanted)} differ")
    for name, item in ledger.items():
        if lines(PROJID).count(f"{name}:{item['id']}") != 1:
            wrong.append(f"/etc/projid has no line of {name} and {item['id']}, or two")
    wrong += [f"{path} was left behind" for path in Path("/etc").glob(".proj*hostlet*")]
    wrong += [f"Report: {finding['kind']}: {finding['message']}" for finding in keeper.report()
              if finding.get("project") not in foreign]
    return wrong


def agree(keeper, point, foreign=()):
    wrong = disagreements(keeper, point, foreign)
    assert not wrong, "\n".join(wrong)


def fill(path, size):
    """Writes zeros to a file; returns the kernel's error at the end, None if everything was written."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    with open(path, "wb", buffering=0) as file:
        try:
            for _ in range(size // MIB):
                file.write(bytes(MIB))
        except OSError as error:
            return error.errno
    return None


def as_tenant(directory, script):
    """Starts a shell of user 2048, without capabilities, in a directory of its own."""
    home = directory / "home"
    home.mkdir(exist_ok=True)
    os.chown(home, 2048, 2048)
    directory.chmod(0o711)
    return run("setpriv", "--reuid", "2048", "--regid", "2048", "--clear-groups", "--bounding-set=-all",
               "sh", "-c", f"cd {home} && {script}", check=False)


def forget_projects():
    """/etc as on a machine without projects."""
    for path in (PROJECTS, PROJID):
        path.unlink(missing_ok=True)
    for path in Path("/etc").glob(".proj*hostlet*"):
        path.unlink()


def step(keeper, names):
    """Makes one random change: a limit, a removal with its directory, or a new directory. Returns (name, the resulting state)."""
    name = random.choice(names)
    directory = keeper.apps / name
    if directory.exists() and random.random() < 0.25:
        keeper.call("Remove", container=name)
        shutil.rmtree(directory)
        return name, None
    if not directory.exists():
        keeper.make(name)
    hard = random.randrange(1, 4096) * MIB
    keeper.ensure(name, hard=hard, soft=hard // 2, inodes=random.randrange(10, 10000))
    (directory / "data").write_bytes(bytes(random.randrange(1, 65536)))
    return name, hard


# For the tests outside

def installed_keeper(apps):
    from installed import Installed
    installed = Installed()
    installed.settings = {"hostlet": {"app_path": apps}}
    return Keeper(installed)


def storm(keeper, number):
    """Makes changes without end. Change N gives a container the limit of N MiB, so that a limit that is found later shows its
    age; each change with a reply is printed. Some containers are removed and made again."""
    lasting, passing = [f"i8k_lasting_{i}" for i in range(8)], [f"i8k_passing_{i}" for i in range(4)]
    for name in lasting:
        if not (keeper.apps / name).exists():
            keeper.make(name)
    run("sync")
    while True:
        number += 1
        name = random.choice(lasting)
        keeper.ensure(name, hard=number * MIB, inodes=1000 + number)
        print(json.dumps({"name": name, "number": number}), flush=True)
        if number % 3 == 0:
            step(keeper, passing)


def settle(keeper):
    """Acts as the reconciler after a start: requests again what the ledger has, and what the ledger does not have."""
    ledger = keeper.ledger()
    for name in keeper.directories():
        item = ledger.get(name, {})
        keeper.ensure(name, **{value: item[value] for value in VALUES if item.get(value)})


def main(apps, what, *words):
    keeper = installed_keeper(apps)
    if what == "storm":
        storm(keeper, int(words[0]))
    elif what == "settle":
        settle(keeper)
    elif what == "show":
        print(json.dumps({"list": keeper.list(), "ledger": keeper.ledger()}))
    point = Path(apps).parent
    others = {int(line.split(":")[0]) for line in lines(PROJECTS) if f":{apps}/" not in line}
    wrong = disagreements(keeper, point, foreign=others) if what in ("settle", "agree") else []
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
