/* Tests which host port each port of a replica gets. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/basic/error.h"
#include "lib/schema/object.h"
#include "reconciler/rules/ports.h"

/* The manifest has the ports 80 and 443. Each row has the bindings that are given already, as texts of
 * host_binding_parse(); NULL: none. */
struct row {
    const char *what;
    const char *wished[2]; /* stated by the manifest for this replica, 5 */
    const char *had[2];    /* of the replica before */
    const char *sibling;   /* of replica 6 of the record that is being made, for port 80 */
    const char *other;     /* stated by the manifest for replica 6, for port 80 */
    size_t n_replicas;     /* in the manifest */
    const char *expected[2];
};

static struct port_use items[8];
static struct port_uses uses = {items, ARRAY_SIZE(items)};

static struct host_port port_at(const char *text)
{
    struct app_service_port b = {.name = NULL};
    struct error e = ERROR_INIT;
    if (host_binding_parse(text, &b, &e) < 0)
        fail_msg("%s: %s", text, e.message);
    struct host_port port = host_port_of(&b);
    host_binding_reduce(&b);
    return port;
}

static int make_uses(void **state)
{
    (void)state;
    items[0] = (struct port_use){port_at("30000"), PORT_OF_REPLICA, "web", 3};
    items[1] = (struct port_use){port_at("30001"), PORT_OF_UNREADABLE, "lost", 0};
    items[2] = (struct port_use){port_at("30002"), PORT_OF_LISTENER, NULL, 0};
    items[3] = (struct port_use){port_at("30002"), PORT_OF_REPLICA, "web", 4};
    items[4] = (struct port_use){port_at("30002"), PORT_OF_REPLICA, "db", 3};
    items[5] = (struct port_use){port_at("127.0.0.1:40000"), PORT_OF_LISTENER, NULL, 0};
    items[6] = (struct port_use){port_at("30006"), PORT_OF_REPLICA, "web", 5};
    items[7] = (struct port_use){port_at("30006"), PORT_OF_LISTENER, NULL, 0};
    return 0;
}

static void set(struct app_service_port *p, const char *name, int64_t port, const char *text)
{
    struct error e = ERROR_INIT;
    *p = (struct app_service_port){.name = xstrdup(name), .port = port};
    if (text && host_binding_parse(text, p, &e) < 0)
        fail_msg("%s: %s", text, e.message);
}

static void add_wish(struct app_replica *replica, const char *name, int64_t port, const char *text)
{
    if (text)
        set(schema_append(&replica->service_ports, &replica->n_service_ports,
                          sizeof(struct app_service_port)),
            name, port, text);
}

static void add_port(struct record_replica *replica, const char *name, int64_t port, const char *text)
{
    if (text)
        set(schema_append(&replica->ports, &replica->n_ports, sizeof(struct app_service_port)), name, port,
            text);
}

/* Assigns the ports of the row's manifest. The caller frees *ret, whose replica 5 has them. */
static int assign(const struct row *row, const struct port_range *range, struct record **ret, struct error *e)
{
    struct app_spec_port http = {(char *)"http", 80}, https = {(char *)"https", 443};
    struct app_spec spec = {.name = (char *)"web",
                            .service_ports = (struct app_spec_port *[]){&http, &https},
                            .n_service_ports = 2};
    struct app_replica own = {.id = 5}, other = {.id = 6};
    struct app_deploy deploy = {.replicas = (struct app_replica *[]){&own, &other},
                                .n_replicas = row->n_replicas};
    struct app_instance app = {.spec = &spec, .deploy = &deploy};
    struct app_manifest manifest = {.app = &app};
    struct record *record = xcalloc(1, sizeof *record);
    add_wish(&own, "http", 80, row->wished[0]);
    add_wish(&own, "https", 443, row->wished[1]);
    add_wish(&other, "http", 80, row->other);
    if (row->had[0] || row->had[1]) {
        struct record_replica *replica = record_add_replica(record, 5);
        add_port(replica, "http", 80, row->had[0]);
        add_port(replica, "https", 443, row->had[1]);
    }
    if (row->sibling)
        add_port(record_add_replica(record, 6), "http", 80, row->sibling);
    int r = ports_assign(&uses, range, record, &manifest, true, e);
    for (size_t i = 0; i < 2; i++) {
        struct app_replica *replica = i ? &other : &own;
        for (size_t k = 0; k < replica->n_service_ports; k++)
            schema_free(&app_service_port_schema, replica->service_ports[k]);
        free(replica->service_ports);
    }
    *ret = record;
    return r;
}

