/* What is mounted where: a tree with somebody else's mount inside is not deleted. */
#pragma once

#include "lib/basic/error.h"

/* The first mount point at or below an absolute path without symlinks, from the text of /proc/self/mountinfo;
 * NULL without one. The caller frees. */
char *mounts_find_below(const char *mountinfo, const char *path);

/* Refused, naming it, if anything is mounted at or below the directory 'name' in 'dir'. */
int mounts_check_none(int dir, const char *name, struct error *e);
