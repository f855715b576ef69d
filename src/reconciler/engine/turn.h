/* Runs a turn of an instance: handles all kicks and changes since the last turn. */
#pragma once

#include "reconciler/model/instance.h"

/* Calls decide() for the kicked replicas and begins their next steps, drops destroyed replicas, and notifies
 * watchers of changes. A destroyed instance is removed with its record and freed. 'turn' of the manager
 * points to this function. */
void turn(void *instance);

/* Begins again after the desired state changed: drops the counted failures and pauses of all replicas and of
 * the revision's preparation, exits of containers that do not stay, and the knowledge of completed steps, and
 * has all containers inspected before the next step. A failed revision in the record remains. */
void instance_begin(struct instance *instance);
/* Drops a replica's failure, so that its switch or step is retried. The caller saves the record. */
void replica_forget_failure(struct replica *replica);
