/* Reads /proc/self/mountinfo line by line (proc(5)). */
#pragma once

#include <stdint.h>

#include "lib/basic/error.h"

struct mount {
    int64_t id; /* the id that statx returns for any file of this mount */
    unsigned major, minor;
    char *root;        /* within the filesystem; "/" unless it is a bind mount or a subvolume */
    char *mount_point; /* as this process sees it */
    char *type, *source;
    char *super_options; /* of the filesystem, not only of this mount */
};

/* Reads the whole text; the caller frees it. */
int mountinfo_read(char **ret, struct error *e);

/* Parses the next mount and advances *text. Returns false at the end. Skips lines that are not valid. The
 * caller clears *ret. */
bool mountinfo_next(const char **text, struct mount *ret);
void mount_clear(struct mount *mount);

/* Finds the mount with this id. Returns 0 or −ENOENT. The caller clears *ret. */
int mountinfo_find(const char *text, int64_t id, struct mount *ret);
