/* Reads the actual state of containers from container-driver. */
#pragma once

#include "reconciler/model/instance.h"

/* Begin and end to follow the driver's Watch. Nothing is done for any replica before the snapshot is
 * complete. */
void observe_start(struct manager *m);
void observe_stop(struct manager *m);
/* Requests m->info again if it is older than a minute. The caller does not wait for it. */
void observe_runtime(struct manager *m);
/* Inspects both containers of the replica, and then kicks it. */
void observe_replica(struct replica *replica);
/* Replaces m->info by a copy of 'info'. */
void manager_set_info(struct manager *m, const struct driver_info_out *info);
