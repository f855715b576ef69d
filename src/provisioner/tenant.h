/* Makes directories and files, with root's rights, in places that a tenant can write.
 *
 * The tenant can swap anything there between two system calls: a directory for a symlink, a file for a
 * fifo or a device. So no path is followed twice: each directory is opened beneath its parent's
 * descriptor, by one name, without following a link or entering a mount; and a file or directory is made
 * under a temporary name and gets its final name when it is complete. A race can still put the result into
 * another directory of the same tenant; callers check afterwards (tenant_same()) and start again. */
#pragma once

#include <errno.h>
#include <sys/types.h>

#include "lib/basic/error.h"

/* An entry changed between two steps: the caller starts again. The error is not filled. */
#define TENANT_SWAPPED (-ESTALE)

/* The tenant's container. */
struct tenant {
    int apps; /* the app path; borrowed */
    const char *container;
    /* Set when an entry, which can be a tree of any size, was moved out of the way and has to be deleted. */
    bool hidden;
};

struct tenant_mode {
    uid_t uid;
    gid_t gid;
    mode_t mode;
    /* ours: owner and mode of an existing entry are corrected; otherwise the tenant decides over them. */
    bool ours;
    /* replace: an existing entry that is not a directory is removed; otherwise it is a conflict. */
    bool replace;
};

/* Opens the directory parent/name, and makes it if it is missing; then *made becomes true. Returns a file
 * descriptor or a negative errno. */
int tenant_directory(struct tenant *tenant, int parent, const char *name, const struct tenant_mode *mode,
                     bool *made, struct error *e);

/* Removes the entry parent/name, whose name is needed; succeeds if there is none. A directory that is not
 * empty is only moved away and has to be deleted (tenant->hidden), since the tenant chooses its size and
 * other requests wait for this thread. */
int tenant_clear(struct tenant *tenant, int parent, const char *name, struct error *e);

/* A file that is written under a temporary name in 'dir', or that needs no change. */
struct tenant_file {
    struct tenant *tenant; /* borrowed */
    int dir;               /* borrowed */
    const char *name;
    int fd; /* −1: the file needs no change */
};
#define TENANT_FILE_INIT                                                                                     \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

/* Writes 'data' under a temporary name, unless the file exists with this content, owner and mode. Returns
 * 0, TENANT_SWAPPED or another negative errno. */
int tenant_file_stage(struct tenant *tenant, int dir, const char *name, const void *data, size_t size,
                      const struct tenant_mode *mode, struct tenant_file *ret, struct error *e);
/* Syncs the file's content. Called before tenant_file_publish(), so that the final name never leads to
 * incomplete content. */
int tenant_file_sync(const struct tenant_file *file, struct error *e);
/* Renames the file to its final name; the caller syncs the directory. Returns 0 or a negative errno.
 * TENANT_SWAPPED: the temporary file is no longer there. */
int tenant_file_publish(struct tenant_file *file, struct error *e);
/* Reports whether the final name leads to the published file; true if the file needed no change. */
bool tenant_file_in_place(const struct tenant_file *file);
/* Closes the file. A file that was not published is removed. */
void tenant_file_clear(struct tenant_file *file);

/* Reports whether parent/path (several components) leads to the directory of the descriptor 'fd'. */
bool tenant_same(int parent, const char *path, int fd);
