"""Tests the test environment: the real daemons on which other tests rely work as expected."""

import hashlib
import os
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from lib import ground, packages
from lib.engine import EngineError
from lib.varlink import Closed, Varlink, VarlinkError


def get(url, headers=None):
    """Returns (status, body), without raising HTTP errors."""
    request = urllib.request.Request(url, headers=headers or {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_build_directory_is_given():
    assert (Path(os.environ["HOSTLET_BUILD"]) / "Makefile").exists()


def test_wait_until_names_the_condition_that_failed():
    with pytest.raises(AssertionError, match="the moon: not within 0.05 s; last seen: 0"):
        ground.wait_until(lambda: 0, 0.05, "the moon")


def test_container_runs_and_its_port_answers(engine, busybox_image):
    port = ground.free_port()
    engine.run(busybox_image, ["httpd", "-f", "-p", "80", "-h", "/www"], name="web", ports={80: port})
    assert ground.wait_until(lambda: get(f"http://127.0.0.1:{port}/"), 10, "httpd answers") == (200, b"hello from the image\n")
    assert engine.execute("web", "id", "-u") == (0, "0\r\n")


def test_exit_code_and_logs_of_a_container(engine, shell_image):
    engine.run(shell_image, ["/bin/sh", "-c", "echo out; echo err >&2; exit 7"], name="brief")
    assert engine.wait("brief") == 7
    assert sorted(engine.logs("brief").splitlines()) == ["err", "out"]


def test_shell_image_has_nothing_but_a_shell(engine, shell_image):
    engine.run(shell_image, ["/bin/sh", "-c", "id; ls /etc/passwd"], name="bare")
    assert engine.wait("bare") == 127


def test_debian_image_has_the_tools_for_users(engine, debian_image):
    engine.run(debian_image, ["bash", "-ec", "groupadd -g 2048 action && useradd -u 2048 -g action action && "
                              "getent passwd action && ls /etc/os-release"], name="debian")
    assert engine.wait("debian") == 0, engine.logs("debian")
    assert "action:x:2048:2048" in engine.logs("debian")


def test_entry_image_has_its_own_user_and_entrypoint(engine, entry_image):
    port = ground.free_port()
    engine.run(entry_image, name="entry", ports={8080: port})
    assert ground.wait_until(lambda: get(f"http://127.0.0.1:{port}/"), 10, "the entrypoint answers")[0] == 200
    assert engine.execute("entry", "id", "-u") == (0, "65534\r\n")


def test_containers_survive_a_killed_dockerd(dockerd, engine, busybox_image):
    engine.run(busybox_image, ["sleep", "1000"], name="survivor")
    before = engine.inspect("survivor")["State"]["Pid"]
    dockerd.restart()
    assert engine.inspect("survivor")["State"]["Pid"] == before
    assert ground.alive(before)


def test_a_hanging_dockerd_accepts_and_does_not_answer(dockerd, engine):
    with dockerd.stopped(), pytest.raises(OSError):
        engine.request("GET", "/_ping", timeout=0.3)
    assert engine.request("GET", "/_ping") == b"OK"


def test_pull_from_the_registry(engine, registry, busybox_image):
    reference = registry.push(engine, busybox_image, "ground/busybox:2")
    assert not engine.has_image(reference)
    engine.pull(reference)
    assert engine.has_image(reference)
    with pytest.raises(EngineError, match="not found|unknown"):
        engine.pull(f"{registry.host}/ground/none:1")
    engine.remove_image(reference)


def test_the_private_registry_requires_its_password(engine, private_registry, busybox_image):
    reference = private_registry.push(engine, busybox_image, "ground/private:1")
    with pytest.raises(EngineError, match="no basic auth|unauthorized"):
        engine.pull(reference)
    engine.pull(reference, private_registry.credentials)
    assert engine.has_image(reference)
    engine.remove_image(reference)


def test_nginx_serves_ranges_and_refuses_them_below_noranges(nginx):
    (nginx.root / "file").write_bytes(b"0123456789")
    assert get(nginx.url + "/file", {"Range": "bytes=4-"}) == (206, b"456789")
    assert get(nginx.url + "/noranges/file", {"Range": "bytes=4-"}) == (200, b"0123456789")
    requests = ground.wait_until(lambda: len(nginx.requests()) == 2 and nginx.requests(), 5, "both requests are logged")
    assert [(item["status"], item["range"], item["uri"]) for item in requests] == [
        (206, "bytes=4-", "/file"), (200, "bytes=4-", "/noranges/file")]


def test_nginx_errors_redirects_and_passwords(nginx):
    (nginx.root / "file").write_bytes(b"x")
    assert get(nginx.url + "/error/file")[0] == 503
    assert get(nginx.url + "/missing/file")[0] == 404
    assert get(nginx.url + "/redirect/file") == (200, b"x")
    assert get(nginx.url + "/loop/file")[0] == 302
    assert get(nginx.url + "/private/file")[0] == 401


def test_nginx_speaks_tls_by_its_own_ca(nginx):
    (nginx.root / "file").write_bytes(b"secret")
    command = ["curl", "-sS", "--noproxy", "*", nginx.tls_url + "/file"]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode != 0 and "certificate" in refused.stderr
    trusted = subprocess.run([*command, "--cacert", nginx.ca_file], capture_output=True, text=True, check=True)
    assert trusted.stdout == "secret"


def test_nginx_as_a_proxy(nginx):
    (nginx.root / "file").write_bytes(b"by proxy")
    result = subprocess.run(["curl", "-sS", "--proxy", nginx.proxy_url, "http://packages.test/file"], capture_output=True,
                            text=True, check=True)
    assert result.stdout == "by proxy"
    assert ground.wait_until(lambda: nginx.requests("proxy.log"), 5, "the proxy's log has it")[0]["status"] == 200


@pytest.mark.parametrize("how", ["xz", "gzip", "zstd", "none"])
def test_packages_made_by_hand_unpack(place, repository, how):
    path = repository.add("hand", "1.2.3", files={"bin/hello": b"#!/bin/sh\necho hello\n"}, how=how)
    assert path.name == f"hand_1.2.3_linux_{packages.ARCH}.ipk"
    data = path.read_bytes()
    size = int.from_bytes(data[4:8], "little")
    block = data[8 + size:]
    assert hashlib.sha256(block).hexdigest() == repository.items[0]["package"]["release"]["checksum"].removeprefix("sha256:")
    subprocess.run(["bsdtar", "-x", "-C", place, "-f", "-"], input=block, check=True)
    assert subprocess.run([place / "bin/hello"], capture_output=True, text=True, check=True).stdout == "hello\n"


def answer(listener, script):
    """Serves one connection: 'script' is a list of byte strings sent after the first frame arrived."""
    def serve():
        connection, _ = listener.accept()
        with connection:
            while b"\0" not in connection.recv(65536):
                pass
            for data in script:
                connection.sendall(data)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def listener(place):
    deep = place / ("x" * 120)  # longer than sun_path
    deep.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        directory = os.open(deep, os.O_PATH)
        server.bind(f"/proc/self/fd/{directory}/s")
        os.close(directory)
        server.listen()
        yield server, deep / "s"


def test_varlink_client_call_stream_and_error(listener):
    server, path = listener
    answer(server, [b'{"parameters":{"n":1},"continues":true}\0{"param', b'eters":{"n":2}}\0'])
    with Varlink(path) as connection:
        assert [item["n"] for item in connection.stream("io.test.Count")] == [1, 2]
    answer(server, [b'{"error":"io.test.Refused","parameters":{"reason":"no"}}\0'])
    with Varlink(path) as connection, pytest.raises(VarlinkError, match='io.test.Refused {"reason": "no"}'):
        connection.call("io.test.Do")
    answer(server, [b'{"parameters":{}}'])
    with Varlink(path) as connection, pytest.raises(Closed):
        connection.call("io.test.Do")
