/* Calls to the other processes of the tree, counted and timed. */
#pragma once

#include "lib/paths/tree.h"
#include "lib/varlink/client.h"
#include "rpc-gateway/call_stats.h"

/* A process that the gateway calls, as far as service.conf lets it. */
struct call_peer {
    const char *name, *socket;
    const struct varlink_interface *interface;
};
extern const struct call_peer call_supervisor, call_reconciler, call_quota;

struct caller {
    sd_event *event; /* borrowed */
    const struct tree *tree;
    struct call_stats *stats;
};

struct call;

/* As varlink_call_start(): 'on_answer' comes from the loop, and with the last answer the call is gone. A
 * stream ('more') is timed until its first answer. */
struct call *call_start(const struct caller *caller, const struct call_peer *peer, const char *method,
                        const void *in, bool more, uint64_t timeout_usec, varlink_answer_fn on_answer,
                        void *userdata);
/* Ends it without a further answer; NULL is fine. */
void call_cancel(struct call *call);
