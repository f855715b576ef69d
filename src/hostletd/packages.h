/* The install directories of packages, where an earlier version let the unpacker's user write. */
#pragma once

#include "lib/basic/error.h"

/* Makes each directory {name} of the store 'fd' (whose path is 'path') root's, so that nobody but root can
 * say any more what {name}/{id} is: a container's mount is looked up by that path. What is no directory, and
 * belongs to another user, is removed there: nothing of ours ever was one. What {id} holds is provisioner's
 * to take. IPK_STAGING is left alone. */
int packages_take(int fd, const char *path, struct error *e);

/* Whether anything waits for the provisioner in the store at 'path': install directories that are another
 * user's still, what a version before this one did not finish, and what was on its way in or out when a boot
 * ended. Nobody else has a reason to start it for them. */
bool packages_left(const char *path);
