/* Tests plans: what a manifest would change, and why it is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/app/check.h"
#include "lib/app/normalise.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "lib/schema/parse.h"
#include "reconciler/rules/plan.h"

/* JSON with ' in place of ". A manifest is given by members of spec, of deploy and of hostlet's options. */
#define MANIFEST(spec, deploy, options)                                                                      \
    "{'app':{'meta':{'name':'web'},'spec':{'name':'web','version':'1','image':'nginx'" spec                  \
    "},'deploy':{" deploy "}},'hostlet':{" options "}}"
#define ONE      "'replicas':[{'id':0}]"
#define TWO      "'replicas':[{'id':0},{'id':1}]"
#define HTTP     ",'service_ports':[{'name':'http','port':80}]"
#define ON(port) "'replicas':[{'id':0,'service_ports':[{'name':'http','port':80,'host_port':" port "}]}]"

/* A replica of the record with an applied revision, and one without. */
#define PROVEN(id) "{'id':" id ",'applied_revision':3}"
#define FRESH(id)  "{'id':" id "}"

static void parse(const struct schema_struct *schema, const char *text, void *ret)
{
    _cleanup_free_ char *json = xstrdup(text);
    struct error e = ERROR_INIT;
    for (char *c = json; *c; c++)
        if (*c == '\'')
            *c = '"';
    if (schema_parse_text(schema, json, strlen(json), SCHEMA_STRICT, "test", ret, &e) < 0)
        fail_msg("%s: %s", e.message, text);
}

static void make_manifest(const char *text, struct app_manifest *ret)
{
    struct error e = ERROR_INIT;
    parse(&app_manifest_schema, text, ret);
    if (app_check(ret, &e) < 0 || app_normalise(ret, &e) < 0)
        fail_msg("%s: %s", e.message, text);
}

struct row {
    const char *what, *manifest;
    const char *current;  /* the manifest in the record, as revision 3; NULL: no record exists */
    const char *replicas; /* in the record, as JSON */
    const char *action;   /* in the record; NULL: start */
    bool zone;
    bool of_file, by_file; /* the record's origin, and that of the request, is directory */
    const char *container; /* in the runtime's list, as JSON; NULL: none */
    bool show_ports;
    const char *expected;
};

static struct record *make_record(const struct row *row)
{
    if (!row->current)
        return NULL;
    struct record *record = xcalloc(1, sizeof *record);
    _cleanup_free_ char *text =
        xasprintf("{'format':1,'name':'web','origin':'%s','action':'%s','revision':3,'replicas':[%s]}",
                  row->zone      ? "zone"
                  : row->of_file ? "directory','file':'/srv/m/web.json"
                                 : "local",
                  row->action ?: "start", row->replicas);
    struct app_manifest manifest = {.app = NULL};
    parse(&record_schema, text, record);
    make_manifest(row->current, &manifest);
    record_add_revision(record, 3, &manifest);
    schema_done(&app_manifest_schema, &manifest);
    return record;
}

static char *show(const struct reconciler_apply_out *out, bool show_ports)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    fprintf(f, "%s %lld%s\n", out->name, (long long)out->revision, out->changed ? " changed" : "");
    for (size_t i = 0; i < out->n_changes; i++)
        fprintf(f, "%s %s: %s\n", out->changes[i]->action, out->changes[i]->subject,
                out->changes[i]->reason ?: "-");
    for (size_t i = 0; i < out->n_refusals; i++)
        fprintf(f, "refused: %s\n", out->refusals[i]);
    for (size_t i = 0; i < out->n_grants; i++)
        fprintf(f, "grants: %s\n", out->grants[i]);
    for (size_t i = 0; show_ports && i < out->n_ports; i++)
        fprintf(f, "%s\n", out->ports[i]);
    fclose(f);
    return text;
}

