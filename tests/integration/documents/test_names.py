"""Tests that everything that belongs to a process is named like its folder in src. The folders are read, not listed; EXCEPTIONS
lists other names."""

import re

import pytest
from lib.tree import SOURCE

# No worker of the tree: (interface, user). hostletd is the supervisor and root; hostletctl and inagent serve no interface and run as their callers.
EXCEPTIONS = {"hostletd": ("io.hostlet.Supervisor", None), "ctl": (None, None), "inagent": (None, None)}
FOLDERS = sorted(path.name for path in (SOURCE / "src").iterdir() if path.is_dir() and path.name != "lib")
PROCESSES = [name for name in FOLDERS if name not in EXCEPTIONS]


def text_of(path):
    return (SOURCE / path).read_text()


def conf_of(name):
    return dict(re.findall(r"^(\w+)\s*=\s*(.*?)\s*$", text_of(f"svc/{name}/service.conf"), re.M))


def interface_of(name):
    return "io.hostlet." + "".join(word.capitalize() for word in name.split("-"))


def sections():
    return set(re.findall(r'^    \{"([a-z-]+)", "', text_of("src/lib/config/keys.c"), re.M))


def test_there_is_a_service_per_folder():
    assert sorted(path.name for path in (SOURCE / "svc").iterdir() if path.is_dir()) == PROCESSES


@pytest.mark.parametrize("name", PROCESSES)
def test_service_is_named_like_its_folder(name):
    conf = conf_of(name)
    assert conf["exec"] == conf["socket"] == name
    assert conf.get("user", f"hostlet-{name}") == f"hostlet-{name}"
    own, *subjects = re.split(r"\s+", conf.get("config_sections", name))
    assert {own, *subjects} <= {name, "zone", "unpacker"}, "a section that is neither the process's own nor a known subject"


@pytest.mark.parametrize("name", PROCESSES)
def test_interface_is_named_like_its_folder(name):
    interface = interface_of(name)
    assert text_of(f"proto/{interface}.varlink").count(f"interface {interface}\n") == 1
    main = text_of(f"src/{name}/main.c")
    assert f"&{name.replace('-', '_')}_interface" in main, "main.c serves another interface"


def test_every_interface_belongs_to_a_folder():
    expected = {interface_of(name) for name in PROCESSES} | {interface for interface, _ in EXCEPTIONS.values() if interface}
    assert {path.stem for path in (SOURCE / "proto").glob("io.hostlet.*.varlink")} == expected


def test_every_user_belongs_to_a_process():
    declared = set(re.findall(r"^u (\S+)", text_of("svc/sysusers.conf"), re.M))
    assert declared == {conf_of(name)["user"] for name in PROCESSES if "user" in conf_of(name)}


def test_every_section_is_a_process_or_a_subject():
    assert sections() <= {"hostlet", "zone"} | set(PROCESSES)


@pytest.mark.parametrize("name", FOLDERS)
def test_manual_page_is_named_like_the_folder(name):
    page = {"ctl": "hostletctl"}.get(name, name)
    assert text_of(f"man/{page}.8.scd").startswith(f"{page}(8)\n")


def test_state_is_named_like_the_process():
    """hostletd makes every directory of state. Its owner is the process that it is named after; 'zone' is a subject."""
    rows = re.findall(r'^    \{"hostlet/([a-z-]+)(?:/[a-z-]+)?", BASE_VAR, (?:"([a-z-]+)"|NULL)', text_of("src/hostletd/places.c"), re.M)
    assert rows
    assert [(directory, owner) for directory, owner in rows if owner and directory not in (owner, "zone")] == []
