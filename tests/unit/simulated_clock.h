/* A clock that only a test moves, with the timers that wait on it. */
#pragma once

#include "lib/loop/clock.h"

struct simulated_clock {
    struct clock clock; /* first */
    uint64_t monotonic_usec;
    uint64_t realtime_usec;
    struct timer *timers; /* in the order in which they fire */
};

/* Begins at 1000 s of the monotonic clock and at 2026-01-01 of the other one. */
void simulated_clock_init(struct simulated_clock *s);
/* Moves the time to the next timer and fires it. False when no timer is armed. */
bool simulated_clock_step(struct simulated_clock *s);
/* Moves the time by 'usec', and fires all timers of that time at their times. */
void simulated_clock_advance(struct simulated_clock *s, uint64_t usec);
