"""Tests inagent as process 1: tasks, dependencies, users, stopping, reaping, and roots that lack files."""
import os
import signal
import subprocess
import time

import pytest

from lib.inagent import ACTION, BUSYBOX, INAGENT, Container, specification, task, wait_until

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for namespaces"),
    pytest.mark.skipif(not BUSYBOX, reason="needs a static busybox (Debian: busybox-static)"),
    pytest.mark.skipif(not INAGENT.exists(), reason=f"'{INAGENT}' is not built (HOSTLET_BUILD)"),
]
KINDS = ["busybox", "bare", "debian"]
PPOLL = {"x86_64": "271", "aarch64": "73"}[os.uname().machine]


@pytest.fixture
def make(tmp_path):
    """Makes containers that are removed after the test."""
    made = []

    def one(kind="busybox"):
        made.append(Container(tmp_path / str(len(made)), kind))
        return made[-1]

    yield one
    for container in made:
        container.__exit__()


# Roots that lack files


@pytest.mark.parametrize("kind", KINDS)
def test_application_runs_as_action_in_every_kind_of_root(make, kind):
    container = make(kind)
    container.start([task("app", 'echo "$0 $# in $PWD" > /home/action/out; cd /proc/self; while read a b c; do '
                                 'case $a in Uid:|Gid:|Groups:) echo "$a $b";; esac; done < status >> /home/action/out; '
                                 'echo end >> /home/action/out')])
    container.wait_log("task 'app' succeeded")
    out = container.wait_file("out").splitlines()
    assert out == ["sh 0 in /home/action", "Uid: 2048", "Gid: 2048", "Groups: ", "end"]
    assert os.stat(container.home / "action").st_uid == ACTION
    assert os.stat(container.opt).st_uid == ACTION
    for name in ("local/bin", "local/share", "local/profile.d", "var/tmp", "var/log", ".ssh"):
        assert os.stat(container.home / "action" / name).st_uid == ACTION


def test_user_is_added_where_it_is_missing_and_only_once(make):
    container = make()
    for _ in range(2):
        container.start([task("app", "echo \"$(id -un) $(id -gn)\" > /home/action/out")])
        assert container.wait_file("out") == "action action\n"
        container.signal()
        assert container.wait_exit() == 0
        os.unlink(container.home / "action/out")
    assert (container.root / "etc/passwd").read_text() == (
        "root:x:0:0:root:/root:/bin/sh\naction:*:2048:2048::/home/action:/bin/sh\n")
    assert (container.root / "etc/group").read_text() == "root:x:0:\naction:*:2048:\n"
    assert sorted(os.listdir(container.root / "etc")) == ["group", "passwd"]


def test_an_existing_user_is_left_alone(make):
    container = make()
    passwd = "root:x:0:0:root:/root:/bin/sh\naction:x:77:77::/srv:/bin/false\n"
    (container.root / "etc/passwd").write_text(passwd)
    container.start([task("app", "true")])
    container.wait_log("task 'app' succeeded")
    assert (container.root / "etc/passwd").read_text() == passwd


def test_passwd_that_is_a_mount_point_is_added_to(make):
    container = make()
    own = container.directory / "passwd"
    own.write_text("root:x:0:0:root:/root:/bin/sh\n")
    container.more_mounts = f"mount --bind {own} {container.root}/etc/passwd"
    container.start([task("app", "true")])
    container.wait_log("task 'app' succeeded")
    assert own.read_text().splitlines()[1] == "action:*:2048:2048::/home/action:/bin/sh"


def test_a_read_only_etc_is_left_unchanged(make):
    container = make("debian")
    container.start([task("app", "true")])
    container.wait_log("task 'app' succeeded")
    assert "user 'action' is not added" in container.log()


def test_a_missing_etc_is_created(make):
    container = make("bare")
    container.start([task("app", "true")])
    container.wait_log("task 'app' succeeded")
    assert (container.root / "etc/passwd").read_text() == "action:*:2048:2048::/home/action:/bin/sh\n"


def test_a_root_without_proc_gets_the_script_on_standard_input(make):
    container = make("bare")
    container.start([task("app", "echo one > /home/action/out\necho two >> /home/action/out")], proc=False)
    assert container.wait_file("out").startswith("one\n")
    container.wait_log("task 'app' succeeded")
    assert container.wait_file("out") == "one\ntwo\n"


