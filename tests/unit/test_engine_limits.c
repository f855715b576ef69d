/* Tests limits of CPU, memory and processes: they change while the container runs, also in containers of
 * earlier versions, whose label includes the limits. */
#include "engine_world.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "reconciler/engine/turn.h"
#include "reconciler/face/apply.h"
#include "reconciler/face/report.h"
#include "reconciler/model/wish.h"
#include "reconciler/rules/limits.h"

#define MIB INT64_C(1048576)
/* The labels that earlier versions gave to a container with 500 millicores, 64 MiB and 77 processes; in a
 * zone's instance the label contained only the processes. */
#define EARLIER_LOCAL "f0635c5f495af4c3"
#define EARLIER_ZONE  "cd6b0aa9cdf2fdf1"

static struct driver_container *current(struct fixture *f)
{
    return &f->world.slots[DRIVER_SLOT_CURRENT];
}

/* Replaces the manifest of the desired revision by one with these limits. */
static void set_manifest(struct fixture *f, int64_t cpu, int64_t memory, int64_t pids)
{
    struct app_manifest manifest = {.app = NULL};
    schema_copy(&app_manifest_schema, instance_target(f->instance)->manifest, &manifest);
    manifest.app->deploy->cpu_limit = cpu;
    manifest.app->deploy->memory_limit = memory;
    manifest.hostlet->pids_limit = pids;
    record_set_manifest(instance_target(f->instance), &manifest);
    schema_done(&app_manifest_schema, &manifest);
}

static void change(struct fixture *f, int64_t cpu, int64_t memory, int64_t pids)
{
    set_manifest(f, cpu, memory, pids);
    instance_begin(f->instance);
    run_until_settled(f);
}

static void assert_limits(const struct driver_container *c, int64_t cpu, int64_t memory, int64_t pids)
{
    assert_int_equal(c->cpu_limit, cpu);
    assert_int_equal(c->memory_limit, memory);
    assert_int_equal(c->pids_limit, pids);
}

static void assert_trace(struct fixture *f, const char *expected)
{
    _cleanup_free_ char *trace = take_trace(f);
    assert_string_equal(trace ?: "", expected);
}

static void other_limits_change_the_running_container(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    free(take_trace(f));
    int64_t started = current(f)->started_at;
    change(f, 500, 64 * MIB, 77);
    assert_trace(f, "SetLimits Ensure");
    assert_limits(current(f), 500, 64 * MIB, 77);
    assert_int_equal(current(f)->started_at, started);
    assert_int_equal(f->replica->record->applied_revision, 1);
    assert_int_equal(f->instance->record->revision, 1);
    assert_int_equal(f->replica->state, REPLICA_RUNNING);
    /* The record has the limits of the container, and those that the revision began with. */
    assert_non_null(strstr(f->world.saved, "\"limits\":{\"cpu_limit\":500,\"memory_limit\":67108864,"
                                           "\"pids_limit\":77}"));
    assert_non_null(strstr(f->world.saved, "\"first_limits\":{\"pids_limit\":100}"));
    change(f, 0, 0, 100);
    assert_limits(current(f), 0, 0, 100);
    assert_non_null(strstr(f->world.saved, "\"limits\":{\"pids_limit\":100}"));
    /* A new revision has new containers, and the record follows. */
    update(f, 3);
    change(f, 250, 0, 100);
    assert_int_equal(current(f)->revision, 3);
    assert_non_null(strstr(f->world.saved, "\"limits\":{\"cpu_limit\":250,\"pids_limit\":100}"));
}

static void a_record_without_changed_limits_has_no_new_member(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    change(f, 0, 0, 100);
    assert_null(strstr(f->world.saved, "limits\":{"));
}

static void a_container_of_an_earlier_version_is_not_recreated(void **state)
{
    struct fixture *f = *state;
    set_manifest(f, 500, 64 * MIB, 77);
    free(instance_target(f->instance)->first_limits);
    instance_target(f->instance)->first_limits = NULL; /* the first manifest has these limits */
    deploy(f);
    assert_string_not_equal(current(f)->config, EARLIER_LOCAL);
    set_string(&current(f)->config, EARLIER_LOCAL);
    free(take_trace(f));
    restart_reconciler(f); /* the upgrade */
    run_until_settled(f);
    assert_trace(f, "Ensure");
    change(f, 250, 32 * MIB, 50);
    assert_trace(f, "SetLimits Ensure");
    change(f, 1000, 128 * MIB, 500); /* a second change */
    assert_trace(f, "SetLimits Ensure");
    restart_reconciler(f);
    run_until_settled(f);
    assert_trace(f, "Ensure");
    assert_string_equal(current(f)->config, EARLIER_LOCAL); /* labels do not change */
    assert_limits(current(f), 1000, 128 * MIB, 500);
    /* Another definition still recreates it. */
    set_string(&current(f)->config, "0123456789abcdef");
    changed_by_hand(f);
    run_until_settled(f);
    _cleanup_free_ char *trace = take_trace(f);
    assert_non_null(strstr(trace, "Create"));
}

