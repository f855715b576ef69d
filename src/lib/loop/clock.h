/* Provides the time and timers to code that tests run in simulated time.
 *
 * clock_init() makes the clock of a process: the machine's clocks, and timers on its event loop. A test
 * replaces it by its own functions (tests/unit/simulated_clock.h). Code that is passed a 'struct clock' reads
 * the time from this clock only and sets its timers by clock_arm(); timer_armed() and timer_stop() are the
 * same for all timers. Code that no test simulates uses timer_arm() with its event loop. */
#pragma once

#include "lib/loop/timer.h"

struct clock {
    uint64_t (*monotonic_usec)(struct clock *clock);
    uint64_t (*boottime_usec)(struct clock *clock);
    uint64_t (*realtime_usec)(struct clock *clock);
    /* Sets the timer to timer->at, also if it was armed before. At that time the clock calls timer_stop() and
     * then the timer's function. */
    void (*arm)(struct clock *clock, struct timer *timer);
    /* Removes an armed timer from the clock. */
    void (*stop)(struct clock *clock, struct timer *timer);
    sd_event *event; /* of clock_init(); borrowed */
};

/* Makes the clock of a process. 'event' is borrowed. */
void clock_init(struct clock *clock, sd_event *event);

/* Return microseconds of CLOCK_MONOTONIC, of CLOCK_BOOTTIME, which also counts the time of a suspend, and of
 * the wall clock since 1970; the latter also in milliseconds. */
uint64_t clock_monotonic_usec(struct clock *clock);
uint64_t clock_boottime_usec(struct clock *clock);
uint64_t clock_realtime_usec(struct clock *clock);
int64_t clock_realtime_msec(struct clock *clock);
/* Returns when the clock reaches 'at' or has reached it (CLOCK_MONOTONIC, microseconds), as unix milliseconds
 * of the present wall clock; 0 for 0. The result is for showing only: the wall clock can be set before that.
 */
int64_t clock_due_msec(struct clock *clock, uint64_t at);
/* Arms a timer as timer_arm() does, on a clock. */
void clock_arm(struct clock *clock, struct timer *t, uint64_t usec, timer_fn *fire, void *userdata);
