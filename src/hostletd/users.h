/* Checks whether the users of the services can enter the directories of a tree. */
#pragma once

#include "lib/topology/topology.h"

/* Checks that the user of every service can enter the directories that all of them need. Returns 0, or
 * −EACCES (refused) with the first part of a path that a user cannot enter. */
int setup_check_users(const struct tree *tree, const struct topology *topology, struct error *e);
