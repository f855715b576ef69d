/* Tests the engine while the wall clock is set: no duration of it changes. */
#include "engine_world.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "reconciler/engine/turn.h"
#include "reconciler/face/report.h"

#define HOUR ((int64_t)(3600 * USEC_PER_SEC))
#define DAY  (24 * HOUR)

/* Runs the rest of the deploy, and checks that the probation lasted as long as configured since 'began'. */
static void assert_probation_lasts(struct fixture *f, uint64_t began)
{
    run_until_settled(f);
    uint64_t lasted = f->world.clock.monotonic_usec - began;
    assert_int_equal(f->replica->record->applied_revision, 1);
    assert_int_equal(f->replica->state, REPLICA_RUNNING);
    assert_int_equal(f->world.slots[DRIVER_SLOT_CURRENT].restart, DRIVER_RESTART_ALWAYS);
    /* A record that changed is written within a second. */
    assert_in_range(lasted, PROBATION_MSEC * USEC_PER_MSEC, (PROBATION_MSEC + 1500) * USEC_PER_MSEC);
}

static uint64_t begin_probation(struct fixture *f)
{
    instance_begin(f->instance);
    run_until_probation(f);
    return f->world.clock.monotonic_usec;
}

static void test_a_clock_set_back_during_probation_does_not_prolong_it(void **state)
{
    struct fixture *f = *state;
    uint64_t began = begin_probation(f);
    simulated_clock_set(&f->world.clock, -HOUR);
    assert_probation_lasts(f, began - 10 * USEC_PER_MSEC);
}

static void test_the_duration_of_a_stage_is_right_after_a_clock_was_set(void **state)
{
    struct fixture *f = *state;
    const struct app_stage *last = NULL;
    uint64_t began = begin_probation(f);
    simulated_clock_set(&f->world.clock, -HOUR);
    assert_probation_lasts(f, began - 10 * USEC_PER_MSEC);
    for (size_t i = 0; i < f->replica->record->n_stages; i++)
        if (streq(f->replica->record->stages[i]->name, "container_running"))
            last = f->replica->record->stages[i];
    assert_in_range(last->finished - last->created, PROBATION_MSEC - 100, PROBATION_MSEC + 100);
    assert_in_range(clock_realtime_msec(&f->world.clock.clock) - last->finished, 0, 1500);
}

static void test_a_clock_set_forward_during_probation_does_not_shorten_it(void **state)
{
    struct fixture *f = *state;
    uint64_t began = begin_probation(f);
    simulated_clock_set(&f->world.clock, DAY);
    f->replica->seen.stale = true; /* as after an event */
    replica_kick(f->replica);
    assert_probation_lasts(f, began - 10 * USEC_PER_MSEC);
}

/* Advances the time until the runtime has started the container and the reconciler has not inspected it. */
static void run_until_started(struct fixture *f)
{
    instance_begin(f->instance);
    while (f->world.slots[DRIVER_SLOT_CURRENT].state != DRIVER_RUNNING)
        assert_true(simulated_clock_step(&f->world.clock));
    assert_int_not_equal(f->replica->seen.current.state, DRIVER_RUNNING);
}

static void test_a_clock_set_back_before_the_start_is_seen_does_not_prolong_the_probation(void **state)
{
    struct fixture *f = *state;
    run_until_started(f);
    simulated_clock_set(&f->world.clock, -HOUR);
    assert_probation_lasts(f, f->world.clock.monotonic_usec);
}

static void test_a_clock_set_forward_before_the_start_is_seen_does_not_shorten_the_probation(void **state)
{
    struct fixture *f = *state;
    run_until_started(f);
    simulated_clock_set(&f->world.clock, DAY);
    assert_probation_lasts(f, f->world.clock.monotonic_usec - 10 * USEC_PER_MSEC);
}

static void test_a_start_in_the_future_is_one_of_now_after_a_restart(void **state)
{
    struct fixture *f = *state;
    begin_probation(f);
    simulated_clock_advance(&f->world.clock, PROBATION_MSEC / 2 * USEC_PER_MSEC);
    simulated_clock_set(&f->world.clock, -DAY);
    uint64_t began = f->world.clock.monotonic_usec;
    restart_reconciler(f);
    assert_probation_lasts(f, began);
}

static void test_a_restart_in_the_middle_of_a_probation_does_not_begin_it_anew(void **state)
{
    struct fixture *f = *state;
    uint64_t began = begin_probation(f);
    simulated_clock_advance(&f->world.clock, PROBATION_MSEC / 2 * USEC_PER_MSEC);
    restart_reconciler(f);
    assert_probation_lasts(f, began - 10 * USEC_PER_MSEC);
}

/* Lets the container crash 'n' times, 5 s apart. */
static void crash_often(struct fixture *f, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        simulated_clock_advance(&f->world.clock, 5 * USEC_PER_SEC);
        crash(f);
    }
    simulated_clock_advance(&f->world.clock, USEC_PER_SEC);
}

static void test_a_crash_loop_ends_after_a_clock_was_set_back(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    crash_often(f, 3);
    assert_int_equal(f->replica->state, REPLICA_CRASH_LOOPING);
    simulated_clock_set(&f->world.clock, -HOUR);
    simulated_clock_advance(&f->world.clock, 75 * USEC_PER_SEC);
    assert_int_equal(f->replica->state, REPLICA_RUNNING);
    assert_null(f->replica->message);
}

