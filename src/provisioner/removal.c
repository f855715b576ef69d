/* Implements removal.h.
 *
 * A directory that has to be deleted is first renamed to a hidden name. From then on no function treats it
 * as a replica or as kept data and no request waits for it. If the process is killed while it deletes, the
 * next one completes the deletion. */
#include "provisioner/removal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/app-path/app_path.h"
#include "lib/app/name.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/remove_tree.h"
#include "provisioner/mounts.h"

/* Takes ownership of 'name'. */
static void names_add(struct names *names, char *name)
{
    names->items = xrealloc(names->items, names->n + 1, sizeof *names->items);
    names->items[names->n++] = name;
}

void names_clear(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->items[i]);
    free(names->items);
    *names = (struct names){NULL, 0};
}

/* Fills 'e' for a directory of the app path that could not be renamed. */
static int cannot_rename(const char *name, const char *to, int errnum, struct error *e)
{
    if (errnum == EBUSY)
        return error_refuse(e, EBUSY, "'%s' is a mount point: unmount it first", name);
    if (errnum == EXDEV) /* no tenant can cause this: both names are in the app path */
        return error_refuse(
            e, EXDEV,
            "'%s' cannot be renamed: the app path has a disk project that new entries inherit; "
            "'chattr -P' on the app path ends that",
            name);
    return error_os(e, errnum, "cannot rename '%s' to '%s'", name, to);
}

/* Determines date and number of the data that is kept next, so that it sorts after all of the container that
 * is there. The newest is what a deploy gets back, and after a wrong date it would expire early: while the
 * clock stands before the app path's own records, the date is that of the newest one. */
static int next_kept(int apps, const char *container, int64_t *ret_at, int64_t *ret_number, struct error *e)
{
    struct app_path_entry *entries = NULL;
    size_t n = 0;
    int r = app_path_list(apps, &entries, &n, e);
    if (r < 0)
        return r;
    int64_t now = now_realtime_msec() / 1000, newest = app_path_newest_record(apps, entries, n);
    *ret_at = now > newest ? now : newest;
    *ret_number = 0;
    for (size_t i = 0; i < n; i++)
        if (entries[i].removed && entries[i].removed_at == *ret_at && streq(entries[i].container, container))
            *ret_number = entries[i].number + 1; /* sorted: the last one is the largest */
    app_path_list_free(entries, n);
    return 0;
}

static int rename_to_kept(int apps, const char *container, char **ret_kept, struct error *e)
{
    int64_t at, number;
    int r = next_kept(apps, container, &at, &number, e);
    for (; r >= 0; number++) {
        if (number > APP_PATH_NUMBER_MAX) {
            at++;
            number = 0;
        }
        _cleanup_free_ char *kept = app_path_kept_name(container, at, number);
        if (renameat2(apps, container, apps, kept, RENAME_NOREPLACE) == 0) {
            *ret_kept = TAKE_PTR(kept);
            return 0;
        }
        if (errno != EEXIST)
            return cannot_rename(container, kept, errno, e);
    }
    return r;
}

/* Hides 'name'; the hidden name contains 'as'. Returns 1, or 0 if 'name' does not exist. */
static int hide(int apps, const char *name, const char *as, struct error *e)
{
    _cleanup_free_ char *hidden = app_path_deleting_name(as);
    if (renameat2(apps, name, apps, hidden, RENAME_NOREPLACE) == 0) {
        int r = failpoint_error("remove.hidden", e);
        return r < 0 ? r : 1;
    }
    return errno == ENOENT ? 0 : cannot_rename(name, hidden, errno, e);
}

static int hide_unfinished(int apps, const char *container, struct error *e)
{
    _cleanup_free_ char *making = xasprintf(APP_PATH_MAKING "%s", container);
    return hide(apps, making, container, e);
}

static int keep(int apps, const char *container, char **ret_kept, bool *ret_hidden, struct error *e)
{
    int r = hide_unfinished(apps, container, e);
    if (r >= 0) {
        *ret_hidden = r > 0;
        r = app_path_exists(apps, container, e);
    }
    if (r < 0)
        return r;
    if (r == 0)
        return app_path_newest_kept(apps, container, ret_kept, e);
    _cleanup_free_ char *kept = NULL;
    r = rename_to_kept(apps, container, &kept, e);
    if (r >= 0)
        r = failpoint_error("remove.kept", e);
    if (r >= 0)
        r = app_path_sync(apps, e);
    if (r >= 0)
        *ret_kept = TAKE_PTR(kept);
    return r;
}

/* Adds the names of the container's directories: the replica's own unless 'kept_only', and kept data
 * removed before 'before' (unix seconds; 0: all of it). */
static int find(int apps, const char *container, bool kept_only, int64_t before, struct names *ret,
                struct error *e)
{
    struct app_path_entry *entries = NULL;
    size_t n = 0;
    int r = app_path_list(apps, &entries, &n, e);
    for (size_t i = 0; i < n; i++) {
        const struct app_path_entry *entry = &entries[i];
        if (!entry->container || !streq(entry->container, container))
            continue;
        if (entry->removed ? before == 0 || entry->removed_at < before : !kept_only)
            names_add(ret, xstrdup(entry->name));
    }
    app_path_list_free(entries, n);
    return r;
}

