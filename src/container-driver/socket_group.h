/* Determines the group that may connect to Docker's socket. */
#pragma once

#include <sys/types.h>

#include "lib/basic/error.h"

/* Reads the group of the socket at an absolute path. Root calls it and then gives the group to the driver.
 * The owner of a directory or symbolic link on the path could choose any socket of the machine, and with it
 * any group; therefore each of them must belong to root or to the owner of the socket. Returns 0, −ENOENT
 * when the path does not exist yet, −EPERM (refused) when another user owns a part of the path, −ENOTSOCK
 * (refused), or another negative errno. */
int socket_group(const char *path, gid_t *ret, struct error *e);