# Ownership


def test_owners_are_corrected_without_following_links_or_leaving_the_mount(make):
    container = make()
    outside = container.directory / "outside"
    outside.mkdir()
    (outside / "file").write_text("x")
    home = container.home / "action"
    (home / "sub/deep").mkdir(parents=True)
    (home / "sub/deep/file").write_text("x")
    (home / "link").symlink_to("/opt/bound/file")
    (container.opt / "bound").mkdir()
    (container.opt / "single").write_text("")
    container.more_mounts = (f"mount --bind {outside} {container.root}/opt/bound\n"
                             f"mount --bind {outside}/file {container.root}/opt/single")
    container.write_spec(specification([task("app", "true")]))
    container.start()
    container.wait_log("task 'app' succeeded")
    for name in ("", "sub", "sub/deep", "sub/deep/file", "link"):
        assert os.lstat(home / name).st_uid == ACTION, name
    assert "could not be given" not in container.log()
    assert os.stat(outside).st_uid == 0 and os.stat(outside / "file").st_uid == 0
    assert os.stat(container.opt).st_uid == ACTION
    spec = os.stat(home / ".innerstack/app_replica.json")
    assert (spec.st_uid, spec.st_gid, spec.st_mode & 0o777) == (0, ACTION, 0o640)


def test_a_home_with_the_right_owner_is_not_walked(make):
    container = make()
    home = container.home / "action"
    os.chown(home, ACTION, ACTION)
    (home / "of-root").write_text("x")
    container.start([task("app", "cat .innerstack/app_replica.json > /dev/null && echo readable > out")])
    container.wait_log("task 'app' succeeded")
    assert os.stat(home / "of-root").st_uid == 0
    assert container.wait_file("out") == "readable\n"


# Tasks


def test_background_processes_of_a_finished_task_continue(make):
    container = make()
    container.start([task("app", "sleep 1000 & echo $! > /home/action/pid")])
    container.wait_log("task 'app' succeeded")
    # The background process is a shell at first, and then another program.
    wait_until("sleep runs", lambda: ("sleep", "S") in container.processes().values())
    assert container.process.poll() is None


def test_a_task_that_does_not_exit_is_the_application(make):
    container = make()
    container.start([task("app", "echo up > /home/action/out; exec sleep 1000")], probation=0.1)
    container.wait_file("out")
    assert "succeeded" not in container.log()
    assert ("sleep", "S") in container.processes().values()


def test_a_failure_on_probation_ends_the_container_with_its_code(make):
    container = make()
    container.start([task("app", "exit 23"), task("other", "exec sleep 1000")], probation=30)
    assert container.wait_exit() == 23
    assert "task 'app' failed with exit code 23" in container.log()


def test_a_signal_on_probation_exits_with_128_plus_its_number(make):
    container = make()
    container.start([task("app", "kill -9 $$")], probation=30)
    assert container.wait_exit() == 128 + signal.SIGKILL


def test_set_e_ends_a_script_at_its_first_failure(make):
    container = make()
    container.start([task("app", "false\necho no > /home/action/out")], probation=30)
    assert container.wait_exit() == 1
    assert not (container.home / "action/out").exists()


@pytest.mark.parametrize("kind", ["busybox", "debian"])
def test_pipefail_where_the_shell_has_it(make, kind):
    container = make(kind)
    container.start([task("app", "if (set -o pipefail) 2>/dev/null; then has=yes; else has=no; fi\n"
                                 "echo $has > /home/action/out\nfalse | true\necho passed >> /home/action/out")])
    container.wait_log("task 'app' ")
    wait_until("an end", lambda: "succeeded" in container.log() or "failed" in container.log())
    assert container.wait_file("out") in ("yes\n", "no\npassed\n")


def test_attempts_and_backoff_on_probation(make):
    container = make()
    container.start([task("app", "echo x >> /home/action/out; exit 9", max_attempts=2, retry_backoff_seconds=1)],
                    probation=30)
    assert container.wait_exit() == 9
    assert container.wait_file("out") == "x\nx\n"


def test_a_later_attempt_may_succeed(make):
    container = make()
    container.start([task("app", "[ -e mark ] || { touch mark; exit 9; }", max_attempts=3, retry_backoff_seconds=1)],
                    probation=30)
    container.wait_log("task 'app' succeeded")
    assert "again in 1 s" in container.log()