/* Hides all of 'names', or none if anything is mounted in one of them. */
static int hide_all(int apps, const struct names *names, struct error *e)
{
    int r = 0;
    for (size_t i = 0; i < names->n && r >= 0; i++)
        r = mounts_check_none(apps, names->items[i], e);
    for (size_t i = 0; i < names->n && r >= 0; i++)
        r = hide(apps, names->items[i], names->items[i], e);
    return r < 0 ? r : app_path_sync(apps, e);
}

int removal_keep(const char *app_path, const char *container, char **ret_kept, bool *ret_hidden,
                 struct error *e)
{
    _cleanup_close_ int apps = app_path_open(app_path, e);
    int r = apps < 0 ? apps : keep(apps, container, ret_kept, ret_hidden, e);
    return r < 0 ? error_prefix(e, "%s", container) : 0;
}

int removal_hide(const char *app_path, const char *container, struct error *e)
{
    _cleanup_(names_clear) struct names names = {NULL, 0};
    _cleanup_close_ int apps = app_path_open(app_path, e);
    int r = apps < 0 ? apps : app_path_exists(apps, container, e);
    if (r >= 0)
        r = find(apps, container, false, 0, &names, e);
    if (r >= 0)
        r = hide_unfinished(apps, container, e);
    if (r >= 0)
        r = hide_all(apps, &names, e);
    return r < 0 ? error_prefix(e, "%s", container) : 0;
}

static bool same_instance(const char *container, const char *other)
{
    _cleanup_free_ char *one = NULL, *two = NULL;
    int64_t id, other_id;
    return app_container_name_parse(container, &one, &id) >= 0 &&
           app_container_name_parse(other, &two, &other_id) >= 0 && id != other_id && streq(one, two);
}

int removal_kept_others(const char *app_path, const char *container, struct names *ret, struct error *e)
{
    struct app_path_entry *entries = NULL;
    size_t n = 0;
    _cleanup_close_ int apps = app_path_open(app_path, e);
    int r = apps < 0 ? apps : app_path_list(apps, &entries, &n, e);
    for (size_t i = 0; i < n && r >= 0; i++) {
        const char *other = entries[i].container;
        if (!other || !entries[i].removed || !same_instance(container, other) ||
            (ret->n > 0 && streq(ret->items[ret->n - 1], other)))
            continue;
        r = app_path_exists(apps, other, e);
        if (r == 0)
            names_add(ret, xstrdup(other));
    }
    app_path_list_free(entries, n);
    return r < 0 ? r : 0;
}

int removal_expire(const char *app_path, const char *container, int64_t before, unsigned *ret_hidden,
                   struct error *e)
{
    _cleanup_(names_clear) struct names names = {NULL, 0};
    _cleanup_close_ int apps = app_path_open(app_path, e);
    int r = apps < 0 ? apps : find(apps, container, true, before, &names, e);
    if (r >= 0)
        r = hide_all(apps, &names, e);
    if (r < 0)
        return error_prefix(e, "%s", container);
    *ret_hidden = (unsigned)names.n;
    return 0;
}

int removal_hide_unfinished(const char *app_path, const char *container, struct error *e)
{
    _cleanup_close_ int apps = app_path_open(app_path, e);
    int r = apps < 0 ? apps : hide_unfinished(apps, container, e);
    return r < 0 ? r : 0;
}

static int find_hidden(int apps, const char *of, struct names *ret, struct error *e)
{
    struct app_path_entry *entries = NULL;
    size_t n = 0;
    int r = app_path_list(apps, &entries, &n, e);
    for (size_t i = 0; i < n; i++)
        if (after_prefix(entries[i].name, APP_PATH_DELETING) &&
            streq(entries[i].hidden_of ?: entries[i].name, of))
            names_add(ret, xstrdup(entries[i].name));
    app_path_list_free(entries, n);
    return r;
}

static int delete_names(int apps, const struct names *names, struct names *deleted, struct error *e)
{
    int result = 0;
    for (size_t i = 0; i < names->n; i++) {
        struct error *first = result < 0 ? NULL : e;
        int r = remove_tree_at(apps, names->items[i], first);
        if (r >= 0) {
            names_add(deleted, xstrdup(names->items[i]));
            r = failpoint_error("remove.deleted", first);
        }
        result = result < 0 ? result : r;
    }
    return result;
}

int removal_delete(const char *app_path, const char *of, struct names *deleted, struct error *e)
{
    _cleanup_close_ int apps = app_path_open(app_path, e);
    int r = apps < 0 ? apps : failpoint_error("remove.deleting", e);
    for (bool any = true; r >= 0 && any;) {
        _cleanup_(names_clear) struct names names = {NULL, 0};
        r = find_hidden(apps, of, &names, e);
        any = names.n > 0;
        if (r >= 0)
            r = delete_names(apps, &names, deleted, e);
    }
    return r < 0 ? r : app_path_sync(apps, e);
}
