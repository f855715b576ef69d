/* Tests what runs while the desired revision cannot be prepared, on a simulated clock: the applied revision,
 * or nothing if the instance is stopped. Revision 3 is the one that cannot be prepared. */
#include "engine_world.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "reconciler/engine/prepare.h"
#include "reconciler/engine/release.h"
#include "reconciler/engine/steps.h"
#include "reconciler/model/wish.h"

#define ABSENT "image:3"

/* The time in which everything but a preparation ends. */
static void pass(struct fixture *f, uint64_t seconds)
{
    simulated_clock_advance(&f->world.clock, seconds * USEC_PER_SEC);
}

/* Further attempts of the preparation can follow. */
static void assert_begins(const char *trace, const char *with)
{
    if (!after_prefix(trace, with))
        assert_string_equal(trace, with);
}

static struct prepare *preparation(const struct fixture *f)
{
    return prepare_find(f->instance, 3);
}

static void want_what_cannot_be_prepared(struct fixture *f)
{
    f->world.absent = ABSENT;
    want_update(f, 3);
    pass(f, 1);
    assert_true(runs(f, 1));
    assert_int_equal(f->replica->state, REPLICA_RUNNING);
}

/* Makes the image available, and has the next attempt find it. */
static void image_appears(struct fixture *f)
{
    f->world.absent = NULL;
    pass(f, 200);
    assert_true(runs(f, 3));
    assert_int_equal(f->replica->record->applied_revision, 3);
    assert_int_equal(f->replica->record->failed_revision, 0);
}

static void test_a_stop_settles_and_cancels_the_preparation(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    f->world.pulls_hang = true;
    want_what_cannot_be_prepared(f);
    assert_int_equal(preparation(f)->state, PREPARE_RUNNING);
    want_action(f, APP_ACTION_STOP);
    run_until_settled(f);
    assert_int_equal(f->world.slots[DRIVER_SLOT_CURRENT].state, DRIVER_EXITED);
    assert_int_equal(f->replica->state, REPLICA_STOPPED);
    assert_null(preparation(f));
    assert_int_equal(f->world.cancelled, 1);
    for (size_t i = 0; i < f->replica->record->n_stages; i++) /* no stage goes on */
        assert_string_not_equal(f->replica->record->stages[i]->state, "running");
    want_action(f, APP_ACTION_START);
    pass(f, 1);
    assert_int_equal(preparation(f)->state, PREPARE_RUNNING);
}

static void test_a_preparation_that_waits_for_its_next_attempt_is_cancelled_too(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    want_what_cannot_be_prepared(f);
    want_action(f, APP_ACTION_STOP);
    run_until_settled(f);
    assert_null(preparation(f));
}

/* A newer revision overtakes one whose image is being pulled. */
static void test_the_preparation_of_an_overtaken_revision_is_cancelled(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    f->world.pulls_hang = true;
    want_what_cannot_be_prepared(f);
    f->world.absent = "image:4";
    want_update(f, 4);
    pass(f, 1);
    assert_int_equal(f->world.cancelled, 1);
    assert_null(preparation(f));
    assert_true(runs(f, 1));
}

static void test_a_first_deploy_that_cannot_be_prepared_is_stopped(void **state)
{
    struct fixture *f = *state;
    f->world.absent = "busybox";
    f->world.pulls_hang = true;
    instance_kick(f->instance);
    pass(f, 1);
    want_action(f, APP_ACTION_STOP);
    run_until_settled(f);
    assert_int_equal(f->instance->n_prepares, 0);
    assert_int_equal(f->replica->state, REPLICA_NONE);
}

