/* Tests that a revision whose application reports that it is ready is applied then, and rolled back if that
 * does not happen in time, on a simulated clock. */
#include "engine_world.h"

#include <stdlib.h>

#include "lib/api/reconciler.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "reconciler/engine/steps.h"
#include "reconciler/engine/turn.h"
#include "reconciler/face/outlook.h"
#include "reconciler/model/agent.h"
#include "reconciler/model/wish.h"

#define SECOND USEC_PER_SEC
#define ID     "0123456789abcdef"
#define LIFE   "aaaaaaaaaaaa"

/* Makes the desired revision one whose application reports that it is ready, within 90 seconds. */
static void await_readiness(struct fixture *f)
{
    struct app_spec *spec = instance_target(f->instance)->manifest->app->spec;
    struct app_task *task = schema_append(&spec->tasks, &spec->n_tasks, sizeof *task);
    task->name = xstrdup("serve");
    task->on_startup = true;
    task->ready = APP_READY_NOTIFY;
    task->ready_timeout = 90;
}

static struct driver_container *current(struct fixture *f)
{
    return &f->world.slots[DRIVER_SLOT_CURRENT];
}

/* Advances the time until the replica is on probation, in a container with the id. */
static void run_until_awaited(struct fixture *f)
{
    run_until_probation(f);
    set_string(&current(f)->id, ID);
    changed_by_hand(f);
    simulated_clock_advance(&f->world.clock, SECOND);
    assert_int_equal(f->replica->last, STEP_PROBATION);
}

static void report(struct fixture *f, const char *container, const char *life, bool ready, const char *status)
{
    struct record_agent *agent = xcalloc(1, sizeof *agent);
    *agent = (struct record_agent){.revision = f->instance->record->revision,
                                   .ready = ready,
                                   .container = xstrdup(container),
                                   .life = xstrdup(life),
                                   .status = xstrdup_null(status)};
    if (agent_may_report(f->replica, agent))
        agent_set(f->replica, agent);
    else
        schema_free(&record_agent_schema, agent);
}

static void extend(struct fixture *f, int64_t msec)
{
    struct record_agent *agent = xcalloc(1, sizeof *agent);
    *agent = (struct record_agent){.revision = f->instance->record->revision,
                                   .ready_until = msec,
                                   .container = xstrdup("0123456789ab"),
                                   .life = xstrdup(LIFE)};
    agent_set(f->replica, agent);
}

static uint64_t age(const struct fixture *f)
{
    return f->world.clock.monotonic_usec - f->replica->seen.uptime.since;
}

static void readiness_ends_the_probation_at_once(void **state)
{
    struct fixture *f = *state;
    await_readiness(f);
    instance_begin(f->instance);
    run_until_awaited(f);
    simulated_clock_advance(&f->world.clock, 2 * PROBATION_MSEC * USEC_PER_MSEC);
    assert_int_equal(f->replica->record->applied_revision, 0);
    assert_int_equal(f->replica->state, REPLICA_STARTING);
    uint64_t at;
    _cleanup_free_ char *next = outlook_of_replica(f->replica, &at);
    assert_string_equal(next, "the deploy fails unless the application is ready before");
    assert_in_range(at, f->replica->seen.uptime.since + 90 * SECOND,
                    f->replica->seen.uptime.since + 91 * SECOND);
    report(f, "0123456789ab", LIFE, true, "up");
    run_until_settled(f);
    assert_int_equal(f->replica->record->applied_revision, 1);
    assert_int_equal(f->replica->state, REPLICA_RUNNING);
    assert_true(age(f) < 30 * SECOND);
}

static void without_readiness_the_switch_is_rolled_back(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    want_update(f, 3);
    await_readiness(f);
    run_until_awaited(f);
    report(f, "0123456789ab", LIFE, false, "loading");
    free(take_trace(f));
    run_until_settled(f);
    _cleanup_free_ char *trace = take_trace(f);
    const struct record_replica *record = f->replica->record;
    /* it is asked to end, and removed; the old one comes back */
    assert_string_equal(trace, "Stop Remove Rename Provision Start SetRestart Ensure");
    assert_int_equal(record->failed_revision, 3);
    assert_int_equal(record->applied_revision, 1);
    assert_true(runs(f, 1));
    assert_non_null(strstr(record->failure,
                           "the application was not ready 90 s after its start: task 'serve' sent "
                           "no READY=1 (ready_timeout: 90 s); its status is 'loading'"));
    assert_non_null(strstr(record->failure, "cannot open its database")); /* its last lines */
}

