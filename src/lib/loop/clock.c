/* Implements clock.h. */
#include "lib/loop/clock.h"

static uint64_t machine_monotonic_usec(struct clock *clock)
{
    (void)clock;
    return now_monotonic_usec();
}

static uint64_t machine_boottime_usec(struct clock *clock)
{
    (void)clock;
    return now_boottime_usec();
}

static uint64_t machine_realtime_usec(struct clock *clock)
{
    (void)clock;
    return now_realtime_usec();
}

/* Sets the timer on the event loop. The clock is cleared because the timer's event source is enough for
 * timer_stop() from here on. */
static void machine_arm(struct clock *clock, struct timer *t)
{
    t->clock = NULL;
    timer_arm_at(t, clock->event, t->at, t->fire, t->userdata);
}

static void machine_stop(struct clock *clock, struct timer *t)
{
    (void)clock, (void)t;
}

void clock_init(struct clock *clock, sd_event *event)
{
    *clock = (struct clock){.monotonic_usec = machine_monotonic_usec,
                            .boottime_usec = machine_boottime_usec,
                            .realtime_usec = machine_realtime_usec,
                            .arm = machine_arm,
                            .stop = machine_stop,
                            .event = event};
}

uint64_t clock_monotonic_usec(struct clock *clock)
{
    return clock->monotonic_usec(clock);
}

uint64_t clock_boottime_usec(struct clock *clock)
{
    return clock->boottime_usec(clock);
}

uint64_t clock_realtime_usec(struct clock *clock)
{
    return clock->realtime_usec(clock);
}

int64_t clock_realtime_msec(struct clock *clock)
{
    return (int64_t)(clock_realtime_usec(clock) / USEC_PER_MSEC);
}

int64_t clock_due_msec(struct clock *clock, uint64_t at)
{
    int64_t left = (int64_t)at - (int64_t)clock_monotonic_usec(clock);
    return at == 0 ? 0 : ((int64_t)clock_realtime_usec(clock) + left) / (int64_t)USEC_PER_MSEC;
}

void clock_arm(struct clock *clock, struct timer *t, uint64_t usec, timer_fn *fire, void *userdata)
{
    uint64_t now = clock_monotonic_usec(clock);
    t->at = usec > UINT64_MAX - now ? UINT64_MAX : now + usec;
    t->fire = fire;
    t->userdata = userdata;
    t->clock = clock;
    clock->arm(clock, t);
}
