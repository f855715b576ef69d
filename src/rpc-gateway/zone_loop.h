/* The loop with the zone (contract, section 4): says how the machine is, and takes what it is to do. Every 3
 * s (or as configured), counted from the end of the round before; a leader that is slow, dead or wrong delays
 * and changes nothing that runs here. */
#pragma once

#include "lib/api/rpc_gateway.h"
#include "lib/grpc/tls.h"
#include "rpc-gateway/calls.h"
#include "rpc-gateway/host_status.h"
#include "rpc-gateway/membership.h"
#include "rpc-gateway/runtime.h"
#include "rpc-gateway/stage_reports.h"

struct zone_loop;

struct zone_loop_parts { /* borrowed as long as the loop lives */
    const struct caller *caller;
    struct membership *membership;
    struct host *host;
    struct runtime *runtime;
    struct stage_reports *reports;
    struct grpc_tls_settings *tls; /* NULL: plaintext */
    int64_t peer_port, http_port;
    uint64_t interval_usec; /* from the end of a round to the next one */
};

int zone_loop_new(const struct zone_loop_parts *parts, const char *lan_addr, struct zone_loop **ret,
                  struct error *e);
void zone_loop_free(struct zone_loop *z); /* NULL is fine */

/* The membership is another one, or the machine's address (NULL: it has none): begins anew, at once. */
void zone_loop_renew(struct zone_loop *z);
void zone_loop_set_address(struct zone_loop *z, const char *lan_addr);

/* The reconciler has begun a new life: what it was told is told again. */
void zone_loop_reconciler_back(struct zone_loop *z);

/* Fills 'ret', which is released with schema_done(). */
void zone_loop_status(const struct zone_loop *z, struct gateway_zone_out *ret);
