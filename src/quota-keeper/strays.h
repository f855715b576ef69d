/* Files in one replica's directory that carry the project of somebody else, and so are charged to them.
 *
 * The kernel lets the owner of a file give it any project. What is remembered is bounded whatever he does:
 * how many files and bytes for each id of our range, and for some ids the path of the first file. */
#pragma once

#include <sys/stat.h>

#include "quota-keeper/ids.h"
#include "quota-keeper/kernel.h"

#define STRAYS_NAMED 64 /* ids that are remembered with a path */
#define STRAYS_FREED 64 /* ids that are enough for now */

/* A file with several names counts once: each name is a part of it. */
struct stray {
    uint32_t project;
    double files, bytes;
    char *path; /* of the first one, made safe to print; NULL: it lies too deep to be named */
};

struct strays {
    struct stray named[STRAYS_NAMED];
    size_t n;
    struct stray rest; /* of all other ids; 'project' is the first of them */
    double *by_id; /* files of each id up to ID_MAX; of the caller, may be NULL: then they are not counted */

    /* Where ids are wanted: those of the range that nobody uses any more, now that the file was put back. */
    const struct kernel *kernel; /* NULL: none are */
    int64_t id_min, id_max;
    uint32_t freed[STRAYS_FREED];
    size_t n_freed;
    bool enough; /* the walk may end */
};

/* One more file, which 'fd' is open on. 'st' NULL: a directory that need not be named. */
void strays_add(struct strays *strays, uint32_t project, int fd, const struct stat *st);
/* Forgets what was added. */
void strays_clear(struct strays *strays);

/* Whether an id has use, or limits that it does not have by itself: XFS gives each project, when it is first
 * used, the limits of project 0. What cannot be read is known, too. */
bool project_is_known(const struct kernel *kernel, int fd, uint32_t project);
bool quota_is_known(const struct kernel *kernel, int fd, const struct kernel_quota *quota);
