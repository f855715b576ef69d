/* The part of the plan that concerns the device and its address. Pure functions. */
#pragma once

#include "net-keeper/plan.h"

/* Finds the device, judges whether it belongs to this tree, and adds the changes that create or set it, its
 * mark and its address. Sets plan->blocked if the device belongs to another program or the zone's network
 * overlaps the machine's. */
void plan_device(const struct plan_input *input, struct plan *plan);
