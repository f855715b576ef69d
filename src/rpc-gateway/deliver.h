/* What the zone wants, on its way to the reconciler: only what changed since it was last taken, one call after the other. A reconciler
 * that is not there is waited for; what comes meanwhile takes the place of what waits. */
#pragma once

#include "lib/api/reconciler.h"
#include "rpc-gateway/calls.h"

#include "lib/inapi/app.pb-c.h"

struct deliver;

int deliver_new(const struct caller *caller, struct deliver **ret, struct error *e);
void deliver_free(struct deliver *d); /* NULL is fine */

/* Copied. */
void deliver_facts(struct deliver *d, const struct reconciler_zone_facts *facts);
/* A whole answer: the instances that are assigned here. What they echo of our own reports is taken out of them. */
void deliver_instances(struct deliver *d, Inapi__AppInstance **instances, size_t n);
/* The zone is left: nothing is assigned any more. */
void deliver_nothing(struct deliver *d);

/* How many instances wait to be taken. */
size_t deliver_waiting(const struct deliver *d);