static void test_stop_and_start_bring_the_applied_revision_back(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    want_what_cannot_be_prepared(f);
    want_action(f, APP_ACTION_STOP);
    run_until_settled(f);
    free(take_trace(f));
    want_action(f, APP_ACTION_START);
    pass(f, 1);
    _cleanup_free_ char *trace = take_trace(f);
    assert_begins(trace, "ImageInspect Provision Ensure Start SetRestart"); /* the same container */
    assert_true(runs(f, 1));
    assert_int_equal(f->replica->last, STEP_AWAIT);
    image_appears(f);
}

static void test_a_removed_container_of_the_applied_revision_is_created_again(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    want_what_cannot_be_prepared(f);
    remove_container(f, DRIVER_SLOT_CURRENT);
    pass(f, 1);
    assert_true(runs(f, 1));
    image_appears(f);
}

/* A preparation that neither ends nor fails does not keep the replica down for longer than some seconds. */
static void test_a_slow_preparation_does_not_keep_the_replica_down(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    f->world.pulls_hang = true;
    want_what_cannot_be_prepared(f);
    want_action(f, APP_ACTION_STOP);
    run_until_settled(f);
    want_action(f, APP_ACTION_START);
    pass(f, 2);
    assert_int_equal(f->world.slots[DRIVER_SLOT_CURRENT].state, DRIVER_EXITED);
    pass(f, 4);
    assert_true(runs(f, 1));
}

/* What was stopped is not started in its old revision for a moment. */
static void test_a_quick_preparation_starts_the_desired_revision_only(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    want_action(f, APP_ACTION_STOP);
    run_until_settled(f);
    free(take_trace(f));
    f->instance->record->action = APP_ACTION_START;
    update(f, 3);
    _cleanup_free_ char *trace = take_trace(f);
    assert_string_equal(trace, "ImageInspect Rename Provision Ensure Create Start SetRestart Remove");
    assert_true(runs(f, 3));
}

/* A switch is overtaken by a revision that cannot be prepared: the old container runs meanwhile. */
static void test_an_overtaken_switch_brings_the_old_container_back(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    want_update(f, 4);
    pass(f, 2);
    assert_int_equal(f->replica->last, STEP_PROBATION);
    f->world.absent = "image:5";
    want_update(f, 5);
    free(take_trace(f));
    pass(f, 1);
    _cleanup_free_ char *trace = take_trace(f);
    assert_begins(trace, "ImageInspect Remove Rename Provision Ensure Start SetRestart");
    assert_true(runs(f, 1));
    assert_int_equal(f->replica->record->failed_revision, 0);
}

/* A reboot in the middle of a switch whose revision cannot be prepared any more: the old container runs, and
 * the revision is not failed, since its preparation is retried. */
static void test_a_switch_of_an_earlier_process_is_resumed_when_it_can_be_prepared(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    f->world.slots[DRIVER_SLOT_OLD] = f->world.slots[DRIVER_SLOT_CURRENT];
    f->world.slots[DRIVER_SLOT_CURRENT] = (struct driver_container){.state = DRIVER_MISSING};
    f->world.slots[DRIVER_SLOT_OLD].state = DRIVER_EXITED;
    f->world.slots[DRIVER_SLOT_OLD].restart = DRIVER_RESTART_NO;
    f->world.absent = ABSENT;
    want_update(f, 3);
    pass(f, 2);
    assert_true(runs(f, 1));
    image_appears(f);
}

/* Both containers are lost during a rollback: another one is made of the applied revision. */
static void test_a_rollback_without_the_old_container_creates_another(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    want_update(f, BROKEN_REVISION);
    while (f->replica->record->rolling_back == 0)
        assert_true(simulated_clock_step(&f->world.clock));
    remove_container(f, DRIVER_SLOT_OLD);
    run_until_settled(f);
    assert_true(runs(f, 1));
    assert_int_equal(f->replica->record->failed_revision, BROKEN_REVISION);
    assert_int_equal(f->replica->state, REPLICA_FAILED);
    /* The same later. */
    remove_container(f, DRIVER_SLOT_CURRENT);
    run_until_settled(f);
    assert_true(runs(f, 1));
}