static const struct {
    const char *port;
    enum port_user user;
    const char *name;
    int64_t replica_id;
} used[] = {
    {"8001", PORT_OF_REPLICA, "db", 2},
    {"8002", PORT_OF_UNREADABLE, "lost", 0},
    {"8003", PORT_OF_LISTENER, NULL, 0},
    {"8004", PORT_OF_REPLICA, "web", 0},
    {"8004", PORT_OF_LISTENER, NULL, 0},
    {"8005", PORT_OF_REPLICA, "web", 1},
    {"8002", PORT_OF_REPLICA, "db", 3},
    {"192.0.2.1:8007", PORT_OF_LISTENER, NULL, 0},
    {"[::]:8008", PORT_OF_LISTENER, NULL, 0}, /* on IPv6 alone */
    {"127.0.0.1:8011", PORT_OF_LISTENER, NULL, 0},
    {"127.0.0.2:8011", PORT_OF_LISTENER, NULL, 0},
    {"9532", PORT_OF_TREE, "[zone] http_port", 0},
};
static struct port_use uses[ARRAY_SIZE(used) + 1];

static int make_uses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(used); i++) {
        struct app_service_port b = {.name = NULL};
        assert_int_equal(host_binding_parse(used[i].port, &b, NULL), 0);
        uses[i] = (struct port_use){host_port_of(&b), used[i].user, used[i].name, used[i].replica_id};
        host_binding_reduce(&b);
    }
    uses[ARRAY_SIZE(used)] =
        (struct port_use){{.v6 = true, .dual = true, .port = 8009}, PORT_OF_LISTENER, NULL, 0};
    return 0;
}

static char *plan(const struct row *row, const struct plan_input *more)
{
    struct plan_input in = *more;
    static const struct port_range range = {8000, 8006};
    struct port_uses ports = {uses, ARRAY_SIZE(uses)};
    struct app_manifest manifest = {.app = NULL};
    struct record *record = make_record(row);
    struct driver_container container = {.id = NULL}, *containers[] = {&container};
    struct reconciler_apply_out out = {.name = NULL};
    make_manifest(row->manifest, &manifest);
    if (row->container)
        parse(&driver_container_schema, row->container, &container);
    in.manifest = &manifest;
    in.origin = row->by_file ? "directory" : NULL;
    in.record = record;
    in.containers = containers;
    in.n_containers = row->container ? 1 : 0;
    in.ports = &ports;
    in.range = &range;
    plan_make(&in, &out);
    char *text = show(&out, row->show_ports);
    schema_done(varlink_find_method(&reconciler_interface, "Plan")->out, &out);
    schema_done(&driver_container_schema, &container);
    if (record)
        schema_free(&record_schema, record);
    schema_done(&app_manifest_schema, &manifest);
    return text;
}

static void check(const struct row *row, const struct plan_input *more)
{
    _cleanup_free_ char *text = plan(row, more);
    if (strcmp(text, row->expected))
        fail_msg("%s:\n%snot\n%s", row->what, text, row->expected);
}

#define SIMPLE    MANIFEST("", ONE, "")
#define WEB(port) MANIFEST(HTTP, ON(port), "")
#define CONTAINER(more)                                                                                      \
    "{'id':'1','name':'i8k_web_0','instance':'web','replica_id':0,'slot':'current','state':'running','"      \
    "restart':'no','exit_code':0" more "}"

#define STOPPED(more)                                                                                        \
    "{'id':'1','name':'i8k_web_0','instance':'web','replica_id':0,'slot':'current','state':'exited','"       \
    "restart':'no','exit_code':0" more "}"
#define BOUND(port, address)                                                                                 \
    MANIFEST(HTTP,                                                                                           \
             "'replicas':[{'id':0,'service_ports':[{'name':'http','port':80,'host_port':" port               \
             ",'host_address':'" address "'}]}]",                                                            \
             "")

