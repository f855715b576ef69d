/* All instances of the machine as the reconciler sees them, kept current by its Watch: for the metrics, for
 * readiness, and for what the zone is told. */
#pragma once

#include "lib/api/reconciler.h"
#include "rpc-gateway/calls.h"

struct instances;

/* After an instance was told, and again when it changed ('before' is what it was; NULL: new); with 'now' of
 * NULL when it is gone. */
typedef void (*instances_fn)(const struct reconciler_instance *before, const struct reconciler_instance *now,
                             void *userdata);

/* Each time when all were told, after a first or a lost connection. */
typedef void (*instances_complete_fn)(void *userdata);

/* Begins to watch; tries again, with growing pauses, for as long as the reconciler does not answer. 'caller'
 * is copied. */
struct instances *instances_new(const struct caller *caller, instances_fn on_change,
                                instances_complete_fn on_complete, void *userdata);
void instances_free(struct instances *instances);

/* Whether the reconciler is connected and has told all. */
bool instances_complete(const struct instances *instances);
/* Those that are known, in no order; valid until the loop runs again. */
const struct reconciler_instance *const *instances_list(const struct instances *instances, size_t *ret_n);
