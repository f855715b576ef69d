"""Tests quota-keeper on a filesystem without project quotas: it reports that, the reason and the remedy; its ledger survives. The
behaviour with quotas is tested in the virtual machine (tests/system), and with a simulated kernel (tests/unit/test_quota*)."""

import json
import re
from pathlib import Path

import pytest
from lib import ground
from lib.apps import App, driver_containers, manifest
from lib.tree import VARIANT, full_method
from lib.varlink import VarlinkError

LEDGER = "etc/hostlet_vol_quota.json"
NULL = {"container-driver": {"runtime": "null"}, "reconciler": {"retry_min": "20ms", "retry_max": "100ms"}}


@pytest.fixture
def kept(make_tree):
    tree = make_tree(NULL).start()
    if tree.call("quota-keeper", "Info").get("enforced"):
        pytest.skip("the filesystem of the tests enforces project quotas")
    return tree


def streamed(tree, service, method, member):
    with tree.connect(service) as client:
        return [answer[member] for answer in client.stream(full_method(service, method)) if answer.get(member)]


def items(tree):
    return streamed(tree, "quota-keeper", "List", "quota")


def test_info_reports_why_quotas_are_unavailable_and_the_remedy(kept):
    info = kept.call("quota-keeper", "Info")
    assert info["mount_point"] and info["filesystem"] and info["reason"] and info["remedy"]
    assert (info["id_min"], info["id_max"], info["threshold"]) == (100, 110000, 90)
    assert info["mounts"][0]["enforced"] is False and info["mounts"][0]["reason"] == info["reason"]
    shown = kept.ctl("quota", "info").stdout
    assert info["reason"] in shown and info["remedy"] in shown and str(kept.prefix / LEDGER) in shown
    assert info["remedy"] in kept.ctl("status").stdout


def test_ensure_is_refused_with_reason_and_remedy(kept):
    (kept.prefix / "apps/i8k_web_0").mkdir(parents=True)
    with pytest.raises(VarlinkError) as refused:
        kept.call("quota-keeper", "Ensure", container="i8k_web_0", hard=1 << 30)
    info = kept.call("quota-keeper", "Info")
    assert refused.value.name == "io.hostlet.NotSupported"
    assert refused.value.parameters["reason"] == f"{info['reason']}; {info['remedy']}"
    assert not (kept.prefix / LEDGER).exists(), "no id was assigned"


@pytest.mark.parametrize("method, parameters, words", [
    ("Ensure", {"container": "../../etc"}, "is not a name of a replica's container"),
    ("Ensure", {"container": "i8k_web_0", "hard": -1}, "-1"),
    ("Ensure", {"container": "i8k_web_0", "soft": 2, "hard": 1}, "above the hard one"),
    ("Ensure", {"container": "i8k_web_0", "inodes_soft": 2, "inodes": 1}, "inodes"),
    ("Release", {"container": "web"}, "'web'"), ("Remove", {"container": ""}, "''"), ("Get", {"container": "i8k_"}, "'i8k_'"),
    ("Recheck", {"container": "/"}, "'/'"), ("List", {}, "'more'"), ("Report", {}, "'more'"), ("Watch", {}, "'more'"),
])
def test_bad_requests_are_named(kept, method, parameters, words):
    with pytest.raises(VarlinkError) as refused:
        kept.call("quota-keeper", method, **parameters)
    assert refused.value.name == "io.hostlet.Refused" and words in refused.value.parameters["reason"]


def test_releasing_an_unknown_container_succeeds(kept):
    for method in ("Release", "Remove"):
        assert kept.call("quota-keeper", method, container="i8k_none_0") == {}
    for method in ("Get", "Recheck"):
        with pytest.raises(VarlinkError, match="io.hostlet.NotFound"):
            kept.call("quota-keeper", method, container="i8k_none_0")
    for command, words in (("list", "no replica has a project"), ("report", "ledger, kernel and directories are consistent")):
        said = kept.ctl("quota", command).stdout
        assert said.startswith(f"{words}; disk quotas are not enforced: ") and said.count("\n") == 1, said
    assert json.loads(kept.ctl("--json", "quota", "list").stdout) == []


def test_a_recheck_reports_why_there_is_no_project(kept):
    (kept.prefix / "apps/i8k_web_0/opt").mkdir(parents=True)
    for name in ([], ["i8k_web_0"]):
        assert kept.ctl("quota", "recheck", *name).stdout.startswith("i8k_web_0: it has no project\ndisk quotas are not enforced: ")


def test_a_watch_without_items_is_complete(kept):
    with kept.connect("quota-keeper") as client:
        client.send({"method": "io.hostlet.QuotaKeeper.Watch", "more": True})
        assert client.receive() == {"parameters": {"complete": True}, "continues": True}


# The ledger

