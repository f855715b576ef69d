/* Calls the services of the tree. */
#pragma once

#include "ctl/ctl.h"

/* A service of the tree that commands call. */
struct ctl_peer {
    const char *socket; /* name below RUN, without ".sock" */
    const struct varlink_interface *interface;
};
extern const struct ctl_peer ctl_supervisor, ctl_reconciler, ctl_driver, ctl_fetcher, ctl_provisioner,
    ctl_quota, ctl_gateway, ctl_net;

#define CTL_TIMEOUT_USEC (60 * USEC_PER_SEC)

/* Calls a method and waits for its reply. If the worker is lost during the call, the call is repeated for up
 * to 15 seconds, which every method allows. Fills the zeroed struct 'out' (the caller releases it with
 * ctl_done), which may be NULL. Returns 0 or a negative errno. */
int ctl_call(const struct ctl *ctl, const struct ctl_peer *peer, const char *method, const void *in,
             void *out, uint64_t timeout_usec, struct error *e);
/* Releases the members that ctl_call filled. */
void ctl_done(const struct ctl_peer *peer, const char *method, void *out);

/* Calls a method with 'more', and calls 'on_item' with each reply (borrowed) until the last one. Returns 0 or
 * a negative errno. */
typedef void (*ctl_item_fn)(const void *out, void *userdata);
int ctl_stream(const struct ctl *ctl, const struct ctl_peer *peer, const char *method, const void *in,
               ctl_item_fn on_item, void *userdata, struct error *e);
/* Does the same with another time-out of each reply than CTL_TIMEOUT_USEC. */
int ctl_stream_within(const struct ctl *ctl, const struct ctl_peer *peer, const char *method, const void *in,
                      ctl_item_fn on_item, void *userdata, uint64_t timeout_usec, struct error *e);

/* Prints the error to standard error. Returns EXIT_DOWN if a service is down, else EXIT_FAILED. */
int ctl_fail(const struct error *e);
