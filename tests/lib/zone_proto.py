"""Provides the zone's messages for Python, made from hostlet's own .proto files by Debian's protoc on the first request, and
tokens."""

import base64
import hashlib
import hmac
import importlib.util
import json
import subprocess
import sys
import time
import uuid

from .tree import SOURCE

KEY = ("0123456789ab", "S" * 48)  # id and secret of the tests' host
FILES = ("inapi/common", "inapi/host", "inapi/app", "inapi/package", "inapi/zone", "grpc/health", "grpc/reflection")


class Messages:
    """All messages as attributes: zone.PingRequest, app.AppInstance, …"""

    def __init__(self, place):
        place.mkdir(exist_ok=True)
        subprocess.run(["protoc", f"-I{SOURCE}/proto", f"--python_out={place}", *(f"{name}.proto" for name in FILES)],
                       check=True, cwd=place)
        sys.path.insert(0, str(place))  # the files import each other as inapi.NAME_pb2
        for name in FILES:
            # Not as the package "grpc", which is grpcio's.
            module = name.replace("/", ".") + "_pb2" if name.startswith("inapi") else name.replace("/", "_") + "_pb2"
            spec = importlib.util.spec_from_file_location(module, place / f"{name}_pb2.py")
            loaded = importlib.util.module_from_spec(spec)
            sys.modules[module] = loaded
            spec.loader.exec_module(loaded)
            setattr(self, name.partition("/")[2], loaded)


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token_parts(text):
    """Returns header and claims of a token."""
    return [json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in text.split(".")[:2]]


def token(key=KEY, now=None, header=None, claims=None, secret=None):
    """Makes a token as the zone does; 'header' and 'claims' replace its content, 'secret' the key that signs it."""
    now = int(time.time() if now is None else now)
    header = {"alg": "HS256", "kid": key[0]} if header is None else header
    claims = {"iat": now, "exp": now + 60, "state": str(uuid.uuid4())} if claims is None else claims
    signed = ".".join(encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    mac = hmac.new((secret or key[1]).encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{encode(mac)}"
