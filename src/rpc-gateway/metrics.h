/* Serves /metrics: collects figures of other processes, once for all requests that wait at the same time. */
#pragma once

#include "rpc-gateway/calls.h"
#include "rpc-gateway/host_status.h"
#include "rpc-gateway/http.h"
#include "rpc-gateway/instances.h"
#include "rpc-gateway/stage_stats.h"

struct metrics;

/* The sources of the figures; borrowed. */
struct metrics_parts {
    const struct caller *caller;
    const struct instances *instances;
    const struct call_stats *calls;
    const struct stage_stats *stages;
    struct http_server *const *http; /* set after metrics_new() */
    struct host *host;
};

struct metrics *metrics_new(const struct metrics_parts *parts);
void metrics_free(struct metrics *metrics);

/* Responds to the request, at once if the last text is at most a second old, or when all figures are
 * collected. The figures of a process that does not reply in time are left out. */
void metrics_answer(struct metrics *metrics, struct http_request *request);
