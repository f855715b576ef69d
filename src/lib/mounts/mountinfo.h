/* /proc/self/mountinfo, line by line (proc(5)). */
#pragma once

#include <stdint.h>

#include "lib/basic/error.h"

struct mount {
    int64_t id; /* as statx gives it for any file of this mount */
    unsigned major, minor;
    char *root;        /* within the filesystem; "/" unless it is a bind mount or a subvolume */
    char *mount_point; /* as this process sees it */
    char *type, *source;
    char *super_options; /* of the filesystem, not of this mount alone */
};

/* The whole text; the caller frees. */
int mountinfo_read(char **ret, struct error *e);

/* Takes the next mount off *text; false at the end. What is no line of a mount is passed over. The caller
 * clears it. */
bool mountinfo_next(const char **text, struct mount *ret);
void mount_clear(struct mount *mount);

/* The mount with this id: 0, or −ENOENT. The caller clears it. */
int mountinfo_find(const char *text, int64_t id, struct mount *ret);
