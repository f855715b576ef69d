/* Repairs the install store of packages, in which an earlier version let the unpacker's user write. */
#pragma once

#include "lib/basic/error.h"

/* Gives each directory {name} of the store 'fd' (its path is 'path') to root, because a container's mount is
 * found by the path {name}/{id} and only root may decide what that is. Removes entries that are not
 * directories and belong to another user; hostlet never made such entries. The provisioner gives what is
 * below {id} to root. IPK_STAGING is left unchanged. Returns 0 or a negative errno. */
int packages_take(int fd, const char *path, struct error *e);

/* Reports whether the store at 'path' contains work for the provisioner: install directories of another user,
 * unfinished publications of an earlier version, and packages that were being published or removed when the
 * machine stopped. hostletd then starts the provisioner, because no other process would. */
bool packages_left(const char *path);
