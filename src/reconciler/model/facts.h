/* Stores the zone's facts about this machine in VAR/hostlet/reconciler/zone.json. */
#pragma once

#include "reconciler/model/instance.h"

/* Reads the file into m->zone. If the file cannot be read, the function logs why, sets m->facts_problem and
 * returns 0: the zone's instances are then left unchanged until rpc-gateway sends the facts again. */
int facts_load(struct manager *m, struct error *e);
/* Checks the facts, saves them and makes a copy of them m->zone. '*changed' becomes true if they differ from
 * the previous ones. Returns −EINVAL (refused) if a fact is not valid. */
int facts_put(struct manager *m, const struct reconciler_zone_facts *facts, bool *changed, struct error *e);
