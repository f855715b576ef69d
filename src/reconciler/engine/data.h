/* Removes the data of a replica: its directory, and its limit of disk space. */
#pragma once

#include "reconciler/model/instance.h"

/* Begins the step that purges the data or keeps it under another name. */
void data_remove(struct replica *replica);
/* Updates the replica after the step succeeded. */
void data_removed(struct replica *replica, const void *out);

/* Reports whether the step may begin: eight purges at most are in progress at once. When one ends, waiting
 * replicas are kicked. */
bool data_may_be_removed(const struct replica *replica);
/* Ends the replica's purge, if one is in progress, after its step succeeded or failed. */
void data_purge_over(struct replica *replica);
/* Cancels the call of a purge in progress if the replica is desired again. The provisioner
 * still deletes data that it has renamed, and the new directory does not depend on that. */
void data_leave_purge(struct replica *replica);
