/* Giving a project to everything in a directory that a tenant writes in.
 *
 * Nothing is reached by a path: each entry is opened beneath its directory's descriptor, first without opening the file
 * itself (O_PATH), so that no fifo blocks us and no device is touched; then, where it is a directory or a regular file,
 * by that descriptor. Neither symlinks nor mounts are followed. The way up is "..", and is compared with the way down. Depth and
 * number of entries are the tenant's choice: one descriptor and a few bytes per level are all that is needed.
 *
 * The directory at the top gets its project last: that it carries one says that all below it does. */
#pragma once

#include "lib/basic/error.h"
#include "quota-keeper/kernel.h"

struct tag_result {
    int64_t changed; /* entries that got the project now */
    int64_t entries; /* that carry it, the top included */
    int64_t skipped; /* that do not: they did not let us, or something else is mounted there */
    int64_t
        unseen; /* symlinks, fifos, devices, which have no descriptor to ask by; and names of linked files */
};

/* 'fd' is the directory at the top; 'project' 0 takes the project away. The tenant moving directories while we walk makes it begin
 * again, some times; then ERROR_RETRY. −EDQUOT: the limits do not allow it. */
int tag_tree(const struct kernel *kernel, int fd, uint32_t project, struct tag_result *ret, struct error *e);

/* Changes nothing: counts in 'entries' what carries the project, and in 'skipped' what does not. */
int tag_count(const struct kernel *kernel, int fd, uint32_t project, struct tag_result *ret, struct error *e);
