/* Copies what a container has in anonymous volumes into the replica's directory, before the container is
 * removed (rules/anonymous.h). */
#pragma once

#include "reconciler/model/instance.h"

/* Reports whether what 'c', a container of the replica, has in anonymous volumes has to be copied before the
 * container is removed. A purge needs no copy. */
bool copy_is_due(const struct replica *replica, const struct driver_container *c);

/* Reports whether the content of anonymous volumes would be lost with 'c': no copy was made, although the
 * content is to be kept. The runtime then keeps the volumes. */
bool copy_is_missing(const struct replica *replica, const struct driver_container *c);

/* Removes those of the n volumes from the list that the step will make. */
void copy_leave_out(const struct replica *replica, char **paths, size_t *n);

/* Ends the step: step_done() of engine/steps.h, which refers to this file. */
typedef void (*copy_over_fn)(struct replica *replica, const void *out, const struct error *e);

/* Begins the step, which ends with 'over'. The source is the old container, or, if the replica is being
 * destroyed, the current one before it. */
void copy_begin(struct replica *replica, copy_over_fn over);
/* Updates the replica after the step succeeded. */
void copy_ended(struct replica *replica, const void *out);

/* Drops from the record that a copy was made, since its source 'c' was removed. */
void copy_forget(struct replica *replica, const struct driver_container *c);

/* Cancels a copy in progress if the desired state has changed since it began: a copy can take hours. */
void copy_leave(struct replica *replica);
