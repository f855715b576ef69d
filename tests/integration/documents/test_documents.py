"""Tests the documents against the code: everything that a document names exists, and everything that exists is documented."""

import re
import subprocess

import pytest
from lib.tree import BUILD, SOURCE

MAN = SOURCE / "man"
PAGES = {page.name.removesuffix(".scd"): page for page in sorted(MAN.glob("*.scd"))}
DECISIONS = SOURCE / "docs/decisions"
DOCUMENTS = ["README.md", "ARCHITECTURE.md", "HACKING.md", "CONTRIBUTING.md", "NEWS"] + sorted(
    str(path.relative_to(SOURCE)) for folder in ("docs", "src") for path in (SOURCE / folder).rglob("*.md"))
FORMATS = ["hostlet.conf.5", "service.conf.5", "hostlet-manifest.5", "hostlet-package.5"]
# Exported by the original's package; hostlet-original(7) states where each is found.
ORIGINAL = """EnsurePackages PackageDownload NewInternalServer Run TryRun PackagePaths IpkDir IpkFile IpkInstallDir IpkInstallPath
    QuotaConfig Fetch FetchById FetchOrCreate Has Remove Sync SyncVendor QuotaProject""".split()


def text_of(path):
    return (SOURCE / path).read_text()


def page(name):
    assert name in PAGES, f"man/{name}.scd is missing"
    return PAGES[name].read_text()


def programs():
    """Returns every program that an administrator uses: the services and the commands."""
    names = {"hostletd", "hostletctl", "inagent"}
    for conf in SOURCE.glob("svc/*/service.conf"):
        names.add(re.search(r"^exec\s*=\s*(\S+)", conf.read_text(), re.M)[1])
    return sorted(names)


def visible(text):
    """Returns a page's text without scdoc's marks, for searching."""
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
def test_every_reference_of_a_page_exists(name):
    foreign = {"systemd(1)", "sysusers.d(5)", "systemd.unit(5)", "s6-supervise(8)", "s6-svscan(8)", "runsv(8)", "varlinkctl(1)",
               "dockerd(8)", "capabilities(7)", "glob(7)", "proc(5)", "journalctl(1)", "systemctl(1)", "curl(1)", "tar(1)",
               "xz(1)", "docker(1)", "network_namespaces(7)", "environ(7)", "inotify(7)", "systemd-sysusers(8)",
               "flock(2)", "sd_notify(3)", "sd_notify_barrier(3)", "systemd-notify(1)"}
    for reference, section in re.findall(r"\*?_?([a-z][a-z0-9._-]*?)[*_]?\(([1-9])\)", page(name)):
        if f"{reference}({section})" in foreign:
            continue
        assert f"{reference}.{section}" in PAGES, f"{reference}({section}) does not exist"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_reference_of_a_document_exists(name):
    for reference, section in re.findall(r"\*([a-z][a-z0-9.-]*)\*\(([1-9])\)", text_of(name)):
        assert f"{reference}.{section}" in PAGES, f"{reference}({section}) does not exist"


def headings_of(text):
    """Returns the link names of a text's headings."""
    return {re.sub(r"[^a-z0-9_ -]", "", h.lower()).strip().replace(" ", "-") for h in re.findall(r"^#+ (.*)$", text, re.M)}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_of_a_document_exists(name):
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


def chapter(document, begin, end=None):
    """Returns the text between two headings, given by their first characters; without 'end' up to the end of the document."""
    text = text_of(document).split(f"\n{begin}", 1)[1]
    return text.split(f"\n{end}", 1)[0] if end else text