static void test_a_plan_lists_what_changes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a new instance", MANIFEST("", TWO, ""),
         .expected = "web 1 changed\ncreate instance web: it is new\n"
                     "create replica 0: it is new\ncreate replica 1: it is new\n"},
        {"an equal manifest", SIMPLE, SIMPLE, PROVEN("0"), .expected = "web 3\n"},
        {"another limit", MANIFEST("", ONE ",'cpu_limit':500", ""), SIMPLE, PROVEN("0"),
         .expected = "web 3 changed\nupdate instance web: /app/deploy/cpu_limit: (absent) -> 500\n"},
        {"another image", "{'app':{'spec':{'name':'web','version':'1','image':'httpd'},'deploy':{" ONE "}}}",
         SIMPLE, PROVEN("0"),
         .expected = "web 4 changed\nrecreate replica 0: /app/spec/image: \"nginx\" -> \"httpd\"\n"},
        {"another image for a replica without an applied revision",
         "{'app':{'spec':{'name':'web','version':'1','image':'httpd'},'deploy':{" ONE "}}}", SIMPLE,
         FRESH("0"),
         .expected = "web 4 changed\ncreate replica 0: /app/spec/image: \"nginx\" -> \"httpd\"\n"},
        {"a change that needs no new container", MANIFEST("", ONE ",'volume_limit':1048576", ""), SIMPLE,
         PROVEN("0"),
         .expected = "web 3 changed\nupdate instance web: /app/deploy/volume_limit: (absent) -> 1048576\n"},
        {"a new replica", MANIFEST("", TWO, ""), SIMPLE, PROVEN("0"),
         .expected = "web 3 changed\n"
                     "update instance web: /app/deploy/replica_cap: 1 -> 2; /app/deploy/replicas: [{}] -> "
                     "[{},{\"id\":1}]\n"
                     "create replica 1: it is new\n"},
        {"a removed replica", SIMPLE, MANIFEST("", TWO, ""), PROVEN("0") "," PROVEN("1"),
         .expected = "web 3 changed\n"
                     "update instance web: /app/deploy/replica_cap: 2 -> 1; /app/deploy/replicas: "
                     "[{},{\"id\":1}] -> [{}]\n"
                     "remove replica 1: the manifest has it no more\n"},
        {"a replica that is being removed", SIMPLE, SIMPLE, PROVEN("0") ",{'id':1,'removing':true}",
         .expected = "web 3\n"},
        {"a replica that is being removed is desired again", MANIFEST("", TWO, ""), MANIFEST("", TWO, ""),
         PROVEN("0") ",{'id':1,'removing':true}", .expected = "web 3 changed\ncreate replica 1: it is new\n"},
        {"a failed switch", SIMPLE, SIMPLE, "{'id':0,'failed_revision':3,'failure':'it exited'}",
         .expected = "web 3 changed\nretry replica 0: it exited\n"},
        {"a failed switch without a reason", SIMPLE, SIMPLE, "{'id':0,'failed_revision':3}",
         .expected = "web 3 changed\nretry replica 0: -\n"},
        {"a failed deploy", SIMPLE, SIMPLE, "{'id':0,'failure':'no image'}",
         .expected = "web 3 changed\nretry replica 0: no image\n"},
        {"a new revision after a failed switch", MANIFEST("", ONE, "'read_only':true"), SIMPLE,
         "{'id':0,'applied_revision':2,'failed_revision':3,'failure':'it exited'}",
         .expected = "web 4 changed\nrecreate replica 0: /hostlet/read_only: (absent) -> true\n"},
        {"other limits after a failed switch", MANIFEST("", ONE ",'memory_limit':67108864", ""), SIMPLE,
         "{'id':0,'applied_revision':2,'failed_revision':3,'failure':'killed'}",
         .expected = "web 3 changed\nupdate instance web: /app/deploy/memory_limit: (absent) -> 67108864\n"
                     "retry replica 0: killed\n"},
        {"the action becomes stop", MANIFEST("", ONE ",'action':'stop'", ""), SIMPLE, PROVEN("0"),
         .expected = "web 3 changed\nupdate instance web: /app/deploy/action: \"start\" -> \"stop\"\n"
                     "stop instance web: the desired action changes\n"},
        {"the manifest starts a stopped instance", SIMPLE, SIMPLE, PROVEN("0"), "stop",
         .expected = "web 3 changed\nstart instance web: the desired action changes\n"},
        {"a difference within a list", MANIFEST(",'packages':[{'name':'a','version':'2'}]", ONE, ""),
         MANIFEST(",'packages':[{'name':'a','version':'1'}]", ONE, ""), PROVEN("0"),
         .expected = "web 4 changed\nrecreate replica 0: /app/spec/packages/0/version: \"1\" -> \"2\"\n"},
        {"a removed member", SIMPLE, MANIFEST("", ONE, "'read_only':true"), PROVEN("0"),
         .expected = "web 4 changed\nrecreate replica 0: /hostlet/read_only: true -> (absent)\n"},
        {"many differences",
         MANIFEST("", ONE ",'cpu_limit':500,'memory_limit':67108864",
                  "'pids_limit':5,'read_only':true,'no_new_privileges':true,'env':{'A':'2'}"),
         MANIFEST("", ONE, "'env':{'A':'1'}"), PROVEN("0"),
         .expected =
             "web 4 changed\nrecreate replica 0: "
             "/app/deploy/cpu_limit: (absent) -> 500; /app/deploy/memory_limit: (absent) -> 67108864; "
             "/hostlet/env/A: \"1\" -> \"2\"; /hostlet/pids_limit: 100 -> 5; "
             "and 2 more\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        check(&rows[i], &(struct plan_input){.n_containers = 0});
}

