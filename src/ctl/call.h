/* Calls the services of the tree. */
#pragma once

#include "ctl/ctl.h"

/* One service of the tree. */
struct ctl_peer {
    const char *socket; /* its name below RUN */
    const struct varlink_interface *interface;
};
extern const struct ctl_peer ctl_supervisor, ctl_reconciler, ctl_driver, ctl_fetcher, ctl_provisioner,
    ctl_quota, ctl_gateway;

#define CTL_TIMEOUT_USEC (60 * USEC_PER_SEC)

/* One call and its answer, repeated for a while where the worker died on the way: every request may be
 * repeated. 'out' is the zeroed struct (release with ctl_done), or NULL. */
int ctl_call(const struct ctl *ctl, const struct ctl_peer *peer, const char *method, const void *in,
             void *out, uint64_t timeout_usec, struct error *e);
/* Releases what ctl_call filled. */
void ctl_done(const struct ctl_peer *peer, const char *method, void *out);

/* A stream of answers, each told to 'on_item' (borrowed), until its end. */
typedef void (*ctl_item_fn)(const void *out, void *userdata);
int ctl_stream(const struct ctl *ctl, const struct ctl_peer *peer, const char *method, const void *in,
               ctl_item_fn on_item, void *userdata, struct error *e);
/* The same with another time until the next answer than CTL_TIMEOUT_USEC. */
int ctl_stream_within(const struct ctl *ctl, const struct ctl_peer *peer, const char *method, const void *in,
                      ctl_item_fn on_item, void *userdata, uint64_t timeout_usec, struct error *e);

/* Says what went wrong; returns the exit code for it. */
int ctl_fail(const struct error *e);
