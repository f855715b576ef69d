/* Tests the supervisor's rules: the table of states and events, the decision after an exit, backoff, reloads,
 * and log lines of workers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hostletd/lines.h"
#include "hostletd/policy.h"
#include "lib/basic/cleanup.h"

static bool has_process(enum service_state state)
{
    return state == SERVICE_STARTING || state == SERVICE_READY || state == SERVICE_STOPPING;
}

static void test_only_states_with_a_process_expect_its_end(void **state)
{
    (void)state;
    for (int s = 0; s < _SERVICE_STATE_MAX; s++)
        for (int event = 0; event < _EVENT_MAX; event++) {
            enum service_action action = policy_action((enum service_state)s, (enum service_event)event);
            bool needs_process = action == ACTION_READY || action == ACTION_STOP || action == ACTION_KILL ||
                                 action == ACTION_TOO_SLOW || action == ACTION_DIED || action == ACTION_ENDED;
            bool needs_none = action == ACTION_BEGIN || action == ACTION_BIND || action == ACTION_WAIT ||
                              action == ACTION_LAUNCH || action == ACTION_RELEASE;
            assert_false(needs_process && !has_process((enum service_state)s));
            assert_false(needs_none && has_process((enum service_state)s));
        }
}

static void test_every_exit_is_handled(void **state)
{
    (void)state;
    for (int s = 0; s < _SERVICE_STATE_MAX; s++)
        assert_int_equal(policy_action((enum service_state)s, EVENT_END) != ACTION_NONE,
                         has_process((enum service_state)s));
}

static void test_every_state_can_be_left(void **state)
{
    (void)state;
    for (int s = 0; s < _SERVICE_STATE_MAX; s++) {
        if (s != SERVICE_DOWN && s != SERVICE_STOPPING)
            assert_int_not_equal(policy_action((enum service_state)s, EVENT_DOWN), ACTION_NONE);
        if (s == SERVICE_DOWN || s == SERVICE_FAILED || s == SERVICE_BACKOFF)
            assert_int_equal(policy_action((enum service_state)s, EVENT_UP), ACTION_BEGIN);
    }
}

static const struct {
    const char *what;
    struct run_end end;
    enum run_verdict expected;
} ends[] = {
    {"killed after a good run",
     {.code = 9, .ready = true, .ready_usec = 1000000, .wanted = true},
     VERDICT_AGAIN},
    {"killed just before it was a good run",
     {.code = 9, .ready = true, .ready_usec = 999999, .wanted = true},
     VERDICT_BACKOFF},
    {"died before it was ready", {.exited = true, .code = 1, .wanted = true}, VERDICT_BACKOFF},
    {"ended by itself, although always wanted",
     {.exited = true, .code = 0, .ready = true, .ready_usec = 5000000, .wanted = true},
     VERDICT_AGAIN},
    {"100 before it was ready", {.exited = true, .code = 100, .wanted = true}, VERDICT_FAILED},
    {"100 after a good run",
     {.exited = true, .code = 100, .ready = true, .ready_usec = 5000000, .wanted = true},
     VERDICT_FAILED},
    {"signal 100 is no exit 100", {.code = 100, .wanted = true}, VERDICT_BACKOFF},
    {"100 on demand", {.exited = true, .code = 100, .wanted = true, .on_demand = true}, VERDICT_FAILED},
    {"not wanted any more", {.exited = true, .code = 1}, VERDICT_DOWN},
    {"not wanted any more, 100", {.exited = true, .code = 100}, VERDICT_DOWN},
    {"idle",
     {.exited = true, .ready = true, .ready_usec = 10000000, .wanted = true, .on_demand = true},
     VERDICT_LISTEN},
    {"idle after a short while",
     {.exited = true, .ready = true, .ready_usec = 1000, .wanted = true, .on_demand = true},
     VERDICT_LISTEN},
    {"a caller came while it ended idle",
     {.exited = true,
      .ready = true,
      .ready_usec = 10000000,
      .wanted = true,
      .on_demand = true,
      .caller_waits = true},
     VERDICT_LISTEN},
    {"ends at once, again and again, while somebody waits",
     {.exited = true,
      .ready = true,
      .ready_usec = 1000,
      .wanted = true,
      .on_demand = true,
      .caller_waits = true},
     VERDICT_BACKOFF},
    {"exit 0 on demand, never ready", {.exited = true, .wanted = true, .on_demand = true}, VERDICT_BACKOFF},
    {"exit 1 on demand after a good run",
     {.exited = true, .code = 1, .ready = true, .ready_usec = 2000000, .wanted = true, .on_demand = true},
     VERDICT_LISTEN},
    {"exit 1 on demand",
     {.exited = true, .code = 1, .ready = true, .ready_usec = 2000, .wanted = true, .on_demand = true},
     VERDICT_BACKOFF},
    {"crash on demand after a good run",
     {.code = 11, .ready = true, .ready_usec = 2000000, .wanted = true, .on_demand = true},
     VERDICT_LISTEN},
    {"crash on demand",
     {.code = 11, .ready = true, .ready_usec = 2000, .wanted = true, .on_demand = true},
     VERDICT_BACKOFF},
};

static void test_an_exit_has_the_right_consequence(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        if (policy_after_end(&ends[i].end) != ends[i].expected)
            fail_msg("%s: %d instead of %d", ends[i].what, policy_after_end(&ends[i].end), ends[i].expected);
}

static void test_the_pause_doubles_up_to_a_minute(void **state)
{
    (void)state;
    const uint64_t middles[] = {100000,  200000,   400000,   800000,   1600000,  3200000,
                                6400000, 12800000, 25600000, 51200000, 60000000, 60000000};
    for (unsigned n = 0; n < ARRAY_SIZE(middles); n++) {
        struct retry retry = {.failures = n};
        assert_int_equal(retry_pause(&policy_retry, n + 1), middles[n]);
        assert_in_range(retry_next(&retry, &policy_retry), middles[n] * 8 / 10, middles[n] * 12 / 10);
    }
    assert_int_equal(retry_pause(&policy_retry, UINT32_MAX), 60000000);
}

static void test_only_unsettled_states_delay_others(void **state)
{
    (void)state;
    assert_false(state_is_settled(SERVICE_WAITING));
    assert_false(state_is_settled(SERVICE_STARTING));
    assert_false(state_is_settled(SERVICE_STOPPING));
    /* The tree becomes ready although one service does not. */
    assert_true(state_is_settled(SERVICE_BACKOFF));
    assert_true(state_is_settled(SERVICE_FAILED));
    assert_true(state_is_settled(SERVICE_DOWN));
    assert_true(state_is_settled(SERVICE_READY));
    assert_true(state_is_settled(SERVICE_LISTENING));
}

