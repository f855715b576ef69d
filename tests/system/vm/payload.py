"""Makes the disk that brings hostlet and its tests into the machine: an ext4 image made for each run, mounted read-only.

/payload/install         what 'make install DESTDIR=' makes of the hardened build; copied over the machine's root
/payload/hardened, …     the programs of each build as its build directory has them, for trees below a prefix
/payload/source          the files of the checkout that the tests need
"""

import os
import shutil
import subprocess

SOURCES = ("tests/pytest.ini", "tests/lib", "tests/system", "tests/bench", "tests/vectors", "svc", "proto", "src/inagent/ininit",
           "scripts/users")


def copy_sources(source, target):
    for name in SOURCES:
        origin, copy = source / name, target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            shutil.copytree(origin, copy, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(origin, copy)


def copy_programs(build, target):
    target.mkdir()
    for path in build.iterdir():
        if path.is_file() and os.access(path, os.X_OK) and path.name not in ("config.status", "libtool"):
            shutil.copy2(path, target / path.name)


def make(place, source, builds):
    """Makes 'place'/payload.img from the checkout and {variant: build directory}; returns its path."""
    root, image = place / "payload", place / "payload.img"
    root.mkdir()
    install = subprocess.run(["make", "-s", "install", f"DESTDIR={root}/install"], cwd=builds["hardened"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if install.returncode != 0:
        raise RuntimeError(f"make install failed:\n{install.stdout[-4000:]}")
    for variant, build in builds.items():
        copy_programs(build, root / variant)
    copy_sources(source, root / "source")
    with open(image, "wb") as file:
        file.truncate(512 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", "payload", "-O", "^has_journal", "-m", "0", "-d", root, image],
                   check=True)
    shutil.rmtree(root)
    return image
