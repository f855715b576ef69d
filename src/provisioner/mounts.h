/* Finds mount points below a directory. A tree that contains a mount point is not deleted. */
#pragma once

#include "lib/basic/error.h"

/* Returns the first mount point at or below 'path' (absolute, without symlinks) in 'mountinfo', a text
 * like /proc/self/mountinfo; NULL if there is none. The caller frees it. */
char *mounts_find_below(const char *mountinfo, const char *path);

/* Returns 0, or −EXDEV (refused), with the mount point in the message, if anything is mounted at or below
 * the directory 'name' in 'dir'. */
int mounts_check_none(int dir, const char *name, struct error *e);
