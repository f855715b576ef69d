/* Reads the app path, the directory that contains the replicas' directories. Only root can write to it, so
 * names in it can be trusted; names one level deeper cannot (tenant.h).
 *
 *
 * CONTAINER                       a replica's directory; complete once it has this name
 * CONTAINER.removed-DATE[-N]      kept data of a removed replica; DATE is UTC, YYYYMMDDTHHMMSS
 * .making-CONTAINER               a directory that is not complete yet
 * .deleting-NAME-RANDOM           a CONTAINER or kept data that is being deleted */
#pragma once

#include "lib/basic/error.h"

#define APP_PATH_MAKING   ".making-"
#define APP_PATH_DELETING ".deleting-"

#define APP_PATH_NUMBER_MAX 9999 /* of kept data of one second */

struct app_path_entry {
    char *name;      /* in the app path */
    char *container; /* NULL for an entry that is being made or deleted */
    char *hidden_of; /* the container of such an entry; NULL if the name does not contain it */
    /* True for kept data: then 'removed_at' is in unix seconds, and 'number' is its place among those of
     * one second. */
    bool removed;
    int64_t removed_at, number;
};

/* Checks that 'name' is a container's name (i8k_INSTANCE_ID). Returns 0 or −EINVAL (refused). */
int app_path_check_container(const char *name, struct error *e);

/* Parses the name of an entry. Returns false if it is none of the four forms. The caller clears *ret. */
bool app_path_entry_parse(const char *name, struct app_path_entry *ret);
void app_path_entry_clear(struct app_path_entry *entry);

/* Returns the name for data removed at 'at' (unix seconds); 'number' 0 adds no suffix. The caller frees
 * it. */
char *app_path_kept_name(const char *container, int64_t at, int64_t number);

/* Returns a hidden, unique name for the entry 'name', which is to be deleted. The caller frees it. */
char *app_path_deleting_name(const char *name);

/* Opens the app path and makes it if it is missing. Its path may contain symbolic links, which only an
 * administrator can create. Returns −EPERM (refused) if another user can write to it. Returns an fd or a
 * negative errno. */
int app_path_open(const char *path, struct error *e);

/* Lists the entries that are directories, sorted by container: its directory first, its kept data from
 * oldest to newest. The caller frees the list with app_path_list_free(). */
int app_path_list(int apps, struct app_path_entry **ret, size_t *ret_n, struct error *e);
void app_path_list_free(struct app_path_entry *entries, size_t n);

/* Returns the newest time in the app path's own records, as unix seconds: when its entries changed last, and
 * the dates of kept data. If the clock stands before it, the clock or that date is wrong. */
int64_t app_path_newest_record(int apps, const struct app_path_entry *entries, size_t n);

/* Sets *ret to the name of a container's newest kept data, or NULL; the caller frees it. */
int app_path_newest_kept(int apps, const char *container, char **ret, struct error *e);

/* Reports whether the directory 'name' exists: 1 or 0. Returns −ENOTDIR (conflict) if the entry is not a
 * directory. */
int app_path_exists(int apps, const char *name, struct error *e);

/* Calls fsync on the directory. */
int app_path_sync(int apps, struct error *e);
