"""The documents against the code: what a reader is promised must be there, and what is there must be written down."""

import re
import subprocess

import pytest
from lib.tree import SOURCE

MAN = SOURCE / "man"
PAGES = {page.name.removesuffix(".scd"): page for page in sorted(MAN.glob("*.scd"))}
DECISIONS = SOURCE / "docs/decisions"
DOCUMENTS = ["README.md", "ARCHITECTURE.md", "HACKING.md", "CONTRIBUTING.md", "NEWS"] + sorted(
    str(path.relative_to(SOURCE)) for folder in ("docs", "src") for path in (SOURCE / folder).rglob("*.md"))
FORMATS = ["hostlet.conf.5", "service.conf.5", "hostlet-manifest.5", "hostlet-package.5"]
# Exported by the original's package; hostlet-original(7) says where each is found.
ORIGINAL = """EnsurePackages PackageDownload NewInternalServer Run TryRun PackagePaths IpkDir IpkFile IpkInstallDir IpkInstallPath
    QuotaConfig Fetch FetchById FetchOrCreate Has Remove Sync SyncVendor QuotaProject""".split()


def text_of(path):
    return (SOURCE / path).read_text()


def page(name):
    assert name in PAGES, f"man/{name}.scd is missing"
    return PAGES[name].read_text()


def programs():
    """Every program that an administrator meets: the services' and the commands."""
    names = {"hostletd", "hostletctl", "inagent"}
    for conf in SOURCE.glob("svc/*/service.conf"):
        names.add(re.search(r"^exec\s*=\s*(\S+)", conf.read_text(), re.M)[1])
    return sorted(names)


def visible(text):
    """A page's text without scdoc's marks, for searching."""
    return re.sub(r"\\(.)", r"\1", text).replace("*", "").replace("\\", "")


