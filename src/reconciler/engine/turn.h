/* A turn of the engine: what follows from everything that happened to an instance since the last one. */
#pragma once

#include "reconciler/model/instance.h"

/* Asks decide() for the replicas that were kicked and begins their next steps, drops what is gone, and tells
 * those who watch what changed. The manager's 'turn'; 'instance' may be freed by it. */
void turn(void *instance);

/* Forgets failures in a row and the pauses for them, and has everything looked at before anything is done. */
void instance_begin(struct instance *instance);
/* Forgets that a replica failed, so that what failed is tried again; the caller saves the record. */
void replica_forget_failure(struct replica *replica);
