"""Tests inagent's commands for configuration files: random merges with Python's own parsers as judges, the commands on files
of every kind, and inside of containers."""
import json
import os
import pathlib
import random
import signal
import subprocess

import pytest

from lib import config_files
from lib.inagent import ACTION, HOST_ID, INAGENT, Container, specification, task

pytestmark = pytest.mark.skipif(not INAGENT.exists(), reason=f"'{INAGENT}' is not built (HOSTLET_BUILD)")

SEED = "a fixed seed"
SECRET = "s3cret-w0rd"


class Home:
    """Provides a home directory with app_replica.json, where the commands are run without a container."""

    def __init__(self, place):
        self.place = place
        (place / ".innerstack").mkdir()
        self.spec = place / ".innerstack/app_replica.json"

    def configs(self, **values):
        """Writes the specification with these config items; a value can be (type, value)."""
        items = [{"name": name, "type": value[0], "value": value[1]} if isinstance(value, tuple) else
                 {"name": name, "value": value} for name, value in values.items()]
        document = specification([], replica={"id": 1, "host_id": HOST_ID})
        document["app"]["deploy"]["configs"] = items
        self.spec.write_text(json.dumps(document))

    def run(self, *arguments, **more):
        environment = {"PATH": os.environ["PATH"]}
        return subprocess.run([INAGENT, "--prefix", self.place, *arguments], capture_output=True, text=True, timeout=60,
                              cwd=self.place, env=environment, check=False, **more)

    def merge(self, name, path, **more):
        return self.run("config-merge", f"--with-config-field={name}", "--config", path, **more)

    def file(self, name, text):
        path = self.place / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path


@pytest.fixture
def home(place):
    return Home(place)


def failed(result, text):
    """Asserts that a command failed with one line that contains the text, and none of the secret."""
    assert result.returncode == 1, result
    assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1, result.stderr
    assert text in result.stderr, result.stderr
    assert SECRET not in result.stdout + result.stderr


# Merges

@pytest.mark.parametrize("kind", ["json", "toml", "yaml", "properties"])
def test_random_merges_are_those_of_the_parsers(home, kind):
    parse, write = config_files.PARSERS[kind], config_files.WRITERS[kind]
    merged = 0
    for i in range(200):
        writer = config_files.Writer(random.Random(f"{SEED} {kind} {i}"))
        old, value = (config_files.random_data(writer, kind) for _ in range(2))
        before, text = write(writer, old), write(writer, value, True)
        if not config_files.same(parse(before.encode()), old) or \
                not config_files.same(parse((text.strip() + "\n").encode()), value):
            continue  # a text block loses its last empty lines
        if writer.random.random() < 0.15 and kind != "json":
            before = before.replace("\n", "\r\n")
        home.configs(c=text)
        path = home.file(f"file.{kind}", before)
        result = home.merge("c", path)
        assert result.returncode == 0, (result, before, text)
        after = path.read_bytes()
        expected = config_files.deep_merge(parse(before.encode()), parse((text.strip() + "\n").encode()))
        assert config_files.same(parse(after), expected), (before, text, after.decode())
        assert not config_files.lost_lines(kind, before, after.decode(), old, value), (before, text, after.decode())
        inode = path.stat().st_ino
        assert home.merge("c", path).returncode == 0
        assert path.read_bytes() == after and path.stat().st_ino == inode, (before, text)
        merged += 1
    assert merged >= 150


REAL_FILES = {
    "nginx.yaml": ("# A file as people write it\nserver:\n  listen: 80   # http\n  names:\n    - a.example   # first\n    - b.example\n"
                   "\n  tls: &no off\n", "server:\n  listen: 81\n", "line 8, column 8: anchors"),
    "compose.yml": ("version: '3'   # quoted\n\nservices:\n  web:\n    image: \"nginx:1\"\n    command: [\"nginx\", \"-g\", \"daemon off;\"]\n"
                    "    environment:\n      - A=1\n  # the end\n",
                    "services:\n  web:\n    image: nginx:2\n    ports:\n      - \"80:80\"\n  db:\n    image: pg", None),
    "package.json": ('{\n  "name": "x",\n  "version": "1.0.0",\n  "scripts": { "a": "b" },\n  "big": 123456789012345678901234567890,\n  "f": 1e400\n}\n',
                     '{"scripts": {"c": "d"}, "version": "2.0.0", "private": true}', None),
    "pyproject.toml": ('[build-system]\nrequires = [\n    "setuptools>=61",  # new\n]\n\n[project]\nName = "x" # Case is kept\n'
                       'dynamic = ["version"]\n\n[tool.black]\nline-length = 88\n', "[project]\nauthors = [{name = 'a'}]\n[tool.black]\n"
                       "line-length = 100\n[tool.isort]\nprofile = 'black'", None),
    "log4j.properties": ("# Root logger option\nlog4j.rootLogger=INFO, file\nlog4j.appender.file.layout.ConversionPattern=%d{yyyy-MM-dd} \\\n"
                         "    %-5p %m%n\n", "log4j.rootLogger=DEBUG, file\nlog4j.x = y", None),
}