def test_the_originals_ledger_is_imported_and_kept(make_tree):
    tree = make_tree(NULL)
    (tree.prefix / "etc").mkdir(parents=True)
    (tree.prefix / "apps/i8k_web_0").mkdir(parents=True)
    (tree.prefix / LEDGER).write_text(json.dumps({
        "items": [{"id": 117, "mnt": "/opt", "name": "i8k_web_0", "soft": 1 << 30, "hard": 1 << 30, "used": 5},
                  {"id": 9, "mnt": "/opt", "name": "not/ours"}],
        "updated": 1795000000, "id_offset": 118, "mount_points": []}))
    tree.start()
    (found,) = items(tree)
    assert (found["container"], found["project"]) == ("i8k_web_0", 117)
    with tree.connect("quota-keeper") as client:
        watched = client.stream("io.hostlet.QuotaKeeper.Watch")
        assert next(watched) == {"quota": found}, "a snapshot first"
        assert next(watched) == {"complete": True}
    assert found["not_enforced"] and "hard" not in found, "no limit is reported that the kernel does not enforce"
    assert "1 items cannot be ours" in tree.log()
    written = json.loads((tree.prefix / LEDGER).read_text())
    assert written["items"] == [{"id": 117, "mnt": "/opt", "name": "i8k_web_0", "soft": 1 << 30, "hard": 1 << 30, "used": 5}]
    assert written["format"] == 1 and written["mount_points"] == [] and written["id_offset"] == 100
    named = Path("/etc/projects")
    assert not named.exists() or str(tree.prefix) not in named.read_text(), "names for projects that are not counted"
    kinds = {finding["kind"] for finding in streamed(tree, "quota-keeper", "Report", "finding")}
    assert kinds == {"not_enforced"}
    assert "not_enforced" in tree.ctl("quota", "report").stdout
    assert re.search(r"i8k_web_0 +117 .*not enforced", tree.ctl("quota", "list").stdout)


@pytest.mark.parametrize("text", ["", "{\"items\":[{\"id\":1", "\0\0\0\0", "[]"])
def test_a_torn_ledger_is_logged_and_survived(make_tree, text):
    tree = make_tree(NULL)
    (tree.prefix / "etc").mkdir(parents=True)
    (tree.prefix / LEDGER).write_text(text)
    tree.start()
    assert items(tree) == []
    assert "made anew from the kernel and the directories" in tree.log()
    assert (tree.prefix / f"{LEDGER}.unusable").read_text() == text
    assert json.loads((tree.prefix / LEDGER).read_text())["items"] == []


def test_a_newer_ledger_waits_for_an_administrator(make_tree):
    tree = make_tree(NULL)
    (tree.prefix / "etc").mkdir(parents=True)
    (tree.prefix / LEDGER).write_text('{"format": 2, "items": []}')
    tree.start()

    def given_up():
        return [s for s in streamed(tree, "hostletd", "List", "service") if (s["name"], s["state"]) == ("quota-keeper", "failed")]
    ground.wait_until(given_up, 10, "quota-keeper is not restarted any more")
    assert "has format 2" in tree.log()
    assert (tree.prefix / LEDGER).read_text() == '{"format": 2, "items": []}'
    # Replicas run without quotas and report it.
    App(tree).deploy(manifest(image="one:1", probation=0))
    assert App(tree).replica()["quota"].startswith("not enforced (")


@pytest.mark.skipif(VARIANT == "sanitized", reason="the sanitized build has no filter")
def test_the_system_calls_of_quota_keeper_are_filtered(kept):
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{kept.pid('quota-keeper')}/status") if ":\t" in line)
    assert status["Seccomp"].strip() == "2" and status["NoNewPrivs"].strip() == "1"


# Replicas

def test_another_limit_needs_no_new_container(kept):
    app = App(kept)

    def wanted(limit):
        made = manifest(image="one:1", probation=0)
        made["app"]["deploy"]["volume_limit"] = limit
        return made
    app.deploy(wanted(1 << 30))
    before = driver_containers(kept)["i8k_web_0"]["id"]
    app.apply(wanted(2 << 30))
    app.wait(lambda i: i["settled"] and app.replica_file()["app"]["deploy"]["volume_limit"] == 2 << 30, "the limit is in the file")
    app.running(1)
    assert driver_containers(kept)["i8k_web_0"]["id"] == before
    assert app.replica()["quota"].startswith("not enforced (")


def test_a_running_replica_continues_without_quota_keeper(kept):
    app = App(kept)
    app.deploy(manifest(image="one:1", probation=0))
    before = driver_containers(kept)["i8k_web_0"]["id"]
    kept.ctl("service", "stop", "quota-keeper")
    kept.kill_service("reconciler")
    app.wait(lambda i: i["settled"] and "stopped" in i["replicas"][0]["quota"], "the reason is reported")
    app.running(1)
    kept.ctl("service", "start", "quota-keeper")
    # The process restarts: the reconciler calls it again without a request, and gets its reply.
    app.wait(lambda i: i["settled"] and "lacks" in i["replicas"][0]["quota"] or "has no project quotas" in i["replicas"][0]["quota"],
             "it was asked again")
    assert driver_containers(kept)["i8k_web_0"]["id"] == before
