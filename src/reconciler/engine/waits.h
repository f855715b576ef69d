/* Steps by which no worker is called: there is nothing to be done, or something else comes first. Rows of the
 * table in steps.c. */
#pragma once

#include "reconciler/model/instance.h"

void wait_settled(struct replica *replica);
void wait_for_others(struct replica *replica); /* its turn, or the runtime, or purges of others */
void wait_for_name(struct replica *replica);
void wait_for_preparation(struct replica *replica);
void wait_for_probation(struct replica *replica);
void wait_gone(struct replica *replica);
