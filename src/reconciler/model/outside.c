/* Implements outside.h. */
#include "reconciler/model/outside.h"

int64_t outside_now_msec(struct outside *outside)
{
    return clock_realtime_msec(outside->clock);
}

uint64_t outside_monotonic_usec(struct outside *outside)
{
    return clock_monotonic_usec(outside->clock);
}

int64_t outside_due_msec(struct outside *outside, uint64_t at)
{
    return clock_due_msec(outside->clock, at);
}