static void an_exit_before_readiness_is_found_at_once(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    want_update(f, 3);
    await_readiness(f);
    run_until_awaited(f);
    crash(f);
    uint64_t began = f->world.clock.monotonic_usec;
    run_until_settled(f);
    assert_int_equal(f->replica->record->failed_revision, 3);
    assert_non_null(strstr(f->replica->record->failure, "exited with code 3"));
    assert_true(f->world.clock.monotonic_usec - began < 30 * SECOND);
}

/* The record says it before the caller has its reply, so that a kill loses nothing. */
static void a_restart_of_the_reconciler_loses_no_readiness(void **state)
{
    struct fixture *f = *state;
    await_readiness(f);
    instance_begin(f->instance);
    run_until_awaited(f);
    report(f, "0123456789ab", LIFE, true, NULL);
    assert_non_null(strstr(f->world.saved, "\"ready\":true"));
    assert_int_equal(f->replica->record->applied_revision, 0);
    restart_reconciler(f);
    run_until_settled(f);
    assert_int_equal(f->replica->record->applied_revision, 1);
    assert_true(f->world.clock.monotonic_usec < 60 * SECOND + f->replica->seen.uptime.since);
}

/* hostlet was down while the application became ready, and its agent could not report. */
static void a_reconciler_that_was_away_waits_for_the_report(void **state)
{
    struct fixture *f = *state;
    await_readiness(f);
    instance_begin(f->instance);
    run_until_awaited(f);
    restart_reconciler(f);
    f->world.clock.monotonic_usec += 600 * SECOND; /* it does not run meanwhile */
    f->world.clock.realtime_usec += 600 * (int64_t)SECOND;
    run_until_probation(f);
    simulated_clock_advance(&f->world.clock, 10 * SECOND);
    assert_int_equal(f->replica->record->rolling_back, 0);
    report(f, "0123456789ab", LIFE, true, NULL);
    run_until_settled(f);
    assert_int_equal(f->replica->record->applied_revision, 1);
}

static void a_report_of_another_container_does_not_count(void **state)
{
    struct fixture *f = *state;
    await_readiness(f);
    instance_begin(f->instance);
    run_until_awaited(f);
    report(f, "fedcba9876543210", LIFE, true, NULL);
    assert_null(f->replica->record->agent);
    report(f, "0123456789ab", LIFE, false, NULL);
    report(f, "fedcba987654", "bbbbbbbbbbbb", true, NULL);
    simulated_clock_advance(&f->world.clock, 20 * SECOND);
    assert_int_equal(f->replica->record->applied_revision, 0);
    assert_false(f->replica->record->agent->ready);
    /* without both members it is only shown */
    struct record_agent *agent = xcalloc(1, sizeof *agent);
    agent->ready = true;
    agent_set(f->replica, agent);
    simulated_clock_advance(&f->world.clock, 20 * SECOND);
    assert_int_equal(f->replica->record->applied_revision, 0);
}

/* It is stopped and started on probation. */
static void a_report_of_an_earlier_life_does_not_count(void **state)
{
    struct fixture *f = *state;
    await_readiness(f);
    instance_begin(f->instance);
    run_until_awaited(f);
    report(f, "0123456789ab", LIFE, false, "first");
    simulated_clock_advance(&f->world.clock, SECOND);
    want_action(f, APP_ACTION_STOP);
    run_until_settled(f);
    assert_null(f->replica->record->agent->status);
    want_action(f, APP_ACTION_START);
    run_until_probation(f);
    simulated_clock_advance(&f->world.clock, SECOND);
    report(f, "0123456789ab", LIFE, true, "late");
    simulated_clock_advance(&f->world.clock, 20 * SECOND);
    assert_int_equal(f->replica->record->applied_revision, 0);
    assert_null(f->replica->record->agent->status);
    report(f, "0123456789ab", "bbbbbbbbbbbb", true, "second");
    run_until_settled(f);
    assert_int_equal(f->replica->record->applied_revision, 1);
    assert_string_equal(f->replica->record->agent->status, "second");
}

/* The runtime restarts a container whose revision is applied: its readiness begins anew, and decides nothing.
 */
