/* The install store: {store}/{name}/{id}, where a directory exists only when it is complete.
 *
 * What is being made, or being removed, is a hidden directory beside it, ".staging-…", locked (flock) by its process for as long as
 * it is in use. A crash leaves one behind that nobody locks: it is removed at the next start. */
#pragma once

#include <sys/types.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/error.h"

struct staging {
    int parent; /* {store}/{name} */
    int root;   /* the hidden directory, locked */
    char *name; /* its name; NULL once published or removed */
};

#define STAGING_INIT                                                                                         \
    {                                                                                                        \
        -1, -1, NULL                                                                                         \
    }

/* Makes {store}/{package} when missing, and an empty staging directory in it. Released with staging_clear(). */
int staging_create(int store, const char *package, const char *id, struct staging *ret, struct error *e);

/* Renames it to its final place, durably. −EEXIST when there is one already. */
int staging_publish(struct staging *s, const char *id, struct error *e);

/* Removes what was not published, and closes. */
void staging_clear(struct staging *s);

static inline void cleanup_staging(struct staging *s)
{
    staging_clear(s);
}

/* Whether {store}/{package}/{id} is there: 1, 0 or a negative errno. */
int install_exists(int store, const char *package, const char *id, struct error *e);

/* Removes {store}/{package}/{id}: it is gone at once by a rename, its content afterwards. What is not there is fine. *ret_removed
 * says whether there was one. */
int install_remove(int store, const char *package, const char *id, bool *ret_removed, struct error *e);

/* Removes staging directories that nobody has locked. *ret_removed counts them. One that cannot be removed does not keep the others from
 * being removed; the first error is returned. */
int staging_clean(int store, unsigned *ret_removed, struct error *e);
