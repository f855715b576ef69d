"""Makes package files (.ipk): good ones quickly, and hostile ones that the product's own builder would not make."""

import gzip
import hashlib
import io
import json
import lzma
import platform
import struct
import subprocess
import tarfile
from pathlib import Path

ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


def entry(name, data=b"", *, kind=tarfile.REGTYPE, mode=0o644, target="", **fields):
    """Returns an entry of a tar: (TarInfo, bytes). 'kind' is one of tarfile's types, 'target' a link's."""
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname = kind, mode, target
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def make_tar(entries):
    """Returns a tar of entries. An item may be bytes, which are inserted between the entries unchanged."""
    buffer = io.BytesIO()
    for item in entries:
        if isinstance(item, bytes):
            buffer.write(item)
            continue
        info, data = item
        buffer.write(info.tobuf(tarfile.GNU_FORMAT if len(info.name) > 100 or len(info.linkname) > 100
                                else tarfile.USTAR_FORMAT, "utf-8", "surrogateescape"))
        buffer.write(data + b"\0" * (-len(data) % 512))
    buffer.write(b"\0" * 1024)
    return buffer.getvalue()


def compress(data, how):
    if how == "xz":
        return lzma.compress(data, preset=1)
    if how == "gzip":
        return gzip.compress(data, 6, mtime=0)
    if how == "zstd":
        return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout
    return data


def package_id(name, version, arch=ARCH):
    return f"{name}_{version}_linux_{arch}".lower()


def ipk(name, version, entries=None, *, files=None, how="xz", arch=ARCH, block=None, header=None, release=None):
    """Returns the bytes of a package and its header. 'files' maps names to bytes (scripts are made executable); 'entries' is for
    full control; 'block' replaces the compressed block; 'release' changes fields of the header's release, 'header' replaces the
    whole header."""
    if entries is None:
        entries = [entry(".", kind=tarfile.DIRTYPE, mode=0o755)]
        made = set()
        for path, data in (files or {}).items():
            parents = path.split("/")[:-1]
            for depth in range(1, len(parents) + 1):
                parent = "/".join(parents[:depth])
                if parent not in made:
                    made.add(parent)
                    entries.append(entry(parent, kind=tarfile.DIRTYPE, mode=0o755))
            entries.append(entry(path, data, mode=0o755 if data.startswith(b"#!") else 0o644))
    if block is None:
        block = compress(make_tar(entries), how)
    if header is None:
        header = {
            "metadata": {"name": name, "version": version.split("-r")[0], "description": "made by the tests"},
            "release": {"version": version, "os": "linux", "arch": arch, "built": 1700000000, "size": len(block),
                        "checksum": "sha256:" + hashlib.sha256(block).hexdigest(),
                        **({"compress": how} if how != "none" else {}), **(release or {})}}
    text = json.dumps(header).encode()
    return b"IPK1" + struct.pack("<I", len(text)) + text + block, header


class Repository:
    """A directory of packages as a fetcher finds it by file:// or http://, with its index."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.items = []

    def add(self, name, version, *, arch=ARCH, index=True, **options):
        """Makes a package and writes the index. Returns the file's path."""
        data, header = ipk(name, version, arch=arch, **options)
        return self.add_bytes(package_id(name, version, arch) + ".ipk", data, header, index)

    def add_bytes(self, file, data, header, index=True):
        path = self.directory / file
        path.write_bytes(data)
        self.items = [item for item in self.items if item["file"] != file]
        self.items.append({"file": file, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "package": header})
        if index:
            self.write_index()
        return path

    def write_index(self):
        (self.directory / "index.json").write_text(json.dumps({"format": 1, "items": self.items}, indent=1))
