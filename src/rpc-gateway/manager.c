/* What the gateway holds; see manager.h. */
#include "rpc-gateway/manager.h"

#include <errno.h>
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
        .started = m->started,
    };
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
    *ret = m;
    return 0;
}

void manager_free(struct manager *m)
{
    free(m);
}