def test_a_task_that_fails_after_probation_is_retried(make):
    container = make()
    container.start([task("app", "echo x >> /home/action/out; exit 9", retry_backoff_seconds=1),
                     task("ten", "exit 8")])
    wait_until("three runs", lambda: container.wait_file("out") == "x\nx\nx\n")
    assert "again in 1 s" in container.log() and "again in 10 s" in container.log()
    assert container.process.poll() is None


def test_depends_on_waits_for_success(make):
    container = make()
    container.start([task("last", "echo last >> /home/action/out", depends_on=["middle", "first"]),
                     task("middle", "echo middle >> /home/action/out", depends_on=["first"]),
                     task("first", "while [ ! -e go ]; do sleep 0.05; done; echo first > /home/action/out")])
    container.wait_log("task 'first' started")
    assert "task 'middle' started" not in container.log()
    (container.home / "action/go").touch()
    container.wait_log("task 'last' succeeded")
    assert container.wait_file("out") == "first\nmiddle\nlast\n"


def test_a_failed_dependency_blocks_its_dependents(make):
    container = make()
    container.start([task("one", "exit 1", max_attempts=1), task("two", "true", depends_on=["one"]),
                     task("three", "true")])
    container.wait_log("task 'three' succeeded")
    container.wait_log("task 'one' failed with exit code 1")
    assert "task 'two' started" not in container.log()


@pytest.mark.parametrize("tasks, says", [
    ([task("app", "true", depends_on=["nobody"])],
     "task 'app' failed: depends_on names 'nobody', which is no task of this application"),
    ([task("app", "true", depends_on=["bye"]), {"name": "bye", "on_shutdown": True, "script": "true"}],
     "task 'app' failed: depends_on names 'bye', which is not run before shutdown"),
    ([task("a", "true", depends_on=["b"]), task("b", "true", depends_on=["a"])],
     "task 'a' failed: depends_on names 'b', which can never succeed"),
])
def test_an_unsatisfiable_dependency_fails_by_name(make, tasks, says):
    container = make()
    container.start(tasks, probation=30)
    assert container.wait_exit() == 1
    assert says in container.log()
    assert "started" not in container.log()


@pytest.mark.parametrize("user, uid", [("root", 0), ("action", 2048), ("", 2048), ("nobody", 2048)])
def test_run_user(make, user, uid):
    container = make()
    container.start([task("app", "id -u > /tmp/out", run_user=user)], before=f"chmod 1777 {container.root}/tmp")
    container.wait_log("task 'app' succeeded")
    assert (container.root / "tmp/out").read_text() == f"{uid}\n"
    assert ("run_user 'nobody' is not known here: it runs as action" in container.log()) == (user == "nobody")


def test_working_dir(make):
    container = make()
    container.start([task("there", "pwd > /home/action/out", working_dir="/tmp"),
                     task("missing", "true", working_dir="/nowhere")])
    assert container.wait_file("out") == "/tmp\n"
    container.wait_log("task 'missing': cannot enter working_dir '/nowhere': No such file or directory")
    container.wait_log("task 'missing' failed with exit code 1")


@pytest.mark.parametrize("proc", [True, False])
def test_a_script_larger_than_a_pipe(make, proc):
    container = make()
    script = "".join(f": {i} {'x' * 60}\n" for i in range(4000)) + "echo end > /home/action/out"
    assert len(script) > 256 * 1024
    container.start([task("app", script)], proc=proc)
    assert container.wait_file("out") == "end\n"


def test_a_command_that_reads_its_input_does_not_swallow_the_script(make):
    container = make()
    # Longer than a shell reads at once.
    container.start([task("app", "cat > swallowed\n" + "# filling\n" * 20000 + "echo end > out")])
    assert container.wait_file("out") == "end\n"
    assert (container.home / "action/swallowed").read_text() == ""


def test_templates(make):
    container = make()
    container.start([task("app", """
        VAR=shell
        echo "${VAR} ${OTHER:-default} ${VAR:-${app.name}} $$" > /home/action/out
        echo "${app.name} ${self.cfg.cfg.greeting} ${self.net.http.internal_addr} ${ipk.tiny_app.path}" >> /home/action/out
        """)])
    container.wait_log("task 'app' succeeded")
    lines = container.wait_file("out").splitlines()
    assert lines[0].startswith("shell default shell ")
    assert lines[1] == "demo hello world 10.1.2.3:20001 /usr/innerstack/tiny-app"


