/* Declares the interface of fetcher, which downloads packages from repositories into the store. */
#pragma once

#include "lib/api/package.h"
#include "lib/varlink/interface.h"

extern const struct varlink_interface fetcher_interface;

struct fetcher_resolve_in {
    char *name, *version; /* the version rule; NULL: the newest */
    char *os, *arch;      /* NULL: "linux"; NULL: the machine's own */
};
struct fetcher_resolve_out {
    struct package_reference *package;
};
struct fetcher_fetch_in {
    struct package_reference *package;
};
/* A reply of Fetch: progress, or the final reply, which alone has a path. */
struct fetcher_fetch_out {
    int64_t done, total; /* bytes */
    char *message;       /* the current activity, for a human */
    char *path;
};
/* A reply of List: one package of the store. */
struct fetcher_list_out {
    char *id, *name, *path;
    int64_t size;
    bool complete; /* false: a partial download */
};
