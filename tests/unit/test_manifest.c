/* Tests manifests from files: TOML and JSON, the table [hostlet], and the location in each message. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/app/check_ports.h"
#include "lib/basic/cleanup.h"
#include "lib/manifest/manifest.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"

static int parse(const char *text, const char *source, struct app_manifest *ret, struct error *e)
{
    *ret = (struct app_manifest){.app = NULL};
    return manifest_parse(text, strlen(text), source, ret, e);
}

static void done(struct app_manifest *manifest)
{
    schema_done(&app_manifest_schema, manifest);
}

static void samples_are_accepted(void **state)
{
    (void)state;
    struct app_manifest m = {.app = NULL};
    struct error e = ERROR_INIT;
    if (manifest_read(VECTORS "/app-spec/web.toml", &m, &e) < 0)
        fail_msg("%s", e.message);
    const struct app_spec *spec = m.app->spec;
    assert_string_equal(m.app->meta->name, "web");
    assert_string_equal(spec->version, "2.0.0");
    assert_int_equal(spec->n_tasks, 4);
    assert_string_equal(spec->tasks[1]->depends_on[0], "init");
    assert_int_equal(spec->tasks[1]->interval_seconds, 60);
    assert_int_equal(spec->service_ports[1]->port, 8001);
    assert_int_equal(m.app->deploy->cpu_limit, 500);
    assert_int_equal(m.app->deploy->memory_limit, 256 << 20);
    assert_string_equal(m.app->deploy->configs[0]->name, "cfg/greeting");
    assert_string_equal(m.app->deploy->configs[0]->value, "hello");
    done(&m);
    if (manifest_read(VECTORS "/app-spec/demo.toml", &m, &e) < 0)
        fail_msg("%s", e.message);
    assert_string_equal(m.app->meta->name, "demod");
    assert_non_null(strstr(m.app->spec->tasks[0]->script, "echo hi > "));
    done(&m);
}

#define SPEC                                                                                                 \
    "name = \"web\"\nimage = \"demo:1\"\nservice_ports = [{name = \"http\", port = 80}, "                    \
    "{name = \"admin\", port = 81}]\n"                                                                       \
    "configs = [{name = \"a\", type = \"string\", default = \"x\"}, {name = \"cfg/b\"},"                     \
    " {name = \"g\", items = [{name = \"i\", type = \"text_ini\"}, {name = \"j\", default = \"d\"}]}]\n"     \
    "[hostlet]\n" /* line 5; the following text begins at line 6 */

