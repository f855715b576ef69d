/* Tests when inagent runs tasks with interval_seconds and cron, in simulated time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs these headers before it */
#include <cmocka.h>
#include <stdlib.h>

#include "inagent/depends.h"
#include "inagent/plan.h"
#include "inagent/schedule.h"
#include "inagent/spec.h"
#include "lib/basic/cleanup.h"

#define SECOND USEC_PER_SEC
/* 2026-12-01 00:00:00 UTC, in microseconds */
#define MIDNIGHT (INT64_C(1796083200) * 1000000)

/* A plan whose clocks begin at 'begin' and 'MIDNIGHT'; 'step' is the sum of the wall clock's jumps. */
struct simulation {
    struct plan plan;
    uint64_t now;
    int64_t step;
};

static void tick(struct simulation *s)
{
    schedule_clock(&s->plan, s->now, MIDNIGHT + (int64_t)s->now + s->step);
}

/* Replaces the specification by the JSON of its tasks. */
static void specify(struct simulation *s, const char *tasks)
{
    static const struct identity identity = {.host_id = "0123456789ab", .replica_id = 1};
    _cleanup_free_ char *text =
        xasprintf("{\"app\":{\"spec\":{\"resources\":{},\"tasks\":%s},\"deploy\":{}},\"replica\":{}}", tasks);
    struct spec spec;
    struct error e = ERROR_INIT;
    if (spec_parse(text, strlen(text), &identity, &spec, &e) < 0)
        fail_msg("%s", e.message);
    tick(s);
    plan_update(&s->plan, spec.tasks, spec.n_tasks, s->now);
    spec_clear(&spec);
}

/* Runs every task that is due, for 'seconds' each with this exit code. Returns the names in order. */
static const char *run(struct simulation *s, unsigned seconds, int exit_code)
{
    static char names[256];
    names[0] = '\0';
    tick(s);
    for (struct task *task; (task = plan_next(&s->plan, s->now));) {
        (void)snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", *names ? " " : "",
                       task->definition.name);
        plan_began(&s->plan, task, 1, s->now);
        s->now += seconds * SECOND;
        tick(s);
        plan_ended(&s->plan, task, exit_code, s->now);
    }
    return names;
}

static void expect_idle_for(struct simulation *s, uint64_t seconds)
{
    tick(s);
    assert_null(plan_next(&s->plan, s->now));
    uint64_t wakeup = plan_wakeup(&s->plan);
    assert_int_equal((wakeup - s->now) / SECOND, seconds);
    s->now = wakeup - 1;
    assert_string_equal(run(s, 0, 0), "");
    s->now = wakeup;
}

static void test_an_interval_begins_at_the_end_of_the_last_run(void **state)
{
    (void)state;
    struct simulation s = {.now = 100 * SECOND};
    specify(&s, "[{\"name\":\"a\",\"interval_seconds\":60}]");
    struct task *a = s.plan.tasks[0];
    assert_string_equal(run(&s, 7, 0), "a");
    assert_int_equal(a->state, TASK_SUCCEEDED);
    assert_int_equal(a->started, MIDNIGHT / 1000 + 100000);
    assert_int_equal(a->finished, MIDNIGHT / 1000 + 107000);
    assert_int_equal(a->next, MIDNIGHT / 1000 + 167000);
    expect_idle_for(&s, 60);
    assert_string_equal(run(&s, 1, 3), "a");
    assert_int_equal(a->state, TASK_FAILED);
    assert_int_equal(a->exit_code, 3);
    expect_idle_for(&s, 60);
    assert_string_equal(run(&s, 0, 0), "a");
    assert_int_equal(a->runs, 3);
    plan_clear(&s.plan);
}

static void test_the_attempts_of_a_run_are_limited(void **state)
{
    (void)state;
    struct simulation s = {.now = 100 * SECOND};
    s.plan.probation_end = 1000 * SECOND; /* is for startup tasks */
    specify(&s, "[{\"name\":\"a\",\"interval_seconds\":60,\"max_attempts\":3,\"retry_backoff_seconds\":5}]");
    for (int round = 0; round < 2; round++) {
        assert_string_equal(run(&s, 1, 9), "a");
        assert_int_equal(s.plan.tasks[0]->state, TASK_DELAYED);
        expect_idle_for(&s, 5);
        assert_string_equal(run(&s, 100, 9), "a"); /* a long run of such a task begins no new count */
        expect_idle_for(&s, 5);
        assert_string_equal(run(&s, 1, 9), "a");
        assert_int_equal(s.plan.tasks[0]->state, TASK_FAILED);
        expect_idle_for(&s, 60);
    }
    plan_clear(&s.plan);
}

static void test_the_wall_clock_does_not_change_an_interval(void **state)
{
    (void)state;
    struct simulation s = {.now = 100 * SECOND};
    specify(&s, "[{\"name\":\"a\",\"interval_seconds\":60}]");
    assert_string_equal(run(&s, 0, 0), "a");
    s.now += 20 * SECOND;
    s.step = -86400 * INT64_C(1000000);
    expect_idle_for(&s, 40);
    assert_string_equal(run(&s, 0, 0), "a");
    s.step = 86400 * INT64_C(1000000);
    expect_idle_for(&s, 60);
    tick(&s);
    assert_string_equal(run(&s, 0, 0), "a");
    assert_int_equal(s.plan.tasks[0]->next, (MIDNIGHT + (int64_t)s.now + s.step) / 1000 + 60000);
    plan_clear(&s.plan);
}

