"""Tests the log of hostletd: the output of its children, and its formats."""

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import time

import pytest
from lib import ground
from lib.services import all_services, status, supervise, wait_for
from lib.tree import BUILD, program

pytestmark = pytest.mark.sanitized


# The log

def test_lines_of_children_carry_their_names(start, services):
    services.add("talks", "say('<4>talks: mind the gap')\nsay('plain \\x1b[2J words')\nos.write(2, b'unfinished')\nready()\nserve()\n")
    tree = start()
    ground.wait_until(lambda: "plain" in tree.log(), 5, "its lines")
    assert "talks: warning: mind the gap\n" in tree.log()
    assert "talks: plain ?[2J words\n" in tree.log()
    os.kill(status(tree, "talks")["pid"], signal.SIGKILL)
    ground.wait_until(lambda: "talks: unfinished\n" in tree.log(), 5, "the unfinished line of the killed process")


def test_log_formats(make_tree, services):
    services.add("talks", "say('<4>talks: say \"hello\"')\nsay('x' * 2500 + '\\x01' * 10)\nready()\nserve()\n")
    tree = make_tree()
    tree.start(arguments=[*services.arguments, "--log-format", "json"])
    tree.stop()
    lines = [json.loads(line) for line in tree.log().splitlines()]
    assert any("say \"hello\"" in json.dumps(line, ensure_ascii=False).replace("\\\"", "\"") for line in lines)
    assert len(lines) > 5
    # Children whose standard error is another file inherit the variable too: they write plain lines.
    elsewhere = make_tree(name="elsewhere", environment={"JOURNAL_STREAM": "1:2"})
    elsewhere.start(arguments=services.arguments)
    elsewhere.stop()
    assert "talks: warning: say \"hello\"\n" in elsewhere.log()
    journal = make_tree(name="journal")
    journal.log_path.touch()
    seen = journal.log_path.stat()
    journal.environment["JOURNAL_STREAM"] = f"{seen.st_dev}:{seen.st_ino}"
    journal.start(arguments=services.arguments)
    journal.stop()
    assert "<4>talks: say \"hello\"\n" in journal.log()
    assert all(line[0] == "<" for line in journal.log().splitlines())


def test_no_line_controls_a_terminal(make_tree, services):
    """C1 in both forms, an overlong ESC, directions and separators, and invalid UTF-8: in a child's line, in its last line as
    'services' shows it, and in JSON, which stays valid."""
    services.add("talks", "for part in (b'a\\xc2\\x9b31m\\x9b31m\\xc0\\x9b|', b'\\xe2\\x80\\xae\\xe2\\x80\\xa8\\xff\\xc3\\xa4z\\n'):\n"
                 "    os.write(2, part)\nsys.exit(100)\n")
    for form in ("plain", "json"):
        tree = make_tree(name=form)
        tree.start(arguments=[*services.arguments, "--log-format", form])
        wait_for(tree, "talks", "failed")
        assert "a?31m?31m??|???äz" in json.dumps(status(tree, "talks"), ensure_ascii=False)
        tree.stop()
        data = tree.log_path.read_bytes()
        assert not any(bad in data for bad in (b"\xc2\x9b", b"\x9b3", b"\xc0", b"\xe2\x80", b"\xff", b"\x1b"))
        lines = data.decode().splitlines()
        assert any("a?31m?31m??|???äz" in (json.loads(line)["message"] if form == "json" else line) for line in lines)


def test_a_log_without_a_reader_blocks_nothing(make_tree, services):
    services.add("floods", "ready()\nfor _ in range(20000):\n    os.write(2, b'x' * 100 + b'\\n')\nrecord('flooded')\n"
                 "while True:\n    os.write(2, b'x' * 100 + b'\\n')\n")
    services.take("quota-keeper")
    reading, writing = os.pipe()
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, reading)
        flags = fcntl.fcntl(writing, fcntl.F_GETFL)
        fcntl.fcntl(writing, fcntl.F_SETFL, flags | os.O_NONBLOCK)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"full\n" * 100)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"\n")
        fcntl.fcntl(writing, fcntl.F_SETFL, flags)
        tree = make_tree()
        tree.write_config()
        tree.process = subprocess.Popen([program("hostletd"), "--prefix", tree.prefix, "--libexec", BUILD, *services.arguments],
                                        stderr=writing, start_new_session=True)
        os.close(writing)
        wait_for(tree, "quota-keeper", "ready")
        wait_for(tree, "floods", "ready")
        ground.wait_until(lambda: services.count("floods flooded"), 30, "2 MB of lines are accepted")
        for _ in range(20):
            before = time.monotonic()
            all_services(tree)
            assert time.monotonic() - before < 2
        os.kill(status(tree, "quota-keeper")["pid"], signal.SIGKILL)
        wait_for(tree, "quota-keeper", "ready")
        assert fcntl.fcntl(reading, fcntl.F_GETFL) & os.O_NONBLOCK == 0
        supervise(tree, "Stop", "floods")
        # The reader continues: it gets the stored lines, then the number of lost ones.
        text = b""
        deadline = time.monotonic() + 20
        while b"lines were dropped here: the log's reader was too slow" not in text and time.monotonic() < deadline:
            if select.select([reading], [], [], 1)[0]:
                text = text[-100000:] + os.read(reading, 65536)
        assert b"lines were dropped here" in text
        assert b"floods: xxxx" in text
        reader = subprocess.Popen(["cat"], stdin=reading, stdout=subprocess.DEVNULL)
        assert tree.stop() == 0
        reader.kill()
        reader.wait()


def test_hostletd_continues_without_a_log_reader(make_tree, services):
    services.take("quota-keeper")
    tree = make_tree()
    tree.write_config()
    reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    tree.process = subprocess.Popen([program("hostletd"), "--prefix", tree.prefix, "--libexec", BUILD, *services.arguments],
                                    stderr=reader.stdin, start_new_session=True)
    wait_for(tree, "quota-keeper", "ready")
    reader.kill()
    reader.wait()
    reader.stdin.close()
    tree.kill_service("quota-keeper")
    wait_for(tree, "quota-keeper", "ready")
