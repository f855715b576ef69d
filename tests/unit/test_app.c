/* Tests lib/app: quantities, names, checks, the normal form, revisions. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/app/check.h"
#include "lib/app/check_deploy.h"
#include "lib/app/name.h"
#include "lib/app/normalise.h"
#include "lib/app/quantity.h"
#include "lib/app/zone.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "lib/schema/parse.h"

static void quantities_are_parsed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool cpu;
        int64_t value; /* negative: the errno */
    } cases[] = {
        {"500m", true, 500},
        {"1", true, 1000},
        {"0.5", true, 500},
        {"1.25", true, 1250},
        {"2.000", true, 2000},
        {"0.0010", true, 1},
        {"0", true, 0},
        {"007m", true, 7},
        {"1000", true, 1000000},
        {"1001", true, -ERANGE},
        {"99999999999999999999999", true, -ERANGE},
        {"0.00000000000000000000000001", true, -ERANGE},
        {"0.0001", true, -EINVAL},
        {"0.5m", true, -EINVAL},
        {"", true, -EINVAL},
        {"m", true, -EINVAL},
        {"-1", true, -EINVAL},
        {"1.", true, -EINVAL},
        {".5", true, -EINVAL},
        {"1.2.3", true, -EINVAL},
        {"1 ", true, -EINVAL},
        {"1k", true, -EINVAL},
        {"512Mi", false, 512 << 20},
        {"10Gi", false, INT64_C(10) << 30},
        {"1.5Gi", false, INT64_C(3) << 29},
        {"1G", false, 1000000000},
        {"2k", false, 2000},
        {"1Ti", false, INT64_C(1) << 40},
        {"1048576", false, 1048576},
        {"0.1Ki", false, 103},
        {"0.5", false, 1},
        {"0", false, 0},
        {"512MB", false, -EINVAL},
        {"512mi", false, -EINVAL},
        {"K", false, -EINVAL},
        {"", false, -EINVAL},
        {"1e3", false, -EINVAL},
        {"0x10", false, -EINVAL},
        {"1024Pi", false, INT64_C(1) << 60},
        {"1025Pi", false, -ERANGE},
        {"18446744073709551616", false, -ERANGE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int64_t value = -1;
        struct error e = ERROR_INIT;
        int r = cases[i].cpu ? app_parse_cpu(cases[i].text, &value, &e)
                             : app_parse_memory(cases[i].text, &value, &e);
        int64_t got = r < 0 ? r : value;
        if (got != cases[i].value)
            fail_msg("'%s' is %lld, not %lld", cases[i].text, (long long)got, (long long)cases[i].value);
        if (r < 0) {
            assert_int_equal(value, -1);
            assert_int_equal(e.class, ERROR_REFUSED);
            assert_non_null(strstr(e.message, "'"));
        }
    }
}

