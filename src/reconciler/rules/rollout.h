/* Whose turn it is: how many replicas of an instance may be between two revisions at once. */
#pragma once

#include "reconciler/model/record.h"

/* What the rollout sees of a replica. */
struct rollout_replica {
    const struct record_replica *record;
    bool up;         /* its current container runs, or the runtime restarts it */
    bool turn_taken; /* it began a switch that is not over */
    bool wanted;     /* it shall run */
    bool conflict;   /* its name is in use by a container that is not ours */
};

struct rollout {
    const struct record *record;
    const struct rollout_replica *replicas; /* those of the record, in the order of their ids */
    size_t n_replicas;
    /* How many replicas may be switched at once, where the manifest does not say: those without a revision
     * that proved itself, and those with one. */
    int64_t parallel_first, parallel_update;
};

/* Tells whether the replica at 'index' may begin a switch now, or go on with the one that it began. */
bool rollout_turn(const struct rollout *rollout, size_t index);

/* Tells whether a replica failed with the desired revision: the others stay with the old one. */
bool rollout_stopped(const struct record *record);
