/* Implements metrics_text.h. rpc-gateway(8) defines the metrics. */
#include "rpc-gateway/metrics_text.h"

#include <stdlib.h>

#include "lib/schema/object.h"
#include "rpc-gateway/metrics_network.h"
#include "rpc-gateway/openmetrics.h"

#include "config.h"

static void put_services(struct openmetrics *m, const struct metrics_sources *s)
{
    openmetrics_family(m, "hostlet_service_state", "stateset", NULL,
                       "The state of each service of the tree.");
    for (size_t i = 0; i < s->n_services; i++)
        for (int state = 0; state < _SERVICE_STATE_MAX; state++)
            openmetrics_sample(m, "", s->services[i]->state == state, "service", s->services[i]->name,
                               "hostlet_service_state", schema_enum_name(&service_state_enum, state), NULL);
    openmetrics_family(m, "hostlet_service_restarts", "counter", NULL,
                       "Exits of a service without a request.");
    for (size_t i = 0; i < s->n_services; i++)
        openmetrics_sample(m, "_total", (double)s->services[i]->restarts, "service", s->services[i]->name,
                           NULL);
    openmetrics_family(m, "hostlet_service_uptime_seconds", "gauge", "seconds",
                       "How long a service has been running; absent while it does not.");
    for (size_t i = 0; i < s->n_services; i++)
        if (s->services[i]->pid > 0)
            openmetrics_sample(m, "", (double)s->services[i]->uptime_msec / 1000, "service",
                               s->services[i]->name, NULL);
    openmetrics_family(m, "hostlet_service_memory_bytes", "gauge", "bytes",
                       "Proportional set size of a running service.");
    for (size_t i = 0; i < s->n_services; i++)
        if (s->services[i]->memory > 0)
            openmetrics_sample(m, "", (double)s->services[i]->memory, "service", s->services[i]->name, NULL);
}

static void put_quotas(struct openmetrics *m, const struct metrics_sources *s)
{
    openmetrics_family(m, "hostlet_quota_used_bytes", "gauge", "bytes", "Disk space that a replica uses.");
    for (size_t i = 0; i < s->n_quotas; i++)
        openmetrics_sample(m, "", (double)s->quotas[i]->used, "container", s->quotas[i]->container, NULL);
    openmetrics_family(m, "hostlet_quota_limit_bytes", "gauge", "bytes",
                       "Disk space that a replica can use at most; absent while it has no limit.");
    for (size_t i = 0; i < s->n_quotas; i++)
        if (s->quotas[i]->hard > 0)
            openmetrics_sample(m, "", (double)s->quotas[i]->hard, "container", s->quotas[i]->container, NULL);
    openmetrics_family(m, "hostlet_quota_used_inodes", "gauge", NULL, "Files and directories of a replica.");
    for (size_t i = 0; i < s->n_quotas; i++)
        openmetrics_sample(m, "", (double)s->quotas[i]->used_inodes, "container", s->quotas[i]->container,
                           NULL);
    openmetrics_family(m, "hostlet_quota_enforced", "gauge", NULL,
                       "1 if the kernel enforces a replica's limits.");
    for (size_t i = 0; i < s->n_quotas; i++)
        openmetrics_sample(m, "", !s->quotas[i]->not_enforced, "container", s->quotas[i]->container, NULL);
}

