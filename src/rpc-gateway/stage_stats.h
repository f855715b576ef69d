/* Stages of deploys that ended, by name, as the reconciler tells of them. Pure. */
#pragma once

#include "lib/api/reconciler.h"
#include "rpc-gateway/histogram.h"

/* The stages of the contract, by enum app_stage_name, and all others together. */
enum { STAGE_STATS_OTHER = _STAGE_MAX, STAGE_STATS_NAMES };

struct stage_stats {
    int64_t since; /* unix milliseconds: what ended before is not counted */
    struct {
        uint64_t success, failed;
        struct histogram duration; /* from the first begin to the end, pauses between tries included */
    } stages[STAGE_STATS_NAMES];
};

/* Names come from containers as well: what is none of the contract's is "other". */
const char *stage_stats_name(size_t i);

/* Counts each end of a stage that 'now' shows and 'before' (NULL: it was not known) did not. */
void stage_stats_add(struct stage_stats *stats, const struct reconciler_instance *before,
                     const struct reconciler_instance *now);
