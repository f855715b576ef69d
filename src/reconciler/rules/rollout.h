/* Whose turn it is to be switched. */
#pragma once

#include "reconciler/model/instance.h"

bool rollout_turn(const struct replica *replica);
bool rollout_stopped(
    const struct instance *instance); /* a replica failed: the others stay with the old revision */
