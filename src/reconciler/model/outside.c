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
