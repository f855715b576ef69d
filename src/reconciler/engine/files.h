/* The files that a replica's container reads: its directory, with app_replica.json. Each step and what
 * follows from it. */
#pragma once

#include "reconciler/model/instance.h"

void files_provision(struct replica *replica);
void files_provisioned(struct replica *replica, const void *out);
void files_restore(struct replica *replica); /* those of the old revision */
void files_restored(struct replica *replica, const void *out);
void files_update(struct replica *replica); /* of a container that runs on */
void files_updated(struct replica *replica, const void *out);
