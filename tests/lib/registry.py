"""Runs a real image registry on a loopback port, with or without a password."""

import crypt
import http.client
from pathlib import Path

from . import ground


class Registry:
    def __init__(self, place, credentials=None):
        self.place = Path(place)
        self.credentials = credentials  # (user, password), or None for an open registry
        self.port = None
        self.process = None

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.place.mkdir(parents=True, exist_ok=True)
        for _ in range(5):
            self.port = self.port or ground.free_port()
            config = (f"version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n    rootdirectory: {self.place}/data\n"
                      f"  delete:\n    enabled: true\nhttp:\n  addr: {self.host}\n")
            if self.credentials:
                user, password = self.credentials
                hashed = crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))
                (self.place / "htpasswd").write_text(f"{user}:{hashed}\n")
                config += f"auth:\n  htpasswd:\n    realm: hostlet-test\n    path: {self.place}/htpasswd\n"
            (self.place / "config.yml").write_text(config)
            self.process = ground.start(["docker-registry", "serve", self.place / "config.yml"],
                                        self.place / "registry.log")
            try:
                ground.wait_until(self._answers, 20, "docker-registry answers")
                return
            except ChildProcessError:
                self.port = None  # another program bound it in the meantime
        raise AssertionError("docker-registry does not start: " + (self.place / "registry.log").read_text())

    def _answers(self):
        if self.process.poll() is not None:
            raise ChildProcessError("docker-registry ended")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        connection.request("GET", "/v2/")
        return connection.getresponse().status in (200, 401)

    def push(self, engine, reference, name):
        """Pushes a local image under 'name' (repository:tag) of this registry; returns its full reference."""
        full = f"{self.host}/{name}"
        engine.tag(reference, full)
        engine.push(full, self.credentials)
        engine.remove_image(full)
        return full

    def stop(self):
        if self.process:
            ground.stop(self.process)
            self.process = None