static void names_are_labels(void **state)
{
    (void)state;
    static const struct {
        const char *container;
        const char *instance; /* NULL: refused */
        int64_t id;
    } cases[] = {
        {"i8k_web_0", "web", 0},
        {"i8k_a-b9_127", "a-b9", 127},
        {"i8k_web_128", NULL, 0},
        {"i8k_web_00", NULL, 0},
        {"i8k_web_", NULL, 0},
        {"i8k_web", NULL, 0},
        {"i8k_we_1", NULL, 0},
        {"i8k_-web_1", NULL, 0},
        {"i8k_web-_1", NULL, 0},
        {"i8k_Web_1", NULL, 0},
        {"i8k_w.b_1", NULL, 0},
        {"i8k_web_+1", NULL, 0},
        {"i8k_web_1.old", NULL, 0},
        {"i8k_", NULL, 0},
        {"web_1", NULL, 0},
        {"i8k_web_1 ", NULL, 0},
        {"", NULL, 0},
        {"i8k_web/x_1", NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *instance = NULL, *again = NULL;
        int64_t id = -1;
        int r = app_container_name_parse(cases[i].container, &instance, &id);
        if ((r < 0) != !cases[i].instance)
            fail_msg("'%s' gives %d", cases[i].container, r);
        if (r < 0)
            continue;
        assert_string_equal(instance, cases[i].instance);
        assert_int_equal(id, cases[i].id);
        again = app_container_name(instance, id);
        assert_string_equal(again, cases[i].container);
    }
    struct error e = ERROR_INIT;
    _cleanup_free_ char *longest = xcalloc(65, 1);
    memset(longest, 'a', 63);
    assert_int_equal(app_check_instance_name(longest, "x", &e), 0);
    longest[63] = 'a';
    assert_int_equal(app_check_instance_name(longest, "x", &e), -EINVAL);
}

static const char whole[] =
    "{'app':{'meta':{'name':'web'},'spec':{'name':'web','version':'1.0.0','image':'demo/deb:1',"
    "'resources':{'cpu_limit':'500m','memory_limit':'64Mi','volume_limit':'1Gi'},"
    "'service_ports':[{'name':'http','port':8000},{'name':'admin','port':8001}],"
    "'packages':[{'name':'demo','version':'1.2'}],"
    "'configs':[{'name':'cfg/greeting','type':'string','default':'hello'},"
    "{'name':'group','items':[{'name':'x','default':'1'},{'name':'y'}]},{'name':'silent'}],"
    "'tasks':[{'name':'init','on_startup':true,'script':'true'},"
    "{'name':'tick','depends_on':['init'],'interval_seconds':60},"
    "{'name':'nightly','cron':'15 3 * * *'},{'name':'bye','on_shutdown':true},{'name':'never'}]},"
    "'deploy':{'replicas':[{'id':1},{'id':0,'service_ports':[{'name':'http','port':8000,'host_port':80}]}]}},"
    "'hostlet':{}}";

static char *with_quotes(const char *text)
{
    char *copy = xstrdup(text);
    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    return copy;
}

static json_t *json_of(const char *text)
{
    _cleanup_free_ char *copy = with_quotes(text);
    json_error_t je;
    json_t *json = json_loads(copy, JSON_DECODE_ANY, &je);
    if (!json)
        fail_msg("%s: %s", text, je.text);
    return json;
}

/* Sets the member that a pointer names; deletes it if 'value' is NULL. */
static void patch(json_t *json, const char *pointer, const char *value)
{
    _cleanup_free_ char *copy = xstrdup(pointer);
    char *rest = copy + 1, *name;
    while ((name = strsep(&rest, "/"))) {
        bool index = json_is_array(json);
        size_t i = index ? strtoul(name, NULL, 10) : 0;
        for (char *c = name; *c; c++)
            if (*c == '~')
                *c = '/';
        if (rest) {
            json = index ? json_array_get(json, i) : json_object_get(json, name);
            assert_non_null(json);
        } else if (!value)
            json_object_del(json, name);
        else if (index && i < json_array_size(json))
            json_array_set_new(json, i, json_of(value));
        else if (index)
            json_array_append_new(json, json_of(value));
        else
            json_object_set_new(json, name, json_of(value));
    }
}

static struct app_manifest *manifest_of(json_t *json)
{
    struct error e = ERROR_INIT;
    struct app_manifest *manifest = xcalloc(1, sizeof *manifest);
    if (schema_parse(&app_manifest_schema, json, SCHEMA_STRICT, manifest, &e) < 0)
        fail_msg("%s", e.message);
    json_decref(json);
    return manifest;
}

static void mistakes_are_refused_with_their_pointer(void **state)
{
    (void)state;
    static const struct {
        const char *pointer, *value;
        const char *message; /* a part of it; NULL: accepted */
    } cases[] = {
        {"/hostlet", "{}", NULL},
        {"/app/spec", NULL, "/app/spec: is missing"},
        {"/app/spec/name", NULL, "/app/spec/name: is missing"},
        {"/app/spec/name", "'a b'", "/app/spec/name: 'a b'"},
        {"/app/meta", NULL, NULL},
        {"/app/meta/name", "'we'", "/app/meta/name: 'we' is no name of an instance"},
        {"/app/meta/name", "'Web'", "/app/meta/name: 'Web'"},
        {"/app/meta/name", "'web-'", "/app/meta/name: 'web-'"},
        {"/app/meta/name", "'../etc'", "/app/meta/name: '../etc'"},
        {"/app/spec/image", NULL, "/app/spec/image: is missing"},
        {"/app/spec/image", "''", "/app/spec/image: is missing"},
        {"/app/spec/image", "'a image'", "/app/spec/image: 'a image'"},
        {"/app/spec/image", "'-x'", "/app/spec/image: '-x'"},
        {"/app/spec/image", "'r.example:5000/a/b:1'", NULL},
        {"/app/spec/image", "'docker://x'", "/app/spec/image: 'docker://x'"},
        {"/app/spec/resources", NULL, NULL},
        {"/app/spec/resources/cpu_limit", "'fast'", "/app/spec/resources/cpu_limit: 'fast'"},
        {"/app/spec/resources/cpu_limit", "'1m'", "/app/spec/resources/cpu_limit: '1m' is less than 10m"},
        {"/app/spec/resources/cpu_limit", "'0'", NULL},
        {"/app/spec/resources/memory_limit", "'1Mi'",
         "/app/spec/resources/memory_limit: '1Mi' is less than 6Mi"},
        {"/app/spec/resources/memory_limit", "'64MB'", "/app/spec/resources/memory_limit: '64MB'"},
        {"/app/spec/resources/volume_limit", "'many'", "/app/spec/resources/volume_limit: 'many'"},
        {"/app/spec/depends", "[{'name':'db'}]", "/app/spec/depends/0: the application depends on 'db'"},
        {"/app/spec/service_depends", "[{'name':'dns'}]", "/app/spec/service_depends/0: "},
        {"/app/spec/packages/0/name", "'../x'", "/app/spec/packages/0/name: "},
        {"/app/spec/packages/0/name", NULL, "/app/spec/packages/0/name: is missing"},
        {"/app/spec/packages/0/version", "'new'", "/app/spec/packages/0/version: "},
        {"/app/spec/packages/0/version", NULL, NULL},
        {"/app/spec/packages/1", "{'name':'demo'}", "/app/spec/packages/1/name: a second package 'demo'"},
        {"/app/spec/service_ports/1/port", "0", "/app/spec/service_ports/1/port: 0 is not from 1 to 65535"},
        {"/app/spec/service_ports/1/port", "65536", "/app/spec/service_ports/1/port: 65536"},
        {"/app/spec/service_ports/1/port", "8000", "'http' and 'admin' have the same port 8000"},
        /* replica 1 states neither */
        {"/app/deploy/replicas/1/service_ports/1", "{'name':'admin','host_port':80,'protocol':'udp'}", NULL},
        {"/app/deploy/replicas/1/service_ports/1", "{'name':'admin','host_port':80,'host_address':'::'}",
         NULL},
        {"/app/deploy/replicas/1/service_ports/1",
         "{'name':'admin','host_port':80,'host_address':'10.0.0.1'}",
         "/app/deploy/replicas/1/service_ports/1/host_port: 10.0.0.1:80 is given twice (replica 0 has it "
         "already)"},
        {"/app/deploy/replicas/1/service_ports/0/host_address", "'host'",
         "service_ports/0/host_address: 'host' is not"},
        {"/app/deploy/replicas/1/service_ports/0/host_address", "''", NULL},
        {"/app/deploy/replicas/1/service_ports/0/host_port_last", "79",
         "service_ports/0/host_port_last: 79 is less"},
        {"/app/deploy/replicas/1/service_ports/0/host_port_last", "65536",
         "host_port_last: 65536 is not from 1"},
        {"/app/deploy/replicas/1/service_ports/0/host_port", "0", NULL},
        {"/app/deploy/replicas/1/service_ports/1", "{'name':'admin','protocol':'udp'}",
         "host_port: 0 is not from 1"},
        {"/app/spec/service_ports/1/name", "'http'", "/app/spec/service_ports/1/name: a second port 'http'"},
        {"/app/spec/service_ports/1/name", NULL, "/app/spec/service_ports/1/name: is missing"},
        {"/app/spec/configs/1/name", "'cfg/greeting'", "/app/spec/configs/1/name: a second setting"},
        {"/app/spec/configs/1/items/1/name", "'x'", "/app/spec/configs/1/items/1/name: a second setting 'x'"},
        {"/app/spec/tasks/0/name", "''", "/app/spec/tasks/0/name: is missing"},
        {"/app/spec/tasks/1/name", "'init'", "/app/spec/tasks/1/name: a second task 'init'"},
        {"/app/spec/tasks/1/depends_on/0", "'boot'", "/app/spec/tasks/1/depends_on/0: 'boot' is no task"},
        {"/app/spec/tasks/1/depends_on/0", "'bye'",
         "/app/spec/tasks/1/depends_on/0: 'bye' does not run before"},
        {"/app/spec/tasks/1/depends_on/0", "'never'", "/app/spec/tasks/1/depends_on/0: 'never' does not run"},
        {"/app/spec/tasks/1/depends_on/0", "'tick'",
         "/app/spec/tasks/1/depends_on: 'tick' depends on itself"},
        {"/app/spec/tasks/0/depends_on", "['tick']", "/depends_on: 'tick' depends on itself, through 'init'"},
        /* 'a' depends on a circle and is not part of it */
        {"/app/spec/tasks",
         "[{'name':'a','cron':'@daily','depends_on':['b']},{'name':'b','cron':'@daily','depends_on':['c']},"
         "{'name':'c','cron':'@daily','depends_on':['b']}]",
         "/app/spec/tasks/1/depends_on: 'b' depends on itself, through 'c'"},
        {"/app/spec/tasks/1/interval_seconds", "-1", "/app/spec/tasks/1/interval_seconds: -1"},
        {"/app/spec/tasks/0/max_attempts", "4294967296", "/app/spec/tasks/0/max_attempts: 4294967296"},
        {"/app/spec/tasks/0/retry_backoff_seconds", "-5", "/app/spec/tasks/0/retry_backoff_seconds: -5"},
        {"/app/spec/tasks/2/cron", "'15 3 * *'",
         "/app/spec/tasks/2/cron: column 1: there are 4 fields instead of five"},
        {"/app/spec/tasks/2/cron", "'15 3 31 2 *'",
         "/app/spec/tasks/2/cron: column 1: '15 3 31 2 *' never matches"},
        {"/app/spec/tasks/2/cron", "'15 24 * * *'",
         "/app/spec/tasks/2/cron: column 4: '24' is no hour from 0 to 23"},
        {"/app/spec/tasks/2/timeout", "-1", "/app/spec/tasks/2/timeout: -1 is not from 0 to"},
        {"/app/spec/tasks/2/cron", "'@daily'", NULL},
        {"/app/spec/tasks/2/cron", "'TZ=UTC 0 15 3 * * *'", NULL},
        {"/app/spec/tasks/0/ready", "'notify'", NULL},
        {"/app/spec/tasks/0/ready_timeout", "5", "/app/spec/tasks/0/ready_timeout: needs ready = \"notify\""},
        {"/app/spec/tasks/0/watchdog", "5", "/app/spec/tasks/0/watchdog: needs ready = \"notify\""},
        {"/app/spec/tasks/0/watchdog", "-1", "/app/spec/tasks/0/watchdog: -1 is not from 0 to 86400"},
        {"/app/spec/tasks/0/ready_timeout", "86401", "/app/spec/tasks/0/ready_timeout: 86401 is not from"},
        {"/app/spec/tasks/1/ready", "'notify'",
         "/app/spec/tasks/1/ready: 'tick' has not the trigger on_startup"},
        {"/app/spec/tasks/3/ready", "'notify'",
         "/app/spec/tasks/3/ready: 'bye' has not the trigger on_startup"},
        {"/app/spec/tasks",
         "[{'name':'a','on_startup':true,'ready':'notify'},{'name':'b','on_startup':true,'ready':'notify'}]",
         "/app/spec/tasks/1/ready: one task of an application can have it, and 'a' has it already"},
        {"/app/spec/tasks",
         "[{'name':'a','on_startup':true,'ready':'notify','ready_timeout':86400,'watchdog':86400}]", NULL},
        /* several triggers: the contract's precedence decides */
        {"/app/spec/tasks/1/on_startup", "true", NULL},
        {"/app/deploy", NULL, NULL},
        {"/app/deploy/action", "'stop'", NULL},
        {"/app/deploy/action", "'restart'", "/app/deploy/action: 'restart' is none of"},
        {"/app/deploy/cpu_limit", "5", "/app/deploy/cpu_limit: 5 is not from 10"},
        {"/app/deploy/cpu_limit", "-5", "/app/deploy/cpu_limit: -5"},
        {"/app/deploy/memory_limit", "1000", "/app/deploy/memory_limit: 1000"},
        {"/app/deploy/volume_limit", "-1", "/app/deploy/volume_limit: -1"},
        {"/app/deploy/replicas/0/id", "128", "/app/deploy/replicas/0/id: 128 is not from 0 to 127"},
        {"/app/deploy/replicas/0/id", "-1", "/app/deploy/replicas/0/id: -1"},
        {"/app/deploy/replicas/1/id", "1", "/app/deploy/replicas/1/id: a second replica 1"},
        {"/app/deploy/replicas/1/service_ports/0/name", "'ftp'",
         "/app/deploy/replicas/1/service_ports/0: 'ftp'"},
        {"/app/deploy/replicas/1/service_ports/0/port", "9",
         "/app/deploy/replicas/1/service_ports/0: 'http' (port 9)"},
        {"/app/deploy/replicas/1/service_ports/0/name", NULL, NULL},
        {"/app/deploy/replicas/1/service_ports/0/host_port", "65536", "service_ports/0/host_port: 65536"},
        {"/app/deploy/replicas/1/service_ports/1", "{'name':'admin','host_port':80}", "80 is given twice"},
        {"/app/deploy/replicas/1/service_ports/1", "{'port':8000,'host_port':81}",
         "a second entry for port 'http'"},
        {"/app/deploy/replicas/2", "{'id':2,'service_ports':[{'name':'http','host_port':80}]}",
         "/app/deploy/replicas/2/service_ports/0/host_port: 80 is given twice (replica 0"},
        {"/app/deploy/configs", "[{'name':'a'},{'name':'a'}]",
         "/app/deploy/configs/1/name: a second value of 'a'"},
        {"/app/deploy/configs", "[{'value':'a'}]", "/app/deploy/configs/0/name: is missing"},
        {"/app/deploy/configs",
         "[{'name':'a','items':[{'name':'b','items':[{'name':'c','items':[{'name':'d','items':[{'name':'e'}]}"
         "]}]}]}]",
         "are nested deeper than 4 levels"},
        {"/hostlet/command", "['x']", "/hostlet/command: is allowed with init = image alone"},
        {"/hostlet/init", "'image'", "/app/spec/tasks/0: inagent runs the tasks"},
        {"/hostlet/env", "{'1A':'x'}", "/hostlet/env/1A: no name of a variable"},
        {"/hostlet/env", "{'':'x'}", "/hostlet/env/: no name of a variable"},
        {"/hostlet/env", "{'A=B':'x'}", "/hostlet/env/A=B: "},
        {"/hostlet/env", "{'APP_NAME':'x'}", "/hostlet/env/APP_NAME: hostlet sets this variable"},
        {"/hostlet/env", "{'_ok':''}", NULL},
        {"/hostlet/pids_limit", "-1", "/hostlet/pids_limit: -1"},
        {"/hostlet/pids_limit", "4194305", "/hostlet/pids_limit: 4194305"},
        {"/hostlet/capabilities", "['NET_RAW','SYS_ADMIN']",
         "/hostlet/capabilities/1: 'SYS_ADMIN' is none of CHOWN, DAC_OVERRIDE, FSETID, FOWNER, MKNOD, "
         "NET_RAW, SETGID, SETUID, SETFCAP, SETPCAP, NET_BIND_SERVICE, SYS_CHROOT, KILL, AUDIT_WRITE "
         "(in capitals, without 'CAP_'): no container gets others"},
        {"/hostlet/capabilities", "['ALL']", "/hostlet/capabilities/0: 'ALL' is none of"},
        {"/hostlet/capabilities", "['CAP_NET_RAW']", "/hostlet/capabilities/0: 'CAP_NET_RAW' is none of"},
        {"/hostlet/capabilities", "['']", "/hostlet/capabilities/0: '' is none of"},
        {"/hostlet/stop_timeout_msec", "86400001", "/hostlet/stop_timeout_msec: 86400001"},
        {"/hostlet/probation_msec", "-2", "/hostlet/probation_msec: -2"},
        {"/hostlet/parallel", "129", "/hostlet/parallel: 129"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        json_t *json = json_of(whole);
        patch(json, cases[i].pointer, cases[i].value);
        struct app_manifest *manifest = manifest_of(json);
        struct error e = ERROR_INIT;
        int r = app_check(manifest, &e);
        if (!cases[i].message != (r == 0) || (r < 0 && !strstr(e.message, cases[i].message)))
            fail_msg("%s = %s gives %d: %s", cases[i].pointer, cases[i].value ?: "-", r, e.message);
        if (r < 0)
            assert_int_equal(e.class, ERROR_REFUSED);
        schema_free(&app_manifest_schema, manifest);
    }
}

/* The kernel starts no program with more than 128 KiB in one string, or 2 MiB in all. */
static void what_no_program_can_be_started_with_is_refused(void **state)
{
    (void)state;
    static const struct {
        size_t size, n; /* of each string, with its end; number of variables, or of arguments */
        bool command;
        const char *message;
    } cases[] = {
        {131072, 1, false, NULL},
        {131073, 1, false, "/hostlet/env/V0: has 131073 bytes"},
        {131072, 1, true, NULL},
        {131073, 1, true, "/hostlet/command/0: has 131073 bytes"},
        {131064, 16, false, NULL},
        {131065, 16, false, "/hostlet/env: environment and command have 2097168 bytes"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct app_options options = {.init = APP_INIT_IMAGE};
        struct error e = ERROR_INIT;
        for (size_t k = 0; k < cases[i].n; k++) {
            char name[32];
            snprintf(name, sizeof name, "V%zu", k);
            size_t n = cases[i].size - 1 - (cases[i].command ? 0 : strlen(name) + 1);
            _cleanup_free_ char *text = xcalloc(n + 1, 1);
            memset(text, 'x', n);
            if (cases[i].command)
                schema_append_string(&options.command, &options.n_command, text);
            else
                schema_map_set(&options.env, &options.n_env, name, text);
        }
        int r = check_options(&options, &e);
        if (!cases[i].message != (r == 0) || (r < 0 && !strstr(e.message, cases[i].message)))
            fail_msg("case %zu gives %d: %s", i, r, e.message);
        schema_done(&app_options_schema, &options);
    }
}

static char *normal_text(const char *pointer, const char *value, struct app_manifest **ret)
{
    json_t *json = json_of(whole);
    if (pointer)
        patch(json, pointer, value);
    struct app_manifest *manifest = manifest_of(json);
    struct error e = ERROR_INIT;
    if (app_check(manifest, &e) < 0 || app_normalise(manifest, &e) < 0)
        fail_msg("%s", e.message);
    char *text = schema_pack_text(&app_manifest_schema, manifest, NULL);
    if (ret)
        *ret = manifest;
    else
        schema_free(&app_manifest_schema, manifest);
    return text;
}

static void normal_form_is_idempotent(void **state)
{
    (void)state;
    struct app_manifest *m;
    _cleanup_free_ char *text = normal_text(NULL, NULL, &m), *again = NULL;
    const struct app_deploy *deploy = m->app->deploy;
    assert_int_equal(deploy->cpu_limit, 500);
    assert_int_equal(deploy->memory_limit, 64 << 20);
    assert_int_equal(deploy->volume_limit, 1 << 30);
    assert_string_equal(deploy->action, "start");
    assert_int_equal(deploy->replica_cap, 2);
    assert_int_equal(deploy->replicas[0]->id, 0);
    assert_int_equal(deploy->replicas[0]->service_ports[0]->host_port, 80);
    assert_int_equal(deploy->replicas[1]->id, 1);
    assert_int_equal(deploy->n_configs, 2);
    assert_string_equal(deploy->configs[0]->value, "hello");
    assert_string_equal(deploy->configs[0]->type, "string");
    assert_int_equal(deploy->configs[1]->n_items, 1);
    assert_string_equal(deploy->configs[1]->items[0]->value, "1");
    assert_int_equal(m->hostlet->init, APP_INIT_INAGENT);
    assert_int_equal(m->hostlet->pull, APP_PULL_MISSING);
    assert_int_equal(m->hostlet->pids_limit, 100);

    struct error e = ERROR_INIT;
    assert_int_equal(app_check(m, &e), 0);
    assert_int_equal(app_normalise(m, &e), 0);
    again = schema_pack_text(&app_manifest_schema, m, NULL);
    assert_string_equal(again, text);
    schema_free(&app_manifest_schema, m);
}

static void normal_form_has_defaults(void **state)
{
    (void)state;
    struct app_manifest *m;
    free(normal_text("/app/deploy", NULL, &m));
    assert_int_equal(m->app->deploy->n_replicas, 1);
    assert_int_equal(m->app->deploy->replicas[0]->id, 0);
    schema_free(&app_manifest_schema, m);

    free(normal_text("/app/meta", NULL, &m));
    assert_string_equal(m->app->meta->name, "web");
    schema_free(&app_manifest_schema, m);

    free(normal_text("/app/spec/resources", NULL, &m));
    assert_non_null(m->app->spec->resources);
    assert_int_equal(m->app->deploy->memory_limit, 0);
    schema_free(&app_manifest_schema, m);

    free(normal_text(
        "/app/deploy/configs",
        "[{'name':'cfg/greeting','value':'hi'},{'name':'group','items':[{'name':'y','value':'2'}]}]", &m));
    assert_string_equal(m->app->deploy->configs[0]->value, "hi");
    assert_string_equal(m->app->deploy->configs[0]->type, "string");
    assert_int_equal(m->app->deploy->configs[1]->n_items, 2);
    schema_free(&app_manifest_schema, m);
}

/* Members of a zone's response beside the desired state are removed. */
static void normal_form_drops_members_of_a_zone(void **state)
{
    (void)state;
    static const struct {
        const char *pointer, *value;
    } cases[] = {
        {"/app/meta", "{'name':'web','id':'0123456789ab','user':'u','created':1,'updated':2,'version':3}"},
        {"/app/revision", "7"},
        {"/app/status", "{'id':'x'}"},
        {"/app/ref_by_instances", "['other']"},
        {"/app/deploy/revision", "9"},
        {"/app/deploy/replica_cap", "5"},
        {"/app/deploy/stages", "{'name':'deploy','stages':[{'name':'image_pull'}]}"},
        {"/app/deploy/depends", "[{'spec_name':'db','replicas':[{'id':1}]}]"},
        {"/app/deploy/action", "''"},
        {"/app/deploy/replicas/0",
         "{'id':1,'host_id':'ab','state':'running','vpc_ipv4':'10.0.0.1','host_ipv4':'1.2.3.4'}"},
        {"/app/deploy/replicas/0/service_ports", "[{'name':'admin','port':8001}]"},
        {"/app/deploy/replicas/1/service_ports/0", "{'port':8000,'host_port':80,'lan_addr':'10.1.1.1'}"},
        {"/hostlet", "{'init':'inagent','pull':'missing','pids_limit':100}"},
        {"/hostlet", NULL},
    };
    _cleanup_free_ char *plain = normal_text(NULL, NULL, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *text = normal_text(cases[i].pointer, cases[i].value, NULL);
        if (!streq(text, plain))
            fail_msg("%s = %s makes a difference:\n%s\n%s", cases[i].pointer, cases[i].value ?: "-", text,
                     plain);
    }
}

/* The order and repetition of names do not matter. */
static void capabilities_have_one_form(void **state)
{
    (void)state;
    _cleanup_free_ char *one = normal_text("/hostlet/capabilities", "['MKNOD','NET_RAW']", NULL),
                        *other = normal_text("/hostlet/capabilities", "['NET_RAW','MKNOD','NET_RAW','MKNOD']",
                                             NULL);
    assert_string_equal(one, other);
    assert_non_null(strstr(one, "NET_RAW"));
}

static void some_members_make_no_new_revision(void **state)
{
    (void)state;
    static const struct {
        const char *pointer, *value;
        bool same;
    } cases[] = {
        {"/hostlet", "{}", true},
        {"/app/spec/description", "'other'", true},
        {"/app/spec/resources/volume_limit", "'2Gi'", true},
        {"/app/deploy/volume_limit", "5", true},
        {"/app/deploy/action", "'stop'", true},
        {"/app/deploy/replicas", "[{'id':7}]", true},
        {"/app/deploy/replicas/2", "{'id':2,'service_ports':[{'name':'http','host_port':82}]}", true},
        {"/hostlet/probation_given", "true", true},
        {"/hostlet/probation_msec", "100", true},
        {"/hostlet/stop_timeout_msec", "100", true},
        {"/hostlet/parallel", "3", true},
        {"/app/spec/resources/cpu_limit", "'0.5'", true},
        {"/app/deploy/cpu_limit", "500", true},
        {"/app/spec/resources/cpu_limit", "'501m'", true},
        {"/app/spec/resources/memory_limit", "'65Mi'", true},
        {"/app/spec/image", "'demo/deb:2'", false},
        {"/app/spec/version", "'1.0.1'", false},
        {"/app/spec/packages/0/version", "'1.3'", false},
        {"/app/spec/tasks/0/script", "'false'", false},
        {"/app/spec/service_ports/1/port", "8002", false},
        {"/app/spec/configs/0/default", "'bye'", false},
        {"/app/deploy/configs", "[{'name':'silent','value':'x'}]", false},
        {"/app/deploy/replicas/1/service_ports/0/host_port", "81", false},
        {"/app/deploy/replicas/0/service_ports", "[{'name':'http','host_port':81}]", false},
        {"/hostlet/env", "{'A':'1'}", false},
        {"/hostlet/pids_limit", "200", true},
        {"/hostlet/capabilities", "[]", true},
        {"/hostlet/read_only", "false", true},
        {"/hostlet/no_new_privileges", "false", true},
        {"/hostlet/capabilities", "['NET_RAW']", false},
        {"/hostlet/read_only", "true", false},
        {"/hostlet/no_new_privileges", "true", false},
        {"/hostlet/pull", "'always'", true},
        {"/hostlet/volumes", "[]", true},
        {"/hostlet/volumes", "['/srv']", false},
        {"/app/meta/name", "'other'", false},
        {"/app/spec/tasks/0/ready", "'notify'", false},
    };
    struct app_manifest *plain, *other;
    free(normal_text(NULL, NULL, &plain));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        free(normal_text(cases[i].pointer, cases[i].value, &other));
        if (app_same_revision(plain, other) != cases[i].same ||
            app_same_revision(other, plain) != cases[i].same)
            fail_msg("%s = %s: expected %s revision", cases[i].pointer, cases[i].value,
                     cases[i].same ? "the same" : "another");
        schema_free(&app_manifest_schema, other);
    }
    schema_free(&app_manifest_schema, plain);
}

/* ready_timeout is hostlet's patience, and what else concerns readiness is in the container. */
static void the_time_limit_of_readiness_makes_no_new_revision(void **state)
{
    (void)state;
    static const char before[] = "{'name':'init','on_startup':true,'script':'true','ready':'notify'";
    static const struct {
        const char *more;
        bool same;
    } cases[] = {{"}", true},
                 {",'ready_timeout':90}", true},
                 {",'ready_timeout':5}", true},
                 {",'watchdog':5}", false}};
    struct app_manifest *plain, *other;
    _cleanup_free_ char *first = xasprintf("%s}", before);
    free(normal_text("/app/spec/tasks/0", first, &plain));
    assert_int_equal(plain->app->spec->tasks[0]->ready_timeout, 90);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *value = xasprintf("%s%s", before, cases[i].more);
        free(normal_text("/app/spec/tasks/0", value, &other));
        assert_int_equal(app_same_revision(plain, other), cases[i].same);
        schema_free(&app_manifest_schema, other);
    }
    schema_free(&app_manifest_schema, plain);
}

static struct app_instance *zone_instance(const char *text)
{
    struct app_instance *app = xcalloc(1, sizeof *app);
    struct error e = ERROR_INIT;
    _cleanup_free_ char *json = xstrdup(text);
    for (char *c = json; *c; c++)
        if (*c == '\'')
            *c = '"';
    if (schema_parse_text(&app_instance_schema, json, strlen(json), SCHEMA_STRICT, "test", app, &e) < 0)
        fail_msg("%s", e.message);
    return app;
}

#define ZONE_SPEC                                                                                            \
    "'spec':{'name':'web','image':'nginx:1','resources':{'cpu_limit':'500m','memory_limit':'64Mi','volume_"  \
    "limit':'?'}"

/* The echo of this host's reports is removed; what the application may read stays. */
static void zone_form_drops_the_echo(void **state)
{
    (void)state;
    struct app_instance *app = zone_instance(
        "{'meta':{'id':'1','name':'web','version':7}," ZONE_SPEC "},'revision':3,'ref_by_instances':['x'],"
        "'status':{'id':'s'},'deploy':{'action':'stop','revision':9,'"
        "stages':{'name':'d'},'memory_limit':1000,"
        "'depends':[{'spec_name':'db'}],'replicas':[{'id':2,'host_id':'"
        "aa','vpc_ipv4':'10.1.1.1','service_ports':[{'port':80,'host_port':80,'protocol':'udp',"
        "'host_address':'::1','host_port_last':90}]},{'id':2,'host_id':'bb'}]}}");
    struct app_manifest *manifest = app_zone_manifest(app);
    const struct app_deploy *deploy = manifest->app->deploy;
    assert_null(manifest->app->status);
    assert_null(deploy->stages);
    assert_int_equal(deploy->revision, 9);
    assert_int_equal(deploy->n_depends, 1);
    assert_int_equal(deploy->cpu_limit, 500);
    assert_int_equal(deploy->memory_limit, 1000);
    assert_int_equal(deploy->volume_limit, 0);
    assert_int_equal(manifest->app->meta->version, 7);
    assert_int_equal(manifest->hostlet->init, APP_INIT_INAGENT);
    assert_string_equal(app_find_replica_of(manifest, 2, "bb")->host_id, "bb");
    assert_string_equal(app_find_replica_of(manifest, 2, "aa")->vpc_ipv4, "10.1.1.1");
    /* A zone's ports are TCP on all IPv4 addresses, whatever the caller adds. */
    const struct app_service_port *port = app_find_replica_of(manifest, 2, "aa")->service_ports[0];
    assert_true(port->host_port == 80 && !port->protocol && !port->host_address && !port->host_port_last);
    assert_null(app_find_replica_of(manifest, 1, "aa"));
    assert_null(app_find_replica_of(manifest, 2, "cc"));
    schema_free(&app_manifest_schema, manifest);
    schema_free(&app_instance_schema, app);
}

static void zone_checks_skip_other_hosts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message; /* NULL: accepted */
    } cases[] = {
        {"{" ZONE_SPEC "},'deploy':{'replicas':[{'id':1,'host_id':'aa'}]}}", NULL},
        /* Replicas of other hosts and members that only inagent reads are not checked. */
        {"{" ZONE_SPEC ",'tasks':[{'name':'?','depends_on':['y']}],'depends':[{'name':'z'}]},"
         "'deploy':{'replicas':[{'id':900,'host_id':'bb','vpc_ipv4':'x'}]}}",
         NULL},
        {"{'deploy':{}}", "/spec: is missing"},
        {"{'spec':{'image':'a'},'deploy':{}}", "/spec/resources: is missing"},
        {"{" ZONE_SPEC "}}", "/deploy: is missing"},
        {"{'spec':{'image':'a b','resources':{}},'deploy':{}}", "/app/spec/image"},
        {"{" ZONE_SPEC ",'packages':[{'name':'../x'}]},'deploy':{}}", "/app/spec/packages/0/name"},
        {"{" ZONE_SPEC ",'service_ports':[{'port':0}]},'deploy':{}}", "/spec/service_ports/0/port"},
        {"{" ZONE_SPEC "},'deploy':{'revision':-1}}", "/deploy/revision"},
        {"{" ZONE_SPEC "},'deploy':{'cpu_limit':-1}}", "/deploy/cpu_limit"},
        {"{" ZONE_SPEC "},'deploy':{'replicas':[{'id':128,'host_id':'aa'}]}}", "/deploy/replicas/id: 128"},
        {"{" ZONE_SPEC "},'deploy':{'replicas':[{'id':1,'host_id':'bb'},{'id':1,'host_id':'aa'}]}}",
         "/deploy/replicas/1/id: a second replica 1"},
        {"{" ZONE_SPEC "},'deploy':{'replicas':[{'id':1,'host_id':'aa','vpc_ipv4':'1.2.3'}]}}", "vpc_ipv4"},
        {"{" ZONE_SPEC "},'deploy':{'replicas':[{'id':1,'host_id':'aa','service_ports':[{'port':70000}]}]}}",
         "service_ports/port"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_INIT;
        struct app_instance *app = zone_instance(cases[i].text);
        int r = app_check_zone(app, "aa", &e);
        if ((r < 0) != (cases[i].message != NULL) || (r < 0 && !strstr(e.message, cases[i].message)))
            fail_msg("%s: %d %s", cases[i].text, r, e.message);
        schema_free(&app_instance_schema, app);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantities_are_parsed),
        cmocka_unit_test(names_are_labels),
        cmocka_unit_test(mistakes_are_refused_with_their_pointer),
        cmocka_unit_test(what_no_program_can_be_started_with_is_refused),
        cmocka_unit_test(normal_form_is_idempotent),
        cmocka_unit_test(normal_form_has_defaults),
        cmocka_unit_test(normal_form_drops_members_of_a_zone),
        cmocka_unit_test(capabilities_have_one_form),
        cmocka_unit_test(some_members_make_no_new_revision),
        cmocka_unit_test(the_time_limit_of_readiness_makes_no_new_revision),
        cmocka_unit_test(zone_form_drops_the_echo),
        cmocka_unit_test(zone_checks_skip_other_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
