/* Publishes and removes the install directories of packages: {store}/{name}/{id}. They belong to root, with
 * all directories above them, and exist only when they are complete.
 *
 * {store}/.staging/{key}              belongs to the unpacker, which gives a tree this name when it is
 *                                     complete; package_key() makes the key
 * {store}/.publishing/{key}           its ownership is being changed (take.h); only root can enter
 *                                     .publishing
 * {store}/.publishing/.deleting-…     hidden, to be deleted
 *
 * All functions block. The caller checks names and ids, and never runs two functions for one id at once. */
#pragma once

#include "lib/basic/error.h"

/* Makes the staged tree root's own and gives it its final name; 'entries_max' limits its entries. If the
 * package is already published, the function returns success at once. A published directory that still
 * belongs to another user, as earlier versions left it to the unpacker's, is made root's in the same way.
 * Returns 0 or a negative errno. RETRY with ENOENT: nothing is staged, the package must be unpacked again.
 * REFUSED: the tree cannot be trusted and is hidden. *ret_hidden: packages_delete() has something to
 * delete. */
int packages_publish(const char *store, const char *name, const char *id, uint64_t entries_max,
                     bool *ret_hidden, struct error *e);

/* Hides {name}/{id}, and what is staged of the package or was left in .publishing, for packages_delete().
 * Returns 0 also if nothing exists. */
int packages_unpublish(const char *store, const char *name, const char *id, bool *ret_hidden,
                       struct error *e);

/* Deletes what is hidden; *ret_deleted is the number of trees. A tree that cannot be deleted does not stop
 * the deletion of the others; the first error is returned. */
int packages_delete(const char *store, unsigned *ret_deleted, struct error *e);

/* Finds what has to be published after a start, as names and ids: packages whose publication was
 * interrupted, and directories that belong to another user. On the way, entries of {store}/{name} that
 * belong to another user and are no directories are removed, and unfinished directories that earlier
 * versions' unpackers left there are hidden. *ret_hidden: packages_delete() has something to delete.
 * Returns 0 with an empty list if there is no store. */
struct packages_left {
    struct {
        char *name, *id;
    } * items;
    size_t n;
};
int packages_find_left(const char *store, struct packages_left *ret, bool *ret_hidden, struct error *e);
void packages_left_clear(struct packages_left *left);
