/* Computes the growth of counters over the last 60 seconds, from samples at irregular times. Time is an
 * argument. */
#pragma once

#include "rpc-gateway/host_parse.h"

#define HOST_WINDOW_USEC (60 * USEC_PER_SEC)

struct host_sample {
    uint64_t usec; /* monotonic */
    struct host_counters counters;
};

/* A sample less than a second after the one before is not kept, so that 64 samples always cover the
 * window. All zero is the initial value. */
struct host_window {
    struct host_sample samples[64]; /* a ring; the oldest is at 'first' */
    size_t first, n;
};

/* Adds a sample at 'usec' and returns how much each counter grew in the 60 seconds before, or since the
 * first sample if that is more recent. The value at the start of the window is interpolated between the
 * samples around it. A counter that fell (a device was removed) gives 0. */
void host_window_add(struct host_window *w, uint64_t usec, const struct host_counters *now,
                     struct host_counters *ret_delta);
