/* Removes replicas: keeps, hides and deletes their data.
 *
 * A directory that has to be deleted is first hidden by a rename, which is fast (removal_hide(),
 * removal_expire()), and deleted afterwards, which can take long (removal_delete(), in the threads of
 * deletion.h). */
#pragma once

#include "lib/basic/error.h"

/* Names in the app path. */
struct names {
    char **items;
    size_t n;
};
void names_clear(struct names *names);

/* Renames the container's directory to CONTAINER.removed-DATE. *ret_kept is the new name, or that of the
 * newest earlier removal if the container has no directory, or NULL if there is none either; the caller
 * frees it. *ret_hidden: an unfinished directory was hidden. Returns 0 or a negative errno. */
int removal_keep(const char *app_path, const char *container, char **ret_kept, bool *ret_hidden,
                 struct error *e);

/* Hides the container's directory, its unfinished one and all its kept data. If a mount point is inside of
 * one, the function refuses before it hides the first complete directory. */
int removal_hide(const char *app_path, const char *container, struct error *e);

/* Adds to *ret, once each, the other containers of the same instance that have kept data and no directory. */
int removal_kept_others(const char *app_path, const char *container, struct names *ret, struct error *e);

/* Hides the container's kept data that was removed before 'before' (unix seconds). *ret_hidden is the
 * number of directories. */
int removal_expire(const char *app_path, const char *container, int64_t before, unsigned *ret_hidden,
                   struct error *e);

/* Hides the container's unfinished directory (APP_PATH_MAKING), which a killed process left. */
int removal_hide_unfinished(const char *app_path, const char *container, struct error *e);

/* Deletes every hidden directory of 'of': a container, or the name of one directory whose name contains no
 * container. Returns 0 when none is left and the app path is synced. A directory that cannot be deleted
 * does not stop the deletion of the others; the first error is returned. Adds the names of the deleted
 * ones to *deleted, also on failure. */
int removal_delete(const char *app_path, const char *of, struct names *deleted, struct error *e);
