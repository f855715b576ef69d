/* Removing replicas: their data is kept, given back, or deleted.
 *
 * What is to be deleted is first hidden by a rename, which takes no time (removal_hide, removal_expire), and
 * deleted afterwards, which may take long (removal_delete; deletion.h has its threads). */
#pragma once

#include "lib/basic/error.h"

/* Names in the app path. */
struct names {
    char **items;
    size_t n;
};
void names_clear(struct names *names);

/* Keeps the data as CONTAINER.removed-DATE: *ret_kept is its name in the app path (the caller frees), that of
 * an earlier removal when there is no directory, NULL when there is nothing at all. *ret_hidden: something
 * that was never complete is hidden. */
int removal_keep(const char *app_path, const char *container, char **ret_kept, bool *ret_hidden,
                 struct error *e);

/* Hides the data, and all that was kept earlier. A mount point inside is refused, before anything is done. */
int removal_hide(const char *app_path, const char *container, struct error *e);

/* Adds to *ret the other containers of the same instance of which nothing but kept data is there, each once.
 */
int removal_kept_others(const char *app_path, const char *container, struct names *ret, struct error *e);

/* Hides the kept data of a container that was removed before 'before' (unix seconds); counts it. */
int removal_expire(const char *app_path, const char *container, int64_t before, unsigned *ret_hidden,
                   struct error *e);

/* Hides what a killed process did not complete (APP_PATH_MAKING). */
int removal_hide_unfinished(const char *app_path, const char *container, struct error *e);

/* Deletes all that is hidden of 'of': a container, or one name where that does not say whose it is. Success
 * means that nothing of it is left, durably. What fails does not keep it from the rest. The names of what
 * went are added to *deleted, also on failure. */
int removal_delete(const char *app_path, const char *of, struct names *deleted, struct error *e);
