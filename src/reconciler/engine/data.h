/* The data of a replica that goes: its directory and its limit of disk space. */
#pragma once

#include "reconciler/model/instance.h"

/* The step that removes it, and what follows. */
void data_remove(struct replica *replica);
void data_removed(struct replica *replica, const void *out);

/* Whether its data may go now: so many purges are under way at most. It is asked again when one is over. */
bool data_may_be_removed(const struct replica *replica);
/* Where its step deleted data, that has ended, one way or another. */
void data_purge_over(struct replica *replica);
/* It is wanted again while its old data is being deleted: what is hidden goes all the same, and is in
 * nobody's way. */
void data_leave_purge(struct replica *replica);
