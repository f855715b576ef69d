/* Sets the replicas' limits of disk space by quota-keeper, and follows their levels.
 *
 * A limit that cannot be enforced is shown. It prevents a container from starting only if the setting 'quota'
 * is "required", and never stops a running one: the limit is requested again when quota-keeper is back, or
 * after a pause. */
#pragma once

#include "reconciler/model/instance.h"

/* Begin and end to follow quota-keeper's Watch. */
void quota_start(struct manager *m);
void quota_stop(struct manager *m);

/* Begins the step that sets the limit. */
void quota_ensure(struct replica *replica);
/* Updates the replica after the step succeeded. */
void quota_was_set(struct replica *replica, const void *out);
/* Decides after a failure whether the replica continues without the limit. If so, the function stores the
 * reason, plans a retry where one is useful, and returns true. */
bool quota_may_be_missing(struct replica *replica, const struct error *e);

/* Reports whether the desired limit is larger than the one that is set. */
bool quota_raises(const struct replica *replica);
/* Has the limit set before files are written again, after a write failed: the directory may be full. */
void quota_write_failed(struct replica *replica);
/* Returns a text for people about the limit, which the caller frees. NULL: none was set yet. */
char *quota_text(const struct replica *replica);
