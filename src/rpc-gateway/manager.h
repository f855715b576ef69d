/* The gateway's state: the parts that serve its sockets. Without [zone] enable only the agents' socket is
 * served: of the other parts, those that are pointers are NULL. */
#pragma once

#include "lib/api/rpc_gateway.h"
#include "lib/service/service.h"
#include "rpc-gateway/agents.h"
#include "rpc-gateway/host_address.h"
#include "rpc-gateway/host_status.h"
#include "rpc-gateway/web.h"
#include "rpc-gateway/zone_loop.h"
#include "rpc-gateway/zone_server.h"

/* Indexes into the context's tcp_fds, in the order of 'tcp' in service.conf. */
enum { PORT_PEER, PORT_HTTP };

struct manager {
    struct service_context *context;
    bool zone_enabled;
    struct agents *agents;
    uint64_t started_usec; /* CLOCK_BOOTTIME, when this process started */
    struct host *host;
    struct host_address_watch *address;
    struct caller caller;
    struct call_stats calls;
    struct stage_stats stages;
    struct instances *instances;
    struct runtime runtime;
    struct membership membership;
    struct stage_reports reports;
    struct zone_loop *zone;
    struct grpc_tls_settings *tls_server, *tls_client; /* NULL: plaintext */
    struct zone_server *zone_server;
    struct web *web;
    struct varlink_call *leaving; /* ZoneLeave, in progress; NULL: none */
};

/* Checks the configuration: the ports, TLS, and who may read the metrics. Returns 0, or a negative errno
 * (refused). */
int manager_check(const struct service_context *context, struct error *e);
int manager_new(struct service_context *context, struct manager **ret, struct error *e);
/* Completes the calls of the zone, and then ends the process. */
void manager_finish(struct manager *manager);
/* Reports whether agents report, so that the process may not end as idle. */
bool manager_busy(struct manager *manager);
/* Serves the public socket of the context in place of the present one. */
void manager_public_moved(struct manager *manager);
/* Returns 0, or an error (class ServiceDown) if hostlet.conf enables no zone. */
int manager_need_zone(const struct manager *manager, struct error *e);
void manager_free(struct manager *manager);

/* Fill 'ret', which the caller releases with schema_done(). manager_join_info() returns −ENOENT (class
 * NotFound) if this machine belongs to no zone. */
int manager_join_info(const struct manager *manager, struct gateway_join_out *ret, struct error *e);
void manager_zone(const struct manager *manager, struct gateway_zone_out *ret);
void manager_info(const struct manager *manager, struct gateway_info_out *ret);
