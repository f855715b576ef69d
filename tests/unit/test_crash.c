/* Tests which exits are a crash loop, and the message of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/basic/util.h"
#include "reconciler/rules/crash.h"
#include "reconciler/rules/exit_reason.h"

#define SECOND INT64_C(1000)
#define START  INT64_C(1700000000000)

static void test_three_exits_within_a_minute_are_a_loop(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int64_t exits[6]; /* seconds after START; −1: the end */
        int64_t asked;
        bool looping;
    } rows[] = {
        {"no exit", {-1}, 10, false},
        {"one exit", {0, -1}, 1, false},
        {"two exits", {0, 1, -1}, 2, false},
        {"three exits within a minute", {0, 29, 59, -1}, 60, true},
        {"three exits at once", {5, 5, 5, -1}, 5, true},
        {"the third exit a minute after the first", {0, 30, 60, -1}, 60, false},
        {"the fourth exit within a minute of the second", {0, 30, 60, 80, -1}, 80, true},
        {"less than a minute after the last exit", {0, 1, 2, -1}, 61, true},
        {"a minute after the last exit", {0, 1, 2, -1}, 62, false},
        {"the first exit after a minute without one", {0, 1, 2, 90, -1}, 90, false},
        {"the third exit after a minute without one", {0, 1, 2, 90, 91, 92}, 92, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct crash_exits exits = {.at = {0}};
        for (size_t k = 0; k < ARRAY_SIZE(rows[i].exits) && rows[i].exits[k] >= 0; k++)
            crash_add_exit(&exits, START + rows[i].exits[k] * SECOND);
        if (crash_is_looping(&exits, START + rows[i].asked * SECOND) != rows[i].looping)
            fail_msg("%s: it is%s a crash loop", rows[i].what, rows[i].looping ? " not" : "");
    }
}

static void test_the_message_has_the_reason_and_the_last_lines(void **state)
{
    (void)state;
    char *lines[] = {(char *)"first", (char *)"second"};
    char *text = crash_message("exited with code 3", lines, 2);
    assert_string_equal(text, "exits again and again, the last time: exited with code 3:\nfirst\nsecond");
    free(text);
    text = crash_message("exited with code -1", NULL, 0);
    assert_string_equal(text, "exits again and again, the last time: exited with code -1");
    free(text);
}

static void test_an_exit_has_a_reason(void **state)
{
    (void)state;
    static const struct {
        struct exit_facts facts;
        const char *reason;
    } rows[] = {
        {{.code = 0}, "exited with code 0"},
        {{.code = 3, .error = ""}, "exited with code 3"},
        {{.code = 126}, "exited with code 126 (a command cannot be executed)"},
        {{.code = 127, .error = "no such file"},
         "exited with code 127 (a command does not exist): no such file"},
        {{.code = 128}, "exited with code 128"},
        {{.code = 137}, "exited with code 137 (SIGKILL)"},
        {{.code = 139}, "exited with code 139 (SIGSEGV)"},
        {{.code = 255}, "exited with code 255"},
        {{.code = -1}, "exited with code -1"},
        {{.code = 137, .oom = true, .memory_limit = 64 << 20}, "killed: out of memory, limit 64 MiB"},
        {{.code = 137, .oom = true, .memory_limit = INT64_C(3) << 30}, "killed: out of memory, limit 3 GiB"},
        {{.code = 137, .oom = true, .memory_limit = 64000000}, "killed: out of memory, limit 62500 KiB"},
        {{.code = 137, .oom = true, .memory_limit = 8000001}, "killed: out of memory, limit 8000001 bytes"},
        {{.code = 137, .oom = true}, "killed: out of memory, without a limit of its own"},
        {{.code = 1, .oom = true, .memory_limit = 64 << 20},
         "exited with code 1 after one of its processes was killed: out of memory, limit 64 MiB"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *reason = exit_reason(&rows[i].facts);
        assert_string_equal(reason, rows[i].reason);
        free(reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_three_exits_within_a_minute_are_a_loop),
                                       cmocka_unit_test(test_the_message_has_the_reason_and_the_last_lines),
                                       cmocka_unit_test(test_an_exit_has_a_reason)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
