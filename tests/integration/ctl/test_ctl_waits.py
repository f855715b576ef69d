"""Tests that hostletctl exits 0 only for what runs, also if a request changes nothing, and that its time-out holds for everything."""

import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest
from lib import ground
from lib.apps import App, manifest
from lib.tree import program

OK, FAILED, TIMEOUT = 0, 1, 4


def apply(tree, wanted, *words):
    return tree.ctl("apply", *words, "-", stdin=json.dumps(wanted), check=False)


# Requests that change nothing

def test_the_second_apply_follows_like_the_first(null_tree):
    slow = manifest(image="null/slow:1500", probation=1000)
    assert apply(null_tree, slow, "--no-wait").stdout.startswith("web: applied")
    result = apply(null_tree, slow)
    assert result.returncode == OK
    assert result.stdout.startswith("web: unchanged (revision 1)\n") and result.stdout.endswith("web: revision 1 is running (1 replica)\n")
    result = apply(null_tree, slow)
    assert (result.returncode, result.stdout) == (OK, "web: unchanged (revision 1)\n")

    # start and stop do the same.
    null_tree.ctl("stop", "web", "--no-wait")
    result = null_tree.ctl("stop", "web")
    assert result.stdout.startswith("web: unchanged") and result.stdout.endswith("web: stopped\n")
    assert App(null_tree).replica()["state"] == "stopped"
    null_tree.ctl("start", "web", "--no-wait")
    result = null_tree.ctl("start", "web")
    assert result.stdout.startswith("web: unchanged") and result.stdout.endswith("is running (1 replica)\n")


def test_a_start_after_a_stop_during_probation_succeeds(null_tree):
    apply(null_tree, manifest(image="a:1", probation=1500), "--no-wait")
    App(null_tree).wait(lambda i: i and i["replicas"][0].get("step") == "on probation", "it is on probation")
    null_tree.ctl("stop", "web")
    assert null_tree.ctl("start", "web").stdout.endswith("web: revision 1 is running (1 replica)\n")
    assert not App(null_tree).replica().get("attempt")


def test_the_second_apply_of_a_crash_loop_fails(null_tree):
    looping = manifest(image="null/exit-5-after-150", probation=50)
    assert apply(null_tree, looping).returncode == OK  # it passes its probation
    App(null_tree).wait(lambda i: i["replicas"][0]["state"] == "crash_looping" and i["replicas"][0].get("message"), "it loops")
    result = apply(null_tree, looping)
    assert result.returncode == FAILED and result.stdout == "web: unchanged (revision 1)\n"
    assert "web: replica 0 is crash_looping: exits again and again, the last time: exited with code 5" in result.stderr
    # The page has no room for the last lines of its log.
    assert re.search(r"^ +web failed: exits again and again, the last time: exited with code 5: …$", null_tree.ctl("status").stdout,
                     re.MULTILINE)
    # Nor do a start and other limits end it: they leave the container as it is.
    limited = {**looping, "hostlet": {**looping["hostlet"], "pids_limit": 50}}
    for result in (null_tree.ctl("start", "web", check=False), apply(null_tree, limited)):
        assert result.returncode == FAILED and "web: replica 0 is crash_looping: exits again and again" in result.stderr
    assert apply(null_tree, manifest(image="one:1", probation=0)).returncode == OK


@pytest.mark.parametrize("before", [None, manifest(image="one:1")], ids=["first", "update"])
def test_the_second_apply_of_what_cannot_be_prepared_fails_after_another_attempt(null_tree, before):
    if before:
        App(null_tree).deploy(before)
    wanted = manifest(image="missing/x:1", pull="missing")
    first = apply(null_tree, wanted)
    second = apply(null_tree, wanted)
    assert first.returncode == second.returncode == FAILED
    assert second.stdout.startswith("web: unchanged (revision ") and "image_pull failed: cannot pull image" in second.stderr
    pulls = next(s for s in App(null_tree).replica()["stages"] if s["name"] == "image_pull")
    assert pulls["attempt"] >= 1  # it did not wait for the planned attempt, nor repeat the old reason only
    assert time.time() * 1000 - pulls["finished"] < 5000


@pytest.mark.parametrize("image", ["null/exit-3", "null/start-fails"])
def test_the_second_apply_of_a_failed_deploy_fails(null_tree, image):
    wanted = manifest(image=image)
    assert apply(null_tree, wanted).returncode == FAILED
    assert apply(null_tree, wanted).returncode == FAILED


# What follows

def test_apply_says_what_follows_a_failure(null_tree):
    """A failed first deploy is repeated, and a failed update is not: the message has the reconciler's own plan."""
    result = apply(null_tree, manifest(image="null/exit-3"))
    assert result.returncode == FAILED
    assert re.search(r"^hostletctl: error:   it is deployed again in [0-9.]+ (s|ms)$", result.stderr, re.MULTILINE), result.stderr
    App(null_tree).wait(lambda i: i["replicas"][0].get("attempt", 0) >= 2, "and it is")
    assert apply(null_tree, manifest(image="one:1")).returncode == OK
    result = apply(null_tree, manifest(image="null/exit-3"))
    last = "revision 3 is not tried again before 'hostletctl start web'"
    assert result.returncode == FAILED and result.stderr.splitlines()[-1] == f"hostletctl: error:   {last}"
    assert App(null_tree).replica()["revision"] == 2  # it has waited for the end of the rollback
    assert f"replica 0: {last}\n" in null_tree.ctl("app", "web").stdout
    result = apply(null_tree, manifest(image="missing/x:1", pull="missing"))
    assert re.search(r"^hostletctl: error:   the preparation is tried again in [0-9.]+ (s|ms)$", result.stderr, re.MULTILINE)
    assert "revision 2 runs until revision 4 is prepared" in result.stderr
    assert "the preparation is tried again" in null_tree.ctl("app", "web").stdout


