/* Runs the loop with the zone (contract, section 4): reports the machine's state and receives the zone's
 * orders, every 3 s (or as configured), counted from the end of the round before. A leader that is slow,
 * unreachable or faulty causes a delay and changes nothing that runs here. */
#pragma once

#include "lib/api/rpc_gateway.h"
#include "lib/grpc/tls.h"
#include "rpc-gateway/calls.h"
#include "rpc-gateway/deliver_network.h"
#include "rpc-gateway/host_status.h"
#include "rpc-gateway/membership.h"
#include "rpc-gateway/runtime.h"
#include "rpc-gateway/stage_reports.h"

struct zone_loop;

struct zone_loop_parts { /* borrowed as long as the loop exists */
    const struct caller *caller;
    struct membership *membership;
    struct host *host;
    struct runtime *runtime;
    struct stage_reports *reports;
    struct grpc_tls_settings *tls; /* NULL: plaintext */
    int64_t peer_port, http_port;
    uint64_t interval_usec; /* from the end of a round to the start of the next */
};

int zone_loop_new(const struct zone_loop_parts *parts, const char *lan_addr, struct zone_loop **ret,
                  struct error *e);
void zone_loop_free(struct zone_loop *z); /* NULL does nothing */

/* Restart the loop at once: after a change of the membership, or of the machine's address (NULL: it has
 * none). */
void zone_loop_renew(struct zone_loop *z);
void zone_loop_set_address(struct zone_loop *z, const char *lan_addr);

/* Called when the reconciler has restarted: everything is delivered to it again. */
void zone_loop_reconciler_back(struct zone_loop *z);

/* Calls 'on_end' when net-keeper has removed the network of a zone that this machine has left, or could not
 * (deliver_network_wait()). NULL as 'on_end' ends the waiting. */
void zone_loop_await_removal(struct zone_loop *z, deliver_network_end_fn on_end, void *userdata);

/* Fills 'ret', which the caller releases with schema_done(). */
void zone_loop_status(const struct zone_loop *z, struct gateway_zone_out *ret);
