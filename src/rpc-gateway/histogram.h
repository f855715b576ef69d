/* A histogram of durations. */
#pragma once

#include "lib/basic/util.h"

#define HISTOGRAM_BOUNDS 12

struct histogram {
    /* one for each bound, not cumulative; the last one counts what exceeds all bounds */
    uint64_t counts[HISTOGRAM_BOUNDS + 1];
    double sum; /* seconds */
};

/* Bounds in seconds: half a millisecond to ten seconds. */
extern const double histogram_calls[HISTOGRAM_BOUNDS];
/* Bounds in seconds: a tenth of a second to half an hour. */
extern const double histogram_stages[HISTOGRAM_BOUNDS];

void histogram_add(struct histogram *h, const double *bounds, double seconds);
uint64_t histogram_count(const struct histogram *h);
