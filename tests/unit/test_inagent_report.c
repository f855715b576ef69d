/* Tests when inagent reports, and what it reports of its tasks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inagent/report.h"
#include "inagent/report_time.h"
#include "inagent/task_report.h"
#include "lib/basic/cleanup.h"

#define SECOND USEC_PER_SEC

/* --- when --- */

static void succeed(struct report_time *t, uint64_t now)
{
    report_time_begun(t);
    report_time_succeeded(t, now);
}

static void test_a_zone_gets_a_heartbeat_and_changes_at_once(void **state)
{
    (void)state;
    struct report_time t = {.local = true};
    report_time_renewed(&t, false);
    assert_int_equal(report_time_due(&t), 0);
    for (uint64_t now = 100 * SECOND; now < 400 * SECOND; now += 30 * SECOND) {
        succeed(&t, now);
        assert_int_equal(report_time_due(&t), now + 30 * SECOND);
    }
    t.changed = true;
    assert_in_range(report_time_due(&t), t.last_good, t.last_good + SECOND);
    t.changed = false;
    t.tasks_changed = true;
    assert_int_equal(report_time_due(&t), t.last_good + 10 * SECOND);
    t.status_changed = true;
    assert_int_equal(report_time_due(&t), t.last_good + 2 * SECOND);
}

static void test_without_a_zone_a_change_is_repeated_once_and_then_each_hour(void **state)
{
    (void)state;
    struct report_time t = {.local = false};
    report_time_renewed(&t, true);
    succeed(&t, 100 * SECOND);
    assert_int_equal(report_time_due(&t), 130 * SECOND);
    succeed(&t, 130 * SECOND);
    assert_int_equal(report_time_due(&t), 3730 * SECOND);
    succeed(&t, 3730 * SECOND);
    assert_int_equal(report_time_due(&t), 7330 * SECOND);
    t.tasks_changed = true;
    succeed(&t, 5000 * SECOND);
    assert_int_equal(report_time_due(&t), 5030 * SECOND);
    succeed(&t, 5030 * SECOND);
    assert_int_equal(report_time_due(&t), 8630 * SECOND);
}

static void test_pauses_after_failures_grow(void **state)
{
    (void)state;
    struct report_time t = {.local = true};
    uint64_t expected = SECOND;
    for (int i = 0; i < 40; i++) {
        report_time_begun(&t);
        assert_false(t.changed);
        uint64_t pause = report_time_failed(&t, 7 * SECOND);
        assert_in_range(pause, expected * 3 / 4, expected * 5 / 4);
        assert_int_equal(report_time_due(&t), 7 * SECOND + pause);
        t.tasks_changed = true; /* a change waits, too */
        assert_int_equal(report_time_due(&t), 7 * SECOND + pause);
        expected = expected < 256 * SECOND ? 2 * expected : expected;
    }
    t.urgent = true;
    assert_int_equal(report_time_due(&t), 0);
    succeed(&t, 900 * SECOND);
    assert_int_equal(t.failures, 0);
    assert_int_equal(report_time_due(&t), 930 * SECOND);
    (void)report_time_failed(&t, 930 * SECOND);
    report_time_renewed(&t, false);
    assert_int_equal(report_time_due(&t), 0);
}

/* A deploy waits for what presses. */
static void test_pauses_stay_short_while_a_change_presses(void **state)
{
    (void)state;
    struct report_time t = {.urgent = true};
    for (int i = 0; i < 10; i++) {
        report_time_begun(&t);
        assert_true(report_time_failed(&t, 0) <= 10 * SECOND);
    }
    succeed(&t, 900 * SECOND);
    for (int i = 0; i < 10; i++) {
        report_time_begun(&t);
        uint64_t pause = report_time_failed(&t, 0);
        assert_true(i < 9 || pause > 100 * SECOND);
    }
}

/* --- what --- */

static void expect(const struct plan *plan, size_t room, const char *expected)
{
    json_t *list = task_report(plan, NULL, room);
    _cleanup_free_ char *text = json_dumps(list, JSON_COMPACT);
    assert_string_equal(text, expected);
    json_decref(list);
}

static struct task run_task = {.definition = {.name = (char *)"run", .trigger = TRIGGER_CRON},
                               .present = true,
                               .state = TASK_DELAYED,
                               .started = 5,
                               .finished = 9,
                               .exit_code = 137,
                               .next = 20,
                               .runs = 3},
                   new_task = {.definition = {.name = (char *)"new", .trigger = TRIGGER_NONE},
                               .present = true},
                   bad_task = {.definition = {.name = (char *)"bad", .trigger = TRIGGER_ON_STARTUP},
                               .present = true,
                               .state = TASK_FAILED,
                               .problem = (char *)"no such task"},
                   old_task = {.definition = {.name = (char *)"old"}, .state = TASK_RUNNING, .runs = 1};

#define NEW "{\"name\":\"new\",\"state\":\"pending\"}"
#define RUN                                                                                                  \
    "{\"name\":\"run\",\"trigger\":\"cron\",\"state\":\"delayed\",\"started\":5,\"finished\":9,"             \
    "\"exit_code\":137,\"next\":20,\"runs\":3}"
#define BAD "{\"name\":\"bad\",\"trigger\":\"on_startup\",\"state\":\"failed\",\"message\":\"no such task\"}"

static void test_tasks_are_reported_in_their_order(void **state)
{
    (void)state;
    struct task *tasks[] = {&new_task, &run_task, &bad_task, &old_task};
    const struct plan plan = {.tasks = tasks, .n_tasks = ARRAY_SIZE(tasks)};
    expect(&plan, 4096, "[" NEW "," RUN "," BAD "]"); /* without the one of an earlier specification */
    /* Without room for all, those that have run. */
    expect(&plan, sizeof RUN + sizeof BAD, "[" RUN "," BAD "]");
    expect(&plan, sizeof RUN, "[" RUN "]");
    expect(&plan, 10, "[]");
}

/* A refused request stays with its task, and in the file of the task's last run. */
static void test_only_what_was_requested_is_reported_at_once(void **state)
{
    (void)state;
    struct report report = {.time.last_good = SECOND};
    struct task task = {.request.state = REQUEST_REFUSED};
    report_request(&report, &task);
    assert_int_equal(report_time_due(&report.time), 0);
    succeed(&report.time, 100 * SECOND);
    report_task(&report, &task);
    assert_int_equal(report_time_due(&report.time), 110 * SECOND);
    task.runs_by_hand = true;
    report_task(&report, &task);
    assert_int_equal(report_time_due(&report.time), 0);
    succeed(&report.time, 200 * SECOND);
    report_request(&report, NULL);
    assert_int_equal(report_time_due(&report.time), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_zone_gets_a_heartbeat_and_changes_at_once),
        cmocka_unit_test(test_without_a_zone_a_change_is_repeated_once_and_then_each_hour),
        cmocka_unit_test(test_pauses_after_failures_grow),
        cmocka_unit_test(test_pauses_stay_short_while_a_change_presses),
        cmocka_unit_test(test_tasks_are_reported_in_their_order),
        cmocka_unit_test(test_only_what_was_requested_is_reported_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
