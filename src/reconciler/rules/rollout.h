/* Decides which replicas of an instance have their turn: how many may be in a switch at once. */
#pragma once

#include "reconciler/model/record.h"

/* The state of a replica that the rollout depends on. */
struct rollout_replica {
    const struct record_replica *record;
    bool up;         /* its current container runs, or the runtime restarts it */
    bool turn_taken; /* it began a switch that has not ended */
    bool wanted;     /* it is to run */
    bool conflict;   /* a container that does not belong to this tree has its name */
};

struct rollout {
    const struct record *record;
    const struct rollout_replica *replicas; /* of the record, in the order of their ids */
    size_t n_replicas;
    /* How many replicas may be in a switch at once if the manifest does not state it: of those without an
     * applied revision, and of those with one. */
    int64_t parallel_first, parallel_update;
};

/* Reports whether the replica at 'index' may begin a switch now, or continue the one that it began. */
bool rollout_turn(const struct rollout *rollout, size_t index);
/* Reports whether the container of the replica's applied revision may be made again now, while the desired
 * revision is another one. A stopped rollout does not prevent that. */
bool rollout_repair_turn(const struct rollout *rollout, size_t index);

/* Reports whether the switch of a replica to the desired revision failed. The other replicas then keep their
 * revision. */
bool rollout_stopped(const struct record *record);
