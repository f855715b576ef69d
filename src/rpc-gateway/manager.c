/* Implements manager.h. */
#include "rpc-gateway/manager.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "lib/zone/tls.h"
#include "rpc-gateway/host_address_watch.h"

void manager_info(const struct manager *m, struct gateway_info_out *ret)
{
    const struct config *config = m->context->config;
    const struct http_counts *counts = agents_counts(m->agents);
    *ret = (struct gateway_info_out){.started = boottime_to_unix(m->started_usec),
                                     .agents = xcalloc(1, sizeof *ret->agents)};
    *ret->agents =
        (struct gateway_agents){.connections = counts->connections,
                                .accepted = (int64_t)counts->accepted,
                                .refused = (int64_t)(counts->refused_rate + counts->refused_places),
                                .overdue = (int64_t)counts->overdue};
    if (!m->zone_enabled)
        return;
    ret->listen = xstrdup(config_string(config, "zone", "listen"));
    ret->peer_port = config_number(config, "zone", "peer_port");
    ret->http_port = config_number(config, "zone", "http_port");
    ret->lan_addr = xstrdup_null(host_address_now(m->address, NULL));
}

int manager_need_zone(const struct manager *m, struct error *e)
{
    return m->zone_enabled ? 0
                           : error_set(e, ERROR_SERVICE_DOWN, ESRCH,
                                       "rpc-gateway serves no zone: not enabled (zone.enable)");
}

int manager_join_info(const struct manager *m, struct gateway_join_out *ret, struct error *e)
{
    const char *address = host_address_now(m->address, NULL);
    if (!m->membership.member)
        return error_set(e, ERROR_NOT_FOUND, ENOENT,
                         "this machine belongs to no zone: 'hostletctl zone init' makes it ready");
    *ret = (struct gateway_join_out){.host_id = xstrdup(m->membership.zone.host_id),
                                     .access_key = xstrdup(m->membership.zone.access_key)};
    if (address)
        ret->peer_addr =
            xasprintf("%s:%lld", address, (long long)config_number(m->context->config, "zone", "peer_port"));
    return 0;
}

/* Stores the device with the machine's address, which counts as its network whether it is hardware or not. */
static void on_address(const char *address, const char *device, void *userdata)
{
    struct manager *m = userdata;
    (void)snprintf(m->host->device, sizeof m->host->device, "%s", device);
    if (m->zone)
        zone_loop_set_address(m->zone, address);
    if (address)
        log_info("this machine's address is %s%s%s", address, *device ? " on " : "", device);
    else
        log_notice("this machine has no private address on a hardware network device, nor [zone] lan_addr: "
                   "waiting for one");
}

static int watch_address(struct manager *m, struct error *e)
{
    const char *configured = config_string(m->context->config, "zone", "lan_addr"), *device = "";
    int r = host_address_watch_new(m->context->event, configured, on_address, m, &m->address, e);
    if (r < 0)
        return r;
    const char *address = host_address_now(m->address, &device);
    on_address(address, device, m);
    struct in_addr parsed;
    if (address && inet_pton(AF_INET, address, &parsed) == 1 && !host_address_is_private(parsed))
        log_warning("[zone] lan_addr = %s is no private address (RFC 1918): a zone's leader ignores it",
                    address);
    return 0;
}

static void on_instance(const struct reconciler_instance *before, const struct reconciler_instance *now,
                        void *userdata)
{
    struct manager *m = userdata;
    stage_stats_add(&m->stages, before, now);
    stage_reports_put(&m->reports, before, now);
}

static void on_instances_complete(void *userdata)
{
    struct manager *m = userdata;
    m->stages.counting = true;
    if (m->zone)
        zone_loop_reconciler_back(m->zone);
}

static void on_membership(void *userdata)
{
    struct manager *m = userdata;
    zone_loop_renew(m->zone);
}

static int start_zone(struct manager *m, struct error *e)
{
    m->membership = (struct membership){.tree = &m->context->tree, .on_change = on_membership, .userdata = m};
    const struct zone_loop_parts parts = {
        .caller = &m->caller,
        .membership = &m->membership,
        .host = m->host,
        .runtime = &m->runtime,
        .reports = &m->reports,
        .peer_port = config_number(m->context->config, "zone", "peer_port"),
        .http_port = config_number(m->context->config, "zone", "http_port"),
        .interval_usec = config_duration(m->context->config, "zone", "interval"),
        .tls = m->tls_client,
    };
    int r = membership_load(&m->membership, e);
    return r < 0 ? r : zone_loop_new(&parts, host_address_now(m->address, NULL), &m->zone, e);
}

static int start_zone_server(struct manager *m, struct error *e)
{
    const struct zone_server_parts parts = {
        .event = m->context->event,
        .listen_fd = m->context->tcp_fds[PORT_PEER],
        .membership = &m->membership,
        .host = m->host,
        .runtime = &m->runtime,
        .address = m->address,
        .calls = &m->calls,
        .tls = m->tls_server,
    };
    return zone_server_new(&parts, &m->zone_server, e);
}