@pytest.mark.parametrize("name", REAL_FILES)
def test_files_as_people_write_them_are_merged(home, name):
    before, text, message = REAL_FILES[name]
    kind = name.rsplit(".", 1)[1].replace("yml", "yaml")
    home.configs(c=text)
    path = home.file(name, before)
    result = home.merge("c", path)
    if message:
        failed(result, message)
        assert path.read_text() == before
        return
    assert result.returncode == 0, result.stderr
    parse = config_files.PARSERS[kind]
    after = path.read_text()
    assert config_files.same(parse(after.encode()), config_files.deep_merge(parse(before.encode()), parse(text.encode())))
    rest = iter(after.splitlines())
    for line in before.splitlines():
        if "#" in line:
            assert any(other.partition("#")[2] == line.partition("#")[2] for other in rest), line


def test_a_file_or_value_that_cannot_be_parsed_is_left_alone(home):
    home.configs(bad=f"{{\"a\": {SECRET}}}", good="{\"a\": 1}", words=("text_toml", f"\n{SECRET}\n"))
    for text, message in ((b'{"a": 1,\n  "b" 2}', "line 2, column 7: a colon is expected"), (b"\xff", "line 1, column 1"),
                          (b'{"a":\0}', "a control character"), (b'{"a": 1} x', "line 1, column 10"),
                          (SECRET.encode(), "line 1, column 1"), (b'[' * 100000, "more than 64 nested")):
        path = home.file("f.json", text)
        failed(home.merge("good", path), message)
        assert path.read_bytes() == text
    path = home.file("f.json", "{}")
    failed(home.merge("bad", path), "config field 'bad', line 1, column 7: this is not a JSON value")
    failed(home.merge("words", path), "config field 'words', line 1, column")
    assert path.read_text() == "{}"


def test_the_type_of_the_item_decides_over_the_extension(home):
    home.configs(ini=("text_ini", "[a]\nb=${app.name}\n"), toml=("text_toml", "a = 1"), plain="x = 1")
    path = home.file("f.json", "anything")
    assert home.merge("ini", path).returncode == 0
    assert path.read_text() == "[a]\nb=demo\n"
    failed(home.merge("toml", home.file("g.yaml", "a: 2\n")), "line 1, column 2: an equals sign is expected")
    failed(home.merge("plain", home.file("g.txt", "")), "neither the item's type '' nor the extension")


def test_an_empty_value_changes_nothing_and_an_unknown_field_is_an_error(home):
    home.configs(empty=(" text_json", " \n"))
    path = home.file("f.json", "not even JSON")
    assert home.merge("empty", path).returncode == 0
    assert home.merge("cfg/empty", home.place / "missing.json").returncode == 0
    assert not (home.place / "missing.json").exists()
    failed(home.merge("other", path), "the application has no config field 'other'")
    failed(home.merge("empty.item", path), "no config field 'empty.item'")


# Files

def test_mode_owner_and_links_of_a_file_are_kept(home):
    home.configs(c='{"a": 1}')
    path = home.file("f.json", "{}\n")
    os.chown(path, ACTION, 77)
    path.chmod(0o4604)
    link = home.place / "link.json"
    link.symlink_to("f.json")
    assert home.merge("c", link).returncode == 0
    status = path.stat()
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o4604, ACTION, 77)
    assert link.is_symlink() and json.loads(path.read_text()) == {"a": 1}
    assert not [x.name for x in home.place.iterdir() if x.name.endswith(".tmp")]


def test_a_new_file_gets_mode_0640_and_what_is_no_file_is_refused(home):
    home.configs(c='{"a": "${app.name}"}')
    assert home.merge("c", "new.json", umask=0o077).returncode == 0
    assert (home.place / "new.json").read_text() == '{"a": "demo"}\n'
    assert (home.place / "new.json").stat().st_mode & 0o7777 == 0o640
    os.mkfifo(home.place / "fifo.json")
    failed(home.merge("c", "fifo.json"), "not a regular file")
    (home.place / "dangling.json").symlink_to("nowhere")
    failed(home.merge("c", "dangling.json"), "a link to a file that does not exist")
    failed(home.merge("c", "missing/x.json"), "cannot find")
    (home.place / "dir.json").mkdir()
    failed(home.merge("c", "dir.json"), "not a regular file")


