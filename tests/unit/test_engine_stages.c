/* Tests the times of stages on a simulated clock: each attempt has its own, and 'created' is that of the
 * first. */
#include "engine_world.h"

#include "lib/schema/object.h"
#include "reconciler/engine/steps.h"

#define HOUR (INT64_C(3600000))

static const struct app_stage *stage_of(const struct fixture *f, enum app_stage_name name)
{
    const struct record_replica *r = f->replica->record;
    for (size_t i = 0; i < r->n_stages; i++)
        if (streq(r->stages[i]->name, schema_enum_name(&app_stage_name_enum, (int)name)))
            return r->stages[i];
    fail_msg("there is no stage %s", schema_enum_name(&app_stage_name_enum, (int)name));
    return NULL;
}

static int64_t now_msec(struct fixture *f)
{
    return clock_realtime_msec(&f->world.clock.clock);
}

static void an_hour_later(struct fixture *f)
{
    simulated_clock_advance(&f->world.clock, (uint64_t)HOUR * USEC_PER_MSEC);
}

/* The stage was done since 'begin', and took less than a minute. */
static void assert_done_since(const struct fixture *f, enum app_stage_name name, int64_t begin)
{
    const struct app_stage *s = stage_of(f, name);
    if (STAGE_BEGUN(s) < begin || s->finished < STAGE_BEGUN(s) || s->finished > STAGE_BEGUN(s) + 60000)
        fail_msg("%s: since %lld: begun %lld, finished %lld", s->name, (long long)begin,
                 (long long)STAGE_BEGUN(s), (long long)s->finished);
    assert_string_equal(s->state, "success");
}

static const enum app_stage_name of_start[] = {STAGE_HOST_RECV, STAGE_PROVISION, STAGE_CONTAINER_START,
                                               STAGE_CONTAINER_RUNNING};

static void a_stop_and_a_start_have_times_of_their_own(void **state)
{
    struct fixture *f = *state;
    int64_t first = now_msec(f);
    deploy(f);
    for (size_t i = 0; i < ARRAY_SIZE(of_start); i++) {
        assert_done_since(f, of_start[i], first);
        assert_int_equal(stage_of(f, of_start[i])->begun, 0); /* a first attempt is stored as before */
    }
    for (int round = 0; round < 2; round++) {
        an_hour_later(f);
        int64_t stop = now_msec(f);
        want_action(f, APP_ACTION_STOP);
        run_until_settled(f);
        assert_done_since(f, STAGE_CONTAINER_STOP, stop);
        an_hour_later(f);
        int64_t start = now_msec(f);
        want_action(f, APP_ACTION_START);
        run_until_settled(f);
        for (size_t i = 0; i < ARRAY_SIZE(of_start); i++) {
            assert_done_since(f, of_start[i], start);
            assert_in_range(stage_of(f, of_start[i])->created, first, first + HOUR); /* the contract's */
            assert_int_equal(stage_of(f, of_start[i])->attempt, 0);
        }
    }
    assert_done_since(f, STAGE_CONTAINER_CREATE, first); /* it was not done again */
    assert_in_range(stage_of(f, STAGE_CONTAINER_CREATE)->finished, first, first + HOUR);
}

static void a_later_attempt_has_its_duration_after_a_clock_was_set(void **state)
{
    struct fixture *f = *state;
    static const int64_t jumps[] = {-HOUR * USEC_PER_MSEC, 48 * HOUR * USEC_PER_MSEC};
    deploy(f);
    const struct app_stage *s = stage_of(f, STAGE_CONTAINER_START);
    int64_t created = s->created;
    for (size_t i = 0; i < ARRAY_SIZE(jumps); i++) {
        want_action(f, APP_ACTION_STOP);
        run_until_settled(f);
        an_hour_later(f); /* no part of the attempt */
        want_action(f, APP_ACTION_START);
        while (!streq(s->state, "running"))
            assert_true(simulated_clock_step(&f->world.clock));
        simulated_clock_set(&f->world.clock, jumps[i]);
        run_until_settled(f);
        assert_in_range(s->finished - STAGE_BEGUN(s), 0, 1000);
        assert_in_range(now_msec(f) - s->finished, 0, 5000);
        assert_int_equal(s->created, created);
    }
}

static void a_retry_has_times_of_its_own(void **state)
{
    struct fixture *f = *state;
    int64_t first = now_msec(f);
    f->world.absent = "busybox";
    instance_kick(f->instance);
    f->replica->seen.observed = f->replica->seen.stale = true;
    an_hour_later(f);
    const struct app_stage *pull = stage_of(f, STAGE_IMAGE_PULL);
    assert_true(pull->attempt > 5);
    assert_in_range(pull->created, first, first + 1000);
    assert_in_range(pull->begun, now_msec(f) - 120000, now_msec(f));
    f->world.absent = NULL;
    int64_t end = now_msec(f);
    run_until_settled(f);
    assert_done_since(f, STAGE_IMAGE_PULL, end);
}

/* What keeps the applied revision running is no part of the desired one's deploy. */
static void steps_of_another_revision_are_no_stages(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    f->world.absent = "image:3";
    want_update(f, 3);
    an_hour_later(f);
    remove_container(f, DRIVER_SLOT_CURRENT);
    an_hour_later(f);
    assert_true(runs(f, 1));
    const struct record_replica *r = f->replica->record;
    for (size_t i = 0; i < r->n_stages; i++)
        assert_true(streq(r->stages[i]->name, "host_recv") || streq(r->stages[i]->name, "image_pull"));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, engine_begin, engine_end)
    const struct CMUnitTest tests[] = {
        TEST(a_stop_and_a_start_have_times_of_their_own),
        TEST(a_retry_has_times_of_its_own),
        TEST(a_later_attempt_has_its_duration_after_a_clock_was_set),
        TEST(steps_of_another_revision_are_no_stages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
