/* Manages {store}/.staging, the unpacker's own directory, in which packages are made and wait to be
 * published.
 *
 *   .making-…   being made or removed; the process that uses it holds a lock (flock) on it. A crash leaves
 *               one without a lock.
 *   {key}       complete; waits for the provisioner, which moves it away. package_key() makes the key.
 *
 * The start of the process removes all entries: a power cut may have damaged complete ones. */
#pragma once

#include <sys/types.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/error.h"

struct staging {
    int dir;    /* {store}/.staging; borrowed */
    int root;   /* the hidden directory, locked */
    char *name; /* its name; NULL after it was renamed or removed */
};

#define STAGING_INIT                                                                                         \
    {                                                                                                        \
        -1, -1, NULL                                                                                         \
    }

/* Makes an empty hidden directory in 'dir' and locks it; staging_clear() releases it. Returns 0 or a negative
 * errno. */
int staging_create(int dir, const char *id, struct staging *ret, struct error *e);

/* Renames the directory to 'key', which marks it as complete. Returns 0, or −EEXIST if the key exists, or
 * another negative errno. */
int staging_finish(struct staging *s, const char *key, struct error *e);

/* Removes a directory that is not complete, and closes its descriptor. */
void staging_clear(struct staging *s);

static inline void cleanup_staging(struct staging *s)
{
    staging_clear(s);
}

/* Reports whether {dir}/{name} exists and is a directory: 1, 0 or a negative errno. For a package, 'name' is
 * {name}/{id} in the store, or {key} in staging. */
int staging_exists(int dir, const char *name, struct error *e);

/* Removes {key} from staging. *ret_removed is whether it existed. Returns 0 or a negative errno. */
int staging_remove(int dir, const char *key, bool *ret_removed, struct error *e);

/* Renames all complete packages to hidden names, so that no request finds what an earlier process left.
 * staging_clean() removes them later. Returns 0 or a negative errno. */
int staging_forget(int dir, struct error *e);

/* Removes the hidden directories that no process has locked, and counts them in *ret_removed. After an error
 * it continues with the others, and returns the first error. */
int staging_clean(int dir, unsigned *ret_removed, struct error *e);
