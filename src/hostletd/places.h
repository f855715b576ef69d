/* Lists the directories of a tree as data: path, owner, mode. */
#pragma once

#include <sys/types.h>

#include "lib/paths/tree.h"

enum place_base { BASE_PREFIX, BASE_ETC, BASE_VAR, BASE_RUN, BASE_APPS };

enum {
    PLACE_BASE = 1,            /* a base directory of the tree: created with its parents */
    PLACE_PREFIX_ONLY = 2,     /* not in a tree without prefix */
    PLACE_GROUP_HOSTLET = 4,   /* belongs to group hostlet */
    PLACE_GROUP_MAY_WRITE = 8, /* the administrator may let a group write */
    /* Can be a directory with other uses: if it is unsafe, hostletd refuses it and does not correct it. */
    PLACE_ADMINS = 32,
    /* Belongs to the group of the fetcher, which reads the files that the owner writes. */
    PLACE_GROUP_FETCHER = 64,
    PLACE_FOR_ALL = 16,   /* every service user must be able to enter it */
    PLACE_PACKAGES = 128, /* contains directories of packages, which must be root's too */
    /* Has sockets of hostletd, and nothing else decides over its mode: missing rights are restored, and the
     * directory is made again if it is deleted while the tree runs. */
    PLACE_SOCKETS = 256,
};

struct place {
    const char *name; /* below its base; "" is the base itself */
    enum place_base base;
    /* The service whose user owns the directory, which is not made in a tree without this service. NULL:
     * root. */
    const char *service;
    mode_t mode; /* when it is created */
    unsigned flags;
};

/* Parents come before children. The list ends with a name of NULL. */
extern const struct place places[];

/* Return the path of the place's base (borrowed from the tree), and the whole path (the caller frees it). */
const char *place_base(const struct tree *tree, const struct place *place);
char *place_path(const struct tree *tree, const struct place *place);
