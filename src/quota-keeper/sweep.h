/* Rechecks everything in the app path, one container after the other: for a caller, or for a replica that
 * needs a project id while files that carry ids of others occupy all of them. Each recheck is a request of
 * its container like any other. */
#pragma once

#include "quota-keeper/manager.h"

struct quota_values;

/* sweep_begin() rechecks everything for a caller, with one reply for each container. sweep_reclaim() does
 * so without a caller until some ids are free; it does nothing while such a sweep exists. */
void sweep_begin(struct manager *m, struct varlink_call *call);
void sweep_reclaim(struct manager *m);
bool sweep_is_for_ids(const struct sweep *sweep);
void sweep_one_done(struct sweep *sweep, const char *name, const struct quota_values *values, int result,
                    const struct error *e);
void sweeps_free(struct manager *m);
