/* An order of the zone, into the record. */
#pragma once

#include "reconciler/model/instance.h"

/* 'instance' is NULL for one that is not known yet. The name has been checked, and the facts
 * are there. 'refused': why it is not followed, whatever it says; NULL: it is looked at. */
int zone_order(struct manager *m, struct instance *instance, const struct app_instance *wanted,
               const char *refused, bool *changed, struct error *e);
/* Which replicas of the manifest are this host's: new ones come, others are marked. True when that changed.
 */
bool zone_assign_replicas(struct record *record, const struct app_manifest *manifest, const char *host_id);
