/* Giving a project to everything in a directory that a tenant writes in: a walk (walk.h), and what is done
 * with each entry.
 *
 * The directory at the top gets its project last: that it carries one says that all below it does. */
#pragma once

#include "lib/basic/error.h"
#include "quota-keeper/kernel.h"
#include "quota-keeper/strays.h"

struct tag_result {
    int64_t changed; /* entries that got the project now */
    int64_t entries; /* that carry it, the top included */
    int64_t skipped; /* that do not: they did not let us, or something else is mounted there */
    int64_t
        unseen; /* symlinks, fifos, devices, which have no descriptor to ask by; and names of linked files */
};

struct tag_options {
    /* Hears of the files that carry another project, not none; may be NULL. tag_count() does not count them
     * as skipped then. */
    struct strays *strays;
    /* The limits of the project. Where they do not allow a file to be counted (ext4, which holds us to them),
     * they are lifted for the moment in which that file is given the project. NULL: −EDQUOT or −ENOSPC. */
    const struct kernel_limits *limits;
    int64_t entries_max; /* −E2BIG when there are more; 0: any number */
};

/* 'fd' is the directory at the top; 'project' 0 takes the project away. The tenant moving directories while
 * we walk makes it begin again, some times; then ERROR_RETRY, and what was reached has its project.
 * −ECANCELED: the strays were enough. */
int tag_tree(const struct kernel *kernel, int fd, uint32_t project, const struct tag_options *options,
             struct tag_result *ret, struct error *e);

/* Changes nothing: counts in 'entries' what carries the project, and in 'skipped' what does not. */
int tag_count(const struct kernel *kernel, int fd, uint32_t project, const struct tag_options *options,
              struct tag_result *ret, struct error *e);
