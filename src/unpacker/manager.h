/* Manages the unpacker's work: which packages are being unpacked or removed, and which calls wait for it.
 *
 * Each piece of work is a job in a thread; requests for the same package share one. All functions are called
 * in the loop. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/api/unpacker.h"
#include "lib/package/limits.h"
#include "lib/varlink/server.h"

struct manager;

struct manager_options {
    const char *packages; /* directory with {name}/{id}.ipk, which the fetcher writes */
    /* The install store, which belongs to root. Packages are unpacked into IPK_STAGING in it, which the
     * unpacker owns. */
    const char *store;
    struct package_limits limits;
    unsigned threads; /* for decoding one xz package */
};

/* Opens the directories, and starts to remove what killed processes left in staging. Returns 0 or a negative
 * errno. */
int manager_new(sd_event *event, const struct manager_options *options, struct manager **ret,
                struct error *e);

/* Cancels all jobs and waits for their threads. Waiting calls get no reply: the caller closes their
 * connections. */
void manager_free(struct manager *m);

/* Reports whether a job exists, with or without a waiting call. */
bool manager_busy(const struct manager *m);

/* Unpack a package; remove an unpacked one from staging. They reply to the call when the job has ended, or
 * return a negative errno with 'e' set. They check name and id. An extraction is cancelled when the last
 * waiting call is gone. */
int manager_unpack(struct manager *m, const struct unpacker_unpack_in *in, struct varlink_call *call,
                   struct error *e);
int manager_remove(struct manager *m, const char *name, const char *id, struct varlink_call *call,
                   struct error *e);

/* Sends all published packages to the call, then the final reply. */
int manager_list(struct manager *m, struct varlink_call *call, struct error *e);
