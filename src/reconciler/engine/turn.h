/* Runs a turn of an instance: handles all kicks and changes since the last turn. */
#pragma once

#include "reconciler/model/instance.h"

/* Calls decide() for the kicked replicas and begins their next steps, drops destroyed replicas, and notifies
 * watchers of changes. A destroyed instance is removed with its record and freed. The manager's 'turn'. */
void turn(void *instance);

/* Begins again after the desired state changed: drops counted failures and pauses, and has all containers
 * inspected before the next step. */
void instance_begin(struct instance *instance);
/* Drops a replica's failure, so that its switch or step is retried. The caller saves the record. */
void replica_forget_failure(struct replica *replica);
