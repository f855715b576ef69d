/* The interface of fetcher: packages from repositories into the store. */
#pragma once

#include "lib/api/package.h"
#include "lib/varlink/interface.h"

extern const struct varlink_interface fetcher_interface;

struct fetcher_resolve_in {
    char *name, *version; /* the version rule; NULL: the newest */
    char *os, *arch;      /* NULL: linux, this machine's */
};
struct fetcher_resolve_out {
    struct package_reference *package;
};
struct fetcher_fetch_in {
    struct package_reference *package;
};
struct fetcher_fetch_out { /* progress, and the final answer with path */
    int64_t done, total;   /* bytes */
    char *message;         /* what is happening, for a human */
    char *path;
};
struct fetcher_list_out { /* one per package of the store */
    char *id, *name, *path;
    int64_t size;
    bool complete; /* false: a partial download */
};
