/* Chooses the revision that a replica runs at present, its target: the desired one; or the applied one until
 * the desired one is prepared and the replica has its turn, after a failed switch, and for a replica that is
 * no longer assigned. So a replica whose revision has proven itself runs whatever happens to the next one. */
#pragma once

#include "reconciler/model/instance.h"

/* Chooses the target anew, since no step is in progress, and begins the preparation of the desired revision
 * if the target is another one until then. */
void target_choose(struct replica *replica);

/* Reports whether the replica has another target than the desired revision until that is prepared and it has
 * its turn. */
bool target_is_interim(const struct replica *replica);

/* Reports whether the rollout permits the replica to begin a switch to its target. */
bool target_has_turn(const struct replica *replica);

/* Reports whether what the replica waits for may come soon, so that a replica that is down waits. */
bool target_may_change_soon(const struct replica *replica);

/* Cancels the preparations that no replica needs any more: of an instance that is stopped or destroyed. */
void target_drop_preparations(struct instance *instance);
