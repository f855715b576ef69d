/* Removes a tree whose content another user controls. */
#pragma once

#include "lib/basic/error.h"

/* Removes dirfd/name and everything below it, at any depth, without following symbolic links. It does not
 * enter a mount point, but refuses it (−EXDEV) and names it. An entry that does not exist is no error. If
 * a directory's mode denies access, the function changes the mode where it may. After a failure it removes
 * the rest and reports the first failure, with the entry's current path: directories are moved up while
 * they wait for removal. */
int remove_tree_at(int dirfd, const char *name, struct error *e);
