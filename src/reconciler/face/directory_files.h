/* Opens the directory of manifests and reads its files.
 *
 * Who writes a manifest decides what runs as root in containers. So the directory, those that lead to it and
 * each file must belong to root, or to the reconciler's own user, and no other user may be able to write
 * them. A symbolic link is followed on the way to the directory, and neither as the directory nor as a file.
 */
#pragma once

#include <sys/stat.h>

#include "lib/api/app.h"

struct directory_place {
    int fd;       /* −1: it is closed */
    dev_t device; /* of this and 'inode': see directory_is_at() */
    ino_t inode;
    int64_t mounts; /* how many mount points lead to it, itself included, "/" excluded */
};

/* Opens the directory, whose path does not end in a slash; the caller closes ret->fd. Returns 0; −ENOENT if
 * it does not exist; or another negative errno with a message that names the remedy. */
int directory_open(const char *path, struct directory_place *ret, struct error *e);
/* Reports whether the path leads to this directory, and it still is one that directory_open() accepts. */
bool directory_is_at(const struct directory_place *place, const char *path);

/* Calls 'each' with the name of each file whose name ends in ".json" and does not begin with a dot, without
 * that suffix. Returns 0 or a negative errno; then 'each' was called for a part. */
int directory_list(const struct directory_place *place, const char *path,
                   void (*each)(void *userdata, const char *name), void *userdata, struct error *e);

/* Reads the manifest of instance 'name', checks and normalises it; the caller frees *ret. Adds its size in
 * bytes to *size. Returns 0; −ENOENT if there is no such file; or another negative errno with a message for
 * people. */
int directory_read(const struct directory_place *place, const char *name, struct app_manifest **ret,
                   size_t *size, struct error *e);
/* Reports whether a file of this name exists, readable or not. */
bool directory_has(const struct directory_place *place, const char *name);
