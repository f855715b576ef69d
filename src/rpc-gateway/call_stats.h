/* Counts calls of any protocol by method and outcome. */
#pragma once

#include "rpc-gateway/histogram.h"

struct call_stat {
    char *protocol, *service, *method;
    struct {
        char *outcome; /* "ok", an error class or a status */
        uint64_t n;
    } outcomes[16]; /* the last one also counts outcomes for which there is no room */
    size_t n_outcomes;
    struct histogram latency;
};

#define CALL_STATS_MAX 64

struct call_stats {
    /* The last one also counts methods for which there is no room, as "other". */
    struct call_stat items[CALL_STATS_MAX];
    size_t n;
};

/* Adds a call. 'protocol' and 'service' are like "varlink" and "reconciler". No name may come from a peer,
 * since each adds a row. */
void call_stats_add(struct call_stats *stats, const char *protocol, const char *service, const char *method,
                    const char *outcome, uint64_t usec);
void call_stats_done(struct call_stats *stats);
