/* One replica: what decide() says next, its state, its failures. */
#pragma once

#include "reconciler/model/instance.h"

/* Asks decide() and goes on; safe to call at any time, from anywhere but decide() itself. */
void replica_kick(struct replica *replica);
void instance_kick(struct instance *instance);
void instance_kick_soon(struct instance *instance); /* from within a step: not to come back to where we are */
void replica_set_state(struct replica *replica, enum replica_state state);
void replica_retry_later(struct replica *replica, const struct error *e);
void replica_forget_failure(struct replica *replica);
/* Notes, where the current container is about to be replaced although it was made from what is wanted (or
 * nobody knows from what), that this is for drift. */
void replica_note_drift(struct replica *replica);
