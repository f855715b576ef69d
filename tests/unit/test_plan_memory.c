/* Tests how a plan compares the memory limits of all replicas with the machine's memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "lib/app/normalise.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "reconciler/rules/plan.h"

#define GIB     ((int64_t)1 << 30)
#define MACHINE (8 * GIB)

/* Makes a manifest of 'n' replicas with a limit each; 0: none. The caller frees it with schema_done(). */
static void make_manifest(int64_t n, int64_t limit, const char *action, struct app_manifest *ret)
{
    struct error e = ERROR_INIT;
    ret->app = xcalloc(1, sizeof *ret->app);
    ret->app->spec = xcalloc(1, sizeof *ret->app->spec);
    ret->app->deploy = xcalloc(1, sizeof *ret->app->deploy);
    ret->app->spec->name = xstrdup("web");
    ret->app->spec->version = xstrdup("1.0.0");
    ret->app->spec->image = xstrdup("busybox");
    ret->app->deploy->memory_limit = limit;
    ret->app->deploy->action = xstrdup_null(action);
    for (int64_t i = 0; i < n; i++) {
        struct app_replica *replica = schema_append(
            &ret->app->deploy->replicas, &ret->app->deploy->n_replicas, sizeof(struct app_replica));
        replica->id = i;
    }
    assert_int_equal(app_normalise(ret, &e), 0);
}

static struct record *make_record(int64_t n, int64_t limit)
{
    struct record *record = xcalloc(1, sizeof *record);
    struct app_manifest manifest = {.app = NULL};
    make_manifest(n, limit, NULL, &manifest);
    record->name = xstrdup("web");
    record->origin = xstrdup("local");
    record->action = APP_ACTION_START;
    record_add_revision(record, 1, &manifest);
    for (int64_t i = 0; i < n; i++)
        record_add_replica(record, i);
    schema_done(&app_manifest_schema, &manifest);
    return record;
}

struct row {
    const char *what;
    const char *overcommit;
    int64_t others;     /* GiB */
    int64_t had_n, had; /* replicas, and GiB of each; 0 replicas: the instance is new */
    int64_t n, wanted;  /* the same of the manifest */
    const char *action; /* NULL: start */
    bool warns, refuses;
    int64_t change; /* GiB */
};

static const struct row rows[] = {
    {"enough", "warn", 4, 0, 0, 1, 4, NULL, false, false, 4},
    {"too little", "warn", 5, 0, 0, 1, 4, NULL, true, false, 4},
    {"too little, by several replicas", "warn", 0, 0, 0, 3, 3, NULL, true, false, 9},
    {"too little, refused", "refuse", 5, 0, 0, 1, 4, NULL, false, true, 4},
    {"too little, ignored", "ignore", 5, 0, 0, 1, 4, NULL, false, false, 4},
    {"no limit", "refuse", 9, 0, 0, 3, 0, NULL, false, false, 0},
    {"as before", "refuse", 5, 2, 2, 2, 2, NULL, true, false, 0},
    {"less than before", "refuse", 6, 1, 4, 1, 3, NULL, true, false, -1},
    {"fewer replicas", "refuse", 6, 3, 2, 2, 2, NULL, true, false, -2},
    {"one more replica", "refuse", 5, 1, 2, 2, 2, NULL, false, true, 2},
    {"a stopped instance can be started", "warn", 5, 0, 0, 1, 4, "stop", true, false, 4},
    {"a destroyed instance", "refuse", 9, 1, 4, 1, 4, "destroy", false, false, -4},
    {"others of unlimited size", "warn", INT64_MAX / GIB, 0, 0, 1, 4, NULL, true, false, 4},
};

static void test_the_sum_of_limits_is_compared_with_the_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct row *row = &rows[i];
        struct driver_info_out machine = {.memory = MACHINE};
        struct port_uses ports = {.n_items = 0};
        struct app_manifest manifest = {.app = NULL};
        struct reconciler_apply_out out = {.name = NULL};
        struct record *record = row->had_n ? make_record(row->had_n, row->had * GIB) : NULL;
        make_manifest(row->n, row->wanted * GIB, row->action, &manifest);
        plan_make(&(struct plan_input){.manifest = &manifest,
                                       .record = record,
                                       .ports = &ports,
                                       .machine = &machine,
                                       .memory_of_others = row->others * GIB,
                                       .overcommit = row->overcommit},
                  &out);
        if ((out.n_warnings > 0) != row->warns || (out.n_refusals > 0) != row->refuses ||
            out.memory_change != row->change * GIB)
            fail_msg("%s: %zu warnings, %zu refusals, change %lld", row->what, out.n_warnings, out.n_refusals,
                     (long long)out.memory_change);
        if (row->warns || row->refuses)
            assert_non_null(
                strstr((row->warns ? out.warnings : out.refusals)[0], "this machine has 8.0 GiB"));
        schema_done(varlink_find_method(&reconciler_interface, "Plan")->out, &out);
        schema_done(&app_manifest_schema, &manifest);
        if (record)
            schema_free(&record_schema, record);
    }
}

static void test_nothing_is_compared_while_the_machine_is_not_known(void **state)
{
    (void)state;
    struct port_uses ports = {.n_items = 0};
    struct app_manifest manifest = {.app = NULL};
    struct reconciler_apply_out out = {.name = NULL};
    make_manifest(1, GIB, NULL, &manifest);
    plan_make(
        &(struct plan_input){
            .manifest = &manifest, .ports = &ports, .memory_of_others = INT64_MAX, .overcommit = "refuse"},
        &out);
    assert_int_equal(out.n_warnings + out.n_refusals, 0);
    schema_done(varlink_find_method(&reconciler_interface, "Plan")->out, &out);
    schema_done(&app_manifest_schema, &manifest);
}

static void test_only_desired_replicas_count(void **state)
{
    (void)state;
    struct record *record = make_record(3, GIB);
    assert_int_equal(record_memory(record), 3 * GIB);
    record->replicas[1]->removing = true;
    assert_int_equal(record_memory(record), 2 * GIB);
    record->action = APP_ACTION_STOP;
    assert_int_equal(record_memory(record), 2 * GIB);
    record->action = APP_ACTION_DESTROY;
    assert_int_equal(record_memory(record), 0);
    schema_free(&record_schema, record);
}

static void test_a_replica_that_keeps_its_applied_revision_counts_with_that_limit(void **state)
{
    (void)state;
    struct record *record = make_record(2, 3 * GIB);
    struct app_manifest manifest = {.app = NULL};
    record->replicas[0]->applied_revision = record->replicas[1]->applied_revision = 1;
    make_manifest(2, GIB, NULL, &manifest);
    record_add_revision(record, 2, &manifest);
    assert_int_equal(record_memory(record), 6 * GIB);
    record->replicas[0]->applied_revision = 2;
    assert_int_equal(record_memory(record), 4 * GIB);
    /* A failed update to a lower limit does not make room, nor does the larger one count twice. */
    record->replicas[0]->applied_revision = 1;
    record->replicas[0]->failed_revision = 2;
    assert_int_equal(record_memory(record), 6 * GIB);
    schema_done(&app_manifest_schema, &manifest);
    schema_free(&record_schema, record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_sum_of_limits_is_compared_with_the_memory),
        cmocka_unit_test(test_nothing_is_compared_while_the_machine_is_not_known),
        cmocka_unit_test(test_only_desired_replicas_count),
        cmocka_unit_test(test_a_replica_that_keeps_its_applied_revision_counts_with_that_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
