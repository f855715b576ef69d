/* A clock that only a test advances, with its timers. */
#pragma once

#include "lib/loop/clock.h"

struct simulated_clock {
    struct clock clock; /* the first member */
    uint64_t monotonic_usec;
    uint64_t realtime_usec;
    uint64_t suspended_usec; /* the boot-time clock minus the monotonic one */
    struct timer *timers;    /* in the order in which they fire */
};

/* Sets the monotonic clock to 1000 s and the real-time clock to 2026-01-01. */
void simulated_clock_init(struct simulated_clock *s);
/* Advances the time to the next timer and fires it. Returns false if no timer is armed. */
bool simulated_clock_step(struct simulated_clock *s);
/* Sets the wall clock forward by 'usec', or back if it is negative; the monotonic clock and timers stay. */
void simulated_clock_set(struct simulated_clock *s, int64_t usec);
/* Suspends the machine for 'usec': the monotonic clock and timers stay. */
void simulated_clock_suspend(struct simulated_clock *s, uint64_t usec);
/* Advances the time by 'usec', and fires the timers of that interval at their times. */
void simulated_clock_advance(struct simulated_clock *s, uint64_t usec);
