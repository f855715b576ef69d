/* Implements call_stats.h. */
#include "rpc-gateway/call_stats.h"

#include <stdlib.h>

static struct call_stat *find(struct call_stats *stats, const char *protocol, const char *service,
                              const char *method)
{
    for (size_t i = 0; i < stats->n; i++) {
        struct call_stat *s = &stats->items[i];
        if (streq(s->protocol, protocol) && streq(s->service, service) && streq(s->method, method))
            return s;
    }
    if (stats->n == CALL_STATS_MAX)
        return &stats->items[CALL_STATS_MAX - 1];
    struct call_stat *s = &stats->items[stats->n++];
    bool last = stats->n == CALL_STATS_MAX;
    s->protocol = xstrdup(last ? "other" : protocol);
    s->service = xstrdup(last ? "other" : service);
    s->method = xstrdup(last ? "other" : method);
    return s;
}

static void count(struct call_stat *s, const char *outcome)
{
    size_t i = 0;
    while (i < s->n_outcomes && !streq(s->outcomes[i].outcome, outcome))
        i++;
    if (i == ARRAY_SIZE(s->outcomes))
        i--;
    if (i == s->n_outcomes) {
        s->outcomes[i].outcome = xstrdup(i == ARRAY_SIZE(s->outcomes) - 1 ? "other" : outcome);
        s->n_outcomes++;
    }
    s->outcomes[i].n++;
}

void call_stats_add(struct call_stats *stats, const char *protocol, const char *service, const char *method,
                    const char *outcome, uint64_t usec)
{
    struct call_stat *s = find(stats, protocol, service, method);
    count(s, outcome);
    histogram_add(&s->latency, histogram_calls, (double)usec / USEC_PER_SEC);
}

void call_stats_done(struct call_stats *stats)
{
    for (size_t i = 0; i < stats->n; i++) {
        struct call_stat *s = &stats->items[i];
        for (size_t k = 0; k < s->n_outcomes; k++)
            free(s->outcomes[k].outcome);
        free(s->protocol);
        free(s->service);
        free(s->method);
    }
    stats->n = 0;
}
