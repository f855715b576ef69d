/* Tests timers on an event loop and on a simulated clock, and the pauses between attempts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "lib/loop/clock.h"
#include "lib/loop/retry.h"
#include "lib/loop/timer.h"
#include "simulated_clock.h"

/* --- timers on an event loop --- */

struct fixture {
    sd_event *event;
    struct timer timer, other, last;
    unsigned fired, others;
    unsigned expected; /* calls for which run_for() waits */
    uint64_t deadline;
    struct clock *clock;
};

static void on_fired(void *userdata)
{
    struct fixture *f = userdata;
    f->fired++;
}

static void on_other(void *userdata)
{
    struct fixture *f = userdata;
    f->others++;
}

static void on_last(void *userdata)
{
    struct fixture *f = userdata;
    if (f->fired + f->others < f->expected && now_monotonic_usec() < f->deadline)
        timer_arm(&f->last, f->event, USEC_PER_MSEC, on_last, f);
    else
        sd_event_exit(f->event, 0);
}

/* Runs the loop for 'msec' milliseconds, and on a slow machine until 'expected' timers have fired. */
static void run_for(struct fixture *f, uint64_t msec, unsigned expected)
{
    f->expected = expected;
    f->deadline = now_monotonic_usec() + 20 * USEC_PER_SEC;
    timer_arm(&f->last, f->event, msec * USEC_PER_MSEC, on_last, f);
    assert_true(sd_event_loop(f->event) >= 0);
    /* A loop that has ended cannot run again. */
    f->event = sd_event_unref(f->event);
    assert_true(sd_event_new(&f->event) >= 0);
}

static void begin(struct fixture *f)
{
    *f = (struct fixture){0};
    assert_true(sd_event_new(&f->event) >= 0);
}

static void end(struct fixture *f)
{
    timer_stop(&f->timer);
    timer_stop(&f->other);
    sd_event_unref(f->event);
}

static void test_timer_fires_once(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_false(timer_armed(&f.timer));
    timer_arm(&f.timer, f.event, 2 * USEC_PER_MSEC, on_fired, &f);
    assert_true(timer_armed(&f.timer));
    uint64_t begun = now_monotonic_usec();
    run_for(&f, 30, 1);
    assert_true(now_monotonic_usec() - begun >= 30 * USEC_PER_MSEC);
    assert_int_equal(f.fired, 1);
    assert_false(timer_armed(&f.timer));
    assert_null(f.timer.source);
    end(&f);
}

static void test_timer_can_be_armed_again(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    timer_arm(&f.timer, f.event, 3600 * USEC_PER_SEC, on_fired, &f);
    /* with another function and a shorter slack */
    timer_arm(&f.timer, f.event, 0, on_other, &f);
    timer_arm(&f.other, f.event, 0, on_fired, &f);
    timer_arm(&f.other, f.event, UINT64_MAX, on_fired, &f);
    run_for(&f, 10, 1);
    assert_int_equal(f.fired, 0);
    assert_int_equal(f.others, 1);
    assert_true(timer_armed(&f.other));
    end(&f);
}

static void test_stopped_timer_does_not_fire(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    timer_stop(&f.timer);
    timer_arm(&f.timer, f.event, 0, on_fired, &f);
    timer_arm_at(&f.other, f.event, 1, on_other, &f); /* a time in the past */
    timer_stop(&f.timer);
    timer_stop(&f.timer);
    assert_false(timer_armed(&f.timer));
    run_for(&f, 5, 1);
    assert_int_equal(f.fired, 0);
    assert_int_equal(f.others, 1);
    end(&f);
}

static void on_fired_again(void *userdata)
{
    struct fixture *f = userdata;
    assert_false(timer_armed(&f->timer));
    if (++f->fired < 3)
        timer_arm(&f->timer, f->event, 1, on_fired_again, f);
}

struct owner {
    struct timer timer;
    struct fixture *fixture;
};

static void on_freed(void *userdata)
{
    struct owner *owner = userdata;
    owner->fixture->others++;
    timer_stop(&owner->timer);
    free(owner);
}

static void test_timer_function_can_arm_and_free(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct owner *owner = calloc(1, sizeof *owner);
    owner->fixture = &f;
    timer_arm(&owner->timer, f.event, 0, on_freed, owner);
    timer_arm(&f.timer, f.event, 0, on_fired_again, &f);
    run_for(&f, 10, 4);
    assert_int_equal(f.others, 1);
    assert_int_equal(f.fired, 3);
    end(&f);
}

static void test_timer_needs_no_descriptor_later(void **state)
{
    (void)state;
    struct fixture f;
    struct rlimit before, none = {0, 0};
    begin(&f);
    assert_int_equal(timer_reserve(f.event), 0);
    getrlimit(RLIMIT_NOFILE, &before);
    none.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_NOFILE, &none);
    timer_arm(&f.timer, f.event, 0, on_fired, &f);
    timer_arm(&f.last, f.event, USEC_PER_MSEC, on_last, &f);
    int r = sd_event_loop(f.event);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_true(r >= 0);
    assert_int_equal(f.fired, 1);
    end(&f);
}

