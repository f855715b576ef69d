/* What a manifest would change, and what forbids it. */
#pragma once

#include "lib/api/container_driver.h"
#include "lib/api/reconciler.h"
#include "reconciler/model/record.h"
#include "reconciler/rules/ports.h"

/* What a plan is made from. The manifest is checked and normalised. */
struct plan_input {
    const struct app_manifest *manifest;
    const struct record *record;                /* of the instance with its name; NULL: there is none */
    struct driver_container *const *containers; /* that the runtime lists */
    size_t n_containers;
    const struct port_uses *ports;
    const struct driver_info_out *machine; /* NULL: not known */
    const char *host_id_problem;           /* why this machine's own host id cannot be read; NULL: it can */
    const char *record_problem;            /* why the record with this name cannot be read; NULL: it can */
};

/* Fills the zeroed 'out' with changes, refusals and grants. */
void plan_make(const struct plan_input *in, struct reconciler_apply_out *out);

/* Adds a change; 'reason' may be NULL. */
void plan_add_change(struct reconciler_apply_out *out, const char *subject, const char *action,
                     const char *reason);