static void a_zones_container_of_an_earlier_version_is_not_recreated(void **state)
{
    struct fixture *f = *state;
    struct reconciler_zone_facts zone = {.host_id = (char *)"0123456789ab"};
    f->manager.zone = &zone;
    set_string(&f->instance->record->origin, "zone");
    set_manifest(f, 500, 64 * MIB, 77);
    free(instance_target(f->instance)->first_limits);
    instance_target(f->instance)->first_limits = NULL;
    deploy(f);
    set_string(&current(f)->config, EARLIER_ZONE);
    free(take_trace(f));
    restart_reconciler(f);
    run_until_settled(f);
    assert_trace(f, "Ensure");
    change(f, 250, 32 * MIB, 77); /* an order with the same number */
    assert_trace(f, "SetLimits Ensure");
    f->manager.zone = NULL;
}

static void limits_that_another_program_changed_are_set_back(void **state)
{
    struct fixture *f = *state;
    set_manifest(f, 500, 64 * MIB, 77);
    deploy(f);
    free(take_trace(f));
    current(f)->memory_limit = 128 * MIB;
    current(f)->pids_limit = 0;
    changed_by_hand(f);
    run_until_settled(f);
    assert_trace(f, "SetLimits");
    assert_limits(current(f), 500, 64 * MIB, 77);
}

static void the_record_follows_when_only_its_write_was_lost(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    set_manifest(f, 500, 64 * MIB, 77);
    *current(f) = (struct driver_container){.name = current(f)->name,
                                            .instance = current(f)->instance,
                                            .image = current(f)->image,
                                            .config = current(f)->config,
                                            .ours = true,
                                            .state = DRIVER_RUNNING,
                                            .restart = DRIVER_RESTART_ALWAYS,
                                            .revision = 1,
                                            .started_at = current(f)->started_at,
                                            .cpu_limit = 500,
                                            .memory_limit = 64 * MIB,
                                            .pids_limit = 77};
    free(take_trace(f));
    restart_reconciler(f);
    run_until_settled(f);
    assert_trace(f, "Ensure");
    assert_int_equal(f->replica->record->limits->memory_limit, 64 * MIB);
}

static void a_lost_reply_is_no_second_change(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    free(take_trace(f));
    f->world.lost = "SetLimits";
    change(f, 500, 64 * MIB, 77);
    assert_trace(f, "SetLimits Ensure");
    assert_int_equal(f->replica->state, REPLICA_RUNNING);
    assert_null(f->replica->limits.failure);
}

/* Advances the time by simulated minutes, and returns how often the limits were set meanwhile. */
static unsigned attempts_in(struct fixture *f, unsigned minutes)
{
    uint64_t end = f->world.clock.monotonic_usec + minutes * 60 * USEC_PER_SEC;
    while (f->world.clock.monotonic_usec < end && simulated_clock_step(&f->world.clock))
        ;
    _cleanup_free_ char *trace = take_trace(f);
    unsigned n = 0;
    for (const char *at = trace; at && (at = strstr(at, "SetLimits")); at++)
        n++;
    return n;
}

static void limits_that_cannot_be_set_are_shown_and_set_again_later(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    free(take_trace(f));
    f->world.failing = "SetLimits";
    change(f, 500, 64 * MIB, 77);
    assert_string_equal(f->replica->limits.failure, "SetLimits failed");
    assert_int_equal(f->replica->state, REPLICA_RUNNING); /* the replica runs on */
    struct reconciler_instance *shown = report_instance(f->instance);
    assert_true(shown->failed && !shown->settled);
    assert_string_equal(shown->replicas[0]->limits_problem, "SetLimits failed");
    assert_true(shown->replicas[0]->next_retry > 0);
    assert_int_equal(shown->replicas[0]->limits->memory_limit, 0);
    schema_free(&reconciler_instance_schema, shown);
    unsigned n = attempts_in(f, 10);
    assert_true(n >= 8 && n <= 40); /* with growing pauses */
    f->world.failing = NULL;
    attempts_in(f, 2);
    assert_limits(current(f), 500, 64 * MIB, 77);
    assert_null(f->replica->limits.failure);
    shown = report_instance(f->instance);
    assert_true(!shown->failed && shown->settled);
    schema_free(&reconciler_instance_schema, shown);
}

