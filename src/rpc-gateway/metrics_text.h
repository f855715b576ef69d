/* Makes the text of the metrics from the collected figures. */
#pragma once

#include "lib/api/net_keeper.h"
#include "lib/api/quota_keeper.h"
#include "lib/api/reconciler.h"
#include "lib/api/supervisor.h"
#include "rpc-gateway/call_stats.h"
#include "rpc-gateway/host_status.h"
#include "rpc-gateway/http.h"
#include "rpc-gateway/stage_stats.h"

struct metrics_sources {
    struct supervisor_service **services;
    size_t n_services;
    bool services_known; /* false, here and below: the figures are left out */
    struct quota_values **quotas;
    size_t n_quotas;
    bool quotas_known;
    const struct net_info_out *network; /* NULL: this machine has no network of a zone */
    struct net_host_state **hosts;      /* the zone's other machines */
    size_t n_hosts;
    const struct reconciler_instance *const *instances;
    size_t n_instances;
    bool instances_known;
    const struct host_status *host;
    const struct call_stats *calls;
    const struct stage_stats *stages;
    const struct http_counts *http;
};

/* Returns the text; the caller frees it. */
char *metrics_text(const struct metrics_sources *sources, size_t *ret_size);
