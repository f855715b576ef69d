/* The group that may talk to Docker. */
#pragma once

#include <sys/types.h>

#include "lib/basic/error.h"

/* The group of the socket at an absolute path, asked by root, which is going to give it to the driver.
 * Whoever owns a name on the way, a symbolic link included, could choose any socket of the machine and with
 * it any group: so all of them must belong to root or to the owner of the socket. −ENOENT: nothing is there
 * yet; −EPERM: somebody else owns a part of the path; −ENOTSOCK. */
int socket_group(const char *path, gid_t *ret, struct error *e);
