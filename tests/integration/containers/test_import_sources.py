"""Tests which containers an import adopts, from what each source knows of them, and what it does with hostile and odd content of those
sources. The runtime simulates the containers."""

import json
import os
import shutil
import tomllib

import pytest
from lib.original import Plain
from lib.tree import VARIANT
from lib.zone import ZoneApp

A, B = "a" * 34, "b" * 34


@pytest.fixture
def machine(place, make_tree):
    return Plain(place, make_tree)


def table(machine):
    return {row["container"]: row for row in machine.tree.ctl_json("import", machine.dir, "--dry-run")["containers"]}


def remarks(row):
    return " | ".join(row["remarks"])


def test_list_is_the_union_of_all_sources(machine):
    for name in ("both", "liar"):
        machine.container(name)
    machine.active({"i8k_both_0": 3, "i8k_liar_0": 2, "i8k_gone_0": 5, "../../etc/passwd": 1, "i8k_Web_0": 1, "i8k_web_007": 1, "": 1},
                   {"i8k_both_0": A, "i8k_liar_0": A, "i8k_gone_0": A, "i8k_docker_0": "short"})
    machine.file("both", revision=3, secret=A)
    machine.file("liar", revision=9, secret=B)
    machine.file("kept", revision=1)
    machine.container("docker")
    machine.file("file", revision=4, secret=B)
    machine.container("file")
    machine.container("other-tree", tree="another")
    machine.container("alien", labels=False)
    machine.container("renamed", app_name="web")
    machine.container("number", app_rep_id="1")
    machine.container("elsewhere", home="/srv/apps/i8k_elsewhere_0/home")
    machine.container("here", home=str(machine.apps / "i8k_here_0/home"))
    machine.container("both", slot="old")
    machine.file("here", revision=6, host_id="fedcba987654")
    (machine.apps / "i8k_both_0.removed-20261130T000000").mkdir()
    (machine.apps / "i8k_link_0").symlink_to("/etc")
    machine.start()
    rows = table(machine)
    adopted = {name: row["revision"] if "revision" in row else None for name, row in rows.items() if row["adopted"]}
    assert adopted == {"i8k_both_0": 3, "i8k_liar_0": 2, "i8k_docker_0": None, "i8k_file_0": 4, "i8k_here_0": 6}
    assert rows["i8k_both_0"]["remarks"] == [] and rows["i8k_both_0"]["known_from"] == ["hostlet_active.json", "directory", "docker"]
    for name, words in {
            "i8k_gone_0": "only hostlet_active.json knows it", "i8k_kept_0": "only its directory exists", "i8k_docker_0": "is not 34 hex digits",
            "i8k_file_0": "its revision, 4, is known only from its app_replica.json | its secret is known only from",
            "i8k_liar_0": "revision 9; that of hostlet_active.json, 2, is used | its app_replica.json has another secret",
            "i8k_other-tree_0": "another hostlet tree (another)", "i8k_alien_0": "lacks the labels", "i8k_both_0.old": "put aside",
            "i8k_renamed_0": "labels, app_name 'web' and app_rep_id '0'", "i8k_number_0": "app_rep_id '1'",
            "i8k_elsewhere_0": "its data is in '/srv/apps/i8k_elsewhere_0/home'", "i8k_here_0": "is of host fedcba987654",
            "../../etc/passwd": "does not have the form", "i8k_Web_0": "does not have the form", "i8k_web_007": "does not have the form",
            "": "does not have the form"}.items():
        assert words in remarks(rows[name]), (name, rows[name])
    assert "i8k_link_0" not in rows and not [name for name in rows if "removed" in name]
    text = machine.tree.ctl("import", machine.dir).stdout
    assert "Taken over. 5 containers of the original agent are adopted, 6 are not (see above)." in text
    assert "i8k_alien_0: it is not adopted: it lacks the labels app_name and app_rep_id" in text
    assert machine.ledger() == {"i8k_both_0": 3, "i8k_liar_0": 2, "i8k_docker_0": 0, "i8k_file_0": 4, "i8k_here_0": 6}
    assert machine.secrets() == {"i8k_both_0": A, "i8k_liar_0": A, "i8k_gone_0": A, "i8k_file_0": B}
    before = machine.state()
    again = table(machine)
    assert {name for name, row in again.items() if row["what_happens"] == "already adopted"} == set(adopted)
    assert "Taken over. 5 containers" in machine.tree.ctl("import", machine.dir).stdout and machine.state() == before