static void readiness_starts_anew_after_a_restart(void **state)
{
    struct fixture *f = *state;
    await_readiness(f);
    instance_begin(f->instance);
    run_until_awaited(f);
    report(f, "0123456789ab", LIFE, true, NULL);
    run_until_settled(f);
    crash(f);
    assert_false(f->replica->record->agent->ready);
    simulated_clock_advance(&f->world.clock, 600 * SECOND);
    run_until_settled(f);
    assert_true(runs(f, 1));
    assert_false(f->replica->record->agent->ready);
    /* the report of the next life may come before the event of the exit */
    report(f, "0123456789ab", "bbbbbbbbbbbb", true, NULL);
    send_event(&f->world, "die");
    run_until_settled(f);
    assert_true(f->replica->record->agent->ready);
}

static void a_report_that_arrives_before_the_start_is_seen_counts(void **state)
{
    struct fixture *f = *state;
    await_readiness(f);
    instance_begin(f->instance);
    free(take_trace(f));
    while (!f->world.trace || !strstr(f->world.trace, "Create"))
        assert_true(simulated_clock_step(&f->world.clock));
    set_string(&current(f)->id, ID);
    while (!strstr(f->world.trace, "Start"))
        assert_true(simulated_clock_step(&f->world.clock));
    report(f, "0123456789ab", LIFE, true, NULL); /* the call to start it has no reply yet */
    run_until_settled(f);
    assert_int_equal(f->replica->record->applied_revision, 1);
    assert_true(age(f) < 9 * SECOND);
}

static void the_application_can_ask_for_more_time(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    want_update(f, 3);
    await_readiness(f);
    run_until_awaited(f);
    extend(f, 300000);
    simulated_clock_advance(&f->world.clock, 250 * SECOND);
    assert_int_equal(f->replica->last, STEP_PROBATION);
    run_until_settled(f);
    assert_int_equal(f->replica->record->failed_revision, 3);
    assert_non_null(strstr(f->replica->record->failure, "not ready 300 s after its start"));
}

/* Each would be inspected, and a stop waits for an inspection that no report overtakes. */
static void lives_that_a_tenant_invents_keep_no_stop_waiting(void **state)
{
    struct fixture *f = *state;
    await_readiness(f);
    instance_begin(f->instance);
    run_until_awaited(f);
    want_action(f, APP_ACTION_STOP);
    for (unsigned i = 0; i < 10000 && driver_state_is_up((enum driver_state)current(f)->state); i++) {
        _cleanup_free_ char *life = xasprintf("%012x", i);
        report(f, "0123456789ab", life, false, NULL);
        simulated_clock_advance(&f->world.clock, USEC_PER_MSEC);
    }
    assert_false(driver_state_is_up((enum driver_state)current(f)->state));
}

static void readiness_that_comes_and_goes_is_not_written_each_time(void **state)
{
    struct fixture *f = *state;
    await_readiness(f);
    instance_begin(f->instance);
    run_until_awaited(f);
    unsigned saves = f->world.saves;
    for (int i = 0; i < 120; i++) {
        struct record_agent *agent = xcalloc(1, sizeof *agent);
        agent->ready = i % 2 == 0; /* of no life, so that it does not end the probation */
        if (agent_may_report(f->replica, agent))
            agent_set(f->replica, agent);
        else
            schema_free(&record_agent_schema, agent);
        simulated_clock_advance(&f->world.clock, SECOND / 2);
    }
    assert_true(f->world.saves - saves < 40);
}

static void the_probation_of_the_agent_is_the_time_limit(void **state)
{
    struct fixture *f = *state;
    await_readiness(f);
    struct driver_create_in *create = make_create(f->replica, instance_target(f->instance));
    assert_int_equal(create->probation_msec, 90000);
    free_create(create);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, engine_begin, engine_end)
    const struct CMUnitTest tests[] = {
        TEST(readiness_ends_the_probation_at_once),
        TEST(without_readiness_the_switch_is_rolled_back),
        TEST(an_exit_before_readiness_is_found_at_once),
        TEST(a_restart_of_the_reconciler_loses_no_readiness),
        TEST(a_reconciler_that_was_away_waits_for_the_report),
        TEST(a_report_of_another_container_does_not_count),
        TEST(a_report_of_an_earlier_life_does_not_count),
        TEST(readiness_starts_anew_after_a_restart),
        TEST(a_report_that_arrives_before_the_start_is_seen_counts),
        TEST(the_application_can_ask_for_more_time),
        TEST(lives_that_a_tenant_invents_keep_no_stop_waiting),
        TEST(readiness_that_comes_and_goes_is_not_written_each_time),
        TEST(the_probation_of_the_agent_is_the_time_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
