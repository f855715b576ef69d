/* Sets a replica's state, and plans retries after failures. */
#pragma once

#include "reconciler/model/instance.h"

/* Sets the state, logs a change and notifies watchers of it. */
void replica_set_state(struct replica *replica, enum replica_state state);
/* Sets the state that follows from the desired state, the containers and the step in progress. */
void replica_update_state(struct replica *replica);
/* Returns whether the application in the current container is ready. */
enum readiness replica_readiness(const struct replica *replica);
/* Returns the microseconds that are left of the current container's probation, or until its application is to
 * be ready. */
uint64_t replica_probation_left(const struct replica *replica);
/* Reports whether all that is left is to remove a container that was replaced: the desired revision runs. A
 * failure of that is shown, and is not one of the replica. */
bool replica_only_cleans_up(const struct replica *replica);
/* Kicks the replica after a pause, in place of an earlier such plan. */
void replica_kick_after(struct replica *replica, uint64_t msec);
/* Counts a failure and plans the next attempt with backoff. A lost worker is retried quickly and without a
 * message at first. */
void replica_retry_later(struct replica *replica, const struct error *e);
/* Drops counted failures and a planned retry. */
void replica_forget_pause(struct replica *replica);
/* Sets a stage of the step in progress. The steps by which a replica keeps another revision than the desired
 * one are no stages of the order. */
void replica_stage_set(struct replica *replica, enum app_stage_name name, enum app_stage_state state,
                       const char *message);
/* Ends the step in progress after it succeeded, and kicks the replica. */
void replica_step_over(struct replica *replica);