def rows_of(text):
    """Returns the tables of a text: the cells of each row, without the lines below the heads."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return [row for row in rows if not set(row[0]) <= set("-:")]


def service_confs():
    return {path.parent.name: dict(re.findall(r"^(\w+)\s*=\s*(.*?)\s*$", path.read_text(), re.M))
            for path in sorted(SOURCE.glob("svc/*/service.conf"))}


def folders_of_source():
    """Every folder with sources, as paths from src."""
    return sorted({str(path.parent.relative_to(SOURCE / "src")) for path in (SOURCE / "src").rglob("*.[ch]")
                   if path.parent.name != "linux"})


def test_architecture_is_short_enough_to_be_read():
    assert len((SOURCE / "ARCHITECTURE.md").read_bytes()) <= 32 * 1024, "details belong beside the code that they describe"


def test_every_folder_is_in_the_map():
    mapped = [row[0].strip("`") for row in rows_of(chapter("ARCHITECTURE.md", "## 1.", "## 2."))][1:]
    sources = [f"src/{folder}" for folder in folders_of_source()]
    assert sorted(mapped) == sorted(sources + ["svc", "proto", "man", "scripts", "tests", "docs"])


def who_may_call(users):
    """Reads 'peers' as 'root, a; b: Method, Method'."""
    users = [user.removeprefix("hostlet-") for user in users.split()]
    for_all = ["root"] + [user for user in users if ":" not in user]
    return "; ".join([", ".join(for_all)] + [user.replace(",", ", ").replace(":", ": ") for user in users if ":" in user])


def sockets_of(conf):
    public = f"; `{conf['public_socket']}` in VAR/hostlet, for all" if "public_socket" in conf else ""
    return f"`{conf['socket']}.sock`{public}"


def start_of(conf):
    return {"always": "always", "demand": "on demand"}.get(conf["start"]) or "always with [{}] {}, else on demand".format(*conf["start"].split("."))


def test_the_table_of_processes_is_that_of_service_conf():
    rows = {row[0].strip("`"): row[1:] for row in rows_of(chapter("ARCHITECTURE.md", "## 2.", "## 3."))}
    confs = service_confs()
    assert set(rows) == set(confs) | {"process", "hostletd", "hostletctl", "inagent"}
    for name, conf in confs.items():
        user = "; ".join([conf.get("user", "root")] + [", ".join(conf["groups"].split())]) if "groups" in conf else conf.get("user", "root")
        assert rows[name] == [
            user, ", ".join(conf.get("capabilities", "").split()) or "none", "none" if conf.get("network") == "no" else "the machine's",
            sockets_of(conf), who_may_call(conf.get("peers", "")), ", ".join(conf.get("needs", "").split()),
            start_of(conf)], f"the row of {name} differs from its service.conf"
    of_supervisor = " ".join(f"{name}:{','.join(conf['supervisor'].split())}" for name, conf in confs.items() if "supervisor" in conf)
    assert rows["hostletd"][4] == who_may_call(of_supervisor)


@pytest.mark.parametrize("name", ["README.md", "man/hostlet.7.scd"])
def test_every_service_is_in_the_lists_of_processes(name):
    for service in service_confs():
        assert re.search(rf"^\|\s+[`*]{service}[`*]", text_of(name), re.M), f"{service} is not in the table of processes"


def test_the_table_of_folders_is_that_of_lint_layers():
    script = text_of("scripts/lint-layers")
    skeleton = re.search(r'^service="(.*)"', script, re.M)[1].split()
    layers = {}
    for line in re.search(r'^layers="(.*?)"', script, re.M | re.S)[1].splitlines():
        folder, _, used = line.partition(":")
        layers[folder] = sorted(set(used.replace("$service", " ".join(skeleton)).split()))
    part = chapter("ARCHITECTURE.md", "## 8.", "### Circles")
    assert re.search(r"\*service\* stands for[\s\S]*?\.", part)[0].count("`lib/") == len(skeleton)
    table = {}
    for folder, used, *_ in rows_of(part)[1:]:
        table[folder.strip("`")] = sorted(set(re.findall(r"`([\w/-]+)`", used)) | set(skeleton if "*service*" in used else []))
    assert sorted(table) == sorted(layers) == folders_of_source()
    for folder, used in layers.items():
        assert table[folder] == used, f"section 8 and scripts/lint-layers differ about {folder}"


def test_the_table_of_circles_is_what_lint_circles_finds():
    found = subprocess.run([SOURCE / "scripts/lint-circles", BUILD, "-v"], capture_output=True, text=True, check=True).stdout.splitlines()
    table = [f"src/{folder}: {files}".replace("`", "").replace(",", "") for folder, files, _ in rows_of(chapter("ARCHITECTURE.md", "### Circles", "## 9."))[1:]]
    assert sorted(table) == sorted(found)


def test_every_step_is_in_the_tables():
    steps = re.findall(r'^    X\(\w+, "(\w+)",', text_of("src/reconciler/engine/steps.c"), re.M)
    tables = text_of("src/reconciler/README.md")
    told_in_words = {"waiting": "wait", "preparing": "prepare", "conflict": "conflict", "remove_data": "data is kept under another name",
                     "gone": "dropped from the record"}
    assert len(steps) > 20
    for step in steps:
        assert told_in_words.get(step, f"| {step} |") in tables, f"step {step} is not described"


def test_every_state_of_a_replica_is_described():
    names = re.search(r"state_names\[\] = \{(.*?)\};", text_of("src/lib/api/reconciler.c"), re.S)[1]
    described = {state for row in rows_of(chapter("src/reconciler/README.md", "## States", "## Orders"))[1:]
                 for state in re.findall(r"`(\w+)`", row[0])}
    assert described == set(re.findall(r'"(\w+)"', names))


def test_every_state_of_a_service_is_described():
    """Compares the README with the table of policy.c: the row of a state names the cause of every event with an effect."""
    names = re.search(r"state_names\[\] = \{(.*?)\};", text_of("src/lib/api/supervisor.c"), re.S)[1]
    rows = {row[0].strip("`"): row[2] for row in rows_of(chapter("src/hostletd/README.md", "## The states", "## Reload"))[1:]}
    assert set(rows) == set(re.findall(r'"(\w+)"', names))
    words = {"UP": "Start", "RENEW": "Start|Restart|again", "DOWN": "Stop", "CALLER": "a caller", "NEEDS": "each is `ready`", "READY": "ready →",
             "END": "exit|end", "TIMER": "timeout|pause|`waiting`|starting, or stays"}
    table = text_of("src/hostletd/policy.c").split("actions[_SERVICE_STATE_MAX]")[1].split("};")[0]
    found = 0
    for state, events in re.findall(r"\[SERVICE_(\w+)\] = \{(.*?)\},\n", table, re.S):
        for event in re.findall(r"\[EVENT_(\w+)\]", events):
            found += 1
            means = {"stopping": rows["stopping"] + "stop_timeout", "failed": rows["failed"] + "pause"}.get(state.lower(), rows[state.lower()])
            assert re.search(words[event], means), f"{state}: what {event} does is not described"
    assert found > 20


def test_every_error_is_described():
    classes = dict(re.findall(r'\[(ERROR_\w+)\] = "(io\.hostlet\.\w+)"', text_of("src/lib/varlink/interface.c")))
    rows = {row[1]: row[0].strip("`") for row in rows_of(chapter("ARCHITECTURE.md", "## 5.", "## 6."))[1:]}
    assert rows == classes


def test_every_directory_of_a_tree_is_described():
    bases = {"BASE_PREFIX": "DIR", "BASE_ETC": "ETC", "BASE_RUN": "RUN", "BASE_VAR": "VAR", "BASE_APPS": "APPS"}
    groups = {"PLACE_GROUP_HOSTLET": "hostlet", "PLACE_GROUP_FETCHER": "hostlet-fetcher"}
    expected = []
    for name, base, service, mode, flags in re.findall(
            r'^    \{"([^"]*)", (BASE_\w+), (NULL|"[\w-]+"), (0\d+), ([^}]*)\}', text_of("src/hostletd/places.c"), re.M):
        owner = "root" if service == "NULL" else service_confs()[service.strip('"')].get("user", "root")
        group = [words for flag, words in groups.items() if flag in flags]
        path = "/".join([bases[base], *([name] if name else [])]) + "/"
        expected.append([path, ":".join([owner] + group), mode if len(mode) == 4 else mode[1:]])
    assert len(expected) > 15
    assert rows_of(chapter("docs/files.md", "## Directories", "## Files"))[1:] == expected


def test_every_document_is_in_the_tarball():
    listed = "".join(path.read_text() for path in [SOURCE / "Makefile.am", *SOURCE.glob("*/local.mk"), *SOURCE.glob("src/**/local.mk")])
    assert re.search(r"^EXTRA_DIST = .*\bdocs\b", listed, re.M)
    for name in DOCUMENTS:
        assert name.startswith("docs/") or name in listed, f"{name} is in no EXTRA_DIST"


def test_every_option_of_a_command_is_in_its_page():
    options = re.findall(r'\{"([a-z-]+)", (?:0|\'\w\'),', text_of("src/ctl/commands.c").split("ctl_commands[]")[0])
    assert len(options) > 20
    for option in options:
        assert f"--{option}" in visible(page("hostletctl.8")), f"--{option} is not described"


def test_the_capabilities_of_containers_are_in_the_page():
    given = re.findall(r'"([A-Z_]+)"', re.search(r"standard\[\] = \{(.*?)\};", text_of("src/container-driver/spec.c"), re.S)[1])
    listed = re.search(r"All capabilities are dropped but these: (.*?)\.", visible(page("container-driver.8")), re.S)[1]
    assert re.split(r",\s+|\s+and\s+", listed) == sorted(given)


def test_every_image_of_the_null_runtime_is_in_the_page():
    forms = re.findall(r"^ \*   ((?:null|missing|pull)/\S+)", text_of("src/container-driver/null/behaviour.h"), re.M)
    assert len(forms) >= 6
    for form in forms:
        assert f"_{form}_" in page("container-driver.8"), f"{form} is not described"


def test_the_time_outs_of_service_conf_are_in_its_page():
    names = re.search(r"c->(\w+_usec = .*?) = (\d+) \* USEC_PER_SEC;", text_of("src/lib/topology/topology.c"))
    for name in re.findall(r"(\w+_timeout)_usec", names[1]):
        assert re.search(rf"^{name} =[^\n]*\n[^\n]* Default: {names[2]}s\.", visible(page("service.conf.5")), re.M), name


def test_every_metric_is_in_the_page_of_rpc_gateway():
    text = visible(page("rpc-gateway.8"))
    names = {name for path in SOURCE.glob("src/rpc-gateway/*.c") for name in re.findall(r'"(hostlet_[a-z_]+)', path.read_text())}
    assert len(names) > 20
    for name in names:
        assert name in text or name.startswith("hostlet_host_") and "hostlet_host_…" in text, f"{name} is not described"


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


def declared_methods():
    """Returns the methods of each interface in src/lib/api."""
    declared = {}
    for file in SOURCE.glob("src/lib/api/*.c"):
        text = file.read_text()
        arrays = dict(re.findall(r"varlink_method (\w+)\[\] = \{(.*?)\n\};", text, re.S))
        for interface, array in re.findall(r'"(io\.hostlet\.\w+)",[^;]*?\b(\w*methods)\b', text, re.S):
            declared[interface] = set(re.findall(r'\{"(\w+)",', arrays[array]))
    assert len(declared) >= 7
    return declared


@pytest.mark.parametrize("name", PAGES)
def test_calls_that_a_page_names_exist(name):
    declared = declared_methods()
    for interface, method in re.findall(r"(io\.hostlet\.[A-Z][A-Za-z]*)\.([A-Z][A-Za-z]*)", page(name)):
        assert method in declared.get(interface, set()), f"{interface}.{method} does not exist"


def test_calls_in_the_way_of_a_request_exist():
    """Checks the methods of each process in the first diagram of section 3."""
    declared = declared_methods()
    calls = re.findall(r"^   │ +((?:[A-Z]\w+)(?:, [A-Z]\w+)*) ─+▶ ([\w-]+)", chapter("ARCHITECTURE.md", "## 3.", "## 4."), re.M)
    assert len(calls) > 8
    for methods, process in calls:
        interface = "io.hostlet." + "".join(word.capitalize() for word in process.split("-"))
        for method in methods.split(", "):
            assert method in declared[interface], f"{interface}.{method} does not exist"


def test_exit_codes_are_in_the_overview():
    for name, code in re.findall(r"EXIT_(\w+)\s*=\s*(\d+)", text_of("src/lib/basic/log.h")):
        assert f"*{code}*\n" in page("hostlet.7"), f"exit code {code} ({name}) is not described"


def test_every_item_of_the_original_is_mapped():
    for item in ORIGINAL:
        assert f"*{item}*" in page("hostlet-original.7"), f"{item} is not mapped"


def decisions():
    """Returns each decision as (number, title, status, date, file)."""
    found = []
    for path in sorted(DECISIONS.glob("[a-z]*.md")):
        for section in re.split(r"^## ", path.read_text(), flags=re.M)[1:]:
            number, title = re.match(r"(\d+)\. (.*)\n", section).groups()
            status = re.findall(r"^Status: (accepted|withdrawn|revised by [\d, ]+) · (20\d\d-\d\d-\d\d)$", section, re.M)
            assert len(status) == 1, f"decision {number} in {path.name} needs one status with a date"
            assert re.search(r"^Rejected: \S", section, re.M), f"decision {number} does not state the rejected alternatives"
            found.append((int(number), title, *status[0], path.name))
    return found


def test_every_decision_has_one_number_of_its_own():
    numbers = [number for number, *_ in decisions()]
    assert len(numbers) > 160
    assert sorted(set(numbers)) == sorted(numbers), "a number is used twice"


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


def test_hacking_names_every_option_of_configure():
    for option in re.findall(r"--enable-[a-z-]+(?=\])", text_of("configure.ac")):
        assert option in text_of("HACKING.md"), f"{option} is not described"


def test_hacking_names_every_marker():
    for marker in re.findall(r"^    (\w+)(?:\(\w+\))?:", text_of("tests/pytest.ini"), re.M):
        assert re.search(rf"`(-m )?{marker}\b", text_of("HACKING.md")), f"marker {marker} is not described"


def test_hacking_names_every_benchmark():
    listed = re.search(r"scripts/bench \[([a-z|]+)\]", text_of("HACKING.md"))[1].split("|")
    assert sorted(listed) == sorted(re.findall(r'^    "(\w+)": \(\w+\.measure,', text_of("tests/bench/main.py"), re.M))


def test_the_map_names_every_script():
    row = [row[1] for row in rows_of(chapter("ARCHITECTURE.md", "## 1.", "## 2.")) if row[0] == "`scripts`"][0]
    assert sorted(row.split(", ")) == sorted(path.name for path in (SOURCE / "scripts").iterdir() if path.name != "local.mk")


def test_the_first_change_of_hacking_can_be_made():
    """The text that the example changes exists, and the new text does not exist yet."""
    if '{"w", ' in text_of("src/lib/config/value.c"):
        pytest.skip("src/lib/config/value.c has the row already: whoever followed HACKING.md has made the change")
    part = text_of("HACKING.md").split("## The first change")[1].split("## Build")[0]
    for path, there, added in [("tests/unit/test_config.c", '{"2d", ', '{"2w", '), ("src/lib/config/value.c", '{"d", ', '{"w", ')]:
        assert path in part and added in part
        assert there in text_of(path) and added not in text_of(path), f"{path}: the example of HACKING.md needs another change"
    assert "parse_duration()" in part and "parse_duration(" in text_of("src/lib/config/value.c")
    assert "test_forms_of_values_are_parsed()" in part and "test_forms_of_values_are_parsed(" in text_of("tests/unit/test_config.c")


def test_documents_contain_no_paths_of_a_developers_machine():
    """The documents contain no paths of the author's machine."""
    for path in [SOURCE / name for name in DOCUMENTS] + list(PAGES.values()):
        assert not re.search(r"/root/|/home/(?!action)", path.read_text()), path