static void test_exits_far_apart_are_no_crash_loop_after_a_clock_was_set_back(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    crash_often(f, 1);
    simulated_clock_set(&f->world.clock, -HOUR);
    simulated_clock_advance(&f->world.clock, 1800 * USEC_PER_SEC);
    crash_often(f, 2);
    assert_int_equal(f->replica->state, REPLICA_RUNNING);
}

static void test_exits_in_a_row_are_a_crash_loop_while_a_clock_is_set_forward(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    crash_often(f, 2);
    simulated_clock_set(&f->world.clock, HOUR);
    crash_often(f, 1);
    assert_int_equal(f->replica->state, REPLICA_CRASH_LOOPING);
}

/* The pauses are as long as the window in which three exits are a loop. */
static void test_pauses_of_the_runtime_end_no_crash_loop(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    f->world.restart_usec = 60 * USEC_PER_SEC;
    for (unsigned i = 0; i < 4; i++) {
        crash(f);
        simulated_clock_advance(&f->world.clock, 59 * USEC_PER_SEC);
        assert_int_equal(f->replica->state == REPLICA_CRASH_LOOPING, i >= 2);
        simulated_clock_advance(&f->world.clock, 3 * USEC_PER_SEC);
    }
    assert_int_equal(f->replica->state, REPLICA_CRASH_LOOPING);
    /* A minute of running does. */
    simulated_clock_advance(&f->world.clock, 61 * USEC_PER_SEC);
    assert_int_equal(f->replica->state, REPLICA_RUNNING);
    assert_null(f->replica->message);
}

static void test_a_request_ends_a_crash_loop_only_with_another_container(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    crash_often(f, 3);
    instance_begin(f->instance);
    replica_forget_failure(f->replica);
    run_until_settled(f);
    assert_int_equal(f->replica->state, REPLICA_CRASH_LOOPING);
    assert_non_null(f->replica->message);
    update(f, 3);
    assert_int_equal(f->replica->state, REPLICA_RUNNING);
    assert_null(f->replica->message);
}

static int64_t shown_retry(struct fixture *f, bool of_replica)
{
    struct reconciler_instance *shown = report_instance(f->instance);
    int64_t next = of_replica ? shown->replicas[0]->next_retry : shown->next_retry;
    schema_free(&reconciler_instance_schema, shown);
    return next;
}

/* Checks that the next attempt is shown by the present wall clock, and made after its pause. */
static void check_retry(struct fixture *f, const char *method, bool of_replica)
{
    struct simulated_clock *clock = &f->world.clock;
    f->world.failing = method;
    instance_begin(f->instance);
    while (shown_retry(f, of_replica) == 0)
        assert_true(simulated_clock_step(clock));
    int64_t shown = shown_retry(f, of_replica), left = shown - clock_realtime_msec(&clock->clock);
    assert_in_range(left, 1, 1500); /* the first pause is 1 s and a fifth at most */
    f->world.failing = NULL;
    simulated_clock_set(clock, -HOUR);
    assert_int_equal(shown_retry(f, of_replica), shown - HOUR / (int64_t)USEC_PER_MSEC);
    instance_kick(f->instance); /* an event does not shorten the pause */
    simulated_clock_advance(clock, (uint64_t)(left - 1) * USEC_PER_MSEC);
    assert_int_not_equal(shown_retry(f, of_replica), 0);
    simulated_clock_set(clock, 2 * HOUR);
    simulated_clock_advance(clock, 100 * USEC_PER_MSEC);
    assert_int_equal(shown_retry(f, of_replica), 0);
    run_until_settled(f);
    assert_int_equal(f->replica->state, REPLICA_RUNNING);
}

static void test_a_clock_set_back_does_not_delay_the_retry_of_a_step(void **state)
{
    check_retry(*state, "SetRestart", true);
}

static void test_a_clock_set_back_does_not_delay_the_retry_of_a_preparation(void **state)
{
    check_retry(*state, "ImageInspect", false);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, engine_begin, engine_end)
    const struct CMUnitTest tests[] = {
        ROW(test_a_clock_set_back_during_probation_does_not_prolong_it),
        ROW(test_the_duration_of_a_stage_is_right_after_a_clock_was_set),
        ROW(test_a_clock_set_forward_during_probation_does_not_shorten_it),
        ROW(test_a_clock_set_back_before_the_start_is_seen_does_not_prolong_the_probation),
        ROW(test_a_clock_set_forward_before_the_start_is_seen_does_not_shorten_the_probation),
        ROW(test_a_start_in_the_future_is_one_of_now_after_a_restart),
        ROW(test_a_restart_in_the_middle_of_a_probation_does_not_begin_it_anew),
        ROW(test_a_crash_loop_ends_after_a_clock_was_set_back),
        ROW(test_pauses_of_the_runtime_end_no_crash_loop),
        ROW(test_a_request_ends_a_crash_loop_only_with_another_container),
        ROW(test_exits_far_apart_are_no_crash_loop_after_a_clock_was_set_back),
        ROW(test_exits_in_a_row_are_a_crash_loop_while_a_clock_is_set_forward),
        ROW(test_a_clock_set_back_does_not_delay_the_retry_of_a_step),
        ROW(test_a_clock_set_back_does_not_delay_the_retry_of_a_preparation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
