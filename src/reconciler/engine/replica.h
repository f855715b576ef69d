/* A replica's state, its failures and the pauses after them. */
#pragma once

#include "reconciler/model/instance.h"

void replica_set_state(struct replica *replica, enum replica_state state);
/* Sets the state that follows from what is wanted, seen and being done. */
void replica_update_state(struct replica *replica);
/* Has decide() asked for it after a pause, whatever happens until then. */
void replica_kick_after(struct replica *replica, uint64_t msec);
/* Notes a failure; the replica's next step is tried after a pause, which grows with the failures in a row. */
void replica_retry_later(struct replica *replica, const struct error *e);
void replica_forget_pause(struct replica *replica);
/* The step that was being done succeeded: what is next? */
void replica_step_over(struct replica *replica);