static void test_each_port_gets_its_host_port(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a single replica gets the same numbers", .n_replicas = 1, .expected = {"80", "443"}},
        {"one of several replicas gets free ports", .n_replicas = 2, .expected = {"30003", "30004"}},
        {"a port of another replica of the record is not free", .sibling = "30003", .n_replicas = 2,
         .expected = {"30004", "30005"}},
        {"a host port in the manifest is used", {"8080"}, .n_replicas = 1, .expected = {"8080", "443"}},
        {"a host port in the manifest is used even if it is in use (the plan refuses it)",
         {"30000"},
         .n_replicas = 2,
         .expected = {"30000", "30003"}},
        {"a replica keeps its ports", .had = {"31000", "31001"}, .n_replicas = 2,
         .expected = {"31000", "31001"}},
        {"a single replica keeps its ports, too", .had = {"31000", "31001"}, .n_replicas = 1,
         .expected = {"31000", "31001"}},
        {"a host port in the manifest replaces the replica's",
         {"8080"},
         {"31000", "31001"},
         .n_replicas = 2,
         .expected = {"8080", "31001"}},
        {"a new port gets a free host port", .had = {"30003"}, .n_replicas = 2,
         .expected = {"30003", "30004"}},
        {"a host port in the manifest is not free for the next port",
         {"30003"},
         .n_replicas = 2,
         .expected = {"30003", "30004"}},
        {"a host port that the manifest states for a later replica is not free", .other = "30003",
         .n_replicas = 2, .expected = {"30004", "30005"}},
        {"a replica does not keep a port that the manifest gives to another", .had = {"30003", "30004"},
         .other = "30003", .n_replicas = 2, .expected = {"30005", "30004"}},
        {"protocol and address are the manifest's",
         {"127.0.0.1:53/udp", "[::]:443"},
         .n_replicas = 1,
         .expected = {"127.0.0.1:53/udp", "[::]:443"}},
        {"they replace the replica's, and are replaced",
         {"8080"},
         {"127.0.0.1:8080/udp"},
         .n_replicas = 1,
         .expected = {"8080", "443"}},
        {"without them in the manifest, a port is TCP on all IPv4 addresses again", .had = {"127.0.0.1:8080"},
         .n_replicas = 1, .expected = {"80", "443"}},
        {"the first free port of a range", {"30000-30009"}, .n_replicas = 1, .expected = {"30003", "443"}},
        {"of one replica after the other",
         {"30000-30009"},
         .sibling = "30003",
         .other = "30000-30009",
         .n_replicas = 2,
         .expected = {"30004", "30005"}},
        {"the port of the range that the replica has",
         {"30000-30009"},
         {"30008"},
         .n_replicas = 1,
         .expected = {"30008", "443"}},
        {"not a port that is outside of it",
         {"30000-30009"},
         {"30010"},
         .n_replicas = 1,
         .expected = {"30003", "443"}},
        {"its number at another address, where only the replica's own container listens",
         {"127.0.0.1:30000-30009"},
         {"30006"},
         .n_replicas = 1,
         .expected = {"127.0.0.1:30006", "443"}},
        {"its number on all addresses",
         {"30000-30009"},
         {"127.0.0.1:30008"},
         .n_replicas = 1,
         .expected = {"30008", "443"}},
        {"not a number that another program has there",
         {"40000-40001"},
         {"127.0.0.2:40000"},
         .n_replicas = 1,
         .expected = {"40001", "443"}},
        {"nor one that another replica has there",
         {"30008-30009"},
         {"127.0.0.1:30008"},
         .sibling = "127.0.0.2:30008",
         .n_replicas = 2,
         .expected = {"30009", "30003"}},
        {"nor one that the manifest states there",
         {"30008-30009"},
         {"127.0.0.1:30008"},
         .other = "127.0.0.2:30008",
         .n_replicas = 2,
         .expected = {"30009", "30003"}},
        {"nor one that another port of the replica has there",
         {"30008-30009"},
         {"127.0.0.1:30008", "127.0.0.2:30008"},
         .n_replicas = 2,
         .expected = {"30009", "30003"}},
        {"its number for another protocol",
         {"30001-30009/udp"},
         {"30008"},
         .n_replicas = 1,
         .expected = {"30008/udp", "443"}},
        {"ranges that overlap",
         {"30003-30009", "30003-30009"},
         .n_replicas = 1,
         .expected = {"30003", "30004"}},
        {"what is in use for TCP is free for UDP",
         {"30000-30009/udp"},
         .n_replicas = 1,
         .expected = {"30000/udp", "443"}},
        {"what is in use for IPv4 is free for IPv6",
         {"[::]:30000-30009"},
         .n_replicas = 1,
         .expected = {"[::]:30000", "443"}},
        {"what is in use at one address is free at another",
         {"127.0.0.2:40000-40001", "127.0.0.1:40000-40001"},
         .n_replicas = 1,
         .expected = {"127.0.0.2:40000", "127.0.0.1:40001"}},
        {"and not on all", {"40000-40001"}, .n_replicas = 1, .expected = {"40001", "443"}},
    };
    static const struct port_range range = {30000, 30008};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct record *record = NULL;
        struct error e = ERROR_INIT;
        if (assign(&rows[i], &range, &record, &e) < 0)
            fail_msg("%s: %s", rows[i].what, e.message);
        const struct record_replica *replica = record_find_replica(record, 5);
        assert_int_equal(replica->n_ports, 2);
        for (size_t k = 0; k < 2; k++) {
            char text[HOST_PORT_TEXT_SIZE];
            struct host_port port = host_port_of(replica->ports[k]);
            if (strcmp(host_port_text(&port, text), rows[i].expected[k]))
                fail_msg("%s: port %zu is %s, not %s", rows[i].what, k, text, rows[i].expected[k]);
            assert_int_equal(replica->ports[k]->host_port_last, 0);
        }
        assert_int_equal(replica->ports[0]->port, 80);
        assert_string_equal(replica->ports[0]->name, "http");
        assert_int_equal(replica->ports[1]->port, 443);
        schema_free(&record_schema, record);
    }
}

