/* What a manifest would change, and what forbids it. */
#pragma once

#include "reconciler/model/instance.h"

/* Fills changes and refusals; the manifest is checked and normalised. 'containers' is what the
 * runtime lists. */
struct plan_containers {
    struct driver_container **items;
    size_t n_items;
    bool known; /* the runtime answered */
};
void plan_make(struct manager *m, const struct app_manifest *manifest,
               const struct plan_containers *containers, struct reconciler_apply_out *out);
void add_change(struct reconciler_apply_out *out, const char *subject, const char *action,
                const char *reason);
