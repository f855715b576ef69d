/* Implements host_window.h. */
#include "rpc-gateway/host_window.h"

/* All members are int64_t, so that they can be used as an array. */
#define N_COUNTERS (sizeof(struct host_counters) / sizeof(int64_t))
union values {
    struct host_counters counters;
    int64_t values[N_COUNTERS];
};

static struct host_sample *sample_at(struct host_window *w, size_t i)
{
    return &w->samples[(w->first + i) % ARRAY_SIZE(w->samples)];
}

/* Interpolates the counters at 'usec', which is between two samples. */
static union values between(const struct host_sample *a, const struct host_sample *b, uint64_t usec)
{
    const union values from = {.counters = a->counters}, to = {.counters = b->counters};
    const double part = (double)(usec - a->usec) / (double)(b->usec - a->usec);
    union values result;
    for (size_t i = 0; i < N_COUNTERS; i++)
        result.values[i] = from.values[i] + (int64_t)((double)(to.values[i] - from.values[i]) * part + 0.5);
    return result;
}

static void keep(struct host_window *w, const struct host_sample *sample)
{
    if (w->n > 0 && sample->usec - sample_at(w, w->n - 1)->usec < USEC_PER_SEC)
        return;
    if (w->n == ARRAY_SIZE(w->samples)) {
        w->first = (w->first + 1) % ARRAY_SIZE(w->samples);
        w->n--;
    }
    *sample_at(w, w->n++) = *sample;
}

void host_window_add(struct host_window *w, uint64_t usec, const struct host_counters *now,
                     struct host_counters *ret_delta)
{
    const struct host_sample sample = {usec, *now};
    const uint64_t begin = usec > HOST_WINDOW_USEC ? usec - HOST_WINDOW_USEC : 0;
    /* Of the samples before the window only the last one is needed. */
    while (w->n > 1 && sample_at(w, 1)->usec <= begin) {
        w->first = (w->first + 1) % ARRAY_SIZE(w->samples);
        w->n--;
    }
    union values then = {.counters = *now}, current = {.counters = *now};
    if (w->n > 0) {
        const struct host_sample *oldest = sample_at(w, 0);
        const struct host_sample *next = w->n > 1 ? sample_at(w, 1) : &sample;
        then.counters = oldest->counters;
        if (oldest->usec < begin)
            then = between(oldest, next, begin);
    }
    union values delta;
    for (size_t i = 0; i < N_COUNTERS; i++)
        delta.values[i] = current.values[i] > then.values[i] ? current.values[i] - then.values[i] : 0;
    keep(w, &sample);
    *ret_delta = delta.counters;
}
