/* Removing replicas: their data is kept, given back, or deleted. */
#pragma once

#include "lib/basic/error.h"

/* Keeps the data as CONTAINER.removed-DATE: *ret_kept is its name in the app path (the caller frees), that of
 * an earlier removal when there is no directory, NULL when there is nothing at all. */
int removal_keep(const char *app_path, const char *container, char **ret_kept, struct error *e);

/* Deletes the data, and all that was kept earlier. A mount point inside is refused, before anything is done. */
int removal_purge(const char *app_path, const char *container, struct error *e);

/* Deletes the kept data of a container that was removed before 'before' (unix seconds); counts it. */
int removal_expire(const char *app_path, const char *container, int64_t before, unsigned *ret_deleted,
                   struct error *e);

/* Deletes a directory that is hidden already (APPS_MAKING, APPS_DELETING): what a killed process left. */
int removal_finish(const char *app_path, const char *name, struct error *e);
