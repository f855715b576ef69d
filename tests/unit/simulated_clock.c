/* Implements simulated_clock.h. */
#include "simulated_clock.h"

#define MONOTONIC_BEGIN (1000 * USEC_PER_SEC)
#define REALTIME_BEGIN  (UINT64_C(1767225600) * USEC_PER_SEC)

static struct simulated_clock *of(struct clock *clock)
{
    return (struct simulated_clock *)clock;
}

static uint64_t monotonic(struct clock *clock)
{
    return of(clock)->monotonic_usec;
}

static uint64_t boottime(struct clock *clock)
{
    return of(clock)->monotonic_usec + of(clock)->suspended_usec;
}

static uint64_t realtime(struct clock *clock)
{
    return of(clock)->realtime_usec;
}

static void stop(struct clock *clock, struct timer *timer)
{
    for (struct timer **at = &of(clock)->timers; *at; at = &(*at)->next)
        if (*at == timer) {
            *at = timer->next;
            timer->next = NULL;
            return;
        }
}

/* Arms a timer. Timers with the same time fire in the order in which they were armed. */
static void arm(struct clock *clock, struct timer *timer)
{
    stop(clock, timer);
    struct timer **at = &of(clock)->timers;
    while (*at && (*at)->at <= timer->at)
        at = &(*at)->next;
    timer->next = *at;
    *at = timer;
}

void simulated_clock_init(struct simulated_clock *s)
{
    *s = (struct simulated_clock){.clock = {.monotonic_usec = monotonic,
                                            .boottime_usec = boottime,
                                            .realtime_usec = realtime,
                                            .arm = arm,
                                            .stop = stop},
                                  .monotonic_usec = MONOTONIC_BEGIN,
                                  .realtime_usec = REALTIME_BEGIN};
}

static void move_to(struct simulated_clock *s, uint64_t at)
{
    if (at <= s->monotonic_usec)
        return;
    s->realtime_usec += at - s->monotonic_usec;
    s->monotonic_usec = at;
}

bool simulated_clock_step(struct simulated_clock *s)
{
    struct timer *first = s->timers;
    if (!first)
        return false;
    move_to(s, first->at);
    timer_fn *fire = first->fire;
    void *userdata = first->userdata;
    timer_stop(first);
    fire(userdata);
    return true;
}

void simulated_clock_advance(struct simulated_clock *s, uint64_t usec)
{
    uint64_t end = s->monotonic_usec + usec;
    while (s->timers && s->timers->at <= end)
        simulated_clock_step(s);
    move_to(s, end);
}

void simulated_clock_set(struct simulated_clock *s, int64_t usec)
{
    s->realtime_usec += (uint64_t)usec;
}

void simulated_clock_suspend(struct simulated_clock *s, uint64_t usec)
{
    s->suspended_usec += usec;
    s->realtime_usec += usec;
}
