/* The app path: the directory of the replicas' directories. Root's alone to write: what stands in it can be
 * trusted by name; what lies a level deeper cannot (tenant.h).
 *
 * CONTAINER                       a replica's directory, complete since it has this name
 * CONTAINER.removed-DATE[-N]      kept data of a replica that was removed; DATE is UTC, YYYYMMDDTHHMMSS
 * .making-CONTAINER               a directory that is not complete yet
 * .deleting-NAME-RANDOM           on its way out: what was CONTAINER or kept data; nobody wants it any more
 */
#pragma once

#include "lib/basic/error.h"

#define APP_PATH_MAKING   ".making-"
#define APP_PATH_DELETING ".deleting-"

struct app_path_entry {
    char *name;      /* in the app path */
    char *container; /* NULL for what is on its way in or out */
    char *hidden_of; /* whose that is, then; NULL where the name does not say */
    bool removed; /* kept data: then 'removed_at' in unix seconds, and its place among those of one second */
    int64_t removed_at, number;
};

/* Whether 'name' is a container's (i8k_INSTANCE_ID); refused with a message otherwise. */
int app_path_check_container(const char *name, struct error *e);

/* Takes the name of an entry apart; false for what is none of the four. The caller clears it. */
bool app_path_entry_parse(const char *name, struct app_path_entry *ret);
void app_path_entry_clear(struct app_path_entry *entry);

/* Name for data removed at 'at' (unix seconds); 'number' 0 has no suffix. The caller frees. */
char *app_path_kept_name(const char *container, int64_t at, int64_t number);

/* Name under which 'name', which may be deleted, is out of everybody's way. The caller frees. */
char *app_path_deleting_name(const char *name);

/* Opens the app path (which may be reached by symlinks, an administrator's matter) and makes it when it is
 * missing. Refused when anybody but us may write in it. fd or negative errno. */
int app_path_open(const char *path, struct error *e);

/* The entries that are directories, sorted: kept data of one container newest last. The caller frees. */
int app_path_list(int apps, struct app_path_entry **ret, size_t *ret_n, struct error *e);
void app_path_list_free(struct app_path_entry *entries, size_t n);

/* Name of the newest kept data of a container, or NULL; the caller frees *ret. */
int app_path_newest_kept(int apps, const char *container, char **ret, struct error *e);

/* Whether an entry is there: 1, 0; another thing than a directory in its place is −ENOTDIR, a conflict. */
int app_path_exists(int apps, const char *name, struct error *e);

/* fsync of the directory. */
int app_path_sync(int apps, struct error *e);
