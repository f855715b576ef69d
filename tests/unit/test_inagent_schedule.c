/* Tests when inagent runs tasks with interval_seconds and cron, in simulated time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs these headers before it */
#include <cmocka.h>
#include <errno.h>
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
    s.plan.probation_end = 1000 * SECOND;
    specify(&s, "[{\"name\":\"up\",\"on_startup\":true,\"max_attempts\":5},"
                "{\"name\":\"tick\",\"interval_seconds\":60,\"max_attempts\":5},"
                "{\"name\":\"never\"},"
                "{\"name\":\"wrong\",\"on_startup\":true,\"depends_on\":[\"nobody\"]}]");
    assert_string_equal(run(&s, 0, 0), "up tick");
    for (size_t i = 0; i < 3; i++)
        assert_true(plan_ask(s.plan.tasks[i]));
    assert_false(plan_ask(s.plan.tasks[3]));
    assert_string_equal(run(&s, 1, 7), "up tick never");
    /* Only the result is new: neither the deploy nor a task that depends on it fails by it. */
    static const enum task_state before[] = {TASK_SUCCEEDED, TASK_SUCCEEDED, TASK_PENDING};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(s.plan.tasks[i]->state, before[i]);
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

/* Checks that nothing is due until 'seconds' after midnight by the wall clock, and goes there. */
static void expect_calendar(struct simulation *s, int64_t seconds)
{
    tick(s);
    assert_null(plan_next(&s->plan, s->now));
    assert_true(plan_wakeup(&s->plan) == UINT64_MAX);
    assert_int_equal((schedule_wall_wakeup(&s->plan) - MIDNIGHT) / (int64_t)SECOND, seconds);
    s->now = (uint64_t)(seconds * (int64_t)SECOND - s->step);
    s->now--;
    assert_string_equal(run(s, 0, 0), "");
    s->now++;
}

static void test_cron_runs_at_the_times_of_the_calendar(void **state)
{
    (void)state;
    struct simulation s = {.now = 100 * SECOND};
    specify(&s, "[{\"name\":\"a\",\"cron\":\"*/10 * * * *\"}]");
    struct task *a = s.plan.tasks[0];
    assert_int_equal(a->state, TASK_PENDING);
    assert_int_equal(a->next, MIDNIGHT / 1000 + 600000);
    expect_calendar(&s, 600);
    assert_string_equal(run(&s, 0, 0), "a");
    expect_calendar(&s, 1200);
    /* Times that come during a run are skipped. */
    assert_string_equal(run(&s, 1500, 1), "a");
    assert_int_equal(a->state, TASK_FAILED);
    expect_calendar(&s, 3000);
    plan_clear(&s.plan);
}

static void test_the_attempts_of_a_cron_run_take_its_time(void **state)
{
    (void)state;
    struct simulation s = {.now = 100 * SECOND};
    specify(&s, "[{\"name\":\"a\",\"cron\":\"* * * * *\",\"max_attempts\":2,\"retry_backoff_seconds\":90}]");
    expect_calendar(&s, 120);
    assert_string_equal(run(&s, 1, 1), "a");
    assert_int_equal(s.plan.tasks[0]->next, MIDNIGHT / 1000 + 211000);
    expect_idle_for(&s, 90);
    assert_string_equal(run(&s, 0, 1), "a");
    expect_calendar(&s, 240);
    plan_clear(&s.plan);
}

static void test_every_counts_the_monotonic_clock_on_a_grid(void **state)
{
    (void)state;
    struct simulation s = {.now = 100 * SECOND};
    specify(&s, "[{\"name\":\"a\",\"cron\":\"@every 1m\"}]");
    expect_idle_for(&s, 60);
    assert_string_equal(run(&s, 10, 0), "a");
    s.step = 5000 * (int64_t)SECOND;
    expect_idle_for(&s, 50);
    assert_string_equal(run(&s, 61, 0), "a");
    /* An unchanged task stays on its grid. */
    specify(&s, "[{\"name\":\"a\",\"cron\":\"@every 1m\",\"script\":\"new\"}]");
    expect_idle_for(&s, 59);
    specify(&s, "[{\"name\":\"a\",\"cron\":\"@every 2m\"}]");
    assert_int_equal(s.plan.tasks[0]->next, (MIDNIGHT + (int64_t)s.now + s.step) / 1000 + 120000);
    plan_clear(&s.plan);
}

static void test_a_small_step_of_the_clock_neither_loses_nor_repeats_a_run(void **state)
{
    (void)state;
    struct simulation s = {.now = 100 * SECOND};
    specify(&s, "[{\"name\":\"a\",\"cron\":\"0 * * * *\"}]");
    expect_calendar(&s, 3600);
    assert_string_equal(run(&s, 0, 0), "a");
    /* Back, over the run: it does not come again. */
    s.step = -5 * (int64_t)SECOND;
    expect_calendar(&s, 7200);
    assert_string_equal(run(&s, 0, 0), "a");
    s.step = -1800 * (int64_t)SECOND;
    expect_calendar(&s, 10800);
    assert_string_equal(run(&s, 0, 0), "a");
    /* Forward, over the run: it is due now. */
    s.now += 10 * SECOND;
    s.step += 3600 * (int64_t)SECOND;
    assert_string_equal(run(&s, 0, 0), "a");
    expect_calendar(&s, 18000);
    plan_clear(&s.plan);
}

