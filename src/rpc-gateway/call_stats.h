/* Calls of any protocol, counted by what was called and how it ended. Pure. */
#pragma once

#include "rpc-gateway/histogram.h"

struct call_stat {
    char *protocol, *service, *method;
    struct {
        char *outcome; /* "ok", the class of an error, a status */
        uint64_t n;
    } outcomes[16]; /* the last one also takes what finds no place */
    size_t n_outcomes;
    struct histogram latency;
};

#define CALL_STATS_MAX 64

struct call_stats {
    struct call_stat items[CALL_STATS_MAX]; /* the last one also takes what finds no place, as "other" */
    size_t n;
};

/* 'protocol' and 'service' as "varlink", "reconciler"; names come from us, never from a peer: each makes a
 * row. */
void call_stats_add(struct call_stats *stats, const char *protocol, const char *service, const char *method,
                    const char *outcome, uint64_t usec);
void call_stats_done(struct call_stats *stats);
