/* Serves gRPC on the peer port: HostInit, by which an operator joins this machine to a zone; Ping, health
 * and reflection. */
#pragma once

#include "lib/grpc/tls.h"
#include "rpc-gateway/call_stats.h"
#include "rpc-gateway/host_address.h"
#include "rpc-gateway/host_status.h"
#include "rpc-gateway/membership.h"
#include "rpc-gateway/runtime.h"

struct zone_server;

struct zone_server_parts { /* borrowed */
    sd_event *event;
    int listen_fd;
    struct membership *membership;
    struct host *host;
    struct runtime *runtime;
    const struct host_address_watch *address;
    struct call_stats *calls;
    struct grpc_tls_settings *tls; /* NULL: plaintext */
};

int zone_server_new(const struct zone_server_parts *parts, struct zone_server **ret, struct error *e);
/* Accepts no more connections and completes the calls in progress, within two seconds. Then 'on_drained'
 * is called from the loop. */
void zone_server_drain(struct zone_server *server, void (*on_drained)(void *userdata), void *userdata);
void zone_server_free(struct zone_server *server);

/* Returns what a call of the last ten minutes showed about clocks that differ; NULL: nothing. */
const char *zone_server_clock(const struct zone_server *server);