static void test_machine_clock_follows_the_system(void **state)
{
    (void)state;
    struct fixture f;
    struct clock clock;
    begin(&f);
    clock_init(&clock, f.event);
    uint64_t before = now_monotonic_usec(), at = clock_monotonic_usec(&clock);
    assert_in_range(at, before, now_monotonic_usec());
    assert_true(llabs(clock_realtime_msec(&clock) - now_realtime_msec()) < 10000);
    clock_arm(&clock, &f.timer, 0, on_fired, &f);
    clock_arm(&clock, &f.timer, 1, on_fired, &f);
    clock_arm(&clock, &f.other, 0, on_other, &f);
    assert_true(timer_armed(&f.other));
    timer_stop(&f.other);
    assert_false(timer_armed(&f.other));
    run_for(&f, 5, 1);
    assert_int_equal(f.fired, 1);
    assert_int_equal(f.others, 0);
    end(&f);
}

/* --- a simulated clock --- */

static void on_simulated(void *userdata)
{
    struct fixture *f = userdata;
    f->fired = f->fired * 10 + 1;
    clock_arm(f->clock, &f->timer, USEC_PER_SEC, on_simulated, f);
}

static void on_simulated_other(void *userdata)
{
    struct fixture *f = userdata;
    f->fired = f->fired * 10 + 2;
}

static void test_simulated_clock_fires_timers_in_order(void **state)
{
    (void)state;
    struct simulated_clock s;
    simulated_clock_init(&s);
    struct fixture f = {.clock = &s.clock};
    uint64_t begun = clock_monotonic_usec(&s.clock);
    int64_t msec = clock_realtime_msec(&s.clock);
    assert_false(simulated_clock_step(&s));
    clock_arm(&s.clock, &f.timer, USEC_PER_SEC, on_simulated, &f);
    clock_arm(&s.clock, &f.other, 2 * USEC_PER_SEC, on_simulated_other, &f);
    assert_true(timer_armed(&f.timer));
    assert_true(simulated_clock_step(&s));
    assert_int_equal(f.fired, 1);
    assert_int_equal(clock_monotonic_usec(&s.clock) - begun, USEC_PER_SEC);
    simulated_clock_advance(&s, 2500 * USEC_PER_MSEC); /* 2 s: the other timer was armed first; 3 s */
    assert_int_equal(f.fired, 1211);
    assert_int_equal(clock_realtime_msec(&s.clock) - msec, 3500);
    timer_stop(&f.timer);
    assert_false(timer_armed(&f.timer));
    assert_false(simulated_clock_step(&s));
    clock_arm(&s.clock, &f.timer, UINT64_MAX, on_simulated, &f);
    simulated_clock_advance(&s, 3600 * USEC_PER_SEC);
    assert_int_equal(f.fired, 1211);
}

/* --- pauses between attempts --- */

static void test_retry_pauses_double(void **state)
{
    (void)state;
    static const struct retry_policy policy = {100, 1000}, odd = {7, 6}, none = {0, 4},
                                     huge = {1, 1ULL << 62};
    static const uint64_t expected[] = {100, 100, 200, 400, 800, 1000, 1000};
    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++)
        assert_int_equal(retry_pause(&policy, i), expected[i]);
    assert_int_equal(retry_pause(&policy, UINT32_MAX), 1000);
    assert_int_equal(retry_pause(&odd, 1), 6);
    assert_int_equal(retry_pause(&none, 1), 1); /* never 0, which would be a busy loop */
    assert_int_equal(retry_pause(&none, 9), 4);
    assert_int_equal(retry_pause(&huge, UINT32_MAX), 1ULL << 62);
}

static void test_retry_spreads(void **state)
{
    (void)state;
    assert_int_equal(retry_spread(1000, 0), 800);
    assert_int_equal(retry_spread(1000, UINT32_MAX), 1200);
    assert_in_range(retry_spread(1000, UINT32_MAX / 2), 999, 1001);
    assert_int_equal(retry_spread(0, UINT32_MAX), 0);
    assert_in_range(retry_spread(3600 * USEC_PER_SEC, UINT32_MAX), 4319999999, 4320000001);
    static const struct retry_policy policy = {1000, 4000};
    bool different = false;
    uint64_t before = 0;
    for (unsigned i = 0; i < 100; i++) {
        struct retry retry = {.failures = 5};
        uint64_t pause = retry_next(&retry, &policy);
        assert_in_range(pause, 3200, 4800);
        assert_int_equal(retry.failures, 6);
        different |= before && pause != before;
        before = pause;
    }
    assert_true(different);
}

static void test_retry_is_quick_at_first(void **state)
{
    (void)state;
    static const struct retry_policy policy = {USEC_PER_SEC, USEC_PER_SEC};
    struct retry retry = {0};
    uint64_t pause = 0;
    for (unsigned i = 1; i <= RETRY_QUICK_TRIES; i++) {
        assert_true(retry_quickly(&retry, &pause));
        assert_int_equal(pause, i * 10 * USEC_PER_MSEC);
    }
    assert_false(retry_quickly(&retry, &pause));
    assert_int_equal(retry.failures, 0);
    assert_in_range(retry_next(&retry, &policy), 800 * USEC_PER_MSEC, 1200 * USEC_PER_MSEC);
    assert_int_equal(retry.failures, 1);
    assert_false(retry_quickly(&retry, &pause));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timer_fires_once),
        cmocka_unit_test(test_timer_can_be_armed_again),
        cmocka_unit_test(test_stopped_timer_does_not_fire),
        cmocka_unit_test(test_timer_function_can_arm_and_free),
        cmocka_unit_test(test_timer_needs_no_descriptor_later),
        cmocka_unit_test(test_machine_clock_follows_the_system),
        cmocka_unit_test(test_simulated_clock_fires_timers_in_order),
        cmocka_unit_test(test_retry_pauses_double),
        cmocka_unit_test(test_retry_spreads),
        cmocka_unit_test(test_retry_is_quick_at_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
