/* Asks the runtime for what plans of manifests need, and makes them: the containers, the machine's size, and
 * what containers use whose limits would be lowered. */
#pragma once

#include "reconciler/model/instance.h"

struct planning;

/* Is called once, when the runtime has replied, is not reachable, or has not replied in 10 seconds. It frees
 * the planning. */
typedef void (*planning_done_fn)(struct planning *planning, void *userdata);

/* Begins; takes ownership of 'manifests', an array of 'n' checked and normalised ones. 'done' is called from
 * the event loop. */
struct planning *planning_start(struct manager *m, struct app_manifest **manifests, size_t n,
                                planning_done_fn done, void *userdata);
/* Has the planning wait for the runtime 'msec' at most; 0: as it does. */
void planning_hurry(struct planning *planning, int64_t msec);
/* Frees the planning with its manifests, also before 'done' is called; NULL is accepted. */
void planning_free(struct planning *planning);

size_t planning_count(const struct planning *planning);
struct app_manifest *planning_manifest(const struct planning *planning, size_t index); /* borrowed */
/* Sets by how many bytes manifests that are not in the records yet will change the sum of all memory limits.
 */
void planning_set_memory(struct planning *planning, int64_t bytes);
/* Makes the plan of one manifest against the records as they are now, and fills the zeroed 'out'. 'origin' is
 * that of the request: local or directory. The caller frees 'out' with apply_out_done(). */
void planning_make(const struct planning *planning, size_t index, const char *origin,
                   struct reconciler_apply_out *out);
