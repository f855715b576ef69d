/* The directories of a tree, as data: path × owner × mode. */
#pragma once

#include <sys/types.h>

#include "lib/paths/tree.h"

enum place_base { BASE_PREFIX, BASE_ETC, BASE_VAR, BASE_RUN, BASE_APPS };

enum {
    PLACE_BASE = 1,            /* a root of the tree: made with its parents */
    PLACE_PREFIX_ONLY = 2,     /* not in the system's places */
    PLACE_GROUP_HOSTLET = 4,   /* belongs to group hostlet */
    PLACE_GROUP_MAY_WRITE = 8, /* where the administrator wants a group of his to write */
    PLACE_ADMINS = 32,         /* may be a place of many uses: refused where it is unsafe, not mended */
    PLACE_GROUP_FETCHER = 64, /* belongs to the group of the fetcher, which reads what the owner puts there */
    PLACE_FOR_ALL = 16,       /* every service user must be able to enter it */
    PLACE_PACKAGES = 128,     /* directories of packages are in it, whose names must be root's too */
};

struct place {
    const char *name; /* below its base; "" is the base itself */
    enum place_base base;
    const char *service; /* whose user owns it (not made in a tree without this service); NULL: root */
    mode_t mode;         /* when it is made */
    unsigned flags;
};

extern const struct place places[]; /* parents before children; ends with a name of NULL */

/* Where its base lies, borrowed from the tree; and the whole path, which the caller frees. */
const char *place_base(const struct tree *tree, const struct place *place);
char *place_path(const struct tree *tree, const struct place *place);
