/* Tests when durable objects may expire: the wall clock and the boot-time clock are set apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/loop/wall_guard.h"
#include "simulated_clock.h"

#define MINUTE  INT64_C(60)
#define HOUR    (60 * MINUTE)
#define DAY     (24 * HOUR)
#define KEEP    (30 * DAY)
#define SECONDS ((int64_t)USEC_PER_SEC)

static int64_t now(struct simulated_clock *s)
{
    return clock_realtime_msec(&s->clock) / 1000;
}

/* What happens after the guard's begin, in this order; seconds. The newest record is of one minute before. */
struct row {
    const char *what;
    int64_t set;             /* the wall clock is set by this much */
    int64_t suspend;         /* then the machine is suspended */
    int64_t pass, pass_more; /* then time passes; the guard compares the clocks in between */
    bool expires;
};

static const struct row rows[] = {
    {"nothing", 0, 0, 0, 0, true},
    {"forward by less than a day", DAY - MINUTE, 0, 0, 0, true},
    {"forward by more than a day", DAY + MINUTE, 0, 0, 0, false},
    {"forward by decades", 50 * 365 * DAY, 0, 0, 0, false},
    {"an hour after it was noticed", DAY + MINUTE, 0, 0, HOUR + MINUTE, true},
    {"less than an hour after it was noticed", DAY + MINUTE, 0, 0, HOUR - MINUTE, false},
    {"noticed an hour late", DAY + MINUTE, 0, HOUR + MINUTE, 0, false},
    {"a suspend is no jump", 0, 10 * DAY, 0, 0, true},
    {"back by less than the newest record's age", -MINUTE / 2, 0, 0, 0, true},
    {"back by an hour", -HOUR, 0, 0, 0, false},
    {"back by an hour, until it has passed", -HOUR, 0, 0, HOUR, true},
    {"two months pass", 0, 0, 60 * DAY, 0, true},
};

static void test_objects_expire_only_by_a_clock_that_is_not_in_doubt(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct row *row = &rows[i];
        struct simulated_clock s;
        struct wall_guard g;
        const char *why;
        simulated_clock_init(&s);
        int64_t newest = now(&s) - MINUTE;
        wall_guard_init(&g, &s.clock, NULL);
        simulated_clock_set(&s, row->set * SECONDS);
        simulated_clock_suspend(&s, (uint64_t)(row->suspend * SECONDS));
        simulated_clock_advance(&s, (uint64_t)(row->pass * SECONDS));
        (void)wall_guard_compare(&g);
        simulated_clock_advance(&s, (uint64_t)(row->pass_more * SECONDS));
        int64_t before = wall_guard_expiry(&g, (uint64_t)(KEEP * SECONDS), newest, &why);
        if ((why == NULL) != row->expires || before != (row->expires ? now(&s) - KEEP : -1))
            fail_msg("%s: %s", row->what, why ?: "it expires");
    }
}

static void test_the_time_of_a_suspend_counts_after_a_jump(void **state)
{
    (void)state;
    struct simulated_clock s;
    struct wall_guard g;
    const char *why;
    simulated_clock_init(&s);
    wall_guard_init(&g, &s.clock, NULL);
    simulated_clock_set(&s, 2 * DAY * SECONDS);
    assert_true(wall_guard_compare(&g));
    assert_false(wall_guard_compare(&g));
    simulated_clock_suspend(&s, (uint64_t)(2 * HOUR * SECONDS));
    assert_true(wall_guard_expiry(&g, 0, 0, &why) >= 0);
}

static void test_a_clock_in_1970_lets_nothing_expire(void **state)
{
    (void)state;
    struct simulated_clock s;
    struct wall_guard g;
    const char *why;
    simulated_clock_init(&s);
    s.realtime_usec = (uint64_t)(10 * SECONDS);
    wall_guard_init(&g, &s.clock, NULL);
    assert_int_equal(wall_guard_expiry(&g, (uint64_t)(KEEP * SECONDS), INT64_C(1767225600), &why), -1);
    assert_non_null(why);
    /* Without records there is no doubt, and the difference does not wrap. */
    assert_int_equal(wall_guard_expiry(&g, (uint64_t)(KEEP * SECONDS), 0, &why), -1);
    assert_null(why);
}

static void test_a_process_inherits_what_its_parent_noticed(void **state)
{
    (void)state;
    struct simulated_clock s;
    struct wall_guard parent, child;
    const char *why;
    simulated_clock_init(&s);
    wall_guard_init(&parent, &s.clock, NULL);
    simulated_clock_set(&s, 2 * DAY * SECONDS);
    assert_true(wall_guard_compare(&parent));
    _cleanup_free_ char *text = wall_guard_text(&parent);
    simulated_clock_advance(&s, (uint64_t)(MINUTE * SECONDS));
    wall_guard_init(&child, &s.clock, text);
    assert_int_equal(wall_guard_expiry(&child, 0, 0, &why), -1);
    /* The clock is set between the parent's comparison and the child's start. */
    wall_guard_init(&parent, &s.clock, NULL);
    _cleanup_free_ char *calm = wall_guard_text(&parent);
    wall_guard_init(&child, &s.clock, calm);
    assert_true(wall_guard_expiry(&child, 0, 0, &why) >= 0);
    simulated_clock_set(&s, 2 * DAY * SECONDS);
    wall_guard_init(&child, &s.clock, calm);
    assert_int_equal(wall_guard_expiry(&child, 0, 0, &why), -1);
}

static void test_an_invalid_text_is_ignored(void **state)
{
    (void)state;
    static const char *const texts[] = {"",     ":", "1", "1:", ":1", "x:0", "0:-1", "0:99999999999999999",
                                        "0:0:0"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct simulated_clock s;
        struct wall_guard g;
        const char *why;
        simulated_clock_init(&s);
        wall_guard_init(&g, &s.clock, texts[i]);
        if (wall_guard_expiry(&g, 0, 0, &why) < 0)
            fail_msg("'%s': %s", texts[i], why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects_expire_only_by_a_clock_that_is_not_in_doubt),
        cmocka_unit_test(test_the_time_of_a_suspend_counts_after_a_jump),
        cmocka_unit_test(test_a_clock_in_1970_lets_nothing_expire),
        cmocka_unit_test(test_a_process_inherits_what_its_parent_noticed),
        cmocka_unit_test(test_an_invalid_text_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
