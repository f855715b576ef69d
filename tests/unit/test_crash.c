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

static void test_the_message_has_code_and_last_lines(void **state)
{
    (void)state;
    char *lines[] = {(char *)"first", (char *)"second"};
    char *text = crash_message(3, lines, 2);
    assert_string_equal(text, "exits again and again, last with code 3:\nfirst\nsecond");
    free(text);
    text = crash_message(-1, NULL, 0);
    assert_string_equal(text, "exits again and again, last with code -1");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_three_exits_within_a_minute_are_a_loop),
                                       cmocka_unit_test(test_the_message_has_code_and_last_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
