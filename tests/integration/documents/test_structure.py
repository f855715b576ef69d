"""Rules of the source that a search through its text cannot check: the compiled files tell which file defines what, and which uses it."""

import re
import subprocess

import pytest
from lib.tree import BUILD, SOURCE

# Headers that still declare functions of other files than their own. The list only shrinks.
SHARED_HEADERS = set("""
    src/ctl/commands src/ctl/ctl src/fetcher/download src/fetcher/repository src/fetcher/sink_internal
    src/hostletd/service src/lib/grpc/client src/lib/grpc/client-internal src/lib/grpc/server
    src/lib/grpc/server-internal
""".split())


@pytest.fixture(scope="module")
def symbols():
    """Of each compiled file below src, as a path without its ending: which symbols it defines, and which it uses."""
    objects = {}
    for path in sorted((BUILD / "src").rglob("*.o")):
        # An object of a library or a program may have its name in front: libhostlet_a-log.o.
        folder, name = path.parent.relative_to(BUILD), re.sub(r"^\w+_a-", "", path.stem)
        if list((SOURCE / folder).glob(f"{name}.c*")):
            objects[str(path)] = f"{folder}/{name}"
    assert len(objects) > 200, f"no objects in {BUILD}"
    found = {file: (set(), set()) for file in objects.values()}
    listed = subprocess.run(["nm", "-A", "-P", *objects], capture_output=True, text=True, check=True).stdout
    for path, symbol, kind in re.findall(r"^(\S+): (\S+) ([TDBRVWU])\b", listed, re.M):
        found[objects[path]][kind == "U"].add(symbol)
    return found


@pytest.fixture(scope="module")
def homes(symbols):
    """Which files define a symbol; several where programs have the same one."""
    found = {}
    for file, (defined, _) in symbols.items():
        for symbol in defined:
            found.setdefault(symbol, set()).add(file)
    return found


def folder_of(file):
    return file.rsplit("/", 1)[0]


def declared_in(header):
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
    return re.findall(r"^(?!static|typedef|#)[A-Za-z_][\w \*\n]*?\b(\w+)\([^;{]*?\)[^;{]*;", text, re.M)


def test_a_header_declares_functions_of_its_own_file_alone(homes):
    shared = set()
    for header in sorted((SOURCE / "src").rglob("*.h")):
        own = str(header.relative_to(SOURCE).with_suffix(""))
        for function in declared_in(header):
            beside = {home for home in homes.get(function, ()) if folder_of(home) == folder_of(own)}
            if beside and own not in beside and own not in SHARED_HEADERS:
                shared.add(f"{own}.h: {function}() of {', '.join(sorted(beside))}")
    assert sorted(shared) == [], "declare it in a header of its own file"
