/* Unix sockets in the file system: connecting, listening, and who may connect. */
#pragma once

#include <sys/types.h>

#include "lib/basic/error.h"

/* Unix sockets with paths of any length (beyond 107 bytes through /proc/self/fd): connect (non-blocking
 * socket; −EAGAIN when the backlog is full) and bind+listen with a mode. fd or negative errno. */
int unix_connect(const char *path, struct error *e);
int unix_listen(const char *path, mode_t mode, gid_t gid, struct error *e);

/* Lets these users open a socket, besides its owner, and nobody else, by an access list in place of the one
 * that is there. In a file system without access lists the members of 'group' can (*ret_by_group; nobody
 * where there are no users), and whoever accepts has to tell them apart. */
int unix_admit(const char *path, const uid_t *users, size_t n_users, gid_t group, bool *ret_by_group,
               struct error *e);
