/* Manages the package store on disk, which only this process writes:
 *
 *   VAR/ipk/{name}/{id}.ipk       complete and verified packages, 0644
 *   VAR/ipk/.partial/{id}.ipk     received bytes of an incomplete package, and {id}.json: its facts (facts.h)
 *   VAR/hostlet/fetcher/          cached indexes (index_cache.h) and the lock
 *
 * A package gets its final name only by rename, so every package with such a name is complete. */
#pragma once

#include "lib/api/fetcher.h"
#include "lib/loop/wall_guard.h"
#include "lib/paths/tree.h"

struct store {
    char *path;     /* VAR/ipk */
    int fd;         /* open on VAR/ipk */
    int partial_fd; /* VAR/ipk/.partial */
    int state_fd;   /* VAR/hostlet/fetcher */
    int lock_fd;
};

#define STORE_INIT                                                                                           \
    {                                                                                                        \
        .fd = -1, .partial_fd = -1, .state_fd = -1, .lock_fd = -1                                            \
    }

/* Makes the directories, as root, and gives them to the service's user. Returns 0 or a negative errno. */
int store_prepare(const struct tree *tree, uid_t uid, gid_t gid, struct error *e);

/* Locks and opens the store, and removes temporary files. 'store' is STORE_INIT. Returns 0 or a negative
 * errno; store_close() is needed in both cases. */
int store_open(struct store *store, const struct tree *tree, struct error *e);
void store_close(struct store *store);
/* Removes partial files that were not resumed for a week, unless the wall clock is in doubt. */
void store_expire(const struct store *store, struct wall_guard *wall);

/* Checks that a reference is well-formed, because its members become paths. Returns 0, or −EINVAL (refused)
 * with an error that names the member. */
int reference_check(const struct package_reference *reference, struct error *e);

/* Checks that two references with the same id describe the same bytes, as far as both define them. Returns 0,
 * or −EEXIST (conflict) with an error that names the difference. */
int reference_same(const struct package_reference *a, const struct package_reference *b, const char *where_b,
                   struct error *e);

/* Looks for a package in the store. Returns 1 and its path (the caller frees it), or 0 if it is not there. A
 * damaged package is removed and counts as absent. A package with the same id and other contents is a
 * conflict: it is never overwritten. */
int store_find(const struct store *store, const struct package_reference *reference, char **ret_path,
               uint64_t *ret_size, struct error *e);

char *store_package_path(const struct store *store, const char *name, const char *id);

/* Moves the complete partial file of 'id' to its final name and syncs the directory. The thread that verified
 * the file calls it. */
int store_publish(const struct store *store, const char *name, const char *id, struct error *e);

/* Removes a package and its partial file. Returns 0 also if neither exists, or a negative errno. */
int store_remove(const struct store *store, const char *name, const char *id, struct error *e);
/* Removes the partial file and its facts. */
void store_drop_partial(const struct store *store, const char *id);

/* Calls 'each' for every package, and then for every partial file (complete = false). The strings are
 * borrowed. */
int store_list(const struct store *store,
               void (*each)(const struct fetcher_list_out *package, void *userdata), void *userdata,
               struct error *e);

/* Stores the number of bytes that can be written on the store's file system. Returns 0 or a negative
 * errno. */
int store_free_space(const struct store *store, uint64_t *ret, struct error *e);
