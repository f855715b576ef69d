/* The unpacker's own directory, {store}/.staging: what it makes, and what waits there to be published.
 *
 * .making-…   is being made or removed; locked (flock) by its process for as long as it is in use. A crash
 * leaves one behind that nobody locks. {key}       is whole, and waits for the provisioner, which takes it
 * away; package_key() makes the key.
 *
 * Nothing in it outlives a start of the process: what was whole may have been damaged since by a power cut.
 */
#pragma once

#include <sys/types.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/error.h"

struct staging {
    int dir;    /* {store}/.staging; borrowed */
    int root;   /* the hidden directory, locked */
    char *name; /* its name; NULL once finished or removed */
};

#define STAGING_INIT                                                                                         \
    {                                                                                                        \
        -1, -1, NULL                                                                                         \
    }

/* Makes an empty hidden directory in 'dir'. Released with staging_clear(). */
int staging_create(int dir, const char *id, struct staging *ret, struct error *e);

/* Gives it the name by which it is known to be whole. −EEXIST when there is one already. */
int staging_finish(struct staging *s, const char *key, struct error *e);

/* Removes what was not finished, and closes. */
void staging_clear(struct staging *s);

static inline void cleanup_staging(struct staging *s)
{
    staging_clear(s);
}

/* Whether {dir}/{name} is there, a directory: 1, 0 or a negative errno. Of a package: {name}/{id} in the
 * store, or {key} in the directory of what is staged. */
int staging_exists(int dir, const char *name, struct error *e);

/* Removes what waits as {key}; what is not there is fine. *ret_removed says whether there was one. */
int staging_remove(int dir, const char *key, bool *ret_removed, struct error *e);

/* Takes the names of all that waits, before anybody asks: an earlier process left it. Quick; staging_clean()
 * removes it. */
int staging_forget(int dir, struct error *e);

/* Removes hidden directories that nobody has locked. *ret_removed counts them. One that cannot be removed
 * does not keep the others from being removed; the first error is returned. */
int staging_clean(int dir, unsigned *ret_removed, struct error *e);
