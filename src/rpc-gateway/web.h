/* Serves the HTTP port: the containers' reports, metrics, health. */
#pragma once

#include "rpc-gateway/agents.h"
#include "rpc-gateway/metrics.h"

struct web;

/* All parts are borrowed, 'listen_fd' until web_free(). */
struct web_parts {
    int listen_fd;
    const char *metrics_allow; /* networks from which /metrics can be read */
    struct agents *agents;     /* takes the reports */
    const struct caller *caller;
    const struct instances *instances;
    struct call_stats *calls;
    const struct stage_stats *stages;
    struct host *host;
};

/* Checks the networks in 'metrics_allow'. Returns 0, or −EINVAL (refused). */
int web_check(const char *metrics_allow, struct error *e);
int web_new(sd_event *event, const struct web_parts *parts, struct web **ret, struct error *e);
void web_free(struct web *web);
