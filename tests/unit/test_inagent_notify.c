/* Tests what inagent makes of the messages of sd_notify(3): the parser, readiness, the watchdog, and the
 * members of the report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs these headers before it */
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "inagent/notify_state.h"
#include "inagent/report.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/util.h"

#define SECOND USEC_PER_SEC

static struct notify_message parsed(const char *text)
{
    struct notify_message m;
    if (!notify_message_parse(text, strlen(text), &m))
        fail_msg("'%s' is refused", text);
    return m;
}

static void test_known_names_are_read(void **state)
{
    (void)state;
    struct notify_message m =
        parsed("READY=1\nSTATUS=Serving 3 clients\nMAINPID=4711\nERRNO=2\nWATCHDOG=1\n");
    assert_true(m.ready && m.has_status && !m.reloading && !m.stopping && !m.has_watchdog_usec);
    assert_string_equal(m.status, "Serving 3 clients");
    assert_int_equal(m.main_pid, 4711);
    assert_int_equal(m.error, ENOENT);
    assert_int_equal(m.watchdog, NOTIFY_WATCHDOG_ALIVE);
    m = parsed(
        "RELOADING=1\nMONOTONIC_USEC=123\nWATCHDOG=trigger\nWATCHDOG_USEC=500000\nEXTEND_TIMEOUT_USEC=7");
    assert_true(m.reloading && !m.ready && !m.has_status && m.has_watchdog_usec);
    assert_int_equal(m.watchdog, NOTIFY_WATCHDOG_TRIGGER);
    assert_int_equal(m.watchdog_usec, 500000);
    assert_int_equal(m.extend_usec, 7);
    assert_true(parsed("STOPPING=1").stopping);
}

static void test_other_lines_change_nothing(void **state)
{
    (void)state;
    static const char *const lines[] = {"READY=2",
                                        "READY",
                                        "ready=1",
                                        " READY=1",
                                        "READY=1 ",
                                        "X_READY=1",
                                        "MAINPID=-1",
                                        "MAINPID=1x",
                                        "MAINPID=",
                                        "ERRNO=4096",
                                        "ERRNO=-2",
                                        "WATCHDOG=2",
                                        "WATCHDOG_USEC=x",
                                        "FDSTORE=1",
                                        "FDNAME=a",
                                        "BARRIER=1",
                                        "BUSERROR=a.b",
                                        "\n\n\n",
                                        "=",
                                        "WATCHDOG_USEC=",
                                        "MAINPID=+5",
                                        "EXIT_STATUS=3",
                                        "ERRNO= 2",
                                        "READY=1\r",
                                        "NOTIFYACCESS=all",
                                        "MAINPID=99999999999999999999"};
    const struct notify_message nothing = {.ready = false};
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct notify_message m = parsed(lines[i]);
        if (m.ready != nothing.ready || m.watchdog || m.has_watchdog_usec || m.main_pid || m.error ||
            m.has_status || m.extend_usec || m.reloading || m.stopping)
            fail_msg("'%s' has an effect", lines[i]);
    }
    /* systemd drops what follows a NUL, and so do senders that count the final one. */
    struct notify_message m;
    assert_true(notify_message_parse("READY=1\0", 8, &m) && m.ready);
    assert_false(notify_message_parse("READY=1\0STATUS=x", 16, &m));
    assert_false(notify_message_parse("", 0, &m));
    assert_false(notify_message_parse("\0", 1, &m));
}

static void test_a_status_is_bounded_and_printable(void **state)
{
    (void)state;
    assert_string_equal(parsed("STATUS=a\tb\x1b[31mred\xff").status, "a?b?[31mred?");
    assert_string_equal(parsed("STATUS=gr\xc3\xbc\xc3\x9f").status, "gr\xc3\xbc\xc3\x9f");
    assert_string_equal(parsed("STATUS=").status, "");
    char *text = xcalloc(NOTIFY_MESSAGE_MAX + 2, 1);
    memset(text, 'x', NOTIFY_MESSAGE_MAX + 1);
    memcpy(text, "STATUS=", 7);
    struct notify_message m;
    assert_false(notify_message_parse(text, NOTIFY_MESSAGE_MAX + 1, &m));
    assert_true(notify_message_parse(text, NOTIFY_MESSAGE_MAX, &m));
    assert_int_equal(strlen(m.status), NOTIFY_STATUS_MAX);
    /* the limit falls into a character of two bytes */
    for (size_t i = 0; i < 300; i++)
        memcpy(text + 8 + 2 * i, "\xc3\xbc", 2);
    assert_true(notify_message_parse(text, 608, &m));
    assert_int_equal(strlen(m.status), NOTIFY_STATUS_MAX - 1);
    free(text);
}

