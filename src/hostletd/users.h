/* Checks whether the users of the services can enter the directories of a tree. */
#pragma once

#include "lib/topology/topology.h"

/* Whether every user of the services can reach the directories that are meant for all of them: the error
 * names the first one where he cannot pass. */
int setup_check_users(const struct tree *tree, const struct topology *topology, struct error *e);
