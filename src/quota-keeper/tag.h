/* Gives a project to everything in a directory that a tenant can write: by a walk (walk.h).
 *
 * The top directory gets its project last: a top directory that carries its project shows that everything
 * below carries it, too. */
#pragma once

#include "lib/basic/error.h"
#include "quota-keeper/kernel.h"
#include "quota-keeper/strays.h"

struct tag_result {
    int64_t changed; /* entries that got the project in this call */
    int64_t entries; /* entries that carry the project, including the top */
    int64_t skipped; /* entries without it: the tenant prevented it, or something else is mounted there */
    /* Entries that cannot be checked: symlinks, fifos and devices, which have no usable descriptor, and names
     * of files with several links. */
    int64_t unseen;
};

struct tag_options {
    /* Receives the files that carry another project (not 0); can be NULL. tag_count() does not count them
     * as skipped then. */
    struct strays *strays;
    /* The limits of the project. If they forbid to charge a file to it (ext4 enforces them for root, too),
     * they are lifted for the moment in which that file gets the project, and then set again. NULL: limits
     * are not lifted, and tag_tree() returns −EDQUOT or −ENOSPC for such a file. */
    const struct kernel_limits *limits;
    int64_t entries_max; /* −E2BIG if there are more entries; 0: any number */
};

/* Gives everything below 'fd', the top directory, and then the top the project; 'project' 0 removes it.
 * Returns 0 or a negative errno. If the tenant moves directories meanwhile, the walk is repeated a few
 * times; then it fails with ERROR_RETRY, and the entries that were reached have their project. Returns
 * −ECANCELED when a search for ids in 'strays' has found enough and the rest was not visited. */
int tag_tree(const struct kernel *kernel, int fd, uint32_t project, const struct tag_options *options,
             struct tag_result *ret, struct error *e);

/* Changes nothing: counts the entries that carry the project in 'entries' and the others in 'skipped'.
 * Returns the same errors as tag_tree(). */
int tag_count(const struct kernel *kernel, int fd, uint32_t project, const struct tag_options *options,
              struct tag_result *ret, struct error *e);