def hostile(machine):
    """Makes replicas whose tenants wrote what they liked; returns {name: a part of the remark}."""
    def place(name, make):
        machine.container(name)
        directory = machine.apps / f"i8k_{name}_0/home/action/.innerstack"
        directory.mkdir(parents=True)
        make(directory / "app_replica.json")
        return f"i8k_{name}_0"

    def inside(name, target):
        machine.container(name)
        (machine.apps / f"i8k_{name}_0").mkdir()
        (machine.apps / f"i8k_{name}_0/home").symlink_to(target)
        return f"i8k_{name}_0"
    secret = machine.dir / "etc/secret.json"
    secret.write_text(json.dumps(machine.content("link", 9, B)))
    (machine.dir / "outside/action/.innerstack").mkdir(parents=True)
    shutil.copy(secret, machine.dir / "outside/action/.innerstack/app_replica.json")
    texts = {"types": '{"app": 5, "replica": {}}', "cut": '{"app": {"meta"', "list": "[]", "empty": "", "twice": '{"app": {}, "app": {}}',
             "deep": "[" * 100000, "big": json.dumps({"x": "y" * (2 << 20)}), "nul": '{"app": {"meta": {"name": "nul\\u0000"}}}',
             "number": json.dumps(machine.content("number", -5, "../../../etc/passwd")),
             "huge": '{"app": {"meta": {"name": "huge"}, "deploy": {"revision": 99999999999999999999}}, "replica": {}}',
             "thief": json.dumps(machine.content("victim", 9, B)), "control": json.dumps(machine.content("x\x1b[2J\n", 9, B))}
    expected = {place(name, lambda path, text=text: path.write_text(text)): "" for name, text in texts.items()}
    expected[place("link", lambda path: path.symlink_to(secret))] = "is not used"
    expected[place("fifo", os.mkfifo)] = "is not a regular file"
    expected[place("device", lambda path: os.mknod(path, 0o20666, os.makedev(1, 3)))] = "is not a regular file"
    expected[place("directory", lambda path: path.mkdir())] = "is not a regular file"
    expected[inside("parent", machine.dir / "outside")] = "is not used"
    expected["i8k_thief_0"], expected["i8k_big_0"] = "it is that of 'i8k_victim_0'", "larger than"
    return expected


def test_content_that_a_tenant_wrote_is_never_trusted(machine):
    expected = hostile(machine)
    machine.start()
    rows = table(machine)
    for name, words in expected.items():
        row = rows[name]
        assert row["adopted"] and "revision" not in row and not row["secret"], row
        if name not in ("i8k_number_0",):
            assert "its app_replica.json is not used: " in remarks(row) and words in remarks(row), row
    text = machine.tree.ctl("import", machine.dir).stdout
    assert "\x1b" not in text and len(text) < 20000
    assert set(machine.ledger().values()) == {0} and len(machine.ledger()) == len(expected) and machine.secrets() == {}


def test_what_happens_to_a_container_that_does_not_run_is_stated(machine):
    words = {"exited": "adopted; it does not run: started if its action is start", "dead": "its removal has begun", "removing": "its removal has begun",
             "paused": "adopted as it runs", "restarting": "adopted as it runs"}
    for state in words:
        machine.container(state, state=state)
    machine.active({f"i8k_{state}_0": 1 for state in words}, {})
    machine.start()
    rows = table(machine)
    for state, expected in words.items():
        assert expected in rows[f"i8k_{state}_0"]["what_happens"], rows
    assert "i8k_exited_0 is adopted, with revision 1." in machine.tree.ctl("adopt", "i8k_exited_0", "--from", machine.dir).stdout


def test_nothing_to_adopt_is_an_error(machine):
    machine.active({"i8k_web_0": 1}, {})
    machine.container("web", labels=False)
    machine.container("two", tree="another")
    machine.start()
    before = machine.state()
    for more in ([], ["--dry-run"], ["--json"]):
        result = machine.tree.ctl("import", machine.dir, *more, check=False)
        assert result.returncode == 1 and "Taken over" not in result.stdout
        assert "nothing is taken over: this machine has 2 containers named i8k_NAME_N, and none can be adopted (i8k_two_0: " in result.stderr
    assert json.loads(machine.tree.ctl("import", machine.dir, "--json", check=False).stdout)["done"] is False
    assert machine.state() == before


def test_machine_without_containers_is_taken_over(machine):
    machine.active({"i8k_web_0": 1}, {"i8k_web_0": A})
    machine.start()
    text = machine.tree.ctl("import", machine.dir).stdout
    assert "no container: created if the zone orders it" in text and "0 containers of the original agent are adopted" in text
    assert machine.secrets() == {"i8k_web_0": A}


