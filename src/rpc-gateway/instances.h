/* Stores all instances of the machine as the reconciler reports them, kept current by its Watch: for the
 * metrics, for readiness, and for the reports to the zone. */
#pragma once

#include "lib/api/reconciler.h"
#include "rpc-gateway/calls.h"

struct instances;

/* Called for each instance of the snapshot and for each change. 'before' is the previous state, NULL for a
 * new instance; 'now' is NULL for a removed one. */
typedef void (*instances_fn)(const struct reconciler_instance *before, const struct reconciler_instance *now,
                             void *userdata);

/* Called each time the snapshot is complete, after the first connection and after each lost one. */
typedef void (*instances_complete_fn)(void *userdata);

/* Starts to watch, and retries with growing pauses as long as the reconciler does not reply. 'caller' is
 * copied. */
struct instances *instances_new(const struct caller *caller, instances_fn on_change,
                                instances_complete_fn on_complete, void *userdata);
void instances_free(struct instances *instances);

/* Reports whether the reconciler is connected and its snapshot is complete. */
bool instances_complete(const struct instances *instances);
/* Returns the stored instances, in no order; valid until the next iteration of the loop. */
const struct reconciler_instance *const *instances_list(const struct instances *instances, size_t *ret_n);
