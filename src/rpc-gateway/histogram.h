/* How long things took: counts by bounds. Pure. */
#pragma once

#include "lib/basic/util.h"

#define HISTOGRAM_BOUNDS 12

struct histogram {
    uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* of each bound alone; the last one is beyond them all */
    double sum;                            /* seconds */
};

extern const double
    histogram_calls[HISTOGRAM_BOUNDS]; /* bounds in seconds: half a millisecond to ten seconds */
extern const double histogram_stages[HISTOGRAM_BOUNDS]; /* a tenth of a second to half an hour */

void histogram_add(struct histogram *h, const double *bounds, double seconds);
uint64_t histogram_count(const struct histogram *h);