def test_an_interval_task_runs_again_and_again(make):
    container = make()
    container.start([{"name": "tick", "interval_seconds": 1, "script": "echo x >> out"},
                     {"name": "never", "script": "echo never-ran"},
                     task("after", "echo after-ran", depends_on=["tick"])], probation=30)
    wait_until("three runs", lambda: container.wait_file("out").startswith("x\nx\nx\n"))
    container.wait_log("task 'after' succeeded")
    log = container.log()
    assert "task 'never' has no trigger: it runs by request alone" in log and "never-ran" not in log
    # A series of successes is logged once.
    assert log.count("task 'tick' succeeded") == 1 and "task 'tick' started" not in log


def test_the_failures_of_an_interval_task_end_nothing(make):
    container = make()
    container.start([{"name": "tick", "interval_seconds": 1, "max_attempts": 2, "retry_backoff_seconds": 1,
                      "script": "echo x >> out; exit 3"}], probation=60)
    wait_until("four attempts", lambda: container.wait_file("out").startswith("x\nx\nx\nx\n"))
    log = container.log()
    assert "task 'tick' failed with exit code 3" in log and "(attempt 1); again in 1 s" in log
    assert "(attempt 2); not retried before its next run" in log
    assert container.process.poll() is None


def test_a_cron_task_runs_every_second(make):
    container = make()
    container.start([{"name": "tick", "cron": "* * * * * *", "script": "date +%s >> out"},
                     {"name": "often", "cron": "@every 1s", "script": "date +%s >> often"},
                     {"name": "rarely", "cron": "0 0 1 1 *", "script": "echo no > rarely"}])
    wait_until("three runs", lambda: len(container.wait_file("out").split()) >= 3)
    times = container.wait_file("out").split()
    # A run can begin late on a busy machine, in the next one's second.
    assert len(times) <= int(times[-1]) - int(times[0]) + 2, "a second's run was repeated"
    wait_until("three runs of the other", lambda: len(container.wait_file("often").split()) >= 3)
    assert not (container.home / "action/rarely").exists()


def test_an_empty_script_succeeds(make):
    container = make()
    container.start([task("empty", " \n "), task("app", "true", depends_on=["empty"])], probation=30)
    container.wait_log("task 'app' succeeded")


# Process 1


def test_grandchildren_are_reaped(make):
    container = make()
    container.start([task("app", "for i in 1 2 3 4 5 6 7 8 9; do (sleep 0.1 & sleep 0.1 & true) & done; wait; true")])
    container.wait_log("task 'app' succeeded")
    wait_until("nothing but process 1", lambda: list(container.processes().values()) == [("inagent", "S")])


def test_an_idle_inagent_sleeps_without_a_timeout(make):
    container = make()
    container.start([task("app", "true"), task("server", "exec sleep 1000")])
    container.wait_log("task 'app' succeeded")
    # Number and arguments of the current system call: the timeout of ppoll, its third argument, is a null pointer.
    path = f"/proc/{container.first_process()}/syscall"

    def in_ppoll():
        words = open(path).read().split()
        return len(words) > 4 and words[0] == PPOLL and words[3] == "0x0"

    wait_until("ppoll without a timeout", in_ppoll)


# Stopping


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_runs_the_shutdown_tasks_then_ends_everything(make, number):
    container = make()
    container.start([
        {"name": "bye-1", "on_shutdown": True, "script": "kill -0 $(cat pid) && echo bye-1 alive >> out"},
        task("app", "trap 'echo term >> /home/action/out; exit 0' TERM\necho $$ > /home/action/pid\n"
                    "while :; do sleep 0.05; done"),
        {"name": "bye-2", "on_shutdown": True, "script": "echo bye-2 >> out; exit 3"},
    ])
    container.wait_file("pid")
    begun = time.monotonic()
    container.signal(number)
    assert container.wait_exit() == 0
    assert time.monotonic() - begun < 5
    assert container.wait_file("out") == "bye-1 alive\nbye-2\nterm\n"
    assert "task 'bye-2' failed with exit code 3" in container.log()


