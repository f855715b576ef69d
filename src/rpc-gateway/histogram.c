/* Implements histogram.h. */
#include "rpc-gateway/histogram.h"

const double histogram_calls[HISTOGRAM_BOUNDS] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                                  0.05,   0.1,   0.25,   1,     2.5,  10};
const double histogram_stages[HISTOGRAM_BOUNDS] = {0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600, 1800};

void histogram_add(struct histogram *h, const double *bounds, double seconds)
{
    size_t i = 0;
    while (i < HISTOGRAM_BOUNDS && seconds > bounds[i])
        i++;
    h->counts[i]++;
    h->sum += seconds > 0 ? seconds : 0;
}

uint64_t histogram_count(const struct histogram *h)
{
    uint64_t n = 0;
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        n += h->counts[i];
    return n;
}
