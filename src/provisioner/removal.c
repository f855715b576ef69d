/* Removing replicas; see removal.h.
 *
 * What is to be deleted is first renamed to a hidden name. From then on nobody takes it for a replica or for
 * kept data, and a process that is killed while it deletes leaves what the next one finishes. */
#include "provisioner/removal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/apps/apps.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "provisioner/mounts.h"

struct names {
    char **items;
    size_t n;
};

static void names_clear(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->items[i]);
    free(names->items);
}

static void names_add(struct names *names, char *name)
{
    names->items = xrealloc(names->items, names->n + 1, sizeof *names->items);
    names->items[names->n++] = name;
}

static int rename_to_kept(int apps, const char *container, char **ret_kept, struct error *e)
{
    int64_t now = now_realtime_msec() / 1000;
    for (int64_t number = 0;; number++) {
        _cleanup_free_ char *kept = apps_kept_name(container, now, number);
        if (renameat2(apps, container, apps, kept, RENAME_NOREPLACE) == 0) {
            *ret_kept = TAKE_PTR(kept);
            return 0;
        }
        if (errno == EBUSY)
            return error_refuse(e, EBUSY, "it is a mount point: unmount it first");
        if (errno != EEXIST)
            return error_os(e, errno, "cannot rename to '%s'", kept);
    }
}

static int drop_unfinished(int apps, const char *container, struct error *e)
{
    _cleanup_free_ char *making = xasprintf(APPS_MAKING "%s", container);
    return remove_tree_at(apps, making, e);
}

static int keep(int apps, const char *container, char **ret_kept, struct error *e)
{
    int r = drop_unfinished(apps, container, e);
    if (r >= 0)
        r = apps_exists(apps, container, e);
    if (r < 0)
        return r;
    if (r == 0)
        return apps_newest_kept(apps, container, ret_kept, e);
    _cleanup_free_ char *kept = NULL;
    r = rename_to_kept(apps, container, &kept, e);
    if (r >= 0)
        r = apps_failpoint("remove.kept", e);
    if (r >= 0)
        r = apps_sync(apps, e);
    if (r >= 0)
        *ret_kept = TAKE_PTR(kept);
    return r;
}

/* Hides and deletes the directories named. */
static int delete_all(int apps, const struct names *names, struct error *e)
{
    _cleanup_(names_clear) struct names hidden = {NULL, 0};
    for (size_t i = 0; i < names->n; i++) {
        char random[17];
        random_hex(random, 8);
        _cleanup_free_ char *name = xasprintf(APPS_DELETING "%s-%s", names->items[i], random);
        if (renameat2(apps, names->items[i], apps, name, RENAME_NOREPLACE) < 0)
            return error_os(e, errno, "cannot rename '%s' for deletion", names->items[i]);
        names_add(&hidden, TAKE_PTR(name));
        int r = apps_failpoint("remove.hidden", e);
        if (r < 0)
            return r;
    }
    int r = apps_sync(apps, e);
    for (size_t i = 0; i < hidden.n && r >= 0; i++) {
        r = remove_tree_at(apps, hidden.items[i], e);
        if (r >= 0)
            r = apps_failpoint("remove.deleted", e);
    }
    return r;
}

/* The directories of a container: its own unless 'kept_only', and kept data older than 'before' (0: all). */
static int find(int apps, const char *container, bool kept_only, int64_t before, struct names *ret,
                struct error *e)
{
    struct apps_entry *entries = NULL;
    size_t n = 0;
    int r = apps_list(apps, &entries, &n, e);
    for (size_t i = 0; i < n; i++) {
        const struct apps_entry *entry = &entries[i];
        if (!entry->container || !streq(entry->container, container))
            continue;
        if (entry->removed ? before == 0 || entry->removed_at < before : !kept_only)
            names_add(ret, xstrdup(entry->name));
    }
    apps_list_free(entries, n);
    return r;
}

static int delete_found(int apps, const struct names *names, struct error *e)
{
    for (size_t i = 0; i < names->n; i++) {
        int r = mounts_check_none(apps, names->items[i], e);
        if (r < 0)
            return r;
    }
    return delete_all(apps, names, e);
}

int removal_keep(const char *app_path, const char *container, char **ret_kept, struct error *e)
{
    _cleanup_close_ int apps = apps_open(app_path, e);
    int r = apps < 0 ? apps : keep(apps, container, ret_kept, e);
    return r < 0 ? error_prefix(e, "%s", container) : 0;
}

int removal_purge(const char *app_path, const char *container, struct error *e)
{
    _cleanup_(names_clear) struct names names = {NULL, 0};
    _cleanup_close_ int apps = apps_open(app_path, e);
    int r = apps < 0 ? apps : apps_exists(apps, container, e);
    if (r >= 0)
        r = find(apps, container, false, 0, &names, e);
    if (r >= 0)
        r = delete_found(apps, &names, e);
    if (r >= 0)
        r = drop_unfinished(apps, container, e);
    return r < 0 ? error_prefix(e, "%s", container) : 0;
}

int removal_expire(const char *app_path, const char *container, int64_t before, unsigned *ret_deleted,
                   struct error *e)
{
    _cleanup_(names_clear) struct names names = {NULL, 0};
    _cleanup_close_ int apps = apps_open(app_path, e);
    int r = apps < 0 ? apps : find(apps, container, true, before, &names, e);
    if (r >= 0)
        r = delete_found(apps, &names, e);
    if (r < 0)
        return error_prefix(e, "%s", container);
    *ret_deleted = (unsigned)names.n;
    return 0;
}

int removal_finish(const char *app_path, const char *name, struct error *e)
{
    _cleanup_close_ int apps = apps_open(app_path, e);
    return apps < 0 ? apps : remove_tree_at(apps, name, e);
}