#define NEW(revision)                                                                                        \
    "web " revision " changed\ncreate instance web: it is new\ncreate replica 0: it is new\n"

static void test_a_plan_lists_what_is_refused(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a port of another instance", WEB("8001"),
         .expected = NEW("1") "refused: host port 8001 is in use by instance db, replica 2\n"},
        {"a port of an unreadable instance, and of another one", WEB("8002"),
         .expected = NEW("1") "refused: host port 8002 is in use by instance lost, whose record cannot be "
                              "read\n"},
        {"a port that a program listens on", WEB("8003"),
         .expected = NEW("1") "refused: host port 8003 is in use by another program\n"},
        {"a free port", WEB("8006"), .expected = NEW("1")},
        {"a port of a single replica without a host port",
         MANIFEST(",'service_ports':[{'name':'x','port':8003}]", ONE, ""),
         .expected = NEW("1") "refused: host port 8003 is in use by another program\n"},
        {"a single replica keeps its host port",
         MANIFEST(",'service_ports':[{'name':'x','port':8003}]", ONE, ""),
         MANIFEST(",'service_ports':[{'name':'x','port':8003}]", ONE, ""), PROVEN("0"),
         .expected = "web 3\n"},
        {"a listener of the instance's own container", WEB("8004"), WEB("8004"),
         "{'id':0,'applied_revision':3,'ports':[{'name':'http','port':80,'host_port':8004}]}",
         .container = CONTAINER(",'ours':true,'ports':[{'port':81,'host_port':1},{'port':80,'host_port':8004}"
                                "]"),
         .expected = "web 3\n"},
        {"a listener of another program on the instance's port", WEB("8004"), WEB("8004"),
         "{'id':0,'applied_revision':3,'ports':[{'name':'http','port':80,'host_port':8004}]}",
         .container = CONTAINER(",'ours':true"),
         .expected = "web 3\nrefused: host port 8004 is in use by another program\n"},
        {"a port of a stopped container that another program has taken", WEB("8004"), WEB("8004"),
         "{'id':0,'applied_revision':3,'ports':[{'name':'http','port':80,'host_port':8004}]}", "stop",
         .container = STOPPED(",'ours':true,'ports':[{'port':80,'host_port':8004}]"),
         .expected = "web 3 changed\nstart instance web: the desired action changes\n"
                     "refused: host port 8004 is in use by another program\n"},
        {"a port of a container that stopped by itself and may run again", WEB("8004"), WEB("8004"),
         "{'id':0,'applied_revision':3,'ports':[{'name':'http','port':80,'host_port':8004}]}",
         .container = STOPPED(",'ours':true,'ports':[{'port':80,'host_port':8004}]"), .expected = "web 3\n"},
        {"all addresses, one of which another program has", WEB("8011"), BOUND("8011", "127.0.0.1"),
         "{'id':0,'applied_revision':3}",
         .container =
             CONTAINER(",'ours':true,'ports':[{'port':80,'host_port':8011,'host_address':'127.0.0.1'}]"),
         .expected =
             "web 4 changed\nrecreate replica 0: /app/deploy/replicas/0/service_ports/0/host_address: "
             "\"127.0.0.1\" -> (absent)\nrefused: host port 8011 is in use by another program\n"},
        {"the listener of an adopted container on all addresses of both families", WEB("8009"), WEB("8009"),
         "{'id':0,'applied_revision':3,'ports':[{'name':'http','port':80,'host_port':8009}]}",
         .container = CONTAINER(",'ours':true,'adopted':true,'ports':[{'port':80,'host_port':8009}]"),
         .expected = "web 3\n"},
        {"a port of another replica of the instance", WEB("8005"), WEB("8005"),
         "{'id':0,'applied_revision':3,'ports':[{'name':'http','port':80,'host_port':8005}]}",
         .expected = "web 3\n"},
        {"a foreign container with an owner", SIMPLE,
         .container = CONTAINER(",'ours':false,'owner':'a person'"),
         .expected =
             NEW("1") "refused: container 'i8k_web_0' exists and does not belong to this tree (a person)\n"},
        {"a foreign container without an owner", SIMPLE, .container = CONTAINER(",'ours':false"),
         .expected = NEW("1") "refused: container 'i8k_web_0' exists and does not belong to this tree (no "
                              "label of this tree)\n"},
        {"a container of the original agent", SIMPLE,
         .container = CONTAINER(",'ours':false,'owner':'an agent','adoptable':true"),
         .expected =
             NEW("1") "refused: container 'i8k_web_0' exists and does not belong to this tree (an "
                      "agent): after 'hostletctl adopt --revision 0 i8k_web_0' the manifest replaces it\n"},
        {"a foreign container with another replica's name", SIMPLE,
         .container = "{'id':'1','name':'i8k_web_1','instance':'web','replica_id':1,'slot':'current',"
                      "'state':'running','restart':'no','exit_code':0,'ours':false}",
         .expected = NEW("1")},
        {"a foreign container with the name .old", SIMPLE,
         .container = "{'id':'1','name':'i8k_web_0.old','instance':'web','replica_id':0,'slot':'old',"
                      "'state':'running','restart':'no','exit_code':0,'ours':false}",
         .expected = NEW("1")},
        {"a foreign container with another instance's name", SIMPLE,
         .container = "{'id':'1','name':'i8k_db_0','instance':'db','replica_id':0,'slot':'current',"
                      "'state':'running','restart':'no','exit_code':0,'ours':false}",
         .expected = NEW("1")},
        {"a container of this tree without a record", SIMPLE, .container = CONTAINER(",'ours':true"),
         .expected = NEW("1")},
        {"an instance of the zone has the name", SIMPLE, SIMPLE, PROVEN("0"), .zone = true,
         .expected = "web 3\nrefused: instance web belongs to the zone: another name is needed\n"},
        {"an instance of a file has the name", SIMPLE, SIMPLE, PROVEN("0"), .of_file = true,
         .expected =
             "web 3\nrefused: instance web belongs to the file '/srv/m/web.json': change that file, or "
             "remove it and destroy the instance\n"},
        {"a local instance has the name of a file", SIMPLE, SIMPLE, PROVEN("0"), .by_file = true,
         .expected = "web 3\nrefused: a local instance has the name web: it stays, and the file is followed "
                     "when the instance is destroyed\n"},
        {"an instance of the zone has the name of a file", SIMPLE, SIMPLE, PROVEN("0"), .zone = true,
         .by_file = true,
         .expected = "web 3\nrefused: instance web belongs to the zone: another name is needed\n"},
        {"a file for its own instance", SIMPLE, SIMPLE, PROVEN("0"), .of_file = true, .by_file = true,
         .expected = "web 3\n"},
        {"a file that ordered to destroy orders a start", SIMPLE, SIMPLE, PROVEN("0"), "destroy",
         .of_file = true, .by_file = true,
         .expected = "web 3 changed\nstart instance web: the desired action changes\n"},
        {"the instance is being destroyed", SIMPLE, SIMPLE, PROVEN("0"), "destroy",
         .expected = "web 3 changed\nstart instance web: the desired action changes\n"
                     "refused: instance web is being destroyed: apply again when that has ended\n"},
        {"granted capabilities are listed", MANIFEST("", ONE, "'capabilities':['CHOWN','NET_RAW']"),
         MANIFEST("", ONE, "'capabilities':['CHOWN','NET_RAW']"), PROVEN("0"),
         .expected = "web 3\ngrants: capability NET_RAW, which other containers do not have; with it a "
                     "container can read and forge packets in its network, and so answer for its gateway and "
                     "its neighbours\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        check(&rows[i], &(struct plan_input){.n_containers = 0});
}