static void put_instances(struct openmetrics *m, const struct metrics_sources *s)
{
    size_t states[_REPLICA_STATE_MAX] = {0}, settled = 0, failed = 0;
    for (size_t i = 0; i < s->n_instances; i++) {
        settled += s->instances[i]->settled;
        failed += s->instances[i]->failed;
        for (size_t k = 0; k < s->instances[i]->n_replicas; k++)
            states[s->instances[i]->replicas[k]->state]++;
    }
    openmetrics_family(m, "hostlet_instances", "gauge", NULL, "Instances that this machine has.");
    openmetrics_sample(m, "", (double)s->n_instances, NULL);
    openmetrics_family(
        m, "hostlet_instances_settled", "gauge", NULL,
        "Instances at which nothing is in progress and nothing starts without a request or event.");
    openmetrics_sample(m, "", (double)settled, NULL);
    openmetrics_family(m, "hostlet_instances_failed", "gauge", NULL,
                       "Instances that differ from their desired state after the last attempt.");
    openmetrics_sample(m, "", (double)failed, NULL);
    openmetrics_family(m, "hostlet_replicas", "gauge", NULL, "Replicas by state.");
    for (int state = 0; state < _REPLICA_STATE_MAX; state++)
        openmetrics_sample(m, "", (double)states[state], "state",
                           schema_enum_name(&replica_state_enum, state), NULL);
}

static void put_exits(struct openmetrics *m, const struct metrics_sources *s)
{
    openmetrics_family(m, "hostlet_container_exits", "counter", NULL,
                       "Exits of a replica's container without a request.");
    for (size_t i = 0; i < s->n_instances; i++)
        for (size_t k = 0; k < s->instances[i]->n_replicas; k++) {
            const struct reconciler_replica *r = s->instances[i]->replicas[k];
            openmetrics_sample(m, "_total", (double)r->exits, "container", r->container, NULL);
        }
    openmetrics_family(m, "hostlet_container_oom_kills", "counter", NULL,
                       "Events in which processes of a replica's container were killed for lack of memory.");
    for (size_t i = 0; i < s->n_instances; i++)
        for (size_t k = 0; k < s->instances[i]->n_replicas; k++) {
            const struct reconciler_replica *r = s->instances[i]->replicas[k];
            openmetrics_sample(m, "_total", (double)r->oom_kills, "container", r->container, NULL);
        }
}

static void put_stages(struct openmetrics *m, const struct stage_stats *stats)
{
    openmetrics_family(m, "hostlet_stages", "counter", NULL,
                       "Stages of deploys that ended; those of pkg_download are the downloads.");
    for (size_t i = 0; i < STAGE_STATS_NAMES; i++) {
        openmetrics_sample(m, "_total", (double)stats->stages[i].success, "stage", stage_stats_name(i),
                           "state", "success", NULL);
        openmetrics_sample(m, "_total", (double)stats->stages[i].failed, "stage", stage_stats_name(i),
                           "state", "failed", NULL);
    }
    openmetrics_family(m, "hostlet_stage_duration_seconds", "histogram", "seconds",
                       "From the first begin of a stage to its end.");
    for (size_t i = 0; i < STAGE_STATS_NAMES; i++)
        if (stats->stages[i].success + stats->stages[i].failed > 0)
            openmetrics_histogram(m, &stats->stages[i].duration, histogram_stages, "stage",
                                  stage_stats_name(i), NULL);
}

static void put_calls(struct openmetrics *m, const struct call_stats *calls)
{
    openmetrics_family(m, "hostlet_calls", "counter", NULL,
                       "Calls made and answered, by protocol and outcome.");
    for (size_t i = 0; i < calls->n; i++)
        for (size_t k = 0; k < calls->items[i].n_outcomes; k++)
            openmetrics_sample(m, "_total", (double)calls->items[i].outcomes[k].n, "protocol",
                               calls->items[i].protocol, "service", calls->items[i].service, "method",
                               calls->items[i].method, "outcome", calls->items[i].outcomes[k].outcome, NULL);
    openmetrics_family(m, "hostlet_call_duration_seconds", "histogram", "seconds",
                       "How long calls took; of a stream, until its first answer.");
    for (size_t i = 0; i < calls->n; i++)
        openmetrics_histogram(m, &calls->items[i].latency, histogram_calls, "protocol",
                              calls->items[i].protocol, "service", calls->items[i].service, "method",
                              calls->items[i].method, NULL);
}

