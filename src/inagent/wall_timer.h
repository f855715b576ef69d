/* Wakes the daemon at a time of the wall clock, and whenever that clock is set. */
#pragma once

#include <stdint.h>

#define WALL_TIMER_NEVER INT64_MAX

struct wall_timer {
    int fd;       /* readable when the time has come or the clock was set; −1: not made yet */
    int64_t when; /* what it is set to, unix microseconds; WALL_TIMER_NEVER: nothing */
};

#define WALL_TIMER_INIT                                                                                      \
    {                                                                                                        \
        .fd = -1, .when = WALL_TIMER_NEVER                                                                   \
    }

/* Sets the timer, unless it is set to this time. Without a time neither wakes the daemon. */
void wall_timer_set(struct wall_timer *timer, int64_t when);

/* Makes it no longer readable. The caller sets it again. */
void wall_timer_read(struct wall_timer *timer);

void wall_timer_end(struct wall_timer *timer);
