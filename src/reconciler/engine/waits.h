/* Begins the steps that call no worker: nothing is to be done, or something else must happen first. The
 * functions are in the table of steps.c. */
#pragma once

#include "reconciler/model/instance.h"

void wait_settled(struct replica *replica);
void wait_for_others(struct replica *replica);      /* for its turn, or purges of other replicas */
void wait_for_removal(struct replica *replica);     /* the runtime is removing the current container */
void wait_for_name(struct replica *replica);        /* a container that does not belong to this tree has it */
void wait_for_preparation(struct replica *replica); /* of the replica's target */
void wait_for_desired(struct replica *replica);     /* the applied revision runs until that is prepared */
void wait_for_probation(struct replica *replica);
void wait_gone(struct replica *replica);
