/* The install directories of packages: {store}/{name}/{id}, root's from the top on, which exist only when
 * they are complete.
 *
 * {store}/.staging/{id}               the unpacker's: its word for "complete"
 * {store}/.publishing/{id}            being taken (take.h); nobody but us can enter
 * {store}/.publishing/.deleting-…     on its way out
 *
 * All functions block. Names and ids are checked by the caller. Two must not work on the same id at once. */
#pragma once

#include "lib/basic/error.h"

/* Takes what is staged and gives it its final name; 'entries_max' bounds it. Success at once when it is
 * published. What was published by a version that left it to the unpacker's user is taken in the same way.
 * RETRY with ENOENT: nothing is staged, unpack it (again). REFUSED: the tree cannot be trusted, and is hidden
 * for deletion. *ret_hidden says whether packages_delete() has something to do. */
int packages_publish(const char *store, const char *name, const char *id, uint64_t entries_max,
                     bool *ret_hidden, struct error *e);

/* Hides {name}/{id}, and what is staged or was left of it, for packages_delete(). Fine when there is nothing.
 */
int packages_unpublish(const char *store, const char *name, const char *id, bool *ret_hidden,
                       struct error *e);

/* Deletes what is hidden, and counts it. One that fails does not keep the others; the first error is
 * returned. */
int packages_delete(const char *store, unsigned *ret_deleted, struct error *e);

/* What is to be done after a start, as names and ids: of packages whose publication was interrupted, and of
 * those that are still another user's. Entries of {store}/{name} that another user made, and that are no
 * directories, are removed; what an unpacker that worked there did not finish is hidden. *ret_hidden: there
 * is something to be deleted. Nothing at all when there is no store. */
struct packages_left {
    struct {
        char *name, *id;
    } * items;
    size_t n;
};
int packages_find_left(const char *store, struct packages_left *ret, bool *ret_hidden, struct error *e);
void packages_left_clear(struct packages_left *left);