static void the_hostlet_table_is_read(void **state)
{
    (void)state;
    static const char text[] = SPEC "instance = \"web-two\"\n"
                                    "replicas = [3, 1]\n"
                                    "init = \"image\"\n"
                                    "command = [\"serve\", \"--fast\"]\n"
                                    "pull = \"never\"\n"
                                    "stop_timeout = \"1500ms\"\n"
                                    "pids_limit = 7\n"
                                    "probation = 0\n"
                                    "parallel = 2\n"
                                    "capabilities = [\"NET_RAW\", \"MKNOD\"]\n"
                                    "read_only = true\n"
                                    "no_new_privileges = true\n"
                                    "volumes = [\"/srv\", \"/data\", \"/srv\"]\n"
                                    "env = {A = \"1\", B = \"\"}\n"
                                    "[hostlet.configs]\n"
                                    "\"cfg/b\" = 5\n"
                                    "g = {i = true}\n"
                                    "[hostlet.host_ports]\n"
                                    "http = [8080, 8081]\n";
    struct app_manifest m;
    struct error e = ERROR_INIT;
    if (parse(text, "x.toml", &m, &e) < 0)
        fail_msg("%s", e.message);
    const struct app_deploy *deploy = m.app->deploy;
    const struct app_options *o = m.hostlet;
    assert_string_equal(m.app->meta->name, "web-two");
    assert_int_equal(deploy->n_replicas, 2);
    assert_int_equal(deploy->replicas[0]->id, 1);
    assert_int_equal(deploy->replicas[0]->service_ports[0]->host_port, 8081);
    assert_int_equal(deploy->replicas[0]->service_ports[0]->port, 80);
    assert_int_equal(deploy->replicas[1]->id, 3);
    assert_int_equal(deploy->replicas[1]->service_ports[0]->host_port, 8080);
    assert_int_equal(o->init, APP_INIT_IMAGE);
    assert_string_equal(o->command[1], "--fast");
    assert_int_equal(o->pull, APP_PULL_NEVER);
    assert_int_equal(o->stop_timeout_msec, 1500);
    assert_true(o->probation_given);
    assert_int_equal(o->probation_msec, 0);
    assert_int_equal(o->parallel, 2);
    assert_int_equal(o->pids_limit, 7);
    assert_int_equal(o->n_capabilities, 2);
    assert_string_equal(o->capabilities[0], "MKNOD");
    assert_string_equal(o->capabilities[1], "NET_RAW");
    assert_true(o->read_only && o->no_new_privileges);
    assert_int_equal(o->n_volumes, 2); /* sorted, without the second /srv */
    assert_string_equal(o->volumes[0], "/data");
    assert_string_equal(o->volumes[1], "/srv");
    assert_string_equal(schema_map_get(o->env, o->n_env, "A"), "1");
    assert_string_equal(schema_map_get(o->env, o->n_env, "B"), "");
    assert_int_equal(deploy->n_configs, 3);
    assert_string_equal(deploy->configs[0]->value, "5");
    assert_string_equal(deploy->configs[1]->items[0]->value, "true");
    assert_string_equal(deploy->configs[1]->items[0]->type, "text_ini");
    assert_string_equal(deploy->configs[1]->items[1]->value, "d");
    assert_string_equal(deploy->configs[2]->name, "a");
    assert_string_equal(deploy->configs[2]->value, "x");
    done(&m);
}

static void host_ports_have_addresses_protocols_and_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *table, *ports; /* the replicas' ports in JSON */
    } cases[] = {
        {"host_ports = {http = \"127.0.0.1:8080/tcp\", admin = \"0.0.0.0:81\"}\n",
         "[{\"name\":\"http\",\"port\":80,\"host_port\":8080,\"host_address\":\"127.0.0.1\"},"
         "{\"name\":\"admin\",\"port\":81,\"host_port\":81}]"},
        {"host_ports = {http = \"[::0]:8080\", admin = \"53/udp\"}\n",
         "[{\"name\":\"http\",\"port\":80,\"host_port\":8080,\"host_address\":\"::\"},"
         "{\"name\":\"admin\",\"port\":81,\"host_port\":53,\"protocol\":\"udp\"}]"},
        {"replicas = 2\nhost_ports = {http = \"8080-8089\", admin = [81, \"127.0.0.1:82-82\"]}\n",
         "[{\"name\":\"http\",\"port\":80,\"host_port\":8080,\"host_port_last\":8089},"
         "{\"name\":\"admin\",\"port\":81,\"host_port\":81}]"
         "[{\"name\":\"http\",\"port\":80,\"host_port\":8080,\"host_port_last\":8089},"
         "{\"name\":\"admin\",\"port\":81,\"host_port\":82,\"host_address\":\"127.0.0.1\"}]"},
        /* the same number for TCP and UDP, and on another address */
        {"host_ports = {http = \"81/udp\"}\n",
         "[{\"name\":\"http\",\"port\":80,\"host_port\":81,\"protocol\":\"udp\"}]"},
        {"host_ports = {http = \"[::]:81\"}\n",
         "[{\"name\":\"http\",\"port\":80,\"host_port\":81,\"host_address\":\"::\"}]"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *text = xasprintf("%s%s", SPEC, cases[i].table), *shown = xstrdup("");
        struct app_manifest m;
        struct error e = ERROR_INIT;
        if (parse(text, "x.toml", &m, &e) < 0)
            fail_msg("%s", e.message);
        for (size_t k = 0; k < m.app->deploy->n_replicas; k++) {
            json_t *json = schema_pack(&app_replica_schema, m.app->deploy->replicas[k]);
            char *ports = json_dumps(json_object_get(json, "service_ports"), JSON_COMPACT),
                 *longer = xasprintf("%s%s", shown, ports);
            free(shown);
            free(ports);
            shown = longer;
            json_decref(json);
        }
        assert_string_equal(shown, cases[i].ports);
        done(&m);
    }
}