static void test_a_task_waits_until_the_last_due_run_of_its_dependencies_has_succeeded(void **state)
{
    (void)state;
    struct simulation s = {.now = 100 * SECOND};
    specify(&s, "[{\"name\":\"b\",\"interval_seconds\":60,\"depends_on\":[\"a\"]},"
                "{\"name\":\"a\",\"interval_seconds\":60},"
                "{\"name\":\"once\",\"on_startup\":true,\"depends_on\":[\"b\"]}]");
    assert_string_equal(run(&s, 0, 0), "a b once");
    expect_idle_for(&s, 60);
    /* Both are due: 'b' follows the run of 'a' that is due now, not its last one. */
    tick(&s);
    struct task *a = plan_next(&s.plan, s.now);
    assert_string_equal(a->definition.name, "a");
    plan_began(&s.plan, a, 1, s.now);
    assert_null(plan_next(&s.plan, s.now));
    s.now += SECOND;
    plan_ended(&s.plan, a, 1, s.now);
    assert_string_equal(depends_waits_for(&s.plan, s.plan.tasks[0])->definition.name, "a");
    assert_true(plan_wakeup(&s.plan) == s.now + 60 * SECOND);
    /* The run of 'b' is due once, although its time has come twice. */
    s.now += 60 * SECOND;
    assert_string_equal(run(&s, 0, 0), "a b");
    expect_idle_for(&s, 60);
    plan_clear(&s.plan);
}

static void test_a_new_specification_plans_anew(void **state)
{
    (void)state;
    struct simulation s = {.now = 100 * SECOND};
    specify(&s, "[{\"name\":\"a\",\"interval_seconds\":60},{\"name\":\"gone\",\"interval_seconds\":10}]");
    assert_string_equal(run(&s, 0, 0), "a gone");
    s.now += 5 * SECOND;
    /* A shorter interval is counted from the end of the last run, too; an unchanged one stays. */
    specify(&s, "[{\"name\":\"a\",\"interval_seconds\":20}]");
    expect_idle_for(&s, 15);
    tick(&s);
    struct task *a = plan_next(&s.plan, s.now);
    plan_began(&s.plan, a, 1, s.now);
    /* A task that left while it ran ends, and is not run again. */
    specify(&s, "[]");
    assert_int_equal(plan_ended(&s.plan, a, 1, s.now), VERDICT_GIVEN_UP);
    assert_string_equal(run(&s, 0, 0), "");
    assert_true(plan_wakeup(&s.plan) == UINT64_MAX);
    /* It comes back when its interval has passed already. */
    s.now += 1000 * SECOND;
    specify(&s, "[{\"name\":\"a\",\"interval_seconds\":20}]");
    assert_string_equal(run(&s, 0, 0), "a");
    plan_clear(&s.plan);
}

static void test_a_run_by_hand_is_not_retried_and_waits_for_nothing(void **state)
{
    (void)state;
    struct simulation s = {.now = 100 * SECOND};
    struct error e = ERROR_INIT;
    s.plan.probation_end = 1000 * SECOND;
    specify(&s, "[{\"name\":\"up\",\"on_startup\":true,\"max_attempts\":5},"
                "{\"name\":\"tick\",\"interval_seconds\":60,\"max_attempts\":5},"
                "{\"name\":\"never\"},"
                "{\"name\":\"wrong\",\"on_startup\":true,\"depends_on\":[\"nobody\"]}]");
    assert_string_equal(run(&s, 0, 0), "up tick");
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(plan_ask(s.plan.tasks[i], &e), 0);
    assert_true(plan_ask(s.plan.tasks[3], &e) < 0);
    assert_non_null(strstr(e.message, "'nobody'"));
    assert_string_equal(run(&s, 1, 7), "up tick never");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(s.plan.tasks[i]->state, TASK_FAILED);
        assert_int_equal(s.plan.tasks[i]->exit_code, 7);
    }
    expect_idle_for(&s, 59); /* since the end of the run of 'tick' by hand */
    plan_clear(&s.plan);
}

static void test_a_run_that_inagent_ended_has_failed(void **state)
{
    (void)state;
    struct simulation s = {.now = 100 * SECOND};
    specify(&s, "[{\"name\":\"a\",\"interval_seconds\":60,\"timeout\":5}]");
    struct task *a = plan_next(&s.plan, s.now);
    assert_int_equal(a->definition.timeout_seconds, 5);
    plan_began(&s.plan, a, 1, s.now);
    a->ending = "has reached its time limit";
    assert_int_equal(plan_ended(&s.plan, a, 0, s.now), VERDICT_GIVEN_UP);
    assert_int_equal(a->exit_code, 124);
    plan_clear(&s.plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_interval_begins_at_the_end_of_the_last_run),
        cmocka_unit_test(test_the_attempts_of_a_run_are_limited),
        cmocka_unit_test(test_the_wall_clock_does_not_change_an_interval),
        cmocka_unit_test(test_a_task_waits_until_the_last_due_run_of_its_dependencies_has_succeeded),
        cmocka_unit_test(test_a_new_specification_plans_anew),
        cmocka_unit_test(test_a_run_by_hand_is_not_retried_and_waits_for_nothing),
        cmocka_unit_test(test_a_run_that_inagent_ended_has_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
