/* Implements timer.h by event sources of sd-event. */
#include "lib/loop/timer.h"

#include <stdlib.h>
#include <time.h>

#include "lib/loop/clock.h"

#define SLACK_MAX USEC_PER_SEC

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source, (void)usec;
    struct timer *t = userdata;
    timer_fn *fire = t->fire;
    void *fire_userdata = t->userdata;
    timer_stop(t);
    fire(fire_userdata);
    return 0;
}

int timer_reserve(sd_event *event)
{
    struct timer t = {.at = UINT64_MAX};
    sd_event_source *source = NULL;
    int r = sd_event_add_time(event, &source, CLOCK_MONOTONIC, t.at, 1, on_time, &t);
    sd_event_source_disable_unref(source);
    return r < 0 ? r : 0;
}

/* Returns the accuracy of the timer: the microseconds by which it may fire late. The value is at least 1,
 * because sd-event reads 0 as 250 ms. */
static uint64_t slack(uint64_t usec)
{
    uint64_t part = usec / 100;
    return part < 1 ? 1 : part > SLACK_MAX ? SLACK_MAX : part;
}

static int set_source(struct timer *t, sd_event *event, uint64_t usec)
{
    if (!t->source)
        return sd_event_add_time(event, &t->source, CLOCK_MONOTONIC, t->at, slack(usec), on_time, t);
    int r = sd_event_source_set_time(t->source, t->at);
    if (r >= 0)
        r = sd_event_source_set_time_accuracy(t->source, slack(usec));
    return r;
}

static void arm(struct timer *t, sd_event *event, uint64_t at, uint64_t usec, timer_fn *fire, void *userdata)
{
    if (t->clock)
        timer_stop(t);
    t->at = at;
    t->fire = fire;
    t->userdata = userdata;
    /* Only a lack of memory (as in xcalloc()) or of a descriptor (see timer_reserve()) leads here. */
    if (set_source(t, event, usec) < 0)
        abort();
}

void timer_arm(struct timer *t, sd_event *event, uint64_t usec, timer_fn *fire, void *userdata)
{
    uint64_t now = now_monotonic_usec();
    arm(t, event, usec > UINT64_MAX - now ? UINT64_MAX : now + usec, usec, fire, userdata);
}

void timer_arm_at(struct timer *t, sd_event *event, uint64_t at, timer_fn *fire, void *userdata)
{
    uint64_t now = now_monotonic_usec();
    arm(t, event, at, at > now ? at - now : 0, fire, userdata);
}

int64_t timer_due_msec(const struct timer *t)
{
    return timer_armed(t) ? monotonic_to_unix_msec(t->at) : 0;
}

bool timer_armed(const struct timer *t)
{
    return t->source || t->clock;
}

void timer_stop(struct timer *t)
{
    struct clock *clock = t->clock;
    t->source = sd_event_source_disable_unref(t->source);
    t->clock = NULL;
    if (clock)
        clock->stop(clock, t);
}
