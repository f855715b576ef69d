/* Provides timers that call a function once. timer_arm() sets a timer, also if it is already set, and always
 * succeeds.
 *
 * A zero-initialized 'struct timer' is not armed. A timer that has fired or was stopped owns nothing. The
 * owner calls timer_stop() before it frees the struct, and does not move the struct while the timer is armed.
 *
 * A timer may fire late by up to a hundredth of its time, at most by a second, so that the wake-ups of a
 * process coincide. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/basic/util.h"

struct clock;

typedef void timer_fn(void *userdata);

struct timer {
    uint64_t at; /* microseconds of CLOCK_MONOTONIC */
    timer_fn *fire;
    void *userdata;
    sd_event_source *source; /* private: on the event loop */
    struct clock *clock;     /* private: the clock, if the timer is not on an event loop */
    struct timer *next;      /* private to the clock */
};

/* Creates what timers need of an event loop besides memory: one descriptor. timer_arm() cannot lack it later.
 * A process that can run out of descriptors calls this at its start. Returns 0 or a negative errno. */
int timer_reserve(sd_event *event);
/* Arms the timer: calls 'fire' once after 'usec' microseconds; 0 means in the next iteration of the loop. A
 * previous setting of the timer is replaced. 'fire' may arm the timer again, or free the struct that contains
 * it. */
void timer_arm(struct timer *t, sd_event *event, uint64_t usec, timer_fn *fire, void *userdata);
/* Arms the timer for a time of CLOCK_MONOTONIC in microseconds. */
void timer_arm_at(struct timer *t, sd_event *event, uint64_t at, timer_fn *fire, void *userdata);
/* Returns when an armed timer fires, as unix milliseconds of the present wall clock; 0 if it is not armed.
 * The result is for showing only. The timer is one of an event loop. */
int64_t timer_due_msec(const struct timer *t);
/* Reports whether the timer is armed. */
bool timer_armed(const struct timer *t);
/* Stops the timer. A timer that is not armed stays unchanged. */
void timer_stop(struct timer *t);
