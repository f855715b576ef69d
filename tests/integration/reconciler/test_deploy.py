"""Tests a deploy from a manifest to an answering application, on a real Docker daemon: the container's configuration, and the
view from inside."""

import json
import shutil
import stat
import subprocess

import pytest
from lib import ground, packages
from lib.apps import App, answers, driver_containers, manifest, names_below, server
from lib.tree import SOURCE, program

SERVE = b'#!/bin/sh\nexec httpd -f -p "$1" -h "$(dirname "$0")/www"\n'

TOML = """
name = "hello"
version = "1.0.0"
description = "a web server from a package"
image = "{image}"

[resources]
cpu_limit = "200m"
memory_limit = "64Mi"
volume_limit = "1Gi"

[[packages]]
name = "site"
version = "1.0"

[[service_ports]]
name = "http"
port = {port}

[[tasks]]
name = "serve"
on_startup = true
script = "exec ${{ipk.site.path}}/serve {port}"

[hostlet]
probation = "200ms"
pull = "never"
"""


def add_site(repository, version="1.0.0", text=b"from the package\n"):
    return repository.add("site", version, files={"serve": SERVE, "www/index.html": text})


@pytest.mark.sanitized
def test_manifest_with_package_becomes_an_answering_application(tree, repository, busybox_image):
    add_site(repository)
    port = ground.free_port()
    applied = tree.apply(TOML.format(image=busybox_image, port=port))
    answers(port, "from the package")
    for stage in ("image_pull", "pkg_download", "provision", "container_create", "container_start", "container_running"):
        assert stage in applied.stdout, applied.stdout
    shown = tree.ctl("app", "hello").stdout
    assert "running" in shown and packages.package_id("site", "1.0.0") in shown
    assert "hello" in tree.ctl("apps").stdout
    # inagent reports its own stages besides, when it can.
    stages = {stage["name"]: stage for stage in App(tree, "hello").replica()["stages"] if stage["owner"] == "hostlet"}
    assert {stage["state"] for stage in stages.values()} == {"success"}
    assert all(stage["revision"] == 1 and stage["finished"] >= stage["created"] > 0
               for stage in stages.values())
    assert sorted(stages) == ["container_create", "container_running", "container_start", "host_recv", "image_pull",
                              "pkg_download", "provision"]


def test_package_comes_from_a_web_server(make_tree, docker_settings, engine, nginx, busybox_image):
    repository = packages.Repository(nginx.root)
    add_site(repository)
    port = ground.free_port()
    tree = make_tree({**docker_settings, "fetcher": {"repositories": nginx.url}}).start()
    tree.apply(TOML.format(image=busybox_image, port=port))
    answers(port, "from the package")
    file = packages.package_id("site", "1.0.0") + ".ipk"
    assert [r["status"] for r in nginx.requests() if r["uri"].endswith(file)] == [200]


@pytest.mark.sanitized
def test_ordinary_image_keeps_its_entrypoint_user_and_directories(tree, engine, entry_image):
    port = ground.free_port()
    app = App(tree)
    app.deploy(manifest(image=entry_image, init="image", ports={"http": 8080}, host_ports={0: {8080: port}}))
    answers(port, "hello from the image")
    made = engine.inspect("i8k_web_0")
    assert made["Path"] == "/bin/busybox" and made["Args"] == ["httpd", "-f", "-v", "-p", "8080", "-h", "/www"]
    assert made["Config"]["User"] == "65534:65534" and made["Config"]["WorkingDir"] == "/www"
    assert made["Mounts"] == []
    assert made["HostConfig"]["PidsLimit"] == 1000
    assert "GREETING=hello" in made["Config"]["Env"]
    assert names_below(tree.prefix / "apps") == []


def test_ordinary_image_takes_a_command_in_place_of_its_own(tree, engine, entry_image):
    App(tree).deploy(manifest(image=entry_image, init="image", command=["/bin/sh", "-c", "id -u; exec sleep 1000"],
                              env={"A": "b"}))
    made = engine.inspect("i8k_web_0")
    assert [made["Path"], *made["Args"]] == ["/bin/sh", "-c", "id -u; exec sleep 1000"]
    assert "A=b" in made["Config"]["Env"]
    ground.wait_until(lambda: engine.logs("i8k_web_0") == "65534\n", 10, "the image's own user runs the command")