static void test_random_messages_are_survived(void **state)
{
    (void)state;
    static const char *const words[] = {
        "READY=",   "STATUS=",        "WATCHDOG=",   "1",    "trigger", "\n", "=",
        "MAINPID=", "WATCHDOG_USEC=", "99999999999", "\xc3", "\xff",    "",   "EXTEND_TIMEOUT_USEC="};
    srand(7);
    struct notify_state s = NOTIFY_STATE_INIT;
    notify_state_began(&s, SECOND);
    for (int i = 0; i < 20000; i++) {
        char text[256] = "";
        size_t n = 0;
        for (int k = rand() % 12; k > 0; k--) {
            const char *word = words[(size_t)rand() % ARRAY_SIZE(words)];
            memcpy(text + n, word, strlen(word));
            n += strlen(word);
        }
        struct notify_message m;
        if (!notify_message_parse(text, n, &m))
            continue;
        assert_true(strlen(m.status) <= NOTIFY_STATUS_MAX && m.main_pid >= 0 && m.error >= 0);
        notify_state_apply(&s, &m, (uint64_t)i);
        assert_true(s.ready || s.watchdog_at == UINT64_MAX || s.triggered);
        (void)notify_state_expires(&s, (uint64_t)i);
    }
}

static bool apply(struct notify_state *s, const char *text, uint64_t now)
{
    struct notify_message m = parsed(text);
    return notify_state_apply(s, &m, now);
}

static void test_the_watchdog_runs_from_readiness_on(void **state)
{
    (void)state;
    struct notify_state s = NOTIFY_STATE_INIT;
    notify_state_began(&s, 10 * SECOND);
    assert_int_equal(notify_state_wakeup(&s), UINT64_MAX);
    assert_false(apply(&s, "WATCHDOG=1", 5 * SECOND));
    assert_int_equal(notify_state_wakeup(&s), UINT64_MAX);
    assert_true(apply(&s, "READY=1", 20 * SECOND));
    assert_false(apply(&s, "READY=1", 21 * SECOND));
    assert_int_equal(notify_state_wakeup(&s), 30 * SECOND);
    apply(&s, "WATCHDOG=1\nSTATUS=fine", 29 * SECOND);
    assert_false(notify_state_expires(&s, 30 * SECOND));
    assert_int_equal(notify_state_wakeup(&s), 39 * SECOND);
    assert_true(notify_state_expires(&s, 39 * SECOND));
    assert_int_equal(notify_state_wakeup(&s), UINT64_MAX);
    /* it is too late for a sign of life */
    apply(&s, "WATCHDOG=1", 40 * SECOND);
    assert_false(notify_state_expires(&s, 45 * SECOND));
    assert_false(notify_state_expires(&s, 60 * SECOND));
    int code = 0; /* it handles SIGABRT and exits */
    _cleanup_free_ char *reason = notify_state_ended(&s, &code);
    assert_string_equal(reason, "it sent no WATCHDOG=1 for 10 s");
    assert_int_equal(code, 134);
    assert_false(s.ready || s.runs);
    assert_string_equal(s.status, "");
}

static void test_a_container_that_stood_still_gets_another_period(void **state)
{
    (void)state;
    struct notify_state s = NOTIFY_STATE_INIT;
    notify_state_began(&s, 10 * SECOND);
    apply(&s, "READY=1", 0);
    assert_false(notify_state_expires(&s, 12 * SECOND));
    assert_int_equal(notify_state_wakeup(&s), 22 * SECOND);
    assert_true(notify_state_expires(&s, 22 * SECOND));
    int code = 134;
    _cleanup_free_ char *reason = notify_state_ended(&s, &code);
    assert_non_null(
        strstr(reason, "never before: an application that reads WATCHDOG_PID must be started with 'exec'"));
}