void manager_zone(const struct manager *m, struct gateway_zone_out *ret)
{
    zone_loop_status(m->zone, ret);
    ret->clock = xstrdup_null(zone_server_clock(m->zone_server));
}

static int start_web(struct manager *m, struct error *e)
{
    const struct web_parts parts = {
        .listen_fd = m->context->tcp_fds[PORT_HTTP],
        .metrics_allow = config_string(m->context->config, "zone", "metrics_allow"),
        .agents = m->agents,
        .caller = &m->caller,
        .instances = m->instances,
        .calls = &m->calls,
        .stages = &m->stages,
        .host = m->host,
    };
    return web_new(m->context->event, &parts, &m->web, e);
}

static int check_sockets(const struct service_context *context, struct error *e)
{
    if (context->conf->n_tcp != PORT_HTTP + 1)
        return error_refuse(e, EINVAL,
                            "service.conf: 'tcp' must name the port for gRPC and the one for HTTP");
    if (!context->conf->public_socket)
        return error_refuse(e, EINVAL, "service.conf: 'public_socket' must name the socket of the agents");
    return 0;
}

static bool is_zone_enabled(const struct service_context *context)
{
    return config_bool(context->config, "zone", "enable");
}

static int load_tls(const struct config *config, struct grpc_tls_settings **ret_server,
                    struct grpc_tls_settings **ret_client, struct error *e)
{
    int r = zone_tls_load(config, true, ret_server, e);
    return r < 0 ? r : zone_tls_load(config, false, ret_client, e);
}

int manager_check(const struct service_context *context, struct error *e)
{
    struct grpc_tls_settings *server = NULL, *client = NULL;
    int r = check_sockets(context, e);
    if (r < 0 || !is_zone_enabled(context)) /* what is not used is not judged */
        return r;
    r = load_tls(context->config, &server, &client, e);
    if (r >= 0)
        r = web_check(config_string(context->config, "zone", "metrics_allow"), e);
    grpc_tls_settings_free(server);
    grpc_tls_settings_free(client);
    return r;
}

/* Starts what belongs to a zone. */
static int start_zone_parts(struct manager *m, struct error *e)
{
    struct service_context *context = m->context;
    m->host = host_new(context->tree.apps, m->started_usec);
    m->runtime.caller = &m->caller;
    m->instances = instances_new(&m->caller, on_instance, on_instances_complete, m);
    int r = watch_address(m, e);
    if (r >= 0)
        r = load_tls(context->config, &m->tls_server, &m->tls_client, e);
    const char *key = config_string(context->config, "zone", "tls_key");
    if (r >= 0 && readable_by_all(key))
        log_warning(
            "[zone] tls_key: all users may read '%s': give it to a group of hostlet-rpc-gateway's and "
            "hostlet-fetcher's, and chmod 0640",
            key);
    if (r >= 0)
        r = start_zone(m, e);
    if (r >= 0)
        r = start_zone_server(m, e);
    return r < 0 ? r : start_web(m, e);
}

int manager_new(struct service_context *context, struct manager **ret, struct error *e)
{
    if (check_sockets(context, e) < 0)
        return -EINVAL;
    struct manager *m = xcalloc(1, sizeof *m);
    m->context = context;
    m->zone_enabled = is_zone_enabled(context);
    m->started_usec = now_boottime_usec();
    m->caller = (struct caller){context->event, &context->tree, &m->calls};
    int r = agents_new(&m->caller, &m->calls, context->public_fd, &m->agents, e);
    if (r >= 0 && m->zone_enabled)
        r = start_zone_parts(m, e);
    if (r < 0) {
        manager_free(m);
        return r;
    }
    *ret = m;
    return 0;
}

bool manager_busy(struct manager *m)
{
    return m->zone_enabled || agents_are_active(m->agents);
}

void manager_public_moved(struct manager *m)
{
    struct error e = ERROR_INIT;
    if (agents_move(m->agents, m->context->public_fd, &e) >= 0)
        return;
    log_error("%s: ending", e.message);
    service_exit(m->context, EXIT_FAILED);
}

static void on_drained(void *userdata)
{
    struct manager *m = userdata;
    service_exit(m->context, EXIT_OK);
}

void manager_finish(struct manager *m)
{
    if (m->zone_server)
        zone_server_drain(m->zone_server, on_drained, m);
    else
        on_drained(m);
}

void manager_free(struct manager *m)
{
    if (!m)
        return;
    web_free(m->web); /* first, because its requests use the agents */
    agents_free(m->agents);
    zone_server_free(m->zone_server);
    zone_loop_free(m->zone);
    grpc_tls_settings_free(m->tls_server);
    grpc_tls_settings_free(m->tls_client);
    runtime_done(&m->runtime);
    instances_free(m->instances);
    host_address_watch_free(m->address);
    host_free(m->host);
    stage_reports_done(&m->reports);
    membership_done(&m->membership);
    call_stats_done(&m->calls);
    free(m);
}