static void test_a_reload_compares_fingerprints(void **state)
{
    (void)state;
    assert_int_equal(reload_compare("a", "a"), RELOAD_KEEP);
    assert_int_equal(reload_compare("a", "b"), RELOAD_CHANGE);
    assert_int_equal(reload_compare(NULL, "b"), RELOAD_ADD);
    assert_int_equal(reload_compare("a", NULL), RELOAD_REMOVE);
}

struct collected {
    size_t n;
    char *lines[16];
};

static void collect(const char *line, void *userdata)
{
    struct collected *c = userdata;
    assert_true(c->n < ARRAY_SIZE(c->lines));
    c->lines[c->n++] = xstrdup(line);
}

static void collected_done(struct collected *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->lines[i]);
}

static void test_lines_are_split(void **state)
{
    (void)state;
    struct line_splitter s = {.n = 0};
    _cleanup_(collected_done) struct collected c = {.n = 0};
    lines_feed(&s, "one\ntw", 6, collect, &c);
    assert_int_equal(c.n, 1);
    lines_feed(&s, "o\n\n\nthr", 7, collect, &c);
    assert_int_equal(c.n, 2);
    lines_flush(&s, collect, &c);
    lines_flush(&s, collect, &c);
    assert_int_equal(c.n, 3);
    assert_string_equal(c.lines[0], "one");
    assert_string_equal(c.lines[1], "two");
    assert_string_equal(c.lines[2], "thr");
}

static void test_control_characters_are_replaced(void **state)
{
    (void)state;
    struct line_splitter s = {.n = 0};
    _cleanup_(collected_done) struct collected c = {.n = 0};
    lines_feed(&s, "a\033[2Jb\0c\td\x7f\xc3\xa4\r\n", 15, collect, &c);
    assert_int_equal(c.n, 1);
    assert_string_equal(c.lines[0], "a?[2Jb?c\td?\xc3\xa4?");
}

static void test_long_lines_are_cut(void **state)
{
    (void)state;
    struct line_splitter s = {.n = 0};
    _cleanup_(collected_done) struct collected c = {.n = 0};
    char data[2 * LINE_BYTES + 8];
    memset(data, 'x', sizeof data);
    data[sizeof data - 1] = '\n';
    lines_feed(&s, data, sizeof data, collect, &c);
    assert_int_equal(c.n, 3);
    assert_int_equal(strlen(c.lines[0]), LINE_BYTES);
    assert_int_equal(strlen(c.lines[1]), LINE_BYTES);
    assert_int_equal(strlen(c.lines[2]), 7);
}

static void test_lines_are_parsed(void **state)
{
    (void)state;
    static const struct {
        const char *line, *text;
        enum log_level level;
    } cases[] = {
        {"<3>fetcher: broken", "broken", LOG_LEVEL_ERROR},
        {"<6>fetcher: fine", "fine", LOG_LEVEL_INFO},
        {"<0>fetcher: worse", "worse", LOG_LEVEL_ERROR},
        {"<6>other: fine", "other: fine", LOG_LEVEL_INFO},
        {"<6>fetcher-two: fine", "fetcher-two: fine", LOG_LEVEL_INFO},
        {"Assertion failed", "Assertion failed", LOG_LEVEL_NOTICE},
        {"<9>fetcher: odd", "<9>fetcher: odd", LOG_LEVEL_NOTICE},
        {"<", "<", LOG_LEVEL_NOTICE},
        {"<6>", "", LOG_LEVEL_INFO},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        enum log_level level;
        assert_string_equal(line_parse(cases[i].line, "fetcher", &level), cases[i].text);
        assert_int_equal(level, cases[i].level);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_states_with_a_process_expect_its_end),
        cmocka_unit_test(test_every_exit_is_handled),
        cmocka_unit_test(test_every_state_can_be_left),
        cmocka_unit_test(test_an_exit_has_the_right_consequence),
        cmocka_unit_test(test_the_pause_doubles_up_to_a_minute),
        cmocka_unit_test(test_only_unsettled_states_delay_others),
        cmocka_unit_test(test_a_reload_compares_fingerprints),
        cmocka_unit_test(test_lines_are_split),
        cmocka_unit_test(test_control_characters_are_replaced),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_lines_are_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
