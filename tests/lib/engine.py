"""Implements a client of the Docker Engine API, for changes that tests make without hostlet: the product's own client is under
test, and the docker command takes longer to start than most requests take."""

import base64
import contextlib
import http.client
import json
import socket
import struct
from urllib.parse import quote, urlencode


class EngineError(Exception):
    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class _Connection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("docker", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Engine:
    def __init__(self, path):
        self.path = path

    def request(self, method, path, body=None, *, query=None, headers=None, timeout=60):
        """Returns the body of the response: parsed when it is JSON, else bytes. A refusal raises an EngineError."""
        connection = _Connection(self.path, timeout)
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, bytearray)):
            body = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        if query:
            path += "?" + urlencode({k: json.dumps(v) if isinstance(v, (dict, list)) else v for k, v in query.items()},
                                    doseq=True)
        try:
            with contextlib.suppress(BrokenPipeError):  # refused before it was read: the response contains the reason
                connection.request(method, path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            try:
                message = json.loads(data)["message"]
            except (ValueError, KeyError):
                message = data.decode(errors="replace")
            raise EngineError(answer.status, message)
        if answer.getheader("Content-Type", "").startswith("application/json") and data:
            try:
                return json.loads(data)
            except ValueError:
                return [json.loads(line) for line in data.splitlines() if line.strip()]
        return data

    # Containers

    def containers(self, labels=()):
        return self.request("GET", "/containers/json", query={"all": "1", "filters": {"label": list(labels)}})

    def names(self):
        return sorted(name.lstrip("/") for item in self.containers() for name in item["Names"])

    def inspect(self, name):
        """Returns the container as the daemon shows it, or None."""
        try:
            return self.request("GET", f"/containers/{quote(name)}/json")
        except EngineError as error:
            if error.status == 404:
                return None
            raise

    def run(self, image, command=None, *, name=None, ports=(), host=None, **settings):
        """Creates and starts a container; 'ports' maps container ports to host ports. Returns its id."""
        ports = dict(ports)
        body = {"Image": image, **settings, "ExposedPorts": {f"{port}/tcp": {} for port in ports},
                "HostConfig": {"PortBindings": {f"{port}/tcp": [{"HostPort": str(outside)}]
                                                for port, outside in ports.items()}, **(host or {})}}
        if command is not None:
            body["Cmd"] = list(command)
        made = self.request("POST", "/containers/create", body, query={"name": name} if name else None)
        self.request("POST", f"/containers/{made['Id']}/start", b"")
        return made["Id"]

    def wait(self, name, timeout=30):
        """Waits for a container to end; returns its exit code."""
        return self.request("POST", f"/containers/{quote(name)}/wait", b"", timeout=timeout)["StatusCode"]

    def logs(self, name):
        """Returns the output of a container without a terminal, both streams in order, as text."""
        data = self.request("GET", f"/containers/{quote(name)}/logs", query={"stdout": "1", "stderr": "1"})
        text = b""
        while len(data) >= 8:
            size = struct.unpack(">I", data[4:8])[0]
            text += data[8:8 + size]
            data = data[8 + size:]
        return text.decode(errors="replace")

    def execute(self, name, *command, user=None):
        """Runs a command in a container: returns (exit code, output)."""
        body = {"AttachStdout": True, "AttachStderr": True, "Tty": True, "Cmd": list(command)}
        if user is not None:
            body["User"] = user
        made = self.request("POST", f"/containers/{quote(name)}/exec", body)["Id"]
        output = self.request("POST", f"/exec/{made}/start", {"Detach": False, "Tty": True})
        return self.request("GET", f"/exec/{made}/json")["ExitCode"], output.decode(errors="replace")

    def kill(self, name, number="KILL"):
        self.request("POST", f"/containers/{quote(name)}/kill", b"", query={"signal": number})

    def remove(self, name):
        try:
            self.request("DELETE", f"/containers/{quote(name)}", query={"force": "1", "v": "1"})
        except EngineError as error:
            if error.status not in (404, 409):  # removed, or being removed
                raise

    # Volumes

    def volumes(self):
        """Returns the volumes by name."""
        return {volume["Name"]: volume for volume in self.request("GET", "/volumes")["Volumes"] or []}

    def make_volume(self, name, device=None, labels=None):
        options = {"type": "none", "o": "bind", "device": str(device)} if device else {}
        return self.request("POST", "/volumes/create", {"Name": name, "Driver": "local", "DriverOpts": options, "Labels": labels or {}})

    def remove_volume(self, name):
        self.request("DELETE", f"/volumes/{quote(name)}")

    # Images

    def has_image(self, reference):
        try:
            self.request("GET", f"/images/{quote(reference, safe='/:@')}/json")
            return True
        except EngineError as error:
            if error.status == 404:
                return False
            raise

    def import_image(self, reference, tar, changes=()):
        repository, _, tag = reference.rpartition(":")
        lines = self.request("POST", "/images/create", tar, headers={"Content-Type": "application/x-tar"},
                             query={"fromSrc": "-", "repo": repository, "tag": tag, **({"changes": "\n".join(changes)} if changes else {})})
        self._check_progress(lines)

    def tag(self, reference, new):
        repository, _, tag = new.rpartition(":")
        self.request("POST", f"/images/{quote(reference, safe='/:@')}/tag", b"", query={"repo": repository, "tag": tag})

    def remove_image(self, reference):
        try:
            self.request("DELETE", f"/images/{quote(reference, safe='/:@')}", query={"force": "1"})
        except EngineError as error:
            if error.status != 404:
                raise

    def push(self, reference, credentials=None):
        name, _, tag = reference.rpartition(":")
        self._check_progress(self.request("POST", f"/images/{quote(name, safe='/:')}/push", b"", query={"tag": tag},
                                          headers=self._auth(credentials)))

    def pull(self, reference, credentials=None):
        name, _, tag = reference.rpartition(":")
        self._check_progress(self.request("POST", "/images/create", b"", query={"fromImage": name, "tag": tag},
                                          headers=self._auth(credentials)))

    @staticmethod
    def _auth(credentials):
        user, password = credentials or ("", "")
        text = json.dumps({"username": user, "password": password})
        return {"X-Registry-Auth": base64.urlsafe_b64encode(text.encode()).decode()}

    @staticmethod
    def _check_progress(lines):
        for line in lines if isinstance(lines, list) else [lines]:
            if isinstance(line, dict) and "error" in line:
                raise EngineError(200, line["error"])