def test_logs_are_passed_through_byte_by_byte(tree, engine, busybox_image):
    """Logs pass through Docker, the driver and hostletctl into a pipe: invalid UTF-8, NUL, and lines longer than Docker's own
    pieces."""
    script = ("printf 'a\\377b\\302\\233c\\000\\033[1m\\r\\n'; head -c 40000 /dev/zero | tr '\\000' '\\351'; printf '\\342\\n'; "
              "printf 'e\\200\\n' >&2; exec sleep 1000")
    App(tree).deploy(manifest(image=busybox_image, init="image", command=["/bin/sh", "-c", script]))
    out, error = b"a\377b\302\233c\0\033[1m\r\n" + b"\351" * 40000 + b"\342\n", b"e\200\n"

    def logs():
        result = subprocess.run([program("hostletctl"), "--prefix", tree.prefix, "logs", "web/0"], capture_output=True, check=True,
                                timeout=30)
        return result.stdout, result.stderr
    ground.wait_until(lambda: len(logs()[0]) >= len(out) and logs()[1], 10, "all of it is kept")
    assert logs() == (out, error)


def test_container_is_made_as_the_contract_says(make_tree, docker_settings, engine, repository, busybox_image):
    add_site(repository)
    first, second = ground.free_port(), ground.free_port()
    settings = {"container-driver": {**docker_settings["container-driver"], "log_max_size": "64K", "log_max_file": 2},
                "fetcher": {"repositories": repository.url}}
    tree = make_tree(settings).start()
    app = App(tree, "web-1")
    app.deploy(manifest("web-1", script=server("contract", first), packages=["site"], ports={"http": first, "other": 81},
                        host_ports={3: {81: second}}, replicas=[3], env={"GREETING": "hello"},
                        resources={"cpu_limit": "250m", "memory_limit": "64Mi", "volume_limit": "1Gi"}))
    made = engine.inspect("i8k_web-1_3")
    host = made["HostConfig"]
    assert [made["Path"], *made["Args"]] == ["/bin/sh", "/home/action/.innerstack/ininit"]
    assert not made["Config"]["Entrypoint"]
    assert made["Config"]["User"] in ("0", "0:0") and made["Config"]["WorkingDir"] == "/"
    environment = dict(word.split("=", 1) for word in made["Config"]["Env"])
    assert environment["APP_NAME"] == "web-1" and environment["APP_REP_ID"] == "3"
    assert len(environment["APP_HOST_ID"]) == 12 and environment["GREETING"] == "hello"
    labels = made["Config"]["Labels"]
    assert labels["app_name"] == "web-1" and labels["app_rep_id"] == "3"
    assert labels["io.hostlet.tree"] == (tree.prefix / "var/hostlet/tree.id").read_text().strip()
    assert labels["io.hostlet.revision"] == "1"
    assert host["NanoCpus"] == 250 * 10 ** 6
    assert host["Memory"] == host["MemorySwap"] == 64 << 20 and host["ShmSize"] == 32 << 20
    assert host["PidsLimit"] == 100
    assert host["Ulimits"] == [{"Name": "nofile", "Hard": 10000, "Soft": 10000}]
    assert host["RestartPolicy"]["Name"] == "always"
    assert host["LogConfig"] == {"Type": "local", "Config": {"max-size": str(64 << 10), "max-file": "2",
                                                                   "compress": "false"}}
    assert host["PortBindings"] == {f"{first}/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(first)}],
                                    "81/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(second)}]}
    assert not host["Privileged"] and host["PidMode"] == "" and host["IpcMode"] != "host"
    assert host["CapDrop"] == ["ALL"] and not {"ALL", "NET_RAW", "MKNOD", "AUDIT_WRITE"} & set(host["CapAdd"])
    base = tree.prefix / "apps/i8k_web-1_3"
    install = tree.prefix / "var/ipk_install/site" / packages.package_id("site", "1.0.0")
    assert {(m["Destination"], m["Source"], m["RW"]) for m in made["Mounts"]} == {
        ("/opt", str(base / "opt"), True), ("/home", str(base / "home"), True), ("/usr/innerstack/site", str(install), False),
        ("/run/hostlet", str(tree.prefix / "var/hostlet/agents"), False)}  # hostlet's own: the socket for agents' reports
    answers(first, "contract")


def test_inside_a_container_directories_belong_to_action_and_packages_are_read_only(tree, engine, repository, busybox_image):
    add_site(repository)
    app = App(tree)
    app.deploy(manifest(script="id -u > /home/action/who; exec sleep 1000", packages=["site"]))
    name = "i8k_web_0"
    ground.wait_until(lambda: (app.directory() / "home/action/who").read_text().strip() == "2048", 10, "the task ran as action")
    assert engine.execute(name, "stat", "-c", "%u:%g", "/opt", "/home/action") == (0, "2048:2048\r\n2048:2048\r\n")
    assert engine.execute(name, "touch", "/usr/innerstack/site/x")[0] != 0
    assert engine.execute(name, "cat", "/usr/innerstack/site/www/index.html") == (0, "from the package\r\n")
    assert engine.execute(name, "sh", "-c", "touch /opt/a /home/action/b", user="2048")[0] == 0
    assert ":2048:2048::/home/action:/bin/sh" in engine.execute(name, "cat", "/etc/passwd")[1]
    file = app.directory() / "home/action/.innerstack/app_replica.json"
    facts = file.stat()
    assert stat.S_IMODE(facts.st_mode) == 0o640 and facts.st_gid == 2048
    text = file.read_text()
    assert text.startswith('{\n  "app"')
    replica = json.loads(text)
    assert replica["app"]["meta"]["name"] == "web" and replica["app"]["deploy"]["revision"] == 1
    assert replica["replica"]["state"] == "starting"
    assert len(replica["replica"]["host_id"]) == 12


def test_restart_policy_is_no_until_probation_is_over(tree, engine, busybox_image):
    app = App(tree)
    app.apply(manifest(script="exec sleep 1000", probation=1500))
    app.wait(lambda i: i["replicas"][0].get("step") == "on probation", "it is on probation")
    assert engine.inspect("i8k_web_0")["HostConfig"]["RestartPolicy"]["Name"] in ("no", "")
    assert app.replica()["state"] == "starting"
    app.running()
    assert engine.inspect("i8k_web_0")["HostConfig"]["RestartPolicy"]["Name"] == "always"


def test_image_is_pulled_from_a_registry(tree, engine, registry, entry_image):
    image = registry.push(engine, entry_image, "team/app:1")
    app = App(tree)
    app.deploy(manifest(image=image, init="image", pull="missing"))
    assert engine.inspect("i8k_web_0")["Config"]["Image"] == image
    assert app.get()["image_id"].startswith("sha256:")
    engine.remove_image(image)


def test_image_is_pulled_with_credentials(make_tree, docker_settings, engine, private_registry, entry_image, place):
    image = private_registry.push(engine, entry_image, "team/private:1")
    config = place / "docker-config.json"
    config.write_text(json.dumps({"auths": {private_registry.host: {"auth": "dGVzdGVyOnNlY3JldA=="}}}))
    config.chmod(0o644)
    tree = make_tree({"container-driver": {**docker_settings["container-driver"], "docker_config": str(config)}}).start()
    App(tree).deploy(manifest(image=image, init="image", pull="missing"))
    assert engine.inspect("i8k_web_0")["Config"]["Image"] == image
    assert "secret" not in tree.log() and "dGVzdGVyOnNlY3JldA" not in tree.log()
    engine.remove_image(image)


def test_tag_that_moves_is_no_change_and_the_resolved_image_is_kept(tree, engine, registry, entry_image, busybox_image):
    image = registry.push(engine, entry_image, "team/moving:1")
    app = App(tree)
    wanted = manifest(image=image, init="image", pull="missing", command=["/bin/sleep", "1000"])
    app.deploy(wanted)
    before = engine.inspect("i8k_web_0")
    engine.tag(busybox_image, image)
    assert not app.apply(wanted)["changed"]
    engine.remove("i8k_web_0")
    app.wait(lambda i: engine.inspect("i8k_web_0") and i["settled"], "the replica runs again")
    assert engine.inspect("i8k_web_0")["Image"] == before["Image"]
    engine.remove_image(image)


@pytest.mark.parametrize("version", ["1.0.0", "1.0.1", "1.0.1-r1"])
def test_sample_package_is_deployed(make_tree, docker_settings, engine, busybox_image, place, version):
    """Deploys the original's own packages: xz, gzip, and a version with a suffix."""
    samples = shutil.copytree(SOURCE / "tests/vectors/ipk", place / "samples")  # the checkout may be below /root
    tree = make_tree({**docker_settings, "fetcher": {"repositories": f"file://{samples}"}}).start()
    app = App(tree)
    app.deploy(manifest(script="ls -R /usr/innerstack/tiny; exec sleep 1000", packages=[("tiny", version)]))
    assert app.get()["packages"] == [{"name": "tiny", "version": version, "id": f"tiny_{version}_linux_amd64"}]
    installed = tree.prefix / f"var/ipk_install/tiny/tiny_{version}_linux_amd64"
    listing = engine.execute("i8k_web_0", "find", "/usr/innerstack/tiny", "-type", "f")[1]
    assert sorted(line.rpartition("/")[2] for line in listing.split()) == sorted(
        path.name for path in installed.rglob("*") if path.is_file()) != []


def test_sample_package_with_an_empty_link_target_is_refused_naming_the_entry(make_tree, docker_settings, engine,
                                                                              busybox_image, place):
    samples = shutil.copytree(SOURCE / "tests/vectors/ipk", place / "samples")  # the checkout may be below /root
    tree = make_tree({**docker_settings, "fetcher": {"repositories": f"file://{samples}"}}).start()
    app = App(tree)
    app.apply(manifest(script="exec sleep 1000", packages=[("tiny", "1.0.2")]))
    said = app.wait(lambda i: i.get("message"), "the reason is shown")["message"]
    assert "tiny_1.0.2_linux_amd64" in said and "empty" in said and "'" in said, said
    assert driver_containers(tree) == {}
    assert not (tree.prefix / "var/ipk_install/tiny/tiny_1.0.2_linux_amd64").exists()


def test_quota_is_shown_as_not_enforced_with_the_reason(tree, busybox_image):
    App(tree).deploy(manifest(script="exec sleep 1000"))
    quota, shown = App(tree).replica()["quota"], tree.ctl("app", "web").stdout
    assert quota.startswith("not enforced (")
    assert "not enforced" in shown and quota[len("not enforced ("):][:20] in shown  # the reason is below the table


def test_a_failed_first_deploy_is_retried_until_it_succeeds(make_tree, docker_settings, engine, repository,
                                                                          busybox_image):
    tree = make_tree({**docker_settings, "fetcher": {"repositories": repository.url},
                      "reconciler": {"retry_min": "100ms", "retry_max": "400ms"}}).start()
    app = App(tree)
    port = ground.free_port()
    app.apply(manifest(script=server("at last", port), packages=["late"], ports={"http": port}))
    seen = app.wait(lambda i: i.get("next_retry") and "late" in i.get("message", ""), "a retry is announced")
    assert seen["failed"] and not seen["settled"]
    data, header = packages.ipk("late", "1.0.0", files={"file": b"here\n"}, release={"os": "all", "arch": "src"})
    repository.add_bytes("late_1.0.0_all_src.ipk", data, header)
    app.running()
    answers(port, "at last")
    assert (tree.prefix / "var/ipk_install/late/late_1.0.0_all_src/file").read_bytes() == b"here\n"
    stages = {stage["name"]: stage for stage in app.replica()["stages"]}
    assert stages["pkg_download"]["state"] == "success" and stages["pkg_download"].get("attempt", 0) >= 1