def test_a_process_that_ignores_sigterm_is_killed_before_the_stop_timeout(make):
    container = make()
    container.start([task("app", "trap '' TERM; echo x > /home/action/out; while :; do sleep 0.05; done")],
                    environment={"HOSTLET_STOP_TIMEOUT": "2.5"})
    container.wait_file("out")
    begun = time.monotonic()
    container.signal()
    assert container.wait_exit() == 0
    assert 1.2 < time.monotonic() - begun < 2.4
    assert "processes are left after SIGTERM: killed" in container.log()


def test_a_shutdown_task_that_hangs_leaves_time_for_sigterm(make):
    container = make()
    container.start([task("app", "trap 'echo term > out; exit 0' TERM\necho x > up\nwhile :; do sleep 0.05; done"),
                     {"name": "bye", "on_shutdown": True, "script": "exec sleep 1000"}],
                    environment={"HOSTLET_STOP_TIMEOUT": "4"})
    container.wait_file("up")
    begun = time.monotonic()
    container.signal()
    assert container.wait_exit() == 0
    assert time.monotonic() - begun < 3.5
    assert container.wait_file("out") == "term\n"
    assert "task 'bye' takes too long: killed" in container.log()


def test_no_task_starts_during_a_stop(make):
    container = make()
    container.start([task("first", "trap 'exit 0' TERM; echo x > up; while :; do sleep 0.05; done"),
                     task("second", "echo second-ran", depends_on=["first"])])
    container.wait_file("up")
    container.signal()
    assert container.wait_exit() == 0
    assert "second-ran" not in container.log()


def test_an_idle_container_stops_at_once(make):
    container = make()
    container.start([task("app", "true")])
    container.wait_log("task 'app' succeeded")
    begun = time.monotonic()
    container.signal()
    assert container.wait_exit() == 0
    assert time.monotonic() - begun < 2


# The specification


@pytest.mark.parametrize("text, says", [
    ("", "spec_load failed: spec file empty"),
    ('{"app":', "spec_load failed: spec decode failed: line 1"),
    ('{"app":{"spec":{"tasks":[]},"deploy":{}}}', "spec decode failed: /app/spec/resources is missing"),
    ('{"app":{"spec":{"resources":{}},"deploy":{}}}', "spec_load failed: replica not found"),
    ('{"app":{"spec":{"resources":{},"tasks":[{"name":1}]},"deploy":{}},"replica":{}}',
     "/app/spec/tasks/0/name is not a string"),
    (b'{"app":"\xff"}', "spec decode failed"),
    ("[" * 100000, "spec decode failed"),
])
def test_inagent_waits_while_the_specification_is_malformed(make, text, says):
    container = make()
    container.write_spec(text)
    container.start(probation=30)
    container.wait_log(says)
    container.write_spec(specification([task("app", "true")]))
    container.wait_log("task 'app' succeeded")


def test_inagent_waits_while_the_specification_is_missing(make):
    container = make()
    container.start(probation=30)
    container.wait_log("spec_load failed: '/home/action/.innerstack/app_replica.json': No such file")
    container.write_spec(specification([task("app", "true")]))
    container.wait_log("task 'app' succeeded")


def test_a_new_specification_runs_new_tasks_and_none_twice(make):
    container = make()
    container.start([task("one", "echo one >> out"), task("server", "echo server >> out; exec sleep 1000")])
    container.wait_log("task 'one' succeeded")
    wait_until("both lines", lambda: len(container.wait_file("out").split()) == 2)
    container.write_spec(specification([task("one", "echo one-again >> out"), task("two", "echo two >> out"),
                                        task("server", "echo server-again >> out")]))
    container.wait_log("task 'two' succeeded")
    assert sorted(container.wait_file("out").split()) == ["one", "server", "two"]


def test_a_bad_new_specification_changes_nothing(make):
    container = make()
    container.start([task("server", "exec sleep 1000")], probation=30)
    container.wait_log("task 'server' started")
    container.write_spec("nonsense")
    container.wait_log("spec_load failed: spec decode failed")
    container.write_spec(specification([task("server", "exec sleep 1000"), task("two", "true")]))
    container.wait_log("task 'two' succeeded")
    assert ("sleep", "S") in container.processes().values()


