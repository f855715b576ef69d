/* The clock of a part that tests run in simulated time: what time it is, and timers.
 *
 * clock_init() makes the one of a process: the machine's clocks, and timers on its event loop. A test puts
 * functions of its own in its place, as tests/unit/simulated_clock.h does. Code that gets a 'struct clock'
 * asks it alone for the time, and sets its timers with clock_arm(); timer_armed() and timer_stop() are the
 * same for all timers. Code that nobody simulates uses timer_arm() with its event loop. */
#pragma once

#include "lib/loop/timer.h"

struct clock {
    uint64_t (*monotonic_usec)(struct clock *clock);
    uint64_t (*realtime_usec)(struct clock *clock);
    /* Makes the timer fire at timer->at, whether it was armed before or not. Whoever fires a timer calls
     * timer_stop() and then the timer's function. */
    void (*arm)(struct clock *clock, struct timer *timer);
    /* Forgets a timer that was armed. */
    void (*stop)(struct clock *clock, struct timer *timer);
    sd_event *event; /* of clock_init(); borrowed */
};

void clock_init(struct clock *clock, sd_event *event);

uint64_t clock_monotonic_usec(struct clock *clock);
int64_t clock_realtime_msec(struct clock *clock);
/* Does what timer_arm() does, on a clock. */
void clock_arm(struct clock *clock, struct timer *t, uint64_t usec, timer_fn *fire, void *userdata);
