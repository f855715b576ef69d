/* Tests the engine on a simulated clock: a deploy, and an update that fails and is rolled back, with fakes of
 * the runtime and the workers. */
#include "engine_world.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "reconciler/engine/steps.h"
#include "reconciler/engine/turn.h"

static void test_a_deploy_runs_and_passes_its_probation(void **state)
{
    struct fixture *f = *state;
    uint64_t began = f->world.clock.monotonic_usec;
    deploy(f);
    _cleanup_free_ char *trace = take_trace(f);
    const struct driver_container *c = &f->world.slots[DRIVER_SLOT_CURRENT];
    assert_string_equal(trace, "ImageInspect Provision Ensure Create Start SetRestart");
    assert_int_equal(f->replica->record->applied_revision, 1);
    assert_int_equal(f->replica->state, REPLICA_RUNNING);
    assert_int_equal(c->state, DRIVER_RUNNING);
    assert_int_equal(c->restart, DRIVER_RESTART_ALWAYS);
    /* The simulated probation has passed. */
    assert_true(f->world.clock.monotonic_usec - began >= PROBATION_MSEC * USEC_PER_MSEC);
    assert_non_null(strstr(f->world.saved, "\"applied_revision\":1"));
    /* Several steps share a write and a notice. */
    assert_true(f->world.saves <= 15);
    assert_true(f->world.notices > 0 && f->world.notices < 40);
}

static void test_a_failed_update_is_rolled_back(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    free(take_trace(f));
    update(f, BROKEN_REVISION);
    _cleanup_free_ char *trace = take_trace(f);
    const struct driver_container *c = &f->world.slots[DRIVER_SLOT_CURRENT];
    const struct record_replica *record = f->replica->record;
    assert_string_equal(trace, "ImageInspect SetRestart Stop Rename Provision Ensure Create Start "
                               "Remove Rename Provision Start SetRestart Ensure");
    assert_int_equal(record->applied_revision, 1);
    assert_int_equal(record->failed_revision, BROKEN_REVISION);
    assert_int_equal(record->rolling_back, 0);
    assert_non_null(strstr(record->failure, "exited with code 3"));
    assert_non_null(strstr(record->failure, "cannot open its database"));
    assert_int_equal(f->replica->state, REPLICA_FAILED);
    assert_int_equal(c->revision, 1);
    assert_int_equal(c->state, DRIVER_RUNNING);
    assert_int_equal(c->restart, DRIVER_RESTART_ALWAYS);
    assert_int_equal(f->world.slots[DRIVER_SLOT_OLD].state, DRIVER_MISSING);
    assert_non_null(strstr(f->world.saved, "\"failed_revision\":2"));
}

static void test_a_stop_during_probation_is_no_failure(void **state)
{
    struct fixture *f = *state;
    instance_begin(f->instance);
    run_until_probation(f);
    want_action(f, APP_ACTION_STOP);
    run_until_settled(f);
    assert_int_equal(f->world.slots[DRIVER_SLOT_CURRENT].state, DRIVER_EXITED);
    free(take_trace(f));
    want_action(f, APP_ACTION_START);
    run_until_probation(f);
    _cleanup_free_ char *trace = take_trace(f);
    assert_null(strstr(trace, "Remove"));
    assert_int_equal(f->replica->record->attempt, 0);
    /* One that exits after the start has failed. */
    crash(f);
    while (f->replica->record->attempt == 0)
        assert_true(simulated_clock_step(&f->world.clock));
    run_until_settled(f);
    assert_int_equal(f->replica->record->applied_revision, 1);
}

static void test_an_update_replaces_the_container(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    update(f, 3);
    assert_int_equal(f->replica->record->applied_revision, 3);
    assert_int_equal(f->world.slots[DRIVER_SLOT_CURRENT].revision, 3);
    assert_int_equal(f->world.slots[DRIVER_SLOT_OLD].state, DRIVER_MISSING);
    assert_int_equal(f->instance->record->n_revisions, 1); /* the old revision is removed */
}

/* The container was created and the reply was lost: an inspection shows it, and Create is not called again.
 */
static void test_a_step_whose_reply_is_lost_is_not_repeated_after_its_effect(void **state)
{
    struct fixture *f = *state;
    f->world.lost = "Create";
    deploy(f);
    _cleanup_free_ char *trace = take_trace(f);
    assert_string_equal(trace, "ImageInspect Provision Ensure Create Start SetRestart");
    assert_int_equal(f->replica->state, REPLICA_RUNNING);
}

/* The runtime sends an event when the container has been removed, and none if that never happens. */
static void test_a_container_that_is_being_removed_for_long_is_inspected_again_and_shown(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->world;
    deploy(f);
    free(take_trace(f));
    w->slots[DRIVER_SLOT_CURRENT].state = DRIVER_REMOVING;
    send_event(w, "die");
    simulated_clock_advance(&w->clock, 20 * USEC_PER_SEC);
    assert_int_equal(f->replica->state, REPLICA_STARTING);
    assert_null(f->replica->message);
    simulated_clock_advance(&w->clock, 15 * USEC_PER_SEC);
    assert_int_equal(f->replica->state, REPLICA_FAILED);
    assert_non_null(strstr(f->replica->message, "has been removing container 'i8k_web_0' for 32 s"));
    /* The removal ends unnoticed. */
    w->slots[DRIVER_SLOT_CURRENT].state = DRIVER_MISSING;
    run_until_settled(f);
    _cleanup_free_ char *trace = take_trace(f);
    assert_string_equal(trace, "ImageInspect Provision Create Start SetRestart");
    assert_int_equal(f->replica->state, REPLICA_RUNNING);
    assert_null(f->replica->message);
}

static void test_every_step_has_its_own_name(void **state)
{
    (void)state;
    for (int a = 0; a < _STEP_MAX; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(step_name((enum step)a), step_name((enum step)b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_deploy_runs_and_passes_its_probation, engine_begin,
                                        engine_end),
        cmocka_unit_test_setup_teardown(test_a_failed_update_is_rolled_back, engine_begin, engine_end),
        cmocka_unit_test_setup_teardown(test_a_stop_during_probation_is_no_failure, engine_begin, engine_end),
        cmocka_unit_test_setup_teardown(test_an_update_replaces_the_container, engine_begin, engine_end),
        cmocka_unit_test_setup_teardown(test_a_step_whose_reply_is_lost_is_not_repeated_after_its_effect,
                                        engine_begin, engine_end),
        cmocka_unit_test_setup_teardown(
            test_a_container_that_is_being_removed_for_long_is_inspected_again_and_shown, engine_begin,
            engine_end),
        cmocka_unit_test(test_every_step_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