/* The runtime does not answer while its containers run on. */
static void test_without_a_list_the_record_tells_own_listeners(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a port of the desired revision", WEB("8004"), WEB("8004"),
         "{'id':0,'applied_revision':3,'ports':[{'name':'http','port':80,'host_port':8004}]}",
         .expected = "web 3\n"},
        {"a port of the applied revision", WEB("8004"), WEB("8004"),
         "{'id':0,'applied_revision':2,'applied_ports':[{'name':'http','port':80,'host_port':8004}]}",
         .expected = "web 3\n"},
        {"another port", WEB("8003"), WEB("8004"),
         "{'id':0,'applied_revision':3,'ports':[{'name':'http','port':80,'host_port':8004}]}",
         .expected = "web 4 changed\nrecreate replica 0: /app/deploy/replicas/0/service_ports/0/host_port: "
                     "8004 -> 8003\nrefused: host port 8003 is in use by another program\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        check(&rows[i], &(struct plan_input){.unlisted = true});
}

#define LIMITED(memory, pids) MANIFEST("", ONE ",'memory_limit':" memory, "'pids_limit':" pids)
#define HAS(memory, pids)     CONTAINER(",'ours':true,'revision':3,'memory_limit':" memory ",'pids_limit':" pids)
#define UPDATED               "web 3 changed\nupdate instance web: "
#define MEMORY                UPDATED "/app/deploy/memory_limit: 67108864 -> 33554432\n"

