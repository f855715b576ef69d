/* Determines since when a container runs, on a monotonic clock.
 *
 * A runtime states only the wall time of a start, and the wall clock can be set at any time after it. So that
 * time is compared with the wall clock once, when it is seen for the first time. */
#pragma once

#include <stdint.h>

/* Zero-initialized: no container was seen yet. */
struct uptime {
    int64_t started_at; /* the start as the runtime states it, unix milliseconds */
    uint64_t since;     /* the same start, CLOCK_MONOTONIC, microseconds */
    uint64_t looked;    /* when a container was seen last, the same clock; 0: never */
};

/* Notes that the runtime states 'started_at' at the time 'now' (CLOCK_MONOTONIC, microseconds) and 'wall'
 * (unix milliseconds). A start in the future counts as now. A start that was not stated the last time does
 * not count as earlier than that time. */
void uptime_see(struct uptime *uptime, int64_t started_at, int64_t wall, uint64_t now);
