/* /metrics: collecting what other processes know, once for all who ask at the same time. */
#pragma once

#include "rpc-gateway/calls.h"
#include "rpc-gateway/host_status.h"
#include "rpc-gateway/http.h"
#include "rpc-gateway/instances.h"
#include "rpc-gateway/stage_stats.h"

struct metrics;

/* Where the figures come from; borrowed. */
struct metrics_parts {
    const struct caller *caller;
    const struct instances *instances;
    const struct call_stats *calls;
    const struct stage_stats *stages;
    struct http_server *const *http; /* exists only once the metrics do */
    struct host *host;
};

struct metrics *metrics_new(const struct metrics_parts *parts);
void metrics_free(struct metrics *metrics);

/* Answers the request, now (from what is at most a second old) or when all was collected. What does not
 * answer in time is left out. */
void metrics_answer(struct metrics *metrics, struct http_request *request);
