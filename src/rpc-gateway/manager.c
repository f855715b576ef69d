/* What the gateway holds; see manager.h. */
#include "rpc-gateway/manager.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "rpc-gateway/ports.h"

int manager_open_ports(struct manager *m, struct error *e)
{
    const struct config *config = m->context->config;
    if (!config_bool(config, "zone", "enable"))
        return 0;
    const char *address = config_string(config, "zone", "listen");
    int r = port_open(address, (uint16_t)config_number(config, "zone", "peer_port"), &m->peer_fd, e);
    if (r >= 0)
        r = port_open(address, (uint16_t)config_number(config, "zone", "http_port"), &m->http_fd, e);
    return r;
}

int manager_start(struct manager *m, struct error *e)
{
    (void)e;
    if (m->http_fd < 0)
        log_notice(
            "not a member of a zone ([zone] enable = no): nothing is served but the socket of this process");
    return 0;
}

void manager_info(const struct manager *m, struct gateway_info_out *ret)
{
    const struct config *config = m->context->config;
    *ret = (struct gateway_info_out){
        .enabled = config_bool(config, "zone", "enable"),
        .listen = xstrdup(config_string(config, "zone", "listen")),
        .peer_port = port_number(m->peer_fd),
        .http_port = port_number(m->http_fd),
        .started = m->started,
    };
}

struct manager *manager_new(struct service_context *context)
{
    struct manager *m = xcalloc(1, sizeof *m);
    m->context = context;
    m->started = now_realtime_msec() / 1000;
    m->peer_fd = m->http_fd = -1;
    return m;
}

void manager_free(struct manager *m)
{
    if (!m)
        return;
    close_fd(m->peer_fd);
    close_fd(m->http_fd);
    free(m);
}