/* The packages of the applied revision are brought again for its container, in a rollback and while the
 * desired revision cannot be prepared. */
static void test_lost_packages_of_the_applied_revision_are_brought_again(void **state)
{
    struct fixture *f = *state;
    use_package(f, "site");
    deploy(f);
    f->world.absent = NULL;
    want_update(f, BROKEN_REVISION);
    while (f->replica->record->rolling_back == 0)
        assert_true(simulated_clock_step(&f->world.clock));
    f->world.package_lost = true;
    run_until_settled(f);
    assert_false(f->world.package_lost);
    assert_true(runs(f, 1));

    want_what_cannot_be_prepared(f);
    want_action(f, APP_ACTION_STOP);
    run_until_settled(f);
    f->world.package_lost = true;
    want_action(f, APP_ACTION_START);
    pass(f, 5);
    assert_true(runs(f, 1));
    assert_non_null(record_find_revision(f->instance->record, 1)); /* its packages are not released */
}

/* A removal that is tried again, or in progress, does not take a package that an order needs again. */
static void test_a_package_that_is_needed_again_is_not_removed(void **state)
{
    struct fixture *f = *state;
    use_package(f, "site");
    deploy(f);
    struct record_revision *target = instance_target(f->instance), old = {.revision = target->revision};
    record_forget_bits(target, &old);
    prepare_drop(f->instance, target->revision);
    free(take_trace(f));
    f->world.lost = "RemovePackage";
    release_packages(&f->manager, &old);
    assert_true(package_is_being_removed(&f->manager, old.packages[0]->id));
    remove_container(f, DRIVER_SLOT_CURRENT);
    run_until_settled(f);
    assert_true(runs(f, 1));
    assert_false(package_is_being_removed(&f->manager, old.packages[0]->id));
    _cleanup_free_ char *trace = take_trace(f);
    const char *after = after_prefix(trace, "Unpublish RemovePackage ImageInspect Publish ");
    assert_non_null(after);
    assert_null(strstr(after, "RemovePackage"));
    schema_done(&record_revision_schema, &old);
}

/* An applied revision that cannot be started does not keep the desired one from being prepared. */
static void test_a_new_revision_replaces_one_that_does_not_start(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    f->world.package_lost = true;
    f->world.slots[DRIVER_SLOT_CURRENT].state = DRIVER_EXITED;
    f->replica->seen.stale = true;
    replica_kick(f->replica);
    pass(f, 100);
    assert_int_equal(f->replica->state, REPLICA_FAILED);
    want_update(f, 3);
    f->world.package_lost = false;
    pass(f, 1);
    assert_int_equal(f->world.slots[DRIVER_SLOT_CURRENT].revision, 3);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, engine_begin, engine_end)
    const struct CMUnitTest tests[] = {
        TEST(test_a_stop_settles_and_cancels_the_preparation),
        TEST(test_a_preparation_that_waits_for_its_next_attempt_is_cancelled_too),
        TEST(test_the_preparation_of_an_overtaken_revision_is_cancelled),
        TEST(test_a_first_deploy_that_cannot_be_prepared_is_stopped),
        TEST(test_stop_and_start_bring_the_applied_revision_back),
        TEST(test_a_removed_container_of_the_applied_revision_is_created_again),
        TEST(test_a_package_that_is_needed_again_is_not_removed),
        TEST(test_a_slow_preparation_does_not_keep_the_replica_down),
        TEST(test_a_quick_preparation_starts_the_desired_revision_only),
        TEST(test_an_overtaken_switch_brings_the_old_container_back),
        TEST(test_a_switch_of_an_earlier_process_is_resumed_when_it_can_be_prepared),
        TEST(test_a_rollback_without_the_old_container_creates_another),
        TEST(test_lost_packages_of_the_applied_revision_are_brought_again),
        TEST(test_a_new_revision_replaces_one_that_does_not_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