static void test_a_frequent_task_does_not_rest_after_a_step_back(void **state)
{
    (void)state;
    struct simulation s = {.now = 100 * SECOND};
    specify(&s, "[{\"name\":\"a\",\"cron\":\"* * * * * *\"}]");
    expect_calendar(&s, 101);
    assert_string_equal(run(&s, 0, 0), "a");
    s.step = -(int64_t)SECOND;
    expect_calendar(&s, 102);
    assert_string_equal(run(&s, 0, 0), "a");
    s.step -= 60 * (int64_t)SECOND;
    expect_calendar(&s, 43);
    assert_string_equal(run(&s, 0, 0), "a");
    plan_clear(&s.plan);
}

static void test_a_missed_time_that_comes_again_is_due(void **state)
{
    (void)state;
    struct simulation s = {.now = 100 * SECOND};
    specify(&s, "[{\"name\":\"a\",\"cron\":\"0 1 * * *\"}]");
    s.step = 10 * 3600 * (int64_t)SECOND;
    assert_string_equal(run(&s, 0, 0), "");
    s.step = 0;
    expect_calendar(&s, 3600);
    assert_string_equal(run(&s, 0, 0), "a");
    plan_clear(&s.plan);
}

static void test_a_large_step_of_the_clock_begins_the_schedule_anew(void **state)
{
    (void)state;
    struct simulation s = {.now = 100 * SECOND};
    specify(&s, "[{\"name\":\"a\",\"cron\":\"0 12 * * *\"}]");
    expect_calendar(&s, 12 * 3600);
    assert_string_equal(run(&s, 0, 0), "a");
    /* A day back: noon comes again. */
    s.step = -86460 * (int64_t)SECOND;
    expect_calendar(&s, -12 * 3600);
    assert_string_equal(run(&s, 0, 0), "a");
    /* Two days ahead: what was between is missed. */
    s.step = 86400 * (int64_t)SECOND + 7200 * (int64_t)SECOND;
    expect_calendar(&s, 60 * 3600);
    assert_string_equal(run(&s, 0, 0), "a");
    plan_clear(&s.plan);
}

static int find_zone(void *context, const char *name, const struct tz **ret, struct error *e)
{
    struct tz **loaded = context;
    if (streq(name, "Nowhere"))
        return error_refuse(e, ENOENT, "the time zone 'Nowhere' is unknown");
    if (!*loaded)
        assert_int_equal(tz_parse_rule("CET-1CEST,M3.5.0,M10.5.0/3", loaded, e), 0);
    *ret = *name ? *loaded : NULL;
    return 0;
}

static void test_an_unusable_cron_fails_the_task_with_the_reason(void **state)
{
    (void)state;
    struct tz *berlin = NULL;
    struct simulation s = {.now = 100 * SECOND, .plan = {.find_zone = find_zone, .zones = &berlin}};
    specify(&s, "[{\"name\":\"a\",\"cron\":\"61 * * * *\"},"
                "{\"name\":\"b\",\"cron\":\"TZ=Nowhere 0 * * * *\"},"
                "{\"name\":\"c\",\"on_startup\":true,\"depends_on\":[\"b\"]},"
                "{\"name\":\"d\",\"cron\":\"TZ=Europe/Berlin 0 12 * * *\"}]");
    assert_string_equal(s.plan.tasks[0]->problem, "cron: column 1: '61' is no minute from 0 to 59");
    assert_string_equal(s.plan.tasks[1]->problem, "cron: the time zone 'Nowhere' is unknown");
    assert_non_null(strstr(s.plan.tasks[2]->problem, "'b', which can never succeed"));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(s.plan.tasks[i]->state, TASK_FAILED);
    expect_calendar(&s, 11 * 3600);
    assert_string_equal(run(&s, 0, 0), "d");
    /* The next specification is right. */
    specify(&s, "[{\"name\":\"a\",\"cron\":\"1 * * * *\"}]");
    assert_null(s.plan.tasks[0]->problem);
    expect_calendar(&s, 11 * 3600 + 60);
    assert_string_equal(run(&s, 0, 0), "a");
    plan_clear(&s.plan);
    tz_free(berlin);
}

static void test_a_thousand_tasks_sleep_until_the_first(void **state)
{
    (void)state;
    struct simulation s = {.now = 100 * SECOND};
    _cleanup_free_ char *tasks = xstrdup("[");
    for (int i = 0; i < 1000; i++) {
        char *more = xasprintf("%s%s{\"name\":\"t%d\",\"cron\":\"%d %d * * *\"}", tasks, i > 0 ? "," : "", i,
                               i % 60, 1 + i / 60);
        free(tasks);
        tasks = more;
    }
    _cleanup_free_ char *all = xasprintf("%s]", tasks);
    specify(&s, all);
    expect_calendar(&s, 3600);
    assert_string_equal(run(&s, 0, 0), "t0");
    expect_calendar(&s, 3660);
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
        cmocka_unit_test(test_cron_runs_at_the_times_of_the_calendar),
        cmocka_unit_test(test_the_attempts_of_a_cron_run_take_its_time),
        cmocka_unit_test(test_every_counts_the_monotonic_clock_on_a_grid),
        cmocka_unit_test(test_a_small_step_of_the_clock_neither_loses_nor_repeats_a_run),
        cmocka_unit_test(test_a_frequent_task_does_not_rest_after_a_step_back),
        cmocka_unit_test(test_a_missed_time_that_comes_again_is_due),
        cmocka_unit_test(test_a_large_step_of_the_clock_begins_the_schedule_anew),
        cmocka_unit_test(test_an_unusable_cron_fails_the_task_with_the_reason),
        cmocka_unit_test(test_a_thousand_tasks_sleep_until_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