# The time-out

class Silence:
    """A Unix socket whose connections are accepted by the kernel and never answered."""

    def __init__(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(64)
        path.chmod(0o666)


def timed(prefix, *words, stdin=subprocess.DEVNULL, **options):
    """Runs hostletctl. Returns its exit code, the seconds that it took, and what it printed to standard error."""
    begun = time.monotonic()
    result = subprocess.run([program("hostletctl"), "--prefix", prefix, *words], stdin=stdin, capture_output=True, text=True, timeout=60,
                            **options)
    return result.returncode, time.monotonic() - begun, result.stderr


SERVICES = ["supervisor", "reconciler", "container-driver", "fetcher", "provisioner", "quota-keeper", "rpc-gateway", "net-keeper"]
COMMANDS = ["apply FILE", "plan FILE", "apps", "app web", "start web", "stop web", "destroy web", "hold web", "release web",
            "logs web", "logs -f web", "status", "services", "service restart reconciler", "reload", "package list",
            "package fetch site", "quota list", "quota report", "quota info", "quota recheck", "zone init", "zone join-info",
            "zone status", "zone network", "zone ping 0123456789ab", "zone leave"]


def test_the_time_out_holds_for_every_command(place):
    silent = [Silence(place / "run" / f"{name}.sock") for name in SERVICES]
    file = place / "web.json"
    file.write_text(json.dumps(manifest()))
    for command in COMMANDS:
        words = [str(file) if word == "FILE" else word for word in command.split()]
        code, took, errors = timed(place, *words, "-t", "300ms")
        assert code == TIMEOUT and took < 1.5, (command, code, took, errors)
        assert "not done within 300 ms; " in errors, command
    code, took, _ = timed(place, "-t", "300ms", "apps")  # before the command, too
    assert code == TIMEOUT and took < 1.5
    assert silent


def test_status_shows_within_the_time_out_what_the_others_reply(null_tree):
    App(null_tree).deploy(manifest())
    for name in ("quota-keeper", "container-driver"):
        os.kill(null_tree.pid(name), signal.SIGSTOP)
    try:
        page = null_tree.ctl("status", "-t", "2s").stdout
    finally:
        for name in ("quota-keeper", "container-driver"):
            os.kill(null_tree.pid(name), signal.SIGCONT)
    assert re.search(r"^runtime +io.hostlet.ContainerDriver.Info: no reply within 0", page, re.MULTILINE), page
    assert re.search(r"^apps +1 with 1 replica: 1 running", page, re.MULTILINE), page


def test_the_time_out_holds_for_reading_a_manifest(place):
    reading, writing = os.pipe()
    for words in (["apply", "-"], ["plan", "-"], ["convert", "-"]):
        code, took, errors = timed(place, *words, "-t", "300ms", stdin=reading)
        assert code == TIMEOUT and took < 1.5 and "nothing was requested" in errors, words
    code, took, _ = timed(place, "convert", "-", "-t", "300ms", stdin=reading,
                          preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM]))
    assert code == TIMEOUT and took < 1.5, "its parent has blocked the signal"
    os.close(reading)
    os.close(writing)


def test_the_time_out_holds_for_all_manifests_of_a_directory(null_tree, place):
    for name in ("one", "two"):
        (place / f"{name}.json").write_text(json.dumps(manifest(name, image="a:1", probation=60000)))
    code, took, errors = timed(null_tree.prefix, "apply", str(place), "-t", "1s")
    assert code == TIMEOUT and took < 3 and "one: not done within 1.0 s; the work continues" in errors
    assert "two.json: not applied" in errors


def test_a_runtime_that_does_not_answer_keeps_nobody_waiting(make_tree, place):
    """apply --no-wait returns, apply -t ends in time, and the manifest is accepted nevertheless."""
    silent = Silence(place / "docker.sock")
    tree = make_tree({"container-driver": {"runtime": "docker", "docker_socket": str(place / "docker.sock")},
                      "reconciler": {"overcommit": "refuse"}}).start()
    file = place / "web.json"
    file.write_text(json.dumps(manifest()))
    code, took, errors = timed(tree.prefix, "apply", str(file), "--no-wait")
    assert (code, errors) == (OK, "") and took < 3
    code, took, errors = timed(tree.prefix, "apply", str(file), "-t", "2s")
    assert code == TIMEOUT and took < 3.5 and "web: not done within 2.0 s; the work continues" in errors
    (place / "other.json").write_text(json.dumps(manifest("other")))
    code, took, errors = timed(tree.prefix, "apply", str(place / "other.json"), "-t", "2s")
    assert code == TIMEOUT and took < 3.5 and "other: not done within" in errors
    assert App(tree, "other").get()["revision"] == 1
    code, took, errors = timed(tree.prefix, "plan", str(file), "-t", "2s")
    assert code == OK and took < 2.5, errors
    # What was not compared is said, and the machine's memory is known without the runtime.
    for words in (("plan", file, "-t", "500ms"), ("apply", file, "--no-wait")):
        said = tree.ctl(*words).stdout
        assert "web: unchanged" in said and "warning: the container runtime does not answer: conflicts" in said
    half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2 + 1
    file.write_text(json.dumps(manifest(replicas=2, deploy={"memory_limit": half})))
    code, took, errors = timed(tree.prefix, "apply", str(file), "--no-wait")
    assert code == FAILED and took < 3 and "[reconciler] overcommit = refuse" in errors
    assert silent
    ground.wait_until(lambda: tree.ctl("apps").returncode == OK, 10, "the tree answers")
