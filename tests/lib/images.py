"""Makes small images from files of Debian packages, so that no test needs a registry on the internet."""

import io
import json
import subprocess
import tarfile
from pathlib import Path

BUSYBOX = "hostlet-test/busybox:1"
SHELL = "hostlet-test/shell:1"
ENTRY = "hostlet-test/entry:1"
DEBIAN = "hostlet-test/debian:1"
VOLUMES = "hostlet-test/volumes:1"


class _Tar:
    def __init__(self, begin=None):
        """Makes an empty archive, or one to which files are added that 'begin' does not contain yet."""
        self.buffer = io.BytesIO(begin)
        self.tar = tarfile.open(fileobj=self.buffer, mode="a" if begin else "w")

    def directory(self, name, mode=0o755, owner=0):
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, mode, owner, owner
        self.tar.addfile(entry)

    def file(self, name, data, mode=0o644, owner=0):
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.uid, entry.gid = len(data), mode, owner, owner
        self.tar.addfile(entry, io.BytesIO(data))

    def link(self, name, target):
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = tarfile.SYMTYPE, target
        self.tar.addfile(entry)

    def bytes(self):
        self.tar.close()
        return self.buffer.getvalue()


def busybox_tar(extra=None):
    """Makes a root with busybox and its applets; 'extra' maps further file names to their bytes."""
    tar = _Tar()
    for name in ("bin", "sbin", "usr", "usr/bin", "usr/sbin", "etc", "root", "home", "opt", "www"):
        tar.directory(name)
    tar.directory("tmp", 0o1777)
    tar.file("bin/busybox", Path("/bin/busybox").read_bytes(), 0o755)
    listing = subprocess.run(["/bin/busybox", "--list-full"], capture_output=True, text=True, check=True).stdout
    for applet in listing.split():
        if applet not in ("bin/busybox", "linuxrc"):
            tar.link(applet, "/bin/busybox")
    tar.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
    tar.file("etc/group", b"root:x:0:\nnogroup:x:65534:\n")
    tar.file("www/index.html", b"hello from the image\n")
    for name, data in (extra or {}).items():
        tar.file(name, data, 0o755)
    return tar.bytes()


def volumes_tar():
    """Makes the root of busybox_tar() with a directory data, which has an owner, a mode and content of its own."""
    tar = _Tar(busybox_tar())
    tar.directory("data", 0o750, owner=1234)
    tar.file("data/seed", b"of the image\n", 0o640, owner=1234)
    tar.link("data/link", "seed")
    return tar.bytes()


def shell_tar():
    """Makes a root with nothing but /bin/sh (dash) and the libraries that it loads: no user, no tool, no /tmp."""
    tar = _Tar()
    tar.directory("bin")
    tar.file("bin/sh", Path("/bin/dash").resolve().read_bytes(), 0o755)
    made = {"bin"}
    for word in subprocess.run(["ldd", "/bin/dash"], capture_output=True, text=True, check=True).stdout.split():
        if word.startswith("/"):
            parent = word.lstrip("/").rpartition("/")[0]
            for depth in range(1, parent.count("/") + 2):
                name = "/".join(parent.split("/")[:depth])
                if name not in made:
                    tar.directory(name)
                    made.add(name)
            tar.file(word.lstrip("/"), Path(word).resolve().read_bytes(), 0o755)
    return tar.bytes()


def debian_tar():
    """Makes a root with the contents of a small Debian image: bash, dash, coreutils, grep, sed and the tools for users and
    groups, from this machine's packages, with the libraries that they load."""
    listing = subprocess.run(["dpkg-query", "-L", "bash", "dash", "coreutils", "grep", "sed", "passwd", "base-files"],
                             capture_output=True, text=True, check=True).stdout.splitlines()
    files = [Path(name) for name in listing if Path(name).is_file() and "/share/" not in name and "/cron" not in name]
    programs = [path for path in files if path.parent.name in ("bin", "sbin")] + [Path("/usr/bin/getent")]
    linked = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=False).stdout
    libraries = {Path(word) for word in linked.split() if word.startswith("/") and ".so" in word}
    # Files that getent and useradd read by name when they run.
    libraries |= {path for pattern in ("libnss_files*", "libnss_compat*") for path in Path("/lib").glob(f"*/{pattern}")}
    tar = _Tar()
    made = set()

    def place(path):
        name = str(path).lstrip("/")
        if not name.startswith("usr/") and name.split("/")[0] in ("bin", "sbin", "lib", "lib64"):
            name = "usr/" + name
        return name

    def parents(name):
        for parent in reversed(Path(name).parents[:-1]):
            if str(parent) not in made:
                made.add(str(parent))
                tar.directory(str(parent))
    programs.append(Path("/bin/sh"))
    contents = {place(path): (path, path.stat().st_mode & 0o777) for path in sorted({*files, *programs, *libraries})}
    for name, (path, mode) in contents.items():
        parents(name)
        tar.file(name, path.resolve().read_bytes(), mode)
    for name in ("root", "home", "opt", "tmp", "var", "var/log"):
        tar.directory(name, 0o1777 if name == "tmp" else 0o755)
    for name in ("bin", "sbin", "lib", "lib64"):
        tar.link(name, f"usr/{name}")
    for name in ("passwd", "group"):
        tar.file(f"etc/{name}", Path(f"/usr/share/base-passwd/{name}.master").read_bytes())
    tar.file("etc/shadow", b"root:*:19000:0:99999:7:::\n", 0o640)
    tar.file("etc/nsswitch.conf", b"passwd: files\ngroup: files\nshadow: files\n")
    return tar.bytes()


def load_debian(engine, reference=DEBIAN):
    engine.import_image(reference, debian_tar(), ['CMD ["/bin/bash"]'])
    return reference


def load_busybox(engine, reference=BUSYBOX, extra=None):
    engine.import_image(reference, busybox_tar(extra), ['CMD ["/bin/sh"]'])
    return reference


def load_volumes(engine, reference=VOLUMES, volumes=("/data", "/var/lib/app")):
    """Makes an image with VOLUMEs, and content in /data."""
    engine.import_image(reference, volumes_tar(), ['CMD ["/bin/sh"]', f"VOLUME {json.dumps(list(volumes))}"])
    return reference


def load_shell(engine, reference=SHELL):
    engine.import_image(reference, shell_tar())
    return reference


def load_entry(engine, reference=ENTRY):
    """Makes an ordinary image with its own user and entrypoint: a web server of /www on port 8080."""
    engine.import_image(reference, busybox_tar(), [
        'ENTRYPOINT ["/bin/busybox", "httpd", "-f", "-v", "-p", "8080"]', 'CMD ["-h", "/www"]', "USER 65534:65534",
        "WORKDIR /www", "ENV GREETING=hello", "EXPOSE 8080"])
    return reference
