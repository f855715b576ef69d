/* Has the provisioner write the files that a replica's container reads: its directory, with app_replica.json,
 * ininit and inagent.
 *
 * Of each pair, the first function begins the step, and the second updates the replica after the step
 * succeeded. */
#pragma once

#include "reconciler/model/instance.h"

void files_provision(struct replica *replica);
void files_provisioned(struct replica *replica, const void *out);
void files_restore(struct replica *replica); /* the files of the applied revision, in a rollback */
void files_restored(struct replica *replica, const void *out);
void files_update(struct replica *replica); /* app_replica.json of a running container */
void files_updated(struct replica *replica, const void *out);
/* Makes the files of a running container anew if the error of their update is that their directory does not
 * exist, and returns whether it did: another program removed the directory, or the container was adopted
 * without one. The step continues then. */
bool files_make_again(struct replica *replica, const struct error *e);