def test_templates_are_rendered_and_unknown_keys_stay(home):
    home.configs(**{"a/b-c": "v1", "k": "${app.name}"})
    template = home.file("in", "${app.name} ${self.cfg.a.b_c} ${self.cfg.k} ${HOME} ${x:-${app.replica.rep_id}} "
                               "${self.net.http.internal_addr} ${ipk.tiny_app.path}\r\n$")
    out = home.place / "out"
    result = home.run("confrender", "--in", template, f"--out={out}", umask=0)
    assert result.returncode == 0, result.stderr
    assert out.read_bytes() == (b"demo v1 ${app.name} ${HOME} ${x:-1} ${self.net.http.internal_addr} "
                                b"/usr/innerstack/tiny-app\r\n$")
    assert out.stat().st_mode & 0o7777 == 0o640
    out.chmod(0o600)
    inode = out.stat().st_ino
    assert home.run("config-render", "--in", template, "--out", out).returncode == 0
    assert (out.stat().st_mode & 0o7777, out.stat().st_ino) == (0o600, inode)
    failed(home.run("config-render", "--in", home.place / "none", "--out", out), "cannot find")
    failed(home.run("config-render", "--in", home.file("nul", b"a\0b"), "--out", out), "contains a NUL")


def test_all_variables_are_exported_sorted(home):
    document = specification([], zone_base_domain="zone.example")
    replica = document["app"]["deploy"]["replicas"][0] | {"vpc_ipv4": "10.10.4.7"}
    document["replica"] = replica
    document["app"]["deploy"]["replicas"] = []
    document["app"]["deploy"]["depends"] = [
        {"spec_name": "my-db", "instance_name": "db1", "configs": [{"name": "db/pass-word", "value": "p",
                                                                    "items": [{"name": "x-y", "value": "i"}]}],
         "replicas": [{"vpc_ipv4": "10.10.4.8", "service_ports": [{"name": "pg-sql", "port": 5432}]},
                      {"host_ipv4": "10.1.1.1", "service_ports": [{"name": "pg-sql", "port": 5432, "host_port": 20002}]}]}]
    home.spec.write_text(json.dumps(document))
    result = home.run("config-export")
    assert result.returncode == 0, result.stderr
    variables = json.loads(result.stdout)
    assert list(variables) == sorted(variables)
    assert variables == {
        "app.deploy.replica_cap": "1", "app.name": "demo", "app.replica.rep_id": "1",
        "deps.my-db.cfg.db.pass_word": "p", "deps.my-db.cfg.db.pass_word.x_y": "i",
        "deps.my-db.net.pg-sql.internal_addr": "10.1.1.1:20002", "deps.my-db.net.pg-sql.internal_host": "10.1.1.1",
        "deps.my-db.net.pg-sql.internal_port": "20002", "deps.my-db.net.pg-sql.service_addr": "db1.zone.example:5432",
        "deps.my-db.net.pg-sql.service_host": "db1.zone.example", "deps.my-db.net.pg-sql.service_port": "5432",
        "ipk.tiny_app.path": "/usr/innerstack/tiny-app", "self.cfg.cfg.greeting": "hello world",
        "self.net.http.internal_addr": "10.10.4.7:8000", "self.net.http.internal_host": "10.10.4.7",
        "self.net.http.internal_port": "8000", "self.net.http.service_addr": "demo.zone.example:8000",
        "self.net.http.service_host": "demo.zone.example", "self.net.http.service_port": "8000"}
    with open("/dev/full", "w", encoding="ascii") as full:
        assert subprocess.run([INAGENT, "--prefix", home.place, "config-export"], stdout=full, check=False,
                              stderr=subprocess.DEVNULL).returncode == 1


def test_a_lying_or_missing_specification_is_no_instance(home):
    path = home.file("f.json", "{}")
    home.configs(c="{}")
    good = home.spec.read_text()
    for text in (None, "", good[:-20], "[]", "null", good.replace('"replica"', '"x"'), good.replace('"deploy"', '"x"'),
                 good.replace('"spec"', '"x"'), '{"app": 1, "replica": 2}', "\0\0", "{" * 100000):
        if text is None:
            home.spec.unlink()
        else:
            home.spec.write_text(text)
        for arguments in (("config-export",), ("config-merge", "--with-config-field", "c", "--config", path),
                          ("config-render", "--in", path, "--out", "out")):
            failed(home.run(*arguments), "Not App Instance Setup")
    assert path.read_text() == "{}" and not (home.place / "out").exists()


