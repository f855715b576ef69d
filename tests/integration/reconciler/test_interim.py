"""Tests what runs while the desired revision cannot be prepared: the applied revision, and nothing if the instance is not to run."""

import contextlib
import http.server
import os
import socket
import threading

import pytest
from lib import ground
from lib.apps import App, driver_containers, manifest, names_below
from lib.varlink import VarlinkError
from lib.zone import ZoneApp, join


class SilentServer:
    """Accepts connections and never answers; 'open' is the number of those on which the other side waits. Docker finds an insecure
    registry and waits for its first answer."""

    def __init__(self):
        self.open = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.open += 1
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection):
        with connection, contextlib.suppress(OSError):
            while connection.recv(65536)[:1] not in (b"", b"\x16"):  # TLS
                pass
        self.open -= 1

    def is_called(self):
        ground.wait_until(lambda: self.open > 0, 20, "the server is called")

    def is_left(self):
        ground.wait_until(lambda: self.open == 0, 20, "the call is cancelled")


@pytest.fixture
def silent():
    server = SilentServer()
    yield server
    server.listener.close()


def runs(app, revision):
    """Waits until all replicas run the revision, also while the desired one is being prepared."""
    return app.wait(lambda i: i and i["replicas"] and all(
        r["state"] == "running" and r["revision"] == revision for r in i["replicas"]), f"revision {revision} runs")


def test_a_pull_that_never_ends(tree, engine, busybox_image, silent):
    """Docker's registry does not answer. Stop and destroy are done at once; the applied revision runs meanwhile. Docker itself ends a
    pull that its client has left only when it receives data."""
    app = App(tree)
    app.deploy(manifest(script="exec sleep 1000"))
    before = engine.inspect("i8k_web_0")["Id"]
    app.apply(manifest(image=f"127.0.0.1:{silent.port}/never:1", pull="missing", init="image"))
    silent.is_called()
    assert tree.ctl("stop", "web", "-t", "10s").stdout.endswith("web: stopped\n")
    assert not [s for s in app.replica()["stages"] if s["state"] == "running"]

    app.start()
    runs(app, 1)
    assert engine.inspect("i8k_web_0")["Id"] == before
    ground.wait_until(lambda: engine.inspect("i8k_web_0")["HostConfig"]["RestartPolicy"]["Name"] == "always", 20, "and is kept")
    engine.remove("i8k_web_0")
    ground.wait_until(lambda: engine.inspect("i8k_web_0"), 20, "it is created again")
    runs(app, 1)
    assert engine.inspect("i8k_web_0")["Id"] != before
    assert not app.get()["settled"]  # the pull goes on

    assert tree.ctl("destroy", "web", "-t", "10s").stdout.endswith("web: destroyed\n")
    assert engine.names() == []


@pytest.fixture
def silent_tree(make_tree, repository, silent):
    """A tree whose second repository never answers."""
    repository.add("site", "1.0.0", files={"file": b"x"})
    return make_tree({"container-driver": {"runtime": "null"},
                      "fetcher": {"repositories": f"{repository.url} http://127.0.0.1:{silent.port}/"},
                      "reconciler": {"probation": "100ms", "retry_min": "100ms", "retry_max": "200ms"}}).start()


def test_a_package_that_never_comes(silent_tree, silent):
    """The package's repository does not answer: it is called for as long as a replica is to run."""
    app = App(silent_tree)
    app.deploy(manifest(image="one:1", replicas=2))
    app.apply(manifest(image="two:1", packages=["other"], replicas=2))
    silent.is_called()
    app.stop()
    app.stopped()
    silent.is_left()
    app.start()
    silent.is_called()
    runs(app, 1)
    silent_tree.kill_service("reconciler")
    silent.is_called()
    runs(app, 1)
    app.destroy()
    app.gone()
    silent.is_left()


