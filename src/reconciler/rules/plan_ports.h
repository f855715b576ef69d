/* Plans the ports of a manifest's replicas, as a part of plan.h. */
#pragma once

#include "reconciler/rules/plan.h"

/* Makes a record with only the replicas as Apply would make them, with their ports; 'changed': the manifest
 * makes a new revision. Adds a refusal if no port is free. The caller frees it. */
struct record *plan_assign_ports(const struct plan_input *in, bool changed, struct reconciler_apply_out *out);

/* Adds a refusal for each port of a replica of that record that cannot be bound: those that the manifest
 * states, and those that are new. */
void plan_check_ports(const struct plan_input *in, const struct record_replica *next,
                      struct reconciler_apply_out *out);

/* Adds the ports of that replica as text, "replica 0: publishes http 8080->80". */
void plan_tell_ports(const struct record_replica *next, struct reconciler_apply_out *out);