static void an_equal_manifest_sets_failed_limits_again_at_once(void **state)
{
    struct fixture *f = *state;
    struct error e = ERROR_INIT;
    deploy(f);
    f->world.failing = "SetLimits";
    change(f, 500, 64 * MIB, 77);
    while (f->replica->limits.next < f->world.clock.monotonic_usec + 10 * USEC_PER_SEC)
        assert_true(simulated_clock_step(&f->world.clock)); /* until the pauses have grown */
    uint64_t planned = f->replica->limits.next;
    f->world.failing = NULL;
    struct reconciler_apply_out out = {.name = f->instance->record->name};
    assert_int_equal(
        apply_manifest(f->instance->manager, instance_target(f->instance)->manifest, NULL, &out, &e), 0);
    run_until_settled(f);
    assert_limits(current(f), 500, 64 * MIB, 77);
    assert_true(f->world.clock.monotonic_usec < planned);
}

static void failing_limits_do_not_hold_up_other_steps(void **state)
{
    struct fixture *f = *state;
    f->world.failing = "SetLimits";
    deploy(f);
    update(f, 3);
    current(f)->memory_limit = 1 * MIB;
    changed_by_hand(f);
    run_until_settled(f);
    assert_non_null(f->replica->limits.failure);
    update(f, 4); /* a new container has the right ones */
    assert_int_equal(f->replica->record->applied_revision, 4);
    assert_null(f->replica->limits.failure);
}

static void a_runtime_that_ignores_limits_is_not_asked_without_pauses(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    free(take_trace(f));
    f->world.ignored = "SetLimits";
    change(f, 500, 64 * MIB, 77);
    assert_non_null(strstr(f->replica->limits.failure, "shows others: any CPU, memory unlimited, 100"));
    assert_true(attempts_in(f, 10) <= 40);
}

static void desired_limits_depend_on_the_container(void **state)
{
    (void)state;
    static const struct {
        int64_t desired[3], is[3], cpus;
        bool adopted, lost;
        int64_t expected[3];
    } rows[] = {
        {{500, 9, 100}, {250, 8, 50}, 4, false, false, {500, 9, 100}},
        {{0, 0, 100}, {250, 8, 50}, 4, false, false, {0, 0, 100}},
        {{0, 0, 100}, {4000, 0, 100}, 4, false, false, {4000, 0, 100}}, /* all CPUs stand for no limit */
        {{0, 0, 100}, {2000, 0, 100}, 4, false, false, {0, 0, 100}},    /* the machine has got more */
        {{0, 0, 100}, {8000, 0, 100}, 4, false, false, {0, 0, 100}},    /* it has got fewer */
        {{0, 0, 100}, {250, 0, 100}, 0, false, false, {250, 0, 100}},   /* their number is not known */
        {{500, 9, 100}, {0, 9, 100}, 4, false, true, {0, 9, 100}},
        {{500, 9, 100}, {0, 0, 0}, 4, true, false, {500, 9, 0}},
        {{500, 9, 100}, {0, 0, 50}, 4, true, false, {500, 9, 100}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct app_deploy deploy = {.cpu_limit = rows[i].desired[0], .memory_limit = rows[i].desired[1]};
        struct app_instance app = {.deploy = &deploy};
        struct app_options options = {.pids_limit = rows[i].desired[2]};
        struct app_manifest manifest = {.app = &app, .hostlet = &options};
        struct record_revision revision = {.manifest = &manifest};
        struct driver_container c = {.cpu_limit = rows[i].is[0],
                                     .memory_limit = rows[i].is[1],
                                     .pids_limit = rows[i].is[2],
                                     .adopted = rows[i].adopted,
                                     .cpu_limit_lost = rows[i].lost};
        struct record_limits expected = {rows[i].expected[0], rows[i].expected[1], rows[i].expected[2]},
                             found = limits_desired(&c, &revision, rows[i].cpus);
        _cleanup_free_ char *text = limits_text(&found);
        if (!limits_equal(&found, &expected))
            fail_msg("row %zu: %s", i, text);
    }
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, engine_begin, engine_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(other_limits_change_the_running_container),
        IN_WORLD(a_record_without_changed_limits_has_no_new_member),
        IN_WORLD(a_container_of_an_earlier_version_is_not_recreated),
        IN_WORLD(a_zones_container_of_an_earlier_version_is_not_recreated),
        IN_WORLD(limits_that_another_program_changed_are_set_back),
        IN_WORLD(the_record_follows_when_only_its_write_was_lost),
        IN_WORLD(a_lost_reply_is_no_second_change),
        IN_WORLD(limits_that_cannot_be_set_are_shown_and_set_again_later),
        IN_WORLD(an_equal_manifest_sets_failed_limits_again_at_once),
        IN_WORLD(failing_limits_do_not_hold_up_other_steps),
        IN_WORLD(a_runtime_that_ignores_limits_is_not_asked_without_pauses),
        cmocka_unit_test(desired_limits_depend_on_the_container),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