static void test_a_plan_refuses_limits_below_the_present_usage(void **state)
{
    (void)state;
    static const struct {
        struct row row;
        bool asked; /* the usage matters */
    } rows[] = {
        {{"less memory than in use", LIMITED("33554432", "100"), LIMITED("67108864", "100"), PROVEN("0"),
          .container = HAS("67108864", "100"),
          .expected = MEMORY "refused: replica 0 uses 40.0 MiB of memory (without its file cache), and "
                             "memory_limit is 32.0 MiB: lower it when the replica uses less, or stop the "
                             "instance first\n"},
         true},
        {{"less memory, and enough", LIMITED("50331648", "100"), LIMITED("67108864", "100"), PROVEN("0"),
          .container = HAS("67108864", "100"),
          .expected = UPDATED "/app/deploy/memory_limit: 67108864 -> 50331648\n"},
         true},
        {{"a first limit of memory", LIMITED("33554432", "100"), MANIFEST("", ONE, ""), PROVEN("0"),
          .container = HAS("0", "100"),
          .expected =
              UPDATED "/app/deploy/memory_limit: (absent) -> 33554432\nrefused: replica 0 uses 40.0 MiB of "
                      "memory (without its file cache), and memory_limit is 32.0 MiB: lower it when the "
                      "replica uses less, or stop the instance first\n"},
         true},
        {{"fewer processes than run", LIMITED("67108864", "6"), LIMITED("67108864", "100"), PROVEN("0"),
          .container = HAS("67108864", "100"),
          .expected =
              UPDATED "/hostlet/pids_limit: 100 -> 6\nrefused: replica 0 has 7 processes and threads, "
                      "and pids_limit is 6: lower it when the replica uses less, or stop the "
                      "instance first\n"},
         true},
        {{"more memory", LIMITED("134217728", "100"), LIMITED("67108864", "100"), PROVEN("0"),
          .container = HAS("67108864", "100"),
          .expected = UPDATED "/app/deploy/memory_limit: 67108864 -> 134217728\n"},
         false},
        {{"no limit any more", MANIFEST("", ONE, "'pids_limit':100"), LIMITED("67108864", "100"), PROVEN("0"),
          .container = HAS("67108864", "100"),
          .expected = UPDATED "/app/deploy/memory_limit: 67108864 -> (absent)\n"},
         false},
        {{"a container that does not run", LIMITED("33554432", "100"), LIMITED("67108864", "100"),
          PROVEN("0"),
          .container = "{'id':'1','name':'i8k_web_0','instance':'web','replica_id':0,'slot':'current',"
                       "'state':'exited','restart':'no','exit_code':0,'ours':true,'revision':3,"
                       "'memory_limit':67108864}",
          .expected = MEMORY},
         false},
        {{"a container of another revision", LIMITED("33554432", "100"), LIMITED("67108864", "100"),
          PROVEN("0"), .container = CONTAINER(",'ours':true,'revision':2,'memory_limit':67108864"),
          .expected = MEMORY},
         false},
        {{"a new revision", MANIFEST("", ONE ",'memory_limit':33554432", "'read_only':true"),
          LIMITED("67108864", "100"), PROVEN("0"), .container = HAS("67108864", "100"),
          .expected = "web 4 changed\nrecreate replica 0: /app/deploy/memory_limit: 67108864 -> 33554432; "
                      "/hostlet/read_only: (absent) -> true\n"},
         false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct driver_usage_out usage = {.memory = 40 << 20, .pids = 7}, *usages[] = {&usage};
        check(&rows[i].row, &(struct plan_input){.usages = usages});
        struct driver_container c = {.id = NULL}, *containers[] = {&c};
        struct record *record = make_record(&rows[i].row);
        struct app_manifest manifest = {.app = NULL};
        make_manifest(rows[i].row.manifest, &manifest);
        parse(&driver_container_schema, rows[i].row.container, &c);
        struct plan_input in = {
            .manifest = &manifest, .record = record, .containers = containers, .n_containers = 1};
        if ((plan_next_lowered(&in, 0) == 0) != rows[i].asked || plan_next_lowered(&in, 1) != SIZE_MAX)
            fail_msg("%s: the usage is%s needed", rows[i].row.what, rows[i].asked ? " not" : "");
        schema_done(&driver_container_schema, &c);
        schema_done(&app_manifest_schema, &manifest);
        schema_free(&record_schema, record);
    }
}

#define AT(port)   "'replicas':[{'id':0,'service_ports':[{'name':'http'," port "}]}]"
#define HOST(port) MANIFEST(HTTP, AT(port), "")

static void test_ports_conflict_by_protocol_and_address(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"another protocol", HOST("'host_port':8003,'protocol':'udp'"), .show_ports = true,
         .expected = NEW("1") "replica 0: publishes http 8003/udp->80\n"},
        {"one address of all that are in use", HOST("'host_port':8003,'host_address':'127.0.0.1'"),
         .expected = NEW("1") "refused: host port 127.0.0.1:8003 is in use by another program\n"},
        {"IPv6", HOST("'host_port':8003,'host_address':'::'"), .show_ports = true,
         .expected = NEW("1") "replica 0: publishes http [::]:8003->80\n"},
        {"one address of which another one is in use", HOST("'host_port':8007,'host_address':'127.0.0.1'"),
         .expected = NEW("1")},
        {"all addresses of which one is in use", HOST("'host_port':8007"),
         .expected = NEW("1") "refused: host port 8007 is in use by another program\n"},
        {"a listener on IPv6 alone", HOST("'host_port':8008"), .expected = NEW("1")},
        {"and on IPv6", HOST("'host_port':8008,'host_address':'::1'"),
         .expected = NEW("1") "refused: host port [::1]:8008 is in use by another program\n"},
        {"a listener on IPv6 and IPv4", HOST("'host_port':8009"),
         .expected = NEW("1") "refused: host port 8009 is in use by another program\n"},
        {"an address that the machine has", HOST("'host_port':8010,'host_address':'198.51.100.7'"),
         .expected = NEW("1")},
        {"an address that the machine does not have", HOST("'host_port':8010,'host_address':'192.0.2.9'"),
         .expected = NEW("1") "refused: host port 192.0.2.9:8010: this machine has no such address\n"},
        {"any address of its loopback", HOST("'host_port':8010,'host_address':'127.1.2.3'"),
         .expected = NEW("1")},
        {"a port of the tree itself", HOST("'host_port':9532"),
         .expected = NEW("1") "refused: host port 9532 is hostlet's own ([zone] http_port)\n"},
        {"not the same one for another protocol", HOST("'host_port':9532,'protocol':'udp'"),
         .expected = NEW("1")},
        {"a new port of an instance that exists",
         MANIFEST(",'service_ports':[{'name':'http','port':8010},{'name':'x','port':8003}]", ONE, ""),
         MANIFEST(",'service_ports':[{'name':'http','port':8010}]", ONE, ""),
         "{'id':0,'applied_revision':3,'ports':[{'name':'http','port':8010,'host_port':8010}]}",
         .show_ports = true,
         .expected = "web 4 changed\nrecreate replica 0: /app/spec/service_ports: "
                     "[{\"name\":\"http\",\"port\":8010}] -> "
                     "[{\"name\":\"http\",\"port\":8010},{\"name\":\"x\",\"port\":8003}]\n"
                     "refused: host port 8003 is in use by another program\n"
                     "replica 0: publishes http 8010->8010\nreplica 0: publishes x 8003->8003\n"},
        {"a number that another port has already",
         MANIFEST(",'service_ports':[{'name':'http','port':80},{'name':'x','port':8010}]", TWO, ""),
         MANIFEST(",'service_ports':[{'name':'http','port':80},{'name':'x','port':8010}]", TWO, ""),
         "{'id':0,'applied_revision':3,'ports':[{'name':'http','port':80,'host_port':8010},{'name':'x','port'"
         ":8010,"
         "'host_port':8010}]},{'id':1,'applied_revision':3}",
         .expected = "web 3\nrefused: host port 8010 is both that of http and that of x\n"},
        {"a range without a free port", HOST("'host_port':8001,'host_port_last':8003"),
         .expected = "web 1 changed\ncreate instance web: it is new\ncreate replica 0: it is new\n"
                     "refused: no host port is free between 8001 and 8003\n"},
        {"the configured range without a free port",
         MANIFEST(",'service_ports':[{'name':'a','port':1},{'name':'b','port':2}]", TWO, ""),
         .expected = "web 1 changed\ncreate instance web: it is new\ncreate replica 0: it is new\ncreate "
                     "replica 1: it is new\n"
                     "refused: no host port is free between 8000 and 8006\n"},
        {"a port of a range", HOST("'host_port':8001,'host_port_last':8020"), .show_ports = true,
         .expected = NEW("1") "replica 0: publishes http 8006->80\n"},
    };
    static struct in6_addr items[] = {{.s6_addr = {[10] = 0xff, 0xff, 198, 51, 100, 7}},
                                      {.s6_addr = {[15] = 1}}};
    static const struct host_addresses addresses = {.items = items, .n = 2, .has_v6 = true},
                                       four = {.items = items, .n = 1},
                                       any = {.any_v4 = true, .any_v6 = true};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        check(&rows[i], &(struct plan_input){.addresses = &addresses});
    static const struct row
        six = {"IPv6 on a machine without", HOST("'host_port':8010,'host_address':'::'"),
               .expected = NEW("1") "refused: host port [::]:8010: this machine has no IPv6 address\n"},
        strange = {"the kernel binds any address", HOST("'host_port':8010,'host_address':'192.0.2.9'"),
                   .expected = NEW("1")};
    check(&six, &(struct plan_input){.addresses = &four});
    check(&strange, &(struct plan_input){.addresses = &any});
    check(&strange, &(struct plan_input){.addresses = NULL});
}

