/* Keeps the limits of CPU, memory and processes of replicas' containers.
 *
 * A replica runs on when its limits cannot be set: the reason is shown, and they are set again after a pause.
 */
#pragma once

#include "reconciler/model/instance.h"

/* Concludes from an inspection whether the current container has the limits of 'target', and updates the
 * record. */
void limits_note(struct replica *replica, const struct record_revision *target);
/* Reports whether they are to be set now. */
bool limits_are_due(const struct replica *replica);
/* Logs the change that begins. */
void limits_log(const struct replica *replica);
/* Records that a call set the limits; the next inspection shows whether the container has them. */
void limits_were_set(struct replica *replica);
/* Handles a failed call. Returns false if the step is to be repeated like any other step. */
bool limits_may_wait(struct replica *replica, const struct error *e);
/* Ends the pause before the next attempt. */
void limits_forget_pause(struct replica *replica);
