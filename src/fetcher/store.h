/* The package store on disk, which this process alone writes:
 *
 *   VAR/ipk/{name}/{id}.ipk       complete and verified packages, 0644
 *   VAR/ipk/.partial/{id}.ipk     what came so far, and {id}.json: what it is a part of (facts.h)
 *   VAR/hostlet/fetcher/          cached indexes (index_cache.h) and the lock
 *
 * A package gets into its place by rename alone, so what is there is whole. */
#pragma once

#include "lib/api/fetcher.h"
#include "lib/paths/tree.h"

struct store {
    char *path;     /* VAR/ipk */
    int fd;         /* the same */
    int partial_fd; /* VAR/ipk/.partial */
    int state_fd;   /* VAR/hostlet/fetcher */
    int lock_fd;
};

#define STORE_INIT                                                                                           \
    {                                                                                                        \
        .fd = -1, .partial_fd = -1, .state_fd = -1, .lock_fd = -1                                            \
    }

/* As root: makes the directories and gives them to the service's user. */
int store_prepare(const struct tree *tree, uid_t uid, gid_t gid, struct error *e);

/* Locks and opens it, and removes what a killed process left unfinished beyond use. 'store' is STORE_INIT. */
int store_open(struct store *store, const struct tree *tree, struct error *e);
void store_close(struct store *store);

/* Whether a reference is well formed (it becomes paths and promises): 0, or refused naming the member. */
int reference_check(const struct package_reference *reference, struct error *e);

/* Whether two references to one id promise the same bits, as far as both say: 0, or a conflict naming the
 * difference. */
int reference_same(const struct package_reference *a, const struct package_reference *b, const char *where_b,
                   struct error *e);

/* Looks for the package: 1 and its path (the caller frees) when it is there, 0 when not. One that is damaged
 * is removed first (0). One with the same id and other contents is a conflict: never overwritten. */
int store_find(const struct store *store, const struct package_reference *reference, char **ret_path,
               uint64_t *ret_size, struct error *e);

char *store_package_path(const struct store *store, const char *name, const char *id);

/* Moves the complete partial file of 'id' into its place, durably. For the thread that verified it. */
int store_publish(const struct store *store, const char *name, const char *id, struct error *e);

/* Removes the package and what came of it so far; 0 too when nothing was there. */
int store_remove(const struct store *store, const char *name, const char *id, struct error *e);
/* Removes partial file and facts. */
void store_drop_partial(const struct store *store, const char *id);

/* Calls 'each' for every package, and then for every partial file (complete = false). The strings are
 * borrowed. */
int store_list(const struct store *store,
               void (*each)(const struct fetcher_list_out *package, void *userdata), void *userdata,
               struct error *e);

/* Bytes that may be written on the store's filesystem. */
int store_free_space(const struct store *store, uint64_t *ret, struct error *e);