static void test_a_full_range_refuses_and_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        struct row row;
        const char *message;
    } cases[] = {
        {{.had = {"31000"}, .n_replicas = 2}, "no host port is free between 30000 and 30002"},
        {{.wished = {"127.0.0.1:40000-40000/udp", "30001-30002"}, .n_replicas = 1},
         "no host port is free between 30001 and 30002"},
    };
    static const struct port_range range = {30000, 30002};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct record *record = NULL;
        struct error e = ERROR_INIT;
        assert_int_equal(assign(&cases[i].row, &range, &record, &e), -EADDRINUSE);
        assert_int_equal(e.class, ERROR_REFUSED);
        assert_string_equal(e.message, cases[i].message);
        const struct record_replica *replica = record_find_replica(record, 5);
        assert_int_equal(replica->n_ports, cases[i].row.had[0] ? 1 : 0); /* unchanged */
        schema_free(&record_schema, record);
    }
}

static void test_a_renamed_port_keeps_its_host_port(void **state)
{
    (void)state;
    struct app_spec_port http = {(char *)"http", 80}, more = {(char *)"more", 80};
    struct app_spec spec = {.service_ports = (struct app_spec_port *[]){&http, &more}, .n_service_ports = 2};
    struct record_replica replica = {.id = 1};
    add_port(&replica, "web", 80, "31000");
    add_port(&replica, "more", 80, "31001/udp");
    assert_int_equal(port_of_replica(&replica, &spec, &http)->host_port, 31000);
    assert_int_equal(port_of_replica(&replica, &spec, &more)->host_port, 31001);
    spec.n_service_ports = 1;
    schema_free(&app_service_port_schema, replica.ports[0]);
    replica.ports[0] = replica.ports[1];
    replica.n_ports = 1;
    assert_int_equal(port_of_replica(&replica, &spec, &http)->host_port, 31001);
    schema_done(&record_replica_schema, &replica);
}

static void test_uses_are_found_by_port_and_user(void **state)
{
    (void)state;
    static const struct {
        const char *port;
        enum port_user user;
        int found; /* −1: none */
    } cases[] = {
        {"30001", PORT_OF_UNREADABLE, 1},          {"30002", PORT_OF_LISTENER, 2},
        {"30000", PORT_OF_LISTENER, -1},           {"30003", PORT_OF_REPLICA, -1},
        {"30001/udp", PORT_OF_UNREADABLE, -1},     {"127.0.0.1:30001", PORT_OF_UNREADABLE, 1},
        {"[::]:30001", PORT_OF_UNREADABLE, -1},    {"40000", PORT_OF_LISTENER, 5},
        {"127.0.0.2:40000", PORT_OF_LISTENER, -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct host_port port = port_at(cases[i].port);
        assert_ptr_equal(port_find_use(&uses, &port, cases[i].user),
                         cases[i].found < 0 ? NULL : &items[cases[i].found]);
    }
    struct host_port two = port_at("30002"), zero = port_at("30000"), one = port_at("30001");
    assert_ptr_equal(port_find_other_replica(&uses, &two, "web", 3), &items[3]);
    assert_ptr_equal(port_find_other_replica(&uses, &two, "web", 4), &items[4]);
    assert_ptr_equal(port_find_other_replica(&uses, &two, "db", 3), &items[3]);
    assert_null(port_find_other_replica(&uses, &zero, "web", 3));
    assert_null(port_find_other_replica(&uses, &one, "web", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_port_gets_its_host_port),
                                       cmocka_unit_test(test_a_full_range_refuses_and_changes_nothing),
                                       cmocka_unit_test(test_a_renamed_port_keeps_its_host_port),
                                       cmocka_unit_test(test_uses_are_found_by_port_and_user)};
    return cmocka_run_group_tests(tests, make_uses, NULL);
}