def test_numbers_of_64_bits_are_read(make):
    container = make()
    document = specification([task("app", "true")])
    document["app"]["meta"]["version"] = 2**64 - 1
    container.write_spec(document)
    container.start()
    container.wait_log("task 'app' succeeded")


def test_the_directory_of_the_specification_may_be_replaced(make):
    container = make()
    container.start([task("app", "true")])
    container.wait_log("task 'app' succeeded")
    os.rename(container.ours, container.home / "action/.old")
    wait_until("the directory again", container.ours.is_dir)
    container.write_spec(specification([task("two", "true")]))
    container.wait_log("task 'two' succeeded")


def test_a_new_specification_is_noticed_without_inotify(make, tmp_path):
    # A user namespace has its own, lower count of inotify instances.
    holder = subprocess.Popen(["unshare", "--user", "sh", "-c", "echo; exec sleep 1000"], stdout=subprocess.PIPE)
    try:
        holder.stdout.read(1)
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{holder.pid}/{name}", "w") as file:
                file.write("0 0 65536")
        container = make()
        inside = ["nsenter", "--user", "--target", str(holder.pid), "sh", "-c",
                  'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"', "sh"]
        container.start([task("app", "true")], inside=inside)
        container.wait_log("task 'app' succeeded")
        descriptors = f"/proc/{container.first_process()}/fd"
        assert not [fd for fd in os.listdir(descriptors) if "inotify" in os.readlink(f"{descriptors}/{fd}")]
        container.write_spec(specification([task("two", "true")]))
        container.wait_log("task 'two' succeeded")
    finally:
        holder.kill()
        holder.wait()


# Environment and command line


@pytest.mark.parametrize("variables, says", [
    ({"APP_HOST_ID": "xyz"}, "ENV APP_HOST_ID Not Match"),
    ({"APP_HOST_ID": None}, "ENV APP_HOST_ID Not Match"),
    ({"APP_NAME": "-demo"}, "ENV APP_NAME Not Match : -demo"),
    ({"APP_REP_ID": None}, "ENV APP_REP_ID Not Set"),
    ({"APP_REP_ID": "256"}, "ENV APP_REP_ID Not Valid"),
    ({"HOSTLET_PROBATION": "soon"}, "ENV HOSTLET_PROBATION Not Valid : 'soon'"),
    ({"HOSTLET_STOP_TIMEOUT": "-1"}, "ENV HOSTLET_STOP_TIMEOUT Not Valid : '-1'"),
])
def test_a_bad_environment_is_named(variables, says):
    environment = {"APP_HOST_ID": "0123456789ab", "APP_NAME": "demo", "APP_REP_ID": "0"}
    environment.update(variables)
    environment = {name: value for name, value in environment.items() if value is not None}
    done = subprocess.run([INAGENT, "daemon"], env=environment, capture_output=True, text=True, timeout=10)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {says}")


def test_the_daemon_refuses_to_be_anything_but_process_1():
    environment = {"APP_HOST_ID": "0123456789ab", "APP_NAME": "demo", "APP_REP_ID": "0"}
    done = subprocess.run([INAGENT, "daemon"], env=environment, capture_output=True, text=True, timeout=10)
    assert done.returncode == 1
    assert "process 1" in done.stderr


@pytest.mark.parametrize("arguments, code, out, error", [
    (["--version"], 0, "inagent ", ""),
    (["help"], 0, "Usage: inagent", ""),
    ([], 0, "Usage: inagent", ""),
    (["--prefix", "/x", "help"], 0, "Usage: inagent", ""),
    (["--prefix=/x", "help"], 0, "Usage: inagent", ""),
    (["--prefix=x", "help"], 1, "", "Error: --prefix needs an absolute path"),
    (["dance"], 1, "", "Error: unknown command 'dance'"),
    (["--dance"], 1, "", "Error: option '--dance' is unknown"),
])
def test_command_line(arguments, code, out, error):
    done = subprocess.run([INAGENT, *arguments], capture_output=True, text=True, timeout=10)
    assert (done.returncode, done.stdout[:len(out)], done.stderr[:len(error)]) == (code, out, error)


def test_the_binary_is_static():
    assert "INTERP" not in subprocess.run(["readelf", "-lW", INAGENT], capture_output=True, text=True).stdout