static void put_http(struct openmetrics *m, const struct http_counts *http)
{
    openmetrics_family(m, "hostlet_http_connections", "gauge", NULL, "Open HTTP connections.");
    openmetrics_sample(m, "", http->connections, NULL);
    openmetrics_family(m, "hostlet_http_accepted", "counter", NULL, "HTTP connections that were accepted.");
    openmetrics_sample(m, "_total", (double)http->accepted, NULL);
    openmetrics_family(m, "hostlet_http_refused", "counter", NULL,
                       "HTTP connections that were closed: an address connected too often or had too many "
                       "connections, or a request took too long.");
    openmetrics_sample(m, "_total", (double)http->refused_rate, "reason", "rate", NULL);
    openmetrics_sample(m, "_total", (double)http->refused_places, "reason", "places", NULL);
    openmetrics_sample(m, "_total", (double)http->overdue, "reason", "overdue", NULL);
}

/* Adds a counter with two samples, each with one label. */
static void put_counter(struct openmetrics *m, const char *name, const char *unit, const char *help,
                        const char *label, const char *first, double first_value, const char *second,
                        double second_value)
{
    openmetrics_family(m, name, "counter", unit, help);
    openmetrics_sample(m, "_total", first_value, label, first, NULL);
    openmetrics_sample(m, "_total", second_value, label, second, NULL);
}

static void put_host(struct openmetrics *m, const struct host_status *h)
{
    const struct host_counters *c = &h->totals;
    openmetrics_family(m, "hostlet_host_memory_bytes", "gauge", "bytes", "The machine's memory.");
    openmetrics_sample(m, "", (double)h->mem_total, "kind", "total", NULL);
    openmetrics_sample(m, "", (double)h->mem_available, "kind", "available", NULL);
    openmetrics_family(m, "hostlet_host_disk_bytes", "gauge", "bytes", "The filesystem of the app path.");
    openmetrics_sample(m, "", (double)h->disk_total_bytes, "kind", "total", NULL);
    openmetrics_sample(m, "", (double)h->disk_free_bytes, "kind", "free", NULL);
    openmetrics_family(m, "hostlet_host_cpus", "gauge", NULL, "Processors.");
    openmetrics_sample(m, "", h->cpu_cores, NULL);
    put_counter(m, "hostlet_host_cpu_seconds", "seconds", "Time of all processors.", "mode", "user",
                (double)c->cpu_user / 1000, "system", (double)c->cpu_sys / 1000);
    put_counter(m, "hostlet_host_network_bytes", "bytes", "Of the real network devices.", "direction",
                "received", (double)c->net_recv_bytes, "sent", (double)c->net_sent_bytes);
    put_counter(m, "hostlet_host_network_packets", NULL, "Of the real network devices.", "direction",
                "received", (double)c->net_recv_count, "sent", (double)c->net_sent_count);
    put_counter(m, "hostlet_host_io_bytes", "bytes", "Of the disk of the app path.", "direction", "read",
                (double)c->disk_read_bytes, "written", (double)c->disk_write_bytes);
    put_counter(m, "hostlet_host_io_requests", NULL, "Of the disk of the app path.", "direction", "read",
                (double)c->disk_read_count, "written", (double)c->disk_write_count);
}

char *metrics_text(const struct metrics_sources *s, size_t *ret_size)
{
    char *text = NULL;
    struct openmetrics m = {.file = open_memstream(&text, ret_size)};
    if (!m.file)
        abort();
    openmetrics_family(&m, "hostlet", "info", NULL, "The version.");
    openmetrics_sample(&m, "_info", 1, "version", PACKAGE_VERSION, NULL);
    if (s->services_known)
        put_services(&m, s);
    if (s->quotas_known)
        put_quotas(&m, s);
    if (s->instances_known) {
        put_instances(&m, s);
        put_exits(&m, s);
    }
    if (s->network)
        metrics_network(&m, s->network, s->hosts, s->n_hosts);
    put_stages(&m, s->stages);
    put_calls(&m, s->calls);
    put_http(&m, s->http);
    put_host(&m, s->host);
    openmetrics_end(&m);
    if (fclose(m.file) != 0)
        abort();
    return text;
}