@pytest.mark.parametrize("change, words", [
    ({"access_key": '"ak_123"'}, "an access key is"), ({"access_key": '"ak_fedcba9876543210_' + "S" * 48 + '"'}, "they must be the same"),
    ({"host_id": '"no host"'}, "host id 'no host'"), ({"zone_hosts": '["a b"]'}, "'a b' is no ADDRESS:PORT"),
    ({"vpc_instance_cidr": '"10.0.0.0"'}, "vpc_instance_cidr"), ({"lan_addr": '"lan"'}, "expected an IPv4 address"),
    ({"peer_port": "99999"}, "peer_port = 99999"), ({"app_path": '"apps"'}, "expected an absolute path"),
    ({"app_path": r'"/srv/apps\n[reconciler]\nkeep_removed = 1s"'}, "cannot be a value"), ({"app_path": '"/srv ; apps"'}, "cannot be a value"),
    ({"app_path": '"/' + "x" * 300 + '"'}, "longer than"), ({"dns_servers": r'["1.1.1.1\nx = y"]'}, "cannot be a value"),
    ({"dns_servers": '["192.0.2.53", "dns.example"]'}, "dns_servers = 192.0.2.53 dns.example: expected IP addresses"),
    ({"http_port": '"80"'}, "expected an integer"), ("revisions", "/applied_revisions/i8k_web_0: expected a number from 0"),
    ("secrets", "/secret_keys/i8k_web_0"), ("later", "hostlet.conf.d sets app_path to '/srv/other'")])
def test_what_later_steps_would_refuse_is_refused_before_anything_is_changed(shared, change, words):
    machine = shared
    machine.reset()
    if change == "revisions":
        machine.active({"i8k_web_0": -1}, {})
    elif change == "secrets":
        machine.active({}, {"i8k_web_0": 5})
    elif change == "later":
        machine.later_setting("[hostlet]\napp_path = /srv/other\n")
    else:
        machine.config(**change)
        tomllib.loads((machine.dir / "etc/innerstack.toml").read_text())
    before = machine.state()
    for more in ([], ["--dry-run"]):
        result = machine.tree.ctl("import", machine.dir, *more, check=False)
        assert result.returncode == 1 and words in result.stderr and result.stderr.count("\n") == 1, result.stderr
    assert machine.state() == before


def test_settings_that_a_service_refuses_are_taken_back(machine):
    """Only rpc-gateway, which runs from the import on, judges who may read the metrics."""
    machine.active({"i8k_web_0": 3}, {"i8k_web_0": A})
    machine.container("web")
    machine.config(dns_servers='["192.0.2.53", "2001:db8::53"]')
    machine.start()
    machine.later_setting("[zone]\nmetrics_allow = everybody\n")
    before = machine.state()
    for _ in range(2):
        result = machine.tree.ctl("import", machine.dir, check=False)
        assert result.returncode == 1 and "metrics_allow" in result.stderr and machine.state() == before
    machine.later_setting("")
    machine.tree.ctl("reload")
    assert "Taken over" in machine.tree.ctl("import", machine.dir).stdout
    settings = (machine.tree.prefix / "etc/hostlet.conf.d/50-import.conf").read_text()
    assert "dns_servers = 192.0.2.53 2001:db8::53\n" in settings.partition("[zone]")[2].partition("[")[0], settings


@pytest.fixture(scope="module")
def shared(session_place):
    """One machine and tree for the refusals, which change nothing."""
    from lib.tree import Tree
    place = session_place / "refused"
    place.mkdir()
    made = Plain(place, lambda settings: Tree(place / "tree", settings))
    made.container("web")
    made.start()
    yield made
    made.tree.stop()


POINTS = ("ledger", "settings", "quota_keeper", "secrets", "adopted", "joined", "facts", "instances")


@pytest.mark.failpoints
@pytest.mark.skipif(VARIANT != "failpoints", reason="failpoints are compiled in by --enable-failpoints alone")
@pytest.mark.parametrize("action", ["kill", "error"])
@pytest.mark.parametrize("point", POINTS)
def test_an_import_interrupted_after_any_step_is_completed_by_the_next(machine, point, action):
    machine.active({"i8k_web_0": 3}, {"i8k_web_0": A})
    machine.file("web", revision=3, secret=A)
    machine.container("web")
    machine.quotas({"i8k_web_0": 4711})
    machine.start()
    first = machine.tree.ctl("import", machine.dir, check=False, environment={"HOSTLET_FAILPOINT": f"import.{point}:{action}"})
    assert first.returncode == (-9 if action == "kill" else 1)
    assert "Taken over. 1 container" in machine.tree.ctl("import", machine.dir).stdout
    assert machine.ledger() == {"i8k_web_0": 3} and machine.secrets() == {"i8k_web_0": A} and machine.projects() == {"i8k_web_0": 4711}
    machine.tree.call("reconciler", "PutZoneState", instance=machine.order("web", 3))
    ZoneApp(machine.tree).running(3)
    assert machine.tree.call("container-driver", "Inspect", instance="web", replica_id=0, slot="current")["container"]["id"] == machine.ids["web"]
