/* Rechecks of everything in the app path. */
#pragma once

#include "quota-keeper/manager.h"

struct quota_values;

/* Looks at everything in the app path, for a caller (a stream), or without one until some ids are free. */
void sweep_begin(struct manager *m, struct varlink_call *call);
void sweep_reclaim(struct manager *m);
bool sweep_is_for_ids(const struct sweep *sweep);
void sweep_one_done(struct sweep *sweep, const char *name, const struct quota_values *values, int result,
                    const struct error *e);
void sweeps_free(struct manager *m);