/* TOML, the same in JSON, as an AppInstance and in the canonical form result in the same manifest. */
static void all_forms_give_one_manifest(void **state)
{
    (void)state;
    static const char *const same[] = {
        "name = \"web\"\nimage = \"demo:1\"\nresources.cpu_limit = \"500m\"\nservice_ports = [{name = "
        "\"http\", port = 80}]\n"
        "[hostlet]\nreplicas = 1\nhost_ports.http = 8080\nprobation = \"2s\"\n",
        " \n{\"name\": \"web\", \"image\": \"demo:1\", \"resources\": {\"cpu_limit\": \"500m\"},"
        "\"service_ports\": [{\"name\": \"http\", \"port\": 80}],"
        "\"hostlet\": {\"host_ports\": {\"http\": [8080]}, \"probation\": 2}}",
        "{\"meta\": {\"name\": \"web\", \"id\": \"abc\"}, \"spec\": {\"name\": \"web\", \"image\": "
        "\"demo:1\","
        "\"resources\": {\"cpu_limit\": \"500m\"}, \"service_ports\": [{\"name\": \"http\", \"port\": 80}]},"
        "\"deploy\": {\"revision\": 4, \"replicas\": [{\"id\": 0, \"service_ports\": [{\"port\": 80, "
        "\"host_port\": 8080}]}]},"
        "\"hostlet\": {\"probation\": \"2 s\"}}",
    };
    _cleanup_free_ char *first = NULL, *again = NULL;
    struct app_manifest m;
    struct error e = ERROR_INIT;
    for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
        if (parse(same[i], "input", &m, &e) < 0)
            fail_msg("%s", e.message);
        _cleanup_free_ char *text = schema_pack_text(&app_manifest_schema, &m, NULL);
        done(&m);
        if (!first)
            first = TAKE_PTR(text);
        else if (!streq(text, first))
            fail_msg("form %zu gives\n%s\nnot\n%s", i, text, first);
    }
    if (parse(first, "input", &m, &e) < 0)
        fail_msg("%s", e.message);
    again = schema_pack_text(&app_manifest_schema, &m, NULL);
    assert_string_equal(again, first);
    done(&m);
}

