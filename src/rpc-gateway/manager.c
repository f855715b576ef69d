/* What the gateway holds; see manager.h. */
#include "rpc-gateway/manager.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"

void manager_info(const struct manager *m, struct gateway_info_out *ret)
{
    const struct config *config = m->context->config;
    *ret = (struct gateway_info_out){
        .listen = xstrdup(config_string(config, "zone", "listen")),
        .peer_port = config_number(config, "zone", "peer_port"),
        .http_port = config_number(config, "zone", "http_port"),
        .lan_addr = xstrdup_null(host_address_now(m->address, NULL)),
        .started = m->started,
    };
}

/* The device that holds the machine's address counts as its network, hardware or not. */
static void on_address(const char *address, const char *device, void *userdata)
{
    struct manager *m = userdata;
    (void)snprintf(m->host->device, sizeof m->host->device, "%s", device);
    if (address)
        log_info("this machine's address is %s%s%s", address, *device ? " on " : "", device);
    else
        log_notice(
            "this machine has no private address on a real network device, nor [zone] lan_addr: waiting for "
            "one");
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
}

static int start_web(struct manager *m, struct error *e)
{
    const struct web_parts parts = {
        .listen_fd = m->context->tcp_fds[PORT_HTTP],
        .metrics_allow = config_string(m->context->config, "zone", "metrics_allow"),
        .caller = &m->caller,
        .instances = m->instances,
        .calls = &m->calls,
        .stages = &m->stages,
        .host = m->host,
    };
    return web_new(m->context->event, &parts, &m->web, e);
}

int manager_new(struct service_context *context, struct manager **ret, struct error *e)
{
    if (!service_conf_enabled(context->conf, context->config))
        return error_refuse(e, EINVAL, "not enabled: hostlet.conf says no to %s", context->conf->enabled);
    if (context->conf->n_tcp != PORT_HTTP + 1)
        return error_refuse(e, EINVAL,
                            "service.conf: 'tcp' must name the port for gRPC and the one for HTTP");
    struct manager *m = xcalloc(1, sizeof *m);
    m->context = context;
    m->started = now_realtime_msec() / 1000;
    m->host = host_new(context->tree.apps, m->started);
    m->caller = (struct caller){context->event, &context->tree, &m->calls};
    m->stages.since = m->started * 1000;
    int r = watch_address(m, e);
    if (r >= 0)
        r = instances_new(&m->caller, on_instance, m, &m->instances, e);
    if (r >= 0)
        r = start_web(m, e);
    if (r < 0) {
        manager_free(m);
        return r;
    }
    *ret = m;
    return 0;
}

void manager_free(struct manager *m)
{
    if (!m)
        return;
    web_free(m->web);
    instances_free(m->instances);
    host_address_watch_free(m->address);
    host_free(m->host);
    call_stats_done(&m->calls);
    free(m);
}
