/* Computes what a manifest would change, and the reasons for which it is refused. Apply refuses what a plan
 * refuses. */
#pragma once

#include "lib/api/container_driver.h"
#include "lib/api/reconciler.h"
#include "reconciler/model/record.h"
#include "reconciler/rules/ports.h"

/* The addresses of this machine. A container's port can be published on them alone, unless the kernel lets
 * programs bind any address of the family. */
struct host_addresses {
    struct in6_addr *items; /* IPv4 addresses are mapped */
    size_t n;
    bool has_v6;
    bool any_v4, any_v6; /* the kernel binds addresses that the machine does not have */
};

/* The input of a plan. The manifest is checked and normalised already. */
struct plan_input {
    const struct app_manifest *manifest;
    const char *origin;                         /* of the request: local or directory; NULL: local */
    const struct record *record;                /* of the instance with the manifest's name; NULL: none */
    struct driver_container *const *containers; /* the runtime's list */
    size_t n_containers;
    bool unlisted; /* the runtime did not send the whole list */
    /* What each of the containers uses at present; NULL: not known, or without effect (plan_next_lowered()).
     */
    struct driver_usage_out *const *usages; /* n_containers items; NULL: none is known */
    const struct port_uses *ports;
    const struct port_range *range;         /* for ports that are allocated */
    const struct host_addresses *addresses; /* of this machine; NULL: not known */
    const struct driver_info_out *machine;  /* NULL: not known */
    int64_t memory_of_others;               /* bytes: the memory limits of the other instances' replicas */
    const char *overcommit;                 /* the setting: warn, refuse or ignore; NULL: ignore */
    const char *host_id_problem;            /* why the machine's own host id cannot be read; NULL: it can */
    const char *record_problem;             /* why the record with this name cannot be read; NULL: it can */
};

/* Returns the first container at index 'at' or later whose limits the manifest lowers while it runs, so that
 * its usage matters; SIZE_MAX: there is none. */
size_t plan_next_lowered(const struct plan_input *in, size_t at);
/* Fills the zeroed 'out' with changes, refusals, warnings and grants. */
void plan_make(const struct plan_input *in, struct reconciler_apply_out *out);

/* Adds a refusal. Takes ownership of 'reason'. */
void plan_refuse(struct reconciler_apply_out *out, char *reason);
/* Adds a change; 'reason' may be NULL. */
void plan_add_change(struct reconciler_apply_out *out, const char *subject, const char *action,
                     const char *reason);