class HalfServer(http.server.BaseHTTPRequestHandler):
    """Serves a directory; of a package only the first half, and then nothing."""

    def do_GET(self):
        data = (self.server.directory / self.path.strip("/")).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        whole = self.path.endswith("index.json")
        self.wfile.write(data if whole else data[:len(data) // 2])
        self.wfile.flush()
        if not whole:
            self.server.asked.set()
            self.server.end.wait(60)

    def log_message(self, *_):
        pass


@pytest.fixture
def half(repository):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), HalfServer)
    server.directory, server.asked, server.end = repository.directory, threading.Event(), threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.end.set()
    server.shutdown()


def test_a_destroy_during_a_fetch_leaves_nothing_in_the_store(make_tree, repository, half):
    repository.add("site", "1.0.0", files={"file": os.urandom(1 << 20)})
    tree = make_tree({"container-driver": {"runtime": "null"},
                      "fetcher": {"repositories": f"http://127.0.0.1:{half.server_port}/"}}).start()
    app, partial = App(tree), tree.prefix / "var/ipk/.partial"
    app.apply(manifest(image="one:1", packages=["site"]))
    assert half.asked.wait(20)
    ground.wait_until(lambda: names_below(partial), 20, "half of it is in the store")
    app.stop()
    app.stopped()
    assert names_below(partial)  # the rest is fetched by the next start
    half.asked.clear()
    app.start()
    assert half.asked.wait(20)
    app.destroy()
    app.gone()
    ground.wait_until(lambda: not names_below(partial) and not list((tree.prefix / "var/ipk").rglob("*.ipk")), 20, "nothing is left")


def test_a_zones_stop_cancels_the_preparation(silent_tree, silent):
    join(silent_tree)
    app = ZoneApp(silent_tree)
    app.put(1)
    app.running()
    app.put(2, image="app:2", spec={"packages": [{"name": "other", "version": "1"}]})
    silent.is_called()
    app.put(3, action="stop", image="app:2", spec={"packages": [{"name": "other", "version": "1"}]})
    app.stopped()
    silent.is_left()
    app.put(4, image="app:2", spec={"packages": [{"name": "other", "version": "1"}]})
    silent.is_called()
    runs(app, 1)
    assert "container_running" not in app.stages()  # the order's own container does not run
    app.put(5, action="destroy")
    app.destroyed()
    silent.is_left()


def test_the_applied_revision_keeps_its_host_port(null_tree):
    """Another instance cannot get the port of the revision that runs until the next one is prepared, also while it is stopped."""
    app, port, other = App(null_tree), ground.free_port(), ground.free_port()
    app.deploy(manifest(image="one:1", ports={"http": 80}, host_ports={0: {80: port}}))
    app.apply(manifest(image="missing/x:1", pull="missing", ports={"http": 80}, host_ports={0: {80: other}}))
    app.stop()
    app.stopped()
    for taken in (port, other):
        with pytest.raises(VarlinkError, match=f"host port {taken}.* in use by instance web"):
            App(null_tree, "two").apply(manifest("two", image="two:1", ports={"http": 80}, host_ports={0: {80: taken}}))
    app.start()
    runs(app, 1)
    # When the next revision has proven itself, the port is free.
    app.deploy(manifest(image="three:1", ports={"http": 80}, host_ports={0: {80: other}}))
    App(null_tree, "two").deploy(manifest("two", image="two:1", ports={"http": 80}, host_ports={0: {80: port}}))


def test_a_replica_that_waits_for_its_turn_is_brought_back_when_the_rollout_has_stopped(null_tree):
    app = App(null_tree)
    app.deploy(manifest(image="one:1", replicas=2))
    app.apply(manifest(image="null/exit-3", replicas=2))
    app.wait(lambda i: i["settled"] and i["failed"], "the rollout stops")
    app.stop()
    app.stopped()
    # The start retries the switch, which fails again.
    app.start()
    runs_again = app.wait(lambda i: i["settled"] and i["failed"] and all(r["revision"] == 1 for r in i["replicas"]),
                          "both run the applied revision")
    assert [c["state"] for c in driver_containers(null_tree).values()] == ["running", "running"], runs_again
