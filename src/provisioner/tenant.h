/* Directories and files in places that a tenant can write, with root's rights.
 *
 * The tenant may swap anything there between two calls of ours: a directory for a symlink, a file for a fifo
 * or a device. So nothing is reached by a path twice: each directory is opened beneath its parent's
 * descriptor, by one name, following no link and entering no mount; and what was made under a temporary name
 * gets its final one complete. What a race can still do is to put our work into another directory of the same
 * tenant; callers look afterwards (tenant_same) and begin again. */
#pragma once

#include <errno.h>
#include <sys/types.h>

#include "lib/basic/error.h"

/* Something is no longer what it was a moment ago: begin again. The error is not filled. */
#define TENANT_SWAPPED (-ESTALE)

/* Whose place it is. */
struct tenant {
    int apps; /* the app path; borrowed */
    const char *container;
    bool hidden; /* set where something was moved out of the way, to be deleted: it may be a tree of any size
                  */
};

struct tenant_mode {
    uid_t uid;
    gid_t gid;
    mode_t mode;
    bool ours;    /* owner and mode are mended where it exists; otherwise they are the tenant's matter */
    bool replace; /* what is there and is no directory is removed; otherwise it is a conflict */
};

/* Opens the directory parent/name, making it where it is missing. *made is set to true if so. fd or negative
 * errno. */
int tenant_directory(struct tenant *tenant, int parent, const char *name, const struct tenant_mode *mode,
                     bool *made, struct error *e);

/* A file on its way: written under a temporary name in 'dir', or unchanged. */
struct tenant_file {
    struct tenant *tenant; /* borrowed */
    int dir;               /* borrowed */
    const char *name;
    int fd; /* −1 where nothing has to be written */
};
#define TENANT_FILE_INIT                                                                                     \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

/* Writes 'data' under a temporary name, unless the file is there with this content, owner and mode. */
int tenant_file_stage(struct tenant *tenant, int dir, const char *name, const void *data, size_t size,
                      const struct tenant_mode *mode, struct tenant_file *ret, struct error *e);
/* Its content on disk: before the name, so that the name never stands for less. */
int tenant_file_sync(const struct tenant_file *file, struct error *e);
/* Gives it its name; the caller syncs the directory. TENANT_SWAPPED: somebody took the temporary file away.
 */
int tenant_file_publish(struct tenant_file *file, struct error *e);
/* Whether the name leads to what was published. */
bool tenant_file_in_place(const struct tenant_file *file);
/* Closes; what was not published is removed. */
void tenant_file_clear(struct tenant_file *file);

/* Whether parent/path (several components) leads to the directory that 'fd' is. */
bool tenant_same(int parent, const char *path, int fd);