@pytest.mark.parametrize("name", PAGES)
def test_page_builds(name):
    built = subprocess.run(["scdoc"], input=page(name), capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert page(name).startswith(f"{name[:-2]}({name[-1]})\n"), "the first line names another page"


def test_every_page_is_installed():
    listed = re.findall(r"^manual_pages \+= man/(\S+)", text_of("man/local.mk"), re.M)
    assert sorted(listed) == sorted(PAGES)


@pytest.mark.parametrize("name", programs())
def test_every_program_has_its_page(name):
    assert f"# SYNOPSIS" in page(f"{name}.8")


@pytest.mark.parametrize("name", FORMATS)
def test_every_file_format_has_its_page(name):
    page(name)


@pytest.mark.parametrize("name", PAGES)
def test_references_of_a_page_lead_somewhere(name):
    foreign = {"systemd(1)", "sysusers.d(5)", "systemd.unit(5)", "s6-supervise(8)", "s6-svscan(8)", "runsv(8)", "varlinkctl(1)",
               "dockerd(8)", "capabilities(7)", "glob(7)", "proc(5)", "journalctl(1)", "systemctl(1)", "curl(1)", "tar(1)",
               "xz(1)", "docker(1)", "network_namespaces(7)", "environ(7)", "inotify(7)", "systemd-sysusers(8)"}
    for reference, section in re.findall(r"\*?_?([a-z][a-z0-9.-]*)[*_]?\(([1-9])\)", page(name)):
        if f"{reference}({section})" in foreign:
            continue
        assert f"{reference}.{section}" in PAGES, f"{reference}({section}) does not exist"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_references_of_a_document_lead_somewhere(name):
    for reference, section in re.findall(r"\*([a-z][a-z0-9.-]*)\*\(([1-9])\)", text_of(name)):
        assert f"{reference}.{section}" in PAGES, f"{reference}({section}) does not exist"


def headings_of(text):
    """The names that a text's headings have in links."""
    return {re.sub(r"[^a-z0-9_ -]", "", h.lower()).strip().replace(" ", "-") for h in re.findall(r"^#+ (.*)$", text, re.M)}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_of_a_document_lead_somewhere(name):
    text = text_of(name)
    headings = headings_of(text)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings, f"no heading for {target}"
        elif "://" not in target:
            path, _, heading = target.partition("#")
            linked = (SOURCE / name).parent / path
            assert linked.exists(), f"{target} does not exist"
            assert not heading or heading in headings_of(linked.read_text()), f"no heading for {target}"
    for path in re.findall(r"`((?:src|scripts|svc|proto|man|tests|\.ci)/[\w./*-]+)", text):
        if any(placeholder in path for placeholder in ("NAME", "TOPIC", "TARGET")):
            continue
        assert list(SOURCE.glob(path.rstrip("/."))), f"{path} does not exist"


def test_every_folder_is_in_the_map():
    table = text_of("ARCHITECTURE.md").split("## 2.")[0]
    sources = [f for f in SOURCE.glob("src/*/") if f.is_dir() and f.name != "lib" and list(f.glob("*.*"))]
    libraries = [f for f in SOURCE.glob("src/lib/*/") if f.is_dir() and list(f.glob("*.*"))]
    for folder in sources + libraries + [SOURCE / f for f in ("svc", "proto", "man", "scripts", "tests")]:
        assert f"| `{folder.relative_to(SOURCE)}` |" in table, f"{folder} is not in the map"


def test_every_service_is_in_the_table_of_processes():
    table = text_of("ARCHITECTURE.md").split("## 2.")[1].split("## 3.")[0]
    for conf in SOURCE.glob("svc/*/service.conf"):
        row = re.search(rf"^\| `{conf.parent.name}` \|.*$", table, re.M)
        assert row, f"{conf.parent.name} is not in the table of processes"
        settings = dict(re.findall(r"^(\w+)\s*=\s*(.*?)\s*$", conf.read_text(), re.M))
        assert settings.get("user", "root") in row[0]
        assert f"`{settings['socket']}.sock`" in row[0]
        assert ("on demand" if settings["start"] == "demand" else "always") in row[0]
        assert ("| none |" in row[0].split("`")[2]) or settings.get("network") != "no"
        for capability in settings.get("capabilities", "").split():
            assert capability in row[0]


def test_every_step_is_in_the_tables():
    steps = re.findall(r'\[STEP_\w+\] = "(\w+)"', text_of("src/reconciler/rules/decide.c"))
    chapter = text_of("ARCHITECTURE.md").split("## 5.")[1].split("## 6.")[0]
    told_in_words = {"waiting": "wait", "preparing": "prepare", "conflict": "conflict", "remove_data": "data put aside",
                     "gone": "dropped from the record"}
    assert len(steps) > 20
    for step in steps:
        assert told_in_words.get(step, f"| {step} |") in chapter, f"step {step} is not described"


@pytest.mark.parametrize("source, states", [("src/reconciler/face/report.c", "replica_state"), ("src/lib/api/supervisor.c", "service_state")])
def test_every_state_is_described(source, states):
    text = text_of("src/lib/api/reconciler.c" if states == "replica_state" else source)
    names = re.search(r"state_names\[\] = \{(.*?)\};", text, re.S)[1]
    chapter = text_of("ARCHITECTURE.md")
    for name in re.findall(r'"(\w+)"', names):
        assert f"`{name}`" in chapter, f"state {name} is not described"


def test_every_error_is_described():
    for name in re.findall(r'"(io\.hostlet\.\w+)"', text_of("src/lib/varlink/interface.c")):
        assert f"`{name}`" in text_of("ARCHITECTURE.md"), f"{name} is not described"


def config_keys():
    table = text_of("src/lib/config/keys.c")
    return re.findall(r'\{"(\w+)", "(\w+)", CONFIG_\w+, "([^"]*)"', table)


def test_every_key_of_hostlet_conf_is_in_its_page():
    text = visible(page("hostlet.conf.5"))
    assert len(config_keys()) > 30
    for section, name, _ in config_keys():
        assert f"[{section}]" in text, f"section [{section}] is not described"
        # From its section's heading to the next one's.
        part = re.split(r"^#+ .*\[\w+\].*$", text, flags=re.M)
        headings = re.findall(r"^#+ .*\[(\w+)\].*$", text, re.M)
        if section in headings:
            assert re.search(rf"^{name}\b", part[headings.index(section) + 1], re.M), f"{section}: {name} is not described"
        else:
            assert re.search(rf"\b{name}\b", text), f"{section}: {name} is not described"


def test_the_page_of_hostlet_conf_has_the_defaults():
    text = visible(page("hostlet.conf.5"))
    for section, name, default in config_keys():
        if default:
            assert re.search(rf"\b{name}\b[\s\S]{{0,600}}?{re.escape(default)}", text), f"{section}: default of {name} is not {default}"


def test_every_key_of_service_conf_is_in_its_page():
    keys = re.findall(r'\{"(\w+)", &c->|streq\(key, "(\w+)"\)', text_of("src/lib/topology/topology.c"))
    names = [a or b for a, b in keys]
    assert len(names) > 10
    for name in names:
        assert re.search(rf"\b{name}\b", page("service.conf.5")), f"{name} is not described"


def test_every_option_of_a_manifest_is_in_its_page():
    keys = re.findall(r'\{"(\w+)", (?:true|false), set_\w+\}', text_of("src/lib/manifest/options.c"))
    assert len(keys) > 10
    for name in keys:
        assert re.search(rf"\b{name}\b", page("hostlet-manifest.5")), f"{name} is not described"


def test_every_command_is_in_its_page():
    table = text_of("src/ctl/commands.c").split("ctl_commands[]")[1]
    commands = re.findall(r'^    \{"([a-z ]+)", "', table, re.M)
    assert len(commands) > 15
    for command in commands:
        assert command in visible(page("hostletctl.8")), f"{command} is not described"


@pytest.mark.parametrize("name", PAGES)
def test_calls_that_a_page_names_exist(name):
    declared = {}
    for file in SOURCE.glob("src/lib/api/*.c"):
        text = file.read_text()
        arrays = dict(re.findall(r"varlink_method (\w+)\[\] = \{(.*?)\n\};", text, re.S))
        for interface, array in re.findall(r'"(io\.hostlet\.\w+)",[^;]*?\b(\w*methods)\b', text, re.S):
            declared[interface] = set(re.findall(r'\{"(\w+)",', arrays[array]))
    assert len(declared) >= 7
    for interface, method in re.findall(r"(io\.hostlet\.[A-Z][A-Za-z]*)\.([A-Z][A-Za-z]*)", page(name)):
        assert method in declared.get(interface, set()), f"{interface}.{method} does not exist"


def test_exit_codes_are_in_the_overview():
    for name, code in re.findall(r"EXIT_(\w+)\s*=\s*(\d+)", text_of("src/lib/basic/log.h")):
        assert f"*{code}*\n" in page("hostlet.7"), f"exit code {code} ({name}) is not described"


def test_every_item_of_the_original_is_mapped():
    for item in ORIGINAL:
        assert f"*{item}*" in page("hostlet-original.7"), f"{item} is not mapped"


def decisions():
    """Each decision as (number, title, status, date, file)."""
    found = []
    for path in sorted(DECISIONS.glob("[a-z]*.md")):
        for section in re.split(r"^## ", path.read_text(), flags=re.M)[1:]:
            number, title = re.match(r"(\d+)\. (.*)\n", section).groups()
            status = re.findall(r"^Status: (accepted|withdrawn|revised by [\d, ]+) · (20\d\d-\d\d-\d\d)$", section, re.M)
            assert len(status) == 1, f"decision {number} in {path.name} needs one status with a date"
            assert re.search(r"^Rejected: \S", section, re.M), f"decision {number} does not say what was rejected"
            found.append((int(number), title, *status[0], path.name))
    return found


def test_every_decision_has_one_number_of_its_own():
    numbers = [number for number, *_ in decisions()]
    assert len(numbers) > 160
    assert sorted(set(numbers)) == sorted(numbers), "a number is given twice"


def test_the_index_has_every_decision():
    index = (DECISIONS / "README.md").read_text()
    rows = re.findall(r"^\| (\d+) \| \[(.*)\]\((\S+)\.md#\S+\) \| (\S+) \| (.*) · (\S+) \|$", index, re.M)
    assert all(file == subject for _, _, file, subject, _, _ in rows)
    listed = [(int(number), title, status, date, f"{file}.md") for number, title, file, _, status, date in rows]
    assert listed == sorted(decisions()), "run scripts/decisions"
    unused = re.search(r"These numbers are unused: ([\d, ]+)\. The next free one is (\d+)\.", index)
    numbers = {number for number, *_ in listed}
    assert {int(n) for n in unused[1].split(", ")} == set(range(1, max(numbers))) - numbers
    assert int(unused[2]) == max(numbers) + 1


def test_decisions_that_are_named_exist():
    numbers = {number for number, *_ in decisions()}
    named = []
    paths = [SOURCE / name for name in DOCUMENTS if name != "docs/decisions/README.md"]
    paths += [path for folder in ("src", "svc", "man", "proto", "scripts", "tests") for path in (SOURCE / folder).rglob("*")
              if path.is_file() and path.suffix in ("", ".c", ".h", ".cc", ".py", ".scd", ".conf", ".md", ".mk", ".proto", ".varlink")
              and path.name != "test_documents.py" and "__pycache__" not in path.parts]
    for path in paths:
        text = path.read_text(errors="replace")
        for listed in re.findall(r"\b(?:[Dd]ecisions? |revised by )(\d+(?:(?:, | and |, and )\d+)*)", text):
            named += [(path, int(number)) for number in re.findall(r"\d+", listed)]
    assert len(named) > 5, "the search finds nothing"
    for path, number in named:
        assert number in numbers, f"{path.relative_to(SOURCE)} names decision {number}, which does not exist"


def test_the_first_change_of_hacking_can_be_made():
    """Its example changes what is there, and is not there yet."""
    part = text_of("HACKING.md").split("## The first change")[1].split("## Build")[0]
    for path, there, added in [("tests/unit/test_config.c", '{"2d", ', '{"2w", '), ("src/lib/config/value.c", '{"d", ', '{"w", ')]:
        assert path in part and added in part
        assert there in text_of(path) and added not in text_of(path), f"{path}: the example of HACKING.md needs another change"
    assert "parse_duration()" in part and "parse_duration(" in text_of("src/lib/config/value.c")
    assert "test_forms()" in part and "test_forms(" in text_of("tests/unit/test_config.c")


def test_documents_speak_of_hostlet_alone():
    """No paths of whoever wrote them."""
    for path in [SOURCE / name for name in DOCUMENTS] + list(PAGES.values()):
        assert not re.search(r"/root/|/home/(?!action)", path.read_text()), path
