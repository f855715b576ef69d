/* Exits in a row: which of them are a crash loop, and what is shown of one. */
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

static void test_loops(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int64_t exits[6]; /* seconds after the start; −1: no more */
        int64_t asked;
        bool looping;
    } rows[] = {
        {"no exit", {-1}, 10, false},
        {"one", {0, -1}, 1, false},
        {"two", {0, 1, -1}, 2, false},
        {"three within a minute", {0, 29, 59, -1}, 60, true},
        {"three at once", {5, 5, 5, -1}, 5, true},
        {"the third comes after a minute", {0, 30, 60, -1}, 60, false},
        {"and the fourth within one of the second", {0, 30, 60, 80, -1}, 80, true},
        {"it lasts while the last one is younger than a minute", {0, 1, 2, -1}, 61, true},
        {"and ends then", {0, 1, 2, -1}, 62, false},
        {"the next exit after a calm minute begins anew", {0, 1, 2, 90, -1}, 90, false},
        {"two more make a loop again", {0, 1, 2, 90, 91, 92}, 92, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct crash_exits exits = {.at = {0}};
        for (size_t k = 0; k < ARRAY_SIZE(rows[i].exits) && rows[i].exits[k] >= 0; k++)
            crash_add_exit(&exits, START + rows[i].exits[k] * SECOND);
        if (crash_is_looping(&exits, START + rows[i].asked * SECOND) != rows[i].looping)
            fail_msg("%s: it is%s a crash loop", rows[i].what, rows[i].looping ? " not" : "");
    }
}

static void test_message(void **state)
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_loops), cmocka_unit_test(test_message)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
