/* The unpacker's state: which packages are being unpacked or removed, and for whom.
 *
 * Each piece of work is a job with a thread; requests for the same package share one. All functions are
 * called from the loop. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/api/unpacker.h"
#include "lib/package/limits.h"
#include "lib/varlink/server.h"

struct manager;

struct manager_options {
    const char *packages; /* directory with {name}/{id}.ipk, the fetcher's */
    const char *store; /* directory of installs, root's; what is unpacked goes into IPK_STAGING in it, which
                          is ours */
    struct package_limits limits;
    unsigned threads; /* for decoding one xz package */
};

/* Opens them, and begins to remove what crashed predecessors left in it. */
int manager_new(sd_event *event, const struct manager_options *options, struct manager **ret,
                struct error *e);

/* Cancels everything and waits for the threads. Calls that wait for an answer get none: the connections are
 * to be closed. */
void manager_free(struct manager *m);

/* Whether a job runs, for whomever. */
bool manager_busy(const struct manager *m);

/* Both answer the call when the work is done, or return a negative errno with 'e' filled. Name and id are
 * checked here. When the last client that waits for an extraction leaves, it is cancelled. */
int manager_unpack(struct manager *m, const struct unpacker_unpack_in *in, struct varlink_call *call,
                   struct error *e);
int manager_remove(struct manager *m, const char *name, const char *id, struct varlink_call *call,
                   struct error *e);

/* Streams the install directories to the call, and answers it. */
int manager_list(struct manager *m, struct varlink_call *call, struct error *e);
