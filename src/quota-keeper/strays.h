/* Collects files in one replica's directory that carry another project, so that they are charged to it.
 *
 * The kernel lets the owner of a file give it any project. The memory for such files is bounded: the
 * number of files and bytes for each id of the range, and for some ids the path of the first file. */
#pragma once

#include <sys/stat.h>

#include "quota-keeper/ids.h"
#include "quota-keeper/kernel.h"

#define STRAYS_NAMED 64 /* ids that are stored with a path */
#define STRAYS_FREED 64 /* number of free ids that ends a search */

/* Files of one project. A file with several names counts once: each name is a part of it. */
struct stray {
    uint32_t project;
    double files, bytes;
    char *path; /* of the first file, escaped for printing; NULL: it is too long */
};

struct strays {
    struct stray named[STRAYS_NAMED];
    size_t n;
    struct stray rest; /* all other ids; 'project' is the first of them */
    /* Files of each id up to ID_MAX, in the caller's array; NULL: they are not counted. */
    double *by_id;

    /* A search for ids: those of the range without usage or limits after the file was put back. */
    const struct kernel *kernel; /* NULL: no search */
    int64_t id_min, id_max;
    uint32_t freed[STRAYS_FREED];
    size_t n_freed;
    bool enough; /* the walk can end */
};

/* Adds a file, of which 'fd' is a descriptor. 'st' is NULL for a directory. */
void strays_add(struct strays *strays, uint32_t project, int fd, const struct stat *st);
/* Drops what was added. */
void strays_clear(struct strays *strays);

/* Report whether an id has usage, or limits that are not the default: XFS gives each project, when it is
 * first used, the limits of project 0. True also if the kernel cannot be read. */
bool project_is_known(const struct kernel *kernel, int fd, uint32_t project);
bool quota_is_known(const struct kernel *kernel, int fd, const struct kernel_quota *quota);
