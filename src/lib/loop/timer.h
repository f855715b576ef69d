/* Timers: one callback at one time. timer_arm() sets a timer, sets it anew when it is set already, and never
 * fails.
 *
 * A 'struct timer' of zeros is a timer that is not armed. A timer that has fired or was stopped owns nothing.
 * The owner calls timer_stop() before it frees the struct, and does not move the struct while it is armed.
 *
 * A timer fires late by at most a hundredth of its time and a second, so that the wake-ups of a process
 * coincide. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/basic/util.h"

struct clock;

typedef void timer_fn(void *userdata);

struct timer {
    uint64_t at; /* microseconds of CLOCK_MONOTONIC */
    timer_fn *fire;
    void *userdata;
    sd_event_source *source; /* private: of the event loop that it waits on */
    struct clock *clock;     /* private: the clock that it waits on in place of an event loop */
    struct timer *next;      /* private to the clock */
};

/* Makes what timers need of a loop beside memory, which is one descriptor, so that timer_arm() cannot lack it
 * later. A process that can run out of descriptors calls it at its start: 0 or a negative errno. */
int timer_reserve(sd_event *event);
/* Calls 'fire' once after 'usec' microseconds; 0 means in the next turn of the loop. What the timer was set
 * to before is forgotten. 'fire' may arm the timer again, or free the struct that holds it. */
void timer_arm(struct timer *t, sd_event *event, uint64_t usec, timer_fn *fire, void *userdata);
/* Does the same for a time of CLOCK_MONOTONIC. */
void timer_arm_at(struct timer *t, sd_event *event, uint64_t at, timer_fn *fire, void *userdata);
/* Tells whether the timer is going to fire. */
bool timer_armed(const struct timer *t);
/* Stops the timer. A timer that is not armed stays as it is. */
void timer_stop(struct timer *t);
