/* Counts the stages of deploys that ended, by name, as the reconciler reports them. */
#pragma once

#include "lib/api/reconciler.h"
#include "rpc-gateway/histogram.h"

/* The stages of the contract, by enum app_stage_name, and one for all others. */
enum { STAGE_STATS_OTHER = _STAGE_MAX, STAGE_STATS_NAMES };

struct stage_stats {
    bool counting; /* false until the first snapshot is complete: its stages ended earlier */
    struct {
        uint64_t success, failed;
        struct histogram duration; /* from the first start to the end, including pauses between attempts */
    } stages[STAGE_STATS_NAMES];
};

/* Returns the label of a stage. Names also come from containers: one that the contract does not define is
 * "other". */
const char *stage_stats_name(size_t i);

/* Counts, if stats->counting is set, each end of a stage that is in 'now' and not in 'before' (NULL: a new
 * instance). */
void stage_stats_add(struct stage_stats *stats, const struct reconciler_instance *before,
                     const struct reconciler_instance *now);
