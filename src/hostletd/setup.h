/* Prepares a tree: its directories, its id, its lock. */
#pragma once

#include <sys/types.h>

#include "lib/topology/topology.h"

/* Stores the id of the group hostlet, whose members can open the sockets. Returns 0, or −ESRCH (refused). */
int setup_find_group(gid_t *ret, struct error *e);

/* Creates missing directories, corrects owners, and removes the right of others to write; other modes are the
 * administrator's. A symbolic link or a file in place of a directory is refused. Returns 0 or a negative
 * errno. */
int setup_directories(const struct tree *tree, const struct topology *topology, gid_t group, struct error *e);

/* Makes or corrects RUN and the directory of public sockets, which can be deleted while the tree runs.
 * Returns 0 or a negative errno. */
int setup_socket_directories(const struct tree *tree, gid_t group, struct error *e);

/* Checks what setup_directories() would refuse: changes nothing, and accepts what does not exist yet. Returns
 * 0, or a negative errno (refused). */
int setup_check_directories(const struct tree *tree, const struct topology *topology, struct error *e);

/* Writes VAR/hostlet/tree.id if it does not exist; the id never changes. Returns 0 or a negative errno. */
int setup_tree_id(const struct tree *tree, struct error *e);

/* Locks VAR/hostlet/hostletd.lock, until the returned descriptor is closed, and writes RUN/hostletd.pid.
 * Returns −EAGAIN and names the process if this tree runs already. The error may pass, because that process
 * may be about to exit. The lock is not in RUN, because the files there can be deleted while the tree
 * runs; a hostletd of an earlier version that holds its lock there is found, and so is one whose lock was
 * deleted: it listens on its socket. */
int setup_lock(const struct tree *tree, int *ret_fd, struct error *e);
/* Writes RUN/hostletd.pid if it does not contain this process. Returns 0, 1 when it wrote, or a negative
 * errno. */
int setup_pid_file(const struct tree *tree, struct error *e);
/* Removes the pid file. The lock is released when its descriptor is closed. */
void setup_unlock(const struct tree *tree);