static void mistakes_have_their_location(void **state)
{
    (void)state;
    static const struct {
        const char *source, *text, *message; /* the beginning of the message */
    } cases[] = {
        /* syntax */
        {"x.toml", "name = \"a\nb\"", "x.toml:1:10: "},
        {"x.toml", "name = \"web\"\nname = \"b\"\n", "x.toml:2:"},
        {"x.toml", "a = \n", "x.toml:1:"},
        {"x.toml", "\n[ = 1\n", "x.toml:2:3: "},
        {"x.toml", "name = \"\\u0000\"", "x.toml:1: /name: the string contains a zero byte"},
        {"x.toml", "\"a\\u0000b\" = 1", "x.toml:1: /a"},
        {"x.toml", "name = 2020-01-01", "x.toml:1: /name: dates"},
        {"x.toml", "name = nan", "x.toml:1: /name: dates"},
        {"x.toml", "name = [[1, [inf]]]", "x.toml:1: /name/0/1/0: dates"},
        {"x.toml", "", "x.toml:1: name: is missing"},
        {"x.toml", "{\"name\": 1}", "x.toml:1:1: "},
        {"x.json", "name = 1", "x.json:1:4: "},
        {"standard input", "{\"name\": 1,\n \"name\": 2}", "standard input:2:"},
        {"x.json", "[]", "x.json: /: expected an object, got an array"},
        {"x.json", "{\"name\": \"web\"", "x.json:1:"},
        /* unknown keys and types, in the spec */
        {"x.toml", "image = \"x:1\"\nname = \"web\"\n\nimag = \"y\"\n", "x.toml:4: imag: unknown member"},
        {"x.toml", "name = \"web\"\n[resources]\nmem = \"1\"\n", "x.toml:3: resources.mem: unknown member"},
        {"x.toml", "name = \"web\"\n[[tasks]]\nname = \"a\"\n[[tasks]]\nname = \"b\"\non_start = true\n",
         "x.toml:6: tasks[1].on_start: unknown member"},
        {"x.toml", "name = 5", "x.toml:1: name: expected a string, got an integer"},
        {"x.toml", "name = \"web\"\n[[service_ports]]\nname=\"a\"\nport = \"80\"",
         "x.toml:4: service_ports[0].port: expected an integer, got a string"},
        {"x.toml", "name = \"web\"\n[service_ports]\nhttp = 80",
         "x.toml:2: service_ports: expected an array"},
        {"x.json", "{\"name\": \"web\", \"tasks\": [{\"nme\": 1}]}", "x.json: /tasks/0/nme: unknown member"},
        {"x.json", "{\"name\": \"web\", \"image\": 1.5}",
         "x.json: /image: expected a string, got a real number"},
        {"x.json", "{\"meta\": {\"name\": \"web\"}, \"spec\": {\"nam\": 1}}",
         "x.json: /spec/nam: unknown member"},
        {"x.json", "{\"app\": {\"spec\": 1}}", "x.json: /app/spec: expected an object"},
        {"x.json", "{\"app\": {}, \"hostlet\": {\"instance\": \"web\"}}",
         "x.json: /hostlet/instance: unknown"},
        /* values, in the spec */
        {"x.toml", "name = \"web\"\n", "x.toml:1: image: is missing"},
        {"x.toml", "name = \"web\"\nimage = \"x:1\"\n[resources]\ncpu_limit = \"fast\"\n",
         "x.toml:4: resources.cpu_limit: 'fast' is no number of CPUs"},
        {"x.toml", "name = \"web\"\nimage = \"x:1\"\n[[depends]]\nname = \"db\"\n",
         "x.toml:3: depends[0]: the application depends on 'db'"},
        {"x.toml", "name = \"web\"\nimage = \"x:1\"\n[[tasks]]\nname = \"a\"\ndepends_on = [\n \"b\"]\n",
         "x.toml:6: tasks[0].depends_on[0]: 'b' is no task"},
        {"x.toml", "name = \"We_b\"\nimage = \"x:1\"\n", "x.toml:1: name: 'We_b' is no name of an instance"},
        {"x.json", "{\"meta\": {\"name\": \"w\"}, \"spec\": {\"name\": \"web\", \"image\": \"x\"}}",
         "x.json: /meta/name: 'w' is no name"},
        {"x.json", "{\"deploy\": {}}", "x.json: /spec: is missing"},
        {"x.json",
         "{\"spec\": {\"name\": \"web\", \"image\": \"x\"}, \"deploy\": {\"replicas\": [{\"id\": 200}]}}",
         "x.json: /deploy/replicas/0/id: 200 is not"},
        /* the table [hostlet] */
        {"x.toml", "name = \"web\"\nhostlet = 1\n", "x.toml:2: hostlet: expected a table"},
        {"x.toml", SPEC "replica = 2\n", "x.toml:6: hostlet.replica: unknown member"},
        {"x.toml", SPEC "\ninstance = \"A\"\n", "x.toml:7: hostlet.instance: 'A' is no name"},
        {"x.toml", SPEC "instance = 1\n", "x.toml:6: hostlet.instance: expected a string"},
        {"x.toml", SPEC "replicas = 0\n", "x.toml:6: hostlet.replicas: 0 is not from 1 to 128"},
        {"x.toml", SPEC "replicas = 129\n", "x.toml:6: hostlet.replicas: 129 is not"},
        {"x.toml", SPEC "replicas = \"2\"\n", "x.toml:6: hostlet.replicas: expected a number"},
        {"x.toml", SPEC "replicas = []\n", "x.toml:6: hostlet.replicas: 0 is not"},
        {"x.toml", SPEC "replicas = [1, 128]\n", "x.toml:6: hostlet.replicas[1]: expected an id"},
        {"x.toml", SPEC "replicas = [1, 1]\n", "x.toml:6: hostlet.replicas: a second replica 1"},
        {"x.toml", SPEC "init = \"systemd\"\n",
         "x.toml:6: hostlet.init: expected one of \"inagent\", \"image\""},
        {"x.toml", SPEC "pull = true\n",
         "x.toml:6: hostlet.pull: expected one of \"missing\", \"always\", \"never\""},
        {"x.toml", SPEC "command = \"sh\"\n", "x.toml:6: hostlet.command: expected a list"},
        {"x.toml", SPEC "init = \"image\"\ncommand = [\"sh\", 1]\n",
         "x.toml:7: hostlet.command[1]: expected a string"},
        {"x.toml", SPEC "command = [\"sh\"]\n",
         "x.toml:6: hostlet.command: is allowed with init = image alone"},
        {"x.toml", SPEC "env = [\"A=1\"]\n", "x.toml:6: hostlet.env: expected a table"},
        {"x.toml", SPEC "[hostlet.env]\nA = 1\n", "x.toml:7: hostlet.env.A: expected a string"},
        {"x.toml", SPEC "[hostlet.env]\n1A = \"1\"\n", "x.toml:7: hostlet.env.1A: no name of a variable"},
        {"x.toml", SPEC "stop_timeout = \"soon\"\n", "x.toml:6: hostlet.stop_timeout: expected a duration"},
        {"x.toml", SPEC "stop_timeout = 0\n", "x.toml:6: hostlet.stop_timeout: is not from 1 ms"},
        {"x.toml", SPEC "stop_timeout = \"2d\"\n", "x.toml:6: hostlet.stop_timeout: is not from"},
        {"x.toml", SPEC "probation = -1\n", "x.toml:6: hostlet.probation: expected a duration"},
        {"x.toml", SPEC "probation = 9223372036854775807\n", "x.toml:6: hostlet.probation: is not from"},
        {"x.toml", SPEC "pids_limit = 0\n", "x.toml:6: hostlet.pids_limit: 0 is not from 1"},
        {"x.toml", SPEC "parallel = 1.5\n", "x.toml:6: hostlet.parallel: expected an integer"},
        {"x.toml", SPEC "capabilities = \"NET_RAW\"\n",
         "x.toml:6: hostlet.capabilities: expected a list of strings"},
        {"x.toml", SPEC "capabilities = [1]\n", "x.toml:6: hostlet.capabilities[0]: expected a string"},
        {"x.toml", SPEC "capabilities = [\n \"SYS_ADMIN\"]\n",
         "x.toml:7: hostlet.capabilities[0]: 'SYS_ADMIN' is none of CHOWN,"},
        {"x.toml", SPEC "read_only = 1\n", "x.toml:6: hostlet.read_only: expected true or false"},
        {"x.toml", SPEC "no_new_privileges = \"yes\"\n",
         "x.toml:6: hostlet.no_new_privileges: expected true or false"},
        {"x.toml", SPEC "volumes = \"/data\"\n", "x.toml:6: hostlet.volumes: expected a list of strings"},
        {"x.toml", SPEC "volumes = [\"/data\",\n \"/dev/x\"]\n",
         "x.toml:7: hostlet.volumes[1]: '/dev/x' cannot be a volume: it would replace /dev,"},
        {"x.toml", SPEC "volumes = [\"/opt\"]\n",
         "x.toml:6: hostlet.volumes[0]: '/opt' cannot be a volume: with inagent"},
        {"x.toml", SPEC "configs = 1\n", "x.toml:6: hostlet.configs: expected a table"},
        {"x.toml", SPEC "[hostlet.configs]\nb = \"1\"\n",
         "x.toml:7: hostlet.configs.b: the spec has no setting"},
        {"x.toml", SPEC "[hostlet.configs]\n\"cfg/b\" = 1.5\n", "x.toml:7: hostlet.configs"},
        {"x.toml", SPEC "[hostlet.configs]\na = {i = 1}\n", "x.toml:7: hostlet.configs.a: expected a value"},
        {"x.toml", SPEC "[hostlet.configs.g]\nk = 1\n",
         "x.toml:7: hostlet.configs.g.k: the spec has no setting"},
        {"x.toml", SPEC "host_ports = 80\n", "x.toml:6: hostlet.host_ports: expected a table"},
        {"x.toml", SPEC "host_ports.ftp = 80\n", "x.toml:6: hostlet.host_ports.ftp: the spec has no port"},
        {"x.toml", SPEC "host_ports.http = 70000\n", "x.toml:6: hostlet.host_ports.http: expected a port"},
        {"x.toml", SPEC "host_ports.http = [1, 0]\nreplicas = 2\n",
         "x.toml:6: hostlet.host_ports.http[1]: expected a port"},
        {"x.toml", SPEC "host_ports.http = true\n", "x.toml:6: hostlet.host_ports.http: expected a port"},
        {"x.toml", SPEC "host_ports.http = \"8080:80\"\n",
         "x.toml:6: hostlet.host_ports.http: '8080' is not an IP address"},
        {"x.toml", SPEC "host_ports.http = \"80/sctp\"\n",
         "x.toml:6: hostlet.host_ports.http: 'sctp' is neither tcp nor udp"},
        {"x.toml", SPEC "replicas = 2\nhost_ports.http = 80\n",
         "x.toml:7: hostlet.host_ports.http: 1 port for 2 replicas: write a list with one for each, or a "
         "range"},
        {"x.toml", SPEC "replicas = 3\nhost_ports.http = \"8080-8081\"\n",
         "x.toml:7: hostlet.host_ports: 3 ports are wanted of 8080-8081, which has 2"},
        {"x.toml", SPEC "host_ports = {http = \"127.0.0.1:81\"}\n",
         "x.toml:3: service_ports[1].port: the port would be published as 81, which port 'http' has: name "
         "another"},
        {"x.toml", SPEC "replicas = 2\nhost_ports.http = [80, 80]\n",
         "x.toml:7: hostlet.host_ports: 80 is given twice"},
        {"x.toml", SPEC "host_ports = {http = 80, admin = 80}\n",
         "x.toml:6: hostlet.host_ports: 80 is given twice"},
        {"x.json", "{\"spec\": {\"name\": \"web\", \"image\": \"x\"}, \"hostlet\": {\"replicas\": 2}}",
         "x.json: /hostlet/replicas: the instance itself defines it"},
        {"x.json", "{\"name\": \"web\", \"image\": \"x\", \"hostlet\": {\"probation\": \"x\"}}",
         "x.json: /hostlet/probation: expected a duration"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct app_manifest m;
        struct error e = ERROR_INIT;
        int r = parse(cases[i].text, cases[i].source, &m, &e);
        if (r >= 0 || !after_prefix(e.message, cases[i].message))
            fail_msg("case %zu\n%s\ngives %d: %s\nnot %s", i, cases[i].text, r, r < 0 ? e.message : "",
                     cases[i].message);
        assert_int_equal(e.class, ERROR_REFUSED);
        assert_null(m.app);
    }
}

static void files_are_read(void **state)
{
    (void)state;
    struct app_manifest m = {.app = NULL};
    struct error e = ERROR_INIT;
    assert_int_equal(manifest_read("/nowhere/x.toml", &m, &e), -ENOENT);
    assert_non_null(strstr(e.message, "/nowhere/x.toml"));
    assert_true(manifest_read("/dev/null", &m, &e) < 0);
    assert_true(manifest_read("/proc/self", &m, &e) < 0);
    assert_non_null(strstr(e.message, "not a regular file"));
}

/* Each row is a directory: manifests with the spec's ports a = 80 and b = 81, and their tables [hostlet]. */
static void manifests_that_want_one_port_are_refused_together(void **state)
{
    (void)state;
    static const struct {
        const char *tables[3];
        const char *message; /* NULL: accepted */
    } cases[] = {
        {{"host_ports = {a = 8080, b = 8081}", "host_ports = {a = 8082, b = 8083}"}, NULL},
        {{"host_ports = {a = 8080, b = 8081}", "host_ports = {a = 8082, b = 8080}"},
         "instance 'web0' and instance 'web1' want the same host port 8080"},
        {{"", ""}, "instance 'web0' and instance 'web1' want the same host port 80"},
        {{"", "host_ports = {a = 8080, b = 80}"}, "want the same host port 80"},
        {{"", "host_ports = {a = \"80/udp\", b = \"127.0.0.1:81/udp\"}"}, NULL},
        {{"", "host_ports = {a = \"[::]:80\", b = \"[::1]:81\"}"}, NULL},
        {{"", "host_ports = {a = \"127.0.0.1:80\", b = 8080}"}, "want the same host port 127.0.0.1:80"},
        {{"replicas = 2", "replicas = 2"}, NULL}, /* allocated */
        {{"replicas = 2\nhost_ports = {a = [1, 2], b = [3, 4]}", "host_ports = {a = 5, b = 4}"},
         "want the same host port 4"},
        {{"host_ports = {a = \"8080-8081\", b = 1}", "host_ports = {a = \"8080-8081\", b = 2}"}, NULL},
        {{"host_ports = {a = \"8080-8081\", b = 8080}", "host_ports = {a = \"8080-8081\", b = 2}"},
         "instance 'web0', instance 'web1' and perhaps others want 3 host ports of 8080-8081, which has 2"},
        {{"host_ports = {a = \"8080-8089\", b = 8080}", "host_ports = {a = 8081, b = 2}"}, NULL},
        {{"host_ports = {a = \"8080-8081\", b = \"8080-8081\"}",
          "host_ports = {a = \"8081-8082\", b = \"8081-8082\"}"},
         "perhaps others want 4 host ports of 8080-8082, which has 3"},
        {{"host_ports = {a = \"8080-8081\", b = 1}",
          "host_ports = {a = \"127.0.0.1:8080\", b = \"127.0.0.1:8081\"}"},
         "perhaps others want 3 host ports of 127.0.0.1:8080-8081, which has 2"},
        {{"host_ports = {a = \"8080-8081\", b = \"8080-8081\"}",
          "host_ports = {a = \"8081-8082\", b = \"8083\"}"},
         NULL},
        {{"host_ports = {a = 1, b = 2}", "host_ports = {a = 3, b = 4}", "host_ports = {a = 5, b = 1}"},
         "instance 'web0' and instance 'web2' want the same host port 1"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct app_manifest manifests[3] = {{.app = NULL}};
        struct error e = ERROR_INIT;
        size_t n = 0, first = 9, second = 9;
        for (; n < 3 && cases[i].tables[n]; n++) {
            _cleanup_free_ char *text =
                xasprintf("name = \"web%zu\"\nimage = \"x\"\nservice_ports = [{name = \"a\", port = 80}, "
                          "{name = \"b\", port = 81}]\n[hostlet]\n%s\n",
                          n, cases[i].tables[n]);
            if (manifest_parse(text, strlen(text), "x.toml", &manifests[n], &e) < 0)
                fail_msg("%s", e.message);
        }
        int r = app_check_together(manifests, n, &first, &second, &e);
        if ((r == 0) != !cases[i].message || (r < 0 && !strstr(e.message, cases[i].message)))
            fail_msg("case %zu gives %d: %s", i, r, e.message);
        if (r < 0)
            assert_true(first == 0 && second == n - 1 && e.class == ERROR_REFUSED);
        /* What is to be destroyed wants no port. */
        free(manifests[n - 1].app->deploy->action);
        manifests[n - 1].app->deploy->action = xstrdup("destroy");
        assert_int_equal(app_check_together(manifests, n, &first, &second, &e), 0);
        for (size_t k = 0; k < n; k++)
            schema_done(&app_manifest_schema, &manifests[k]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_accepted),
        cmocka_unit_test(the_hostlet_table_is_read),
        cmocka_unit_test(all_forms_give_one_manifest),
        cmocka_unit_test(mistakes_have_their_location),
        cmocka_unit_test(host_ports_have_addresses_protocols_and_ranges),
        cmocka_unit_test(manifests_that_want_one_port_are_refused_together),
        cmocka_unit_test(files_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
