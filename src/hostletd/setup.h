/* The ground of a tree: its directories, its id, its lock; and whether its users can live there. */
#pragma once

#include <sys/types.h>

#include "lib/topology/topology.h"

/* Group of those who may open the sockets: "hostlet". */
int setup_find_group(gid_t *ret, struct error *e);

/* Makes what is missing, mends owners, and takes away what lets others write; other modes are the
 * administrator's. A symbolic link or a file in a directory's place is refused. */
int setup_directories(const struct tree *tree, const struct topology *topology, gid_t group, struct error *e);

/* VAR/hostlet/tree.id: written once, never changed. */
int setup_tree_id(const struct tree *tree, struct error *e);

/* VAR/hostlet/hostletd.lock, held for as long as the returned descriptor is open, and RUN/hostletd.pid.
 * −EAGAIN, naming the process, when this tree runs already: an error that may pass, since the other one may
 * be on its way out. The lock does not lie in RUN, which may be emptied while the tree runs. */
int setup_lock(const struct tree *tree, int *ret_fd, struct error *e);
/* Removes the pid file; the lock ends with its descriptor. */
void setup_unlock(const struct tree *tree);
