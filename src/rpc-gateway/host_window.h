/* Counters over the last 60 seconds, from samples that come when they come. Pure: time is an argument. */
#pragma once

#include "rpc-gateway/host_parse.h"

#define HOST_WINDOW_USEC (60 * USEC_PER_SEC)

struct host_sample {
    uint64_t usec; /* monotonic */
    struct host_counters counters;
};

/* Samples closer than a second are not kept, so 64 of them always reach back far enough. Starts as all zero.
 */
struct host_window {
    struct host_sample samples[64]; /* a ring, oldest at 'first' */
    size_t first, n;
};

/* Adds what was counted at 'usec', and gives what it grew by in the 60 seconds before: exactly, the counters
 * then being taken from the line between the two samples around that moment. Since the first sample, while
 * that is less than 60 seconds ago. A counter that fell (a device went) gives 0. */
void host_window_add(struct host_window *w, uint64_t usec, const struct host_counters *now,
                     struct host_counters *ret_delta);