def test_a_wrong_command_line_is_refused(home):
    home.configs(c="{}")
    for arguments, message in ((("config-merge",), "needs --with-config-field NAME and --config FILE"),
                               (("config-render", "--in=x"), "needs --in FILE and --out FILE"),
                               (("config-export", "more"), "one command at a time"), (("--x", "daemon"), "option '--x' is unknown"),
                               (("config-merge", "--config"), "option '--config'"), (("what",), "unknown command 'what'"),
                               (("completion", "fish"), "for bash alone")):
        failed(home.run(*arguments), message)
    assert home.run("--version").stdout.startswith("inagent ")
    assert "config-merge" in home.run("help").stdout
    script = home.run("completion").stdout
    assert subprocess.run(["bash", "-c", script + "complete -p inagent"], check=True, capture_output=True).stdout


# Several writers, and crashes

def test_merges_at_the_same_time_lose_nothing(home):
    home.configs(**{f"c{i}": f'{{"k{i}": {i}}}' for i in range(24)})
    path = home.file("f.json", "{}")
    processes = [subprocess.Popen([INAGENT, "--prefix", home.place, "config-merge", "--with-config-field", f"c{i}",
                                   "--config", path]) for i in range(24)]
    assert [process.wait(60) for process in processes] == [0] * 24
    assert json.loads(path.read_text()) == {f"k{i}": i for i in range(24)}


def test_a_kill_leaves_the_old_or_the_new_file(home):
    numbers = random.Random(SEED)
    old = {f"k{i}": "x" * 100 for i in range(20000)}
    home.configs(c='{"new": 1}')
    path = home.file("f.json", json.dumps(old))
    seen = set()
    for _ in range(30):
        path.write_text(json.dumps(old))
        process = subprocess.Popen([INAGENT, "--prefix", home.place, "config-merge", "--with-config-field", "c",
                                    "--config", path])
        try:
            process.wait(numbers.uniform(0, 0.15))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        code = process.wait()
        found = json.loads(path.read_text())
        assert found in (old, old | {"new": 1})
        seen.add(code)
    assert seen <= {0, -signal.SIGKILL} and -signal.SIGKILL in seen


# Containers

SCRIPT = """
i=/home/action/.innerstack/inagent
printf 'port = 1 # old\\n' > /home/action/a.toml
printf 'name ${app.name} ${self.cfg.cfg.greeting} ${VAR}' > /home/action/t
# the agent expands a script before it is run, so a template is in a file of its own
$i config-merge --with-config-field cfg/app --config /home/action/a.toml
$i config-render --in /home/action/.innerstack/t --out /home/action/r
$i config-export > /home/action/e
if $i config-merge --with-config-field cfg/app --config /home/action/missing/x.toml; then exit 9; fi
echo finished > /home/action/done
"""


def container_spec(user):
    document = specification([task("configure", SCRIPT, run_user=user)])
    document["replica"] = document["app"]["deploy"]["replicas"][0]
    document["app"]["deploy"]["configs"].append({"name": "cfg/app", "type": "text_toml", "value": f"port = 2\nkey = '{SECRET}'"})
    return document


@pytest.mark.parametrize("user", ["action", "root"])
@pytest.mark.parametrize("kind", ["busybox", "debian", "bare"])
def test_a_task_configures_its_application(place, kind, user):
    with Container(place, kind) as container:
        (container.ours / "t").write_text("name ${app.name} ${self.cfg.cfg.greeting} ${VAR} ${self.net.http.internal_port}\n")
        container.write_spec(container_spec(user))
        container.start()
        assert container.wait_file("done") == "finished\n"
        home = container.home / "action"
        assert (home / "a.toml").read_text() == f"port = 2 # old\nkey = '{SECRET}'\n"
        assert (home / "r").read_text() == "name demo hello world ${VAR} 20001\n"
        assert (home / "r").stat().st_mode & 0o7777 == 0o640
        assert json.loads((home / "e").read_text())["app.replica.rep_id"] == "1"
        assert "Error: cannot find" in container.log() and SECRET not in container.log()


def test_the_binary_is_small():
    assert pathlib.Path(INAGENT).stat().st_size <= 300 * 1024