static void test_the_application_sets_its_watchdog(void **state)
{
    (void)state;
    struct notify_state s = NOTIFY_STATE_INIT;
    notify_state_began(&s, 0);
    apply(&s, "READY=1", 1 * SECOND);
    assert_int_equal(notify_state_wakeup(&s), UINT64_MAX);
    apply(&s, "WATCHDOG_USEC=3000000", 2 * SECOND);
    assert_int_equal(notify_state_wakeup(&s), 5 * SECOND);
    apply(&s, "WATCHDOG_USEC=0", 3 * SECOND);
    assert_int_equal(notify_state_wakeup(&s), UINT64_MAX);
    apply(&s, "WATCHDOG_USEC=1", 4 * SECOND);
    assert_int_equal(notify_state_wakeup(&s), 4 * SECOND + 100 * USEC_PER_MSEC);
    apply(&s, "WATCHDOG_USEC=9223372036854775807", 4 * SECOND);
    assert_true(notify_state_wakeup(&s) > INT64_MAX);
    apply(&s, "WATCHDOG=trigger", 5 * SECOND);
    assert_true(notify_state_expires(&s, 30 * SECOND));
    int code = 134;
    _cleanup_free_ char *reason = notify_state_ended(&s, &code);
    assert_string_equal(reason, "it requested its end with WATCHDOG=trigger");
}

static void test_the_end_of_a_run_has_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *message; /* NULL: none */
        int code, expected;
        const char *reason;
        bool ready;
    } cases[] = {
        {NULL, 3, 3, NULL, false},
        {NULL, 0, 1, "it exited before it sent READY=1", false},
        {"STATUS=x", 0, 1, "it exited before it sent READY=1", false},
        {"READY=1", 0, 0, NULL, true},
        {"READY=1", 2, 2, NULL, false},
        {"READY=1\nERRNO=2", 2, 2, "it reported 'No such file or directory'", false},
        {"ERRNO=2", 2, 2, "it reported 'No such file or directory'", false},
        {"READY=1\nERRNO=2", 0, 0, NULL, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct notify_state s = NOTIFY_STATE_INIT;
        notify_state_began(&s, 0);
        if (cases[i].message)
            apply(&s, cases[i].message, SECOND);
        int code = cases[i].code;
        _cleanup_free_ char *reason = notify_state_ended(&s, &code);
        if (code != cases[i].expected || !streq_null(reason, cases[i].reason) || s.ready != cases[i].ready)
            fail_msg("case %zu: code %d, reason %s", i, code, reason ?: "-");
        assert_null(notify_state_ended(&s, &code)); /* no run */
        notify_state_began(&s, 0);
        assert_false(s.ready);
    }
}

static void test_the_report_tells_what_the_application_says(void **state)
{
    (void)state;
    struct report report = REPORT_INIT;
    struct notify_state s = NOTIFY_STATE_INIT;
    const struct report_time *t = &report.time;
    notify_state_began(&s, 0);
    report_application(&report, &s, 5 * SECOND);
    assert_false(t->urgent || t->status_changed);
    apply(&s, "STATUS=loading", 6 * SECOND);
    report_application(&report, &s, 5 * SECOND);
    assert_true(t->status_changed && !t->urgent);
    apply(&s, "EXTEND_TIMEOUT_USEC=3000000", 7 * SECOND);
    report_application(&report, &s, 5 * SECOND);
    assert_true(t->urgent);
    assert_int_equal(report.application.ready_until, 5000);
    report_time_begun(&report.time);
    (void)report_time_failed(&report.time, 8 * SECOND);
    apply(&s, "READY=1", 8 * SECOND);
    report_application(&report, &s, 5 * SECOND);
    assert_true(report_time_due(t) <= 8 * SECOND); /* also after a failure */
    strcpy(report.application.container, "0123456789ab");
    strcpy(report.application.life, "cafe");
    _cleanup_free_ char *text = stages_report(&report.stages, &report.application, json_array(), "web", 0, 5);
    assert_string_equal(
        text, "{\"instance_name\":\"web\",\"updated\":5,\"stages\":[],\"container\":\"0123456789ab\","
              "\"life\":\"cafe\",\"ready\":true,\"status\":\"loading\"}");
}

static void test_each_start_has_another_life(void **state)
{
    (void)state;
    struct report a = REPORT_INIT, b = REPORT_INIT;
    report_identify(&a);
    report_identify(&b);
    assert_int_equal(strlen(a.application.life), 32);
    assert_string_not_equal(a.application.life, b.application.life);
    assert_string_equal(a.application.container, b.application.container);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_names_are_read),
        cmocka_unit_test(test_other_lines_change_nothing),
        cmocka_unit_test(test_a_status_is_bounded_and_printable),
        cmocka_unit_test(test_random_messages_are_survived),
        cmocka_unit_test(test_the_watchdog_runs_from_readiness_on),
        cmocka_unit_test(test_a_container_that_stood_still_gets_another_period),
        cmocka_unit_test(test_the_application_sets_its_watchdog),
        cmocka_unit_test(test_the_end_of_a_run_has_a_reason),
        cmocka_unit_test(test_the_report_tells_what_the_application_says),
        cmocka_unit_test(test_each_start_has_another_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
