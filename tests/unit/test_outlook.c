/* Tests that what is said to happen next does happen, at the time that is said, on a simulated clock. */
#include "engine_world.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "reconciler/engine/steps.h"
#include "reconciler/face/outlook.h"

static void assert_next(const struct fixture *f, const char *expected, uint64_t at)
{
    uint64_t when;
    _cleanup_free_ char *text = outlook_of_replica(f->replica, &when);
    assert_string_equal(text ?: "nothing", expected);
    assert_int_equal(when, at);
}

static void run_until_trace(struct fixture *f, const char *method)
{
    free(take_trace(f));
    while (!f->world.trace || !strstr(f->world.trace, method))
        assert_true(simulated_clock_step(&f->world.clock));
}

static void run_until_rollback(struct fixture *f)
{
    while (f->replica->record->rolling_back == 0)
        assert_true(simulated_clock_step(&f->world.clock));
}

static void a_failed_first_deploy_is_repeated_at_the_time_that_is_said(void **state)
{
    struct fixture *f = *state;
    want_update(f, BROKEN_REVISION);
    run_until_rollback(f);
    assert_next(f, "its rest is removed, and after a pause it is deployed again", 0);
    while (f->replica->retry.next == 0)
        assert_true(simulated_clock_step(&f->world.clock));
    uint64_t at = f->replica->retry.next;
    assert_next(f, "it is deployed again", at);
    run_until_trace(f, "Create");
    assert_in_range(f->world.clock.monotonic_usec, at, at + USEC_PER_SEC);
}

static void a_failed_update_waits_for_a_request(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    assert_next(f, "nothing", 0);
    want_update(f, BROKEN_REVISION);
    run_until_rollback(f);
    assert_next(f, "revision 1 is brought back; revision 2 is not tried again before 'hostletctl start web'",
                0);
    run_until_settled(f);
    assert_next(f, "revision 2 is not tried again before 'hostletctl start web'", 0);
    set_string(&f->instance->record->origin, "zone");
    assert_next(f, "revision 2 is not tried again before the zone's next order", 0);
    set_string(&f->instance->record->origin, "local");
    simulated_clock_advance(&f->world.clock, 3600 * USEC_PER_SEC);
    assert_next(f, "revision 2 is not tried again before 'hostletctl start web'", 0);
    assert_true(runs(f, 1));
}

static void a_preparation_is_repeated_at_the_time_that_is_said(void **state)
{
    struct fixture *f = *state;
    uint64_t at;
    deploy(f);
    f->world.absent = "image:3";
    want_update(f, 3);
    while (prepare_find(f->instance, 3) == NULL || prepare_find(f->instance, 3)->next_retry == 0)
        assert_true(simulated_clock_step(&f->world.clock));
    simulated_clock_advance(&f->world.clock, 100 * USEC_PER_MSEC);
    _cleanup_free_ char *text = outlook_of_instance(f->instance, &at);
    assert_string_equal(text, "the preparation is tried again");
    assert_next(f, "revision 1 runs until revision 3 is prepared", 0);
    run_until_trace(f, "ImageInspect");
    assert_in_range(f->world.clock.monotonic_usec, at, at + USEC_PER_SEC);
}

static void a_stopped_replica_starts_at_the_time_that_is_said(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    want_action(f, APP_ACTION_STOP);
    run_until_settled(f);
    assert_next(f, "nothing", 0);
    f->world.absent = "image:3";
    f->world.pulls_hang = true;
    f->instance->record->action = APP_ACTION_START;
    want_update(f, 3);
    simulated_clock_advance(&f->world.clock, USEC_PER_SEC);
    uint64_t at = f->replica->retry.timer.at;
    assert_next(f, "unless revision 3 is prepared before, revision 1 is started", at);
    run_until_trace(f, "Start");
    assert_in_range(f->world.clock.monotonic_usec, at, at + USEC_PER_SEC);
}

static void a_probation_ends_at_the_time_that_is_said(void **state)
{
    struct fixture *f = *state;
    instance_kick(f->instance);
    f->replica->seen.observed = f->replica->seen.stale = true;
    run_until_probation(f);
    uint64_t at = f->replica->retry.timer.at;
    assert_next(f, "its probation ends", at);
    run_until_trace(f, "SetRestart");
    assert_in_range(f->world.clock.monotonic_usec, at, at + USEC_PER_SEC);
}

static void a_step_is_repeated_at_the_time_that_is_said(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    f->world.failing = "Stop";
    want_action(f, APP_ACTION_STOP);
    while (f->replica->retry.next == 0)
        assert_true(simulated_clock_step(&f->world.clock));
    uint64_t at = f->replica->retry.next;
    assert_next(f, "stopping container is tried again", at);
    run_until_trace(f, "Stop");
    assert_in_range(f->world.clock.monotonic_usec, at, at + USEC_PER_SEC);
}

static void a_crash_loop_is_left_to_the_runtime(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    for (int i = 0; i < 3; i++) {
        crash(f);
        simulated_clock_advance(&f->world.clock, 3 * USEC_PER_SEC);
    }
    assert_int_equal(f->replica->state, REPLICA_CRASH_LOOPING);
    assert_next(f, "the runtime starts the container again after each exit, with growing pauses", 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, engine_begin, engine_end)
    const struct CMUnitTest tests[] = {
        TEST(a_failed_first_deploy_is_repeated_at_the_time_that_is_said),
        TEST(a_failed_update_waits_for_a_request),
        TEST(a_preparation_is_repeated_at_the_time_that_is_said),
        TEST(a_stopped_replica_starts_at_the_time_that_is_said),
        TEST(a_probation_ends_at_the_time_that_is_said),
        TEST(a_step_is_repeated_at_the_time_that_is_said),
        TEST(a_crash_loop_is_left_to_the_runtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
