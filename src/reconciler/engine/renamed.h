/* Handles a container of a replica that another program renamed. Its id is in the record, by which it is
 * found (engine/observe.c) and named in calls. */
#pragma once

#include "reconciler/model/instance.h"

/* Returns the id of a container of the replica that neither of its names shows, or NULL: it was removed or
 * renamed. */
const char *renamed_or_removed(const struct replica *replica);
/* Reports whether the renamed container has a name that another replica needs. */
bool renamed_is_in_way(const struct replica *replica);

/* Steps; they are in the table of steps.c. */
void renamed_to_current(struct replica *replica);
void renamed_to_old(struct replica *replica);
void renamed_to_aside(struct replica *replica);
void renamed_remove(struct replica *replica);
void renamed_was_removed(struct replica *replica, const void *out);
