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

/* The manifest has the ports 80 and 443. Each row has the host ports that are given already; 0: none. */
struct row {
    const char *what;
    int64_t wished[2]; /* stated by the manifest for this replica */
    int64_t had[2];    /* of the replica before */
    int64_t sibling;   /* of another replica of the record that is being made */
    size_t n_replicas; /* in the manifest */
    int64_t expected[2];
};

static const struct port_use items[] = {
    {30000, PORT_OF_REPLICA, "web", 3}, {30001, PORT_OF_UNREADABLE, "lost", 0},
    {30002, PORT_OF_LISTENER, NULL, 0}, {30002, PORT_OF_REPLICA, "web", 4},
    {30002, PORT_OF_REPLICA, "db", 3},
};
static const struct port_uses uses = {(struct port_use *)items, ARRAY_SIZE(items)};

static int resolve(const struct row *row, const struct port_range *range, struct record_replica *replica,
                   struct error *e)
{
    struct app_spec_port http = {(char *)"http", 80}, https = {NULL, 443};
    struct app_spec_port *ports[] = {&http, &https};
    struct app_spec spec = {.service_ports = ports, .n_service_ports = 2};
    struct app_service_port wished[] = {{.port = 80, .host_port = row->wished[0]},
                                        {.port = 443, .host_port = row->wished[1]}};
    struct app_service_port *wishes[] = {&wished[0], &wished[1]};
    struct app_replica own = {.id = 5, .service_ports = wishes, .n_service_ports = 2}, other = {.id = 6};
    struct app_deploy deploy = {.replicas = (struct app_replica *[]){&own, &other},
                                .n_replicas = row->n_replicas};
    struct app_instance app = {.spec = &spec, .deploy = &deploy};
    struct app_manifest manifest = {.app = &app};
    struct app_service_port taken = {.port = 80, .host_port = row->sibling};
    struct record_replica sibling = {
        .id = 6, .ports = (struct app_service_port *[]){&taken}, .n_ports = row->sibling ? 1 : 0};
    assert_int_equal(ports_may_be_allocated(&manifest), row->n_replicas > 1);
    struct record record = {.replicas = (struct record_replica *[]){replica, &sibling}, .n_replicas = 2};
    for (size_t i = 0; i < 2 && row->had[i]; i++) {
        struct app_service_port *p = schema_append(&replica->ports, &replica->n_ports, sizeof *p);
        p->port = spec.service_ports[i]->port;
        p->host_port = row->had[i];
    }
    return ports_resolve(&uses, range, &record, &manifest, replica, e);
}

static void test_each_port_gets_its_host_port(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a single replica gets the same numbers", {0}, {0}, 0, 1, {80, 443}},
        {"one of several replicas gets free ports", {0}, {0}, 0, 2, {30003, 30004}},
        {"a port of another replica of the record is not free", {0}, {0}, 30003, 2, {30004, 30005}},
        {"a host port in the manifest is used", {8080, 0}, {0}, 0, 1, {8080, 443}},
        {"a host port in the manifest is used even if it is in use (the plan refuses it)",
         {30000, 0},
         {0},
         0,
         2,
         {30000, 30003}},
        {"a replica keeps its ports", {0}, {31000, 31001}, 0, 2, {31000, 31001}},
        {"a single replica keeps its ports, too", {0}, {31000, 31001}, 0, 1, {31000, 31001}},
        {"a host port in the manifest replaces the replica's",
         {8080, 0},
         {31000, 31001},
         0,
         2,
         {8080, 31001}},
        {"a new port gets a free host port", {0}, {30003, 0}, 0, 2, {30003, 30004}},
        {"a host port in the manifest is not free for the next port", {30003, 0}, {0}, 0, 2, {30003, 30004}},
    };
    static const struct port_range range = {30000, 30005};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct record_replica replica = {.id = 5};
        struct error e = ERROR_INIT;
        assert_int_equal(resolve(&rows[i], &range, &replica, &e), 0);
        assert_int_equal(replica.n_ports, 2);
        for (size_t k = 0; k < 2; k++)
            if (replica.ports[k]->host_port != rows[i].expected[k])
                fail_msg("%s: port %zu is %lld, not %lld", rows[i].what, k,
                         (long long)replica.ports[k]->host_port, (long long)rows[i].expected[k]);
        assert_int_equal(replica.ports[0]->port, 80);
        assert_string_equal(replica.ports[0]->name, "http");
        assert_int_equal(replica.ports[1]->port, 443);
        assert_null(replica.ports[1]->name);
        schema_done(&record_replica_schema, &replica);
    }
}

static void test_a_full_range_refuses_and_changes_nothing(void **state)
{
    (void)state;
    static const struct row row = {.had = {31000, 0}, .n_replicas = 2};
    static const struct port_range range = {30000, 30002};
    struct record_replica replica = {.id = 5};
    struct error e = ERROR_INIT;
    assert_int_equal(resolve(&row, &range, &replica, &e), -EADDRINUSE);
    assert_int_equal(e.class, ERROR_REFUSED);
    assert_string_equal(e.message, "no host port is free between 30000 and 30002");
    assert_int_equal(replica.n_ports, 1); /* unchanged */
    assert_int_equal(replica.ports[0]->host_port, 31000);
    schema_done(&record_replica_schema, &replica);
}

static void test_a_manifest_without_ports_needs_no_allocation(void **state)
{
    (void)state;
    struct app_spec spec = {.n_service_ports = 0};
    struct app_deploy deploy = {.n_replicas = 2};
    struct app_instance app = {.spec = &spec, .deploy = &deploy};
    struct app_manifest manifest = {.app = &app};
    assert_false(ports_may_be_allocated(&manifest));
}

static void test_uses_are_found_by_port_and_user(void **state)
{
    (void)state;
    assert_ptr_equal(port_find_use(&uses, 30001, PORT_OF_UNREADABLE), &items[1]);
    assert_ptr_equal(port_find_use(&uses, 30002, PORT_OF_LISTENER), &items[2]);
    assert_null(port_find_use(&uses, 30000, PORT_OF_LISTENER));
    assert_null(port_find_use(&uses, 30003, PORT_OF_REPLICA));
    assert_ptr_equal(port_find_other_replica(&uses, 30002, "web", 3), &items[3]);
    assert_ptr_equal(port_find_other_replica(&uses, 30002, "web", 4), &items[4]);
    assert_ptr_equal(port_find_other_replica(&uses, 30002, "db", 3), &items[3]);
    assert_null(port_find_other_replica(&uses, 30000, "web", 3));
    assert_null(port_find_other_replica(&uses, 30001, "web", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_port_gets_its_host_port),
                                       cmocka_unit_test(test_a_full_range_refuses_and_changes_nothing),
                                       cmocka_unit_test(test_a_manifest_without_ports_needs_no_allocation),
                                       cmocka_unit_test(test_uses_are_found_by_port_and_user)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
