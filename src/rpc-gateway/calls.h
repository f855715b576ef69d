/* Calls other processes of the tree, and counts and times these calls. */
#pragma once

#include "lib/paths/tree.h"
#include "lib/varlink/client.h"
#include "rpc-gateway/call_stats.h"

/* A process that the gateway calls; the process's service.conf defines which methods it accepts. */
struct call_peer {
    const char *name, *socket;
    const struct varlink_interface *interface;
};
extern const struct call_peer call_supervisor, call_reconciler, call_quota, call_net;

struct caller {
    sd_event *event; /* borrowed */
    const struct tree *tree;
    struct call_stats *stats;
};

struct call;

/* Starts a call as varlink_call_start() does. 'on_answer' runs in the loop; with the last reply the call
 * is freed. A stream ('more') is timed until its first reply. */
struct call *call_start(const struct caller *caller, const struct call_peer *peer, const char *method,
                        const void *in, bool more, uint64_t timeout_usec, varlink_answer_fn on_answer,
                        void *userdata);
/* Ends the call without a further reply; NULL does nothing. */
void call_cancel(struct call *call);