static void test_a_plan_refuses_more_than_the_machine_has(void **state)
{
    (void)state;
    static const struct row large = {
        "more than the machine has", MANIFEST("", ONE ",'cpu_limit':2001,'memory_limit':67108865", ""),
        .expected = NEW("1") "refused: cpu_limit is 2001 millicores, and this machine has 2 CPUs\n"
                             "refused: memory_limit is 67108865 bytes, and this machine has 67108864\n"};
    static const struct row all = {"all that the machine has",
                                   MANIFEST("", ONE ",'cpu_limit':2000,'memory_limit':67108864", ""),
                                   .expected = NEW("1")};
    static const struct row unknown = {"the machine is not known",
                                       MANIFEST("", ONE ",'cpu_limit':2001,'memory_limit':67108865", ""),
                                       .expected = NEW("1")};
    static const struct row unreadable = {
        "record and host id cannot be read", SIMPLE,
        .expected = NEW("1") "refused: instance web: its record is garbage\nrefused: no host id\n"};
    static const struct driver_info_out small = {.cpus = 2, .memory = 67108864}, silent = {.cpus = 0};
    check(&large, &(struct plan_input){.machine = &small});
    check(&all, &(struct plan_input){.machine = &small});
    check(&unknown, &(struct plan_input){.machine = &silent});
    check(&unknown, &(struct plan_input){.machine = NULL});
    check(&unreadable,
          &(struct plan_input){.host_id_problem = "no host id", .record_problem = "its record is garbage"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_plan_lists_what_changes),
                                       cmocka_unit_test(test_a_plan_lists_what_is_refused),
                                       cmocka_unit_test(test_without_a_list_the_record_tells_own_listeners),
                                       cmocka_unit_test(test_a_plan_refuses_limits_below_the_present_usage),
                                       cmocka_unit_test(test_ports_conflict_by_protocol_and_address),
                                       cmocka_unit_test(test_a_plan_refuses_more_than_the_machine_has)};
    return cmocka_run_group_tests(tests, make_uses, NULL);
}
