/* Implements recovery.h. */
#include "quota-keeper/recovery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/app-path/app_path.h"
#include "lib/basic/cleanup.h"
#include "quota-keeper/registry_run.h"

struct recovery {
    struct registry *r;
    struct places places;
    struct id_set others;
    struct notes *notes;
    bool changed;
};

static bool tagged_with(struct recovery *v, const char *name, int64_t project)
{
    struct place place = PLACE_INIT;
    struct kernel_tag tag;
    bool is = place_open(&v->places, name, &place, NULL) >= 0 &&
              v->r->kernel->read_tag(v->r->kernel, place.fd, &tag) == 0 && tag.project == project;
    place_clear(&place);
    return is;
}

/* Handles a directory whose project the ledger assigns to another container. If that container's directory
 * does not carry the project, the ledger is out of date, and its item is removed. */
static bool drop_outdated(struct recovery *v, struct ledger_item *owner)
{
    if (tagged_with(v, owner->name, owner->id))
        return false;
    notes_add(v->notes,
              xasprintf("the ledger gives project %" PRId64
                        " to %s, whose directory does not carry it: the item is removed from the ledger",
                        owner->id, owner->name));
    registry_drop(v->r, owner);
    return true;
}

static void adopt(struct recovery *v, const struct app_path_entry *entry, const struct place *place,
                  uint32_t project)
{
    struct registry *r = v->r;
    struct kernel_quota quota;
    struct ledger_item *owner = ledger_find_id(&r->ledger, project);
    if (owner && !drop_outdated(v, owner)) {
        notes_add(v->notes,
                  xasprintf("'%s' carries project %u of %s: the next Ensure gives it one of its own",
                            place->path, project, owner->name));
        return;
    }
    if (r->kernel->get(r->kernel, place->fd, project, &quota) < 0)
        return;
    pthread_mutex_lock(&r->mutex);
    struct ledger_item *item = ledger_add(&r->ledger, entry->container, project);
    item->soft = quota.limits.soft;
    item->hard = quota.limits.hard;
    item->inodes_soft = quota.limits.inodes_soft;
    item->inodes = quota.limits.inodes;
    item->released = entry->removed;
    item->mnt = xstrdup(place->filesystem->mount.mount_point);
    pthread_mutex_unlock(&r->mutex);
    v->changed = true;
    notes_add(v->notes, xasprintf("took %s into the ledger: '%s' carries project %u", entry->container,
                                  place->path, project));
}

/* Sets the ledger's limits in the kernel where they differ. Called for a directory that carries its
 * project. */
static void set_limits(struct recovery *v, const struct ledger_item *item, const struct place *place)
{
    const struct kernel *k = v->r->kernel;
    struct kernel_quota quota;
    struct kernel_limits limits = {item->soft, item->hard, item->inodes_soft, item->inodes};
    if (k->get(k, place->fd, (uint32_t)item->id, &quota) < 0 || kernel_limits_match(&limits, &quota.limits))
        return;
    int result = k->set(k, place->fd, (uint32_t)item->id, &limits);
    if (result < 0)
        notes_add(v->notes, xasprintf("%s: cannot set the limits of project %" PRId64 ": %s", item->name,
                                      item->id, strerror(-result)));
    else
        notes_add(v->notes,
                  xasprintf("%s: the kernel had other limits (%" PRId64 " bytes, %" PRId64
                            " inodes) than the ledger (%" PRId64 ", %" PRId64 "): it has the ledger's now",
                            item->name, quota.limits.hard, quota.limits.inodes, item->hard, item->inodes));
}

/* Derives the limit of inodes from the limit of bytes, the configuration and the present usage, unless a
 * caller asked for a number. Ledgers of earlier versions have no limits of inodes. */
static void derive_inodes(struct recovery *v, struct ledger_item *item, const struct place *place)
{
    struct registry *r = v->r;
    struct kernel_quota quota;
    if (item->released || (!item->inodes_derived && (item->inodes || item->inodes_soft)) ||
        r->kernel->get(r->kernel, place->fd, (uint32_t)item->id, &quota) < 0)
        return;
    int64_t inodes = registry_inodes_for(r, item->soft, item->hard, quota.used_inodes);
    if (inodes == item->inodes && item->inodes_derived == (inodes > 0))
        return;
    pthread_mutex_lock(&r->mutex);
    item->inodes = inodes;
    item->inodes_derived = inodes > 0;
    pthread_mutex_unlock(&r->mutex);
    v->changed = true;
}

static void look_at(struct recovery *v, const struct app_path_entry *entry)
{
    struct place place = PLACE_INIT;
    struct kernel_tag tag;
    struct registry *r = v->r;
    if (place_open(&v->places, entry->name, &place, NULL) >= 0 && place.filesystem->state.accounted &&
        r->kernel->read_tag(r->kernel, place.fd, &tag) == 0) {
        struct ledger_item *item = ledger_find(&r->ledger, entry->container);
        if (!item && registry_may_adopt(r, &v->places, tag.project, &v->others))
            adopt(v, entry, &place, tag.project);
        if (item && item->id == tag.project) {
            derive_inodes(v, item, &place);
            set_limits(v, item, &place);
        }
    }
    place_clear(&place);
}

/* Reports whether a directory of the container exists. An unfinished one counts, and so does a hidden one
 * until it is deleted. */
static bool is_there(const struct app_path_entry *entries, size_t n, const char *container)
{
    for (size_t i = 0; i < n; i++)
        if (streq_null(entries[i].container, container) || streq_null(entries[i].hidden_of, container))
            return true;
    return false;
}

bool recovery_is_on_its_way(struct registry *r, const char *container)
{
    struct app_path_entry *entries = NULL;
    size_t n = 0;
    _cleanup_close_ int apps = app_path_open(r->apps, NULL);
    bool found = apps < 0 || app_path_list(apps, &entries, &n, NULL) < 0;
    for (size_t i = 0; i < n && !found; i++)
        found = streq_null(entries[i].hidden_of, container);
    app_path_list_free(entries, n);
    return found;
}

static bool is_unused(struct registry *r, struct places *places, const struct ledger_item *item)
{
    struct place place = PLACE_INIT;
    struct kernel_quota quota = {.used = 0};
    bool gone, unused = place_open_any(places, item->name, &place, &gone, NULL) >= 0 && gone &&
                        /* on the same mount as before: another one has no record of it */
                        streq_null(item->mnt, place.filesystem->mount.mount_point) &&
                        (!place.filesystem->state.accounted ||
                         r->kernel->get(r->kernel, place.fd, (uint32_t)item->id, &quota) == 0) &&
                        quota.used == 0 && quota.used_inodes == 0;
    place_clear(&place);
    return unused;
}

bool recovery_is_gone(struct registry *r, const struct ledger_item *item)
{
    struct places places;
    struct app_path_entry *entries = NULL;
    size_t n = 0;
    if (places_open(&places, r->kernel, r->apps, NULL) < 0)
        return false;
    bool gone = app_path_list(places.apps_fd, &entries, &n, NULL) >= 0 && !is_there(entries, n, item->name) &&
                is_unused(r, &places, item);
    app_path_list_free(entries, n);
    places_close(&places);
    return gone;
}

char **recovery_find_gone(struct registry *r, size_t *ret_n)
{
    struct places places;
    struct app_path_entry *entries = NULL;
    size_t n_entries = 0, n_items = 0, n = 0;
    *ret_n = 0;
    if (places_open(&places, r->kernel, r->apps, NULL) < 0)
        return NULL;
    struct ledger_item *items = registry_items(r, &n_items);
    char **names = xcalloc(n_items + 1, sizeof *names);
    if (app_path_list(places.apps_fd, &entries, &n_entries, NULL) >= 0)
        for (size_t i = 0; i < n_items; i++)
            if (!is_there(entries, n_entries, items[i].name) && is_unused(r, &places, &items[i]))
                names[n++] = xstrdup(items[i].name);
    app_path_list_free(entries, n_entries);
    registry_items_free(items, n_items);
    places_close(&places);
    *ret_n = n;
    return names;
}

static void drop_gone(struct recovery *v)
{
    size_t n;
    char **names = recovery_find_gone(v->r, &n);
    for (size_t i = 0; i < n; i++) {
        struct ledger_item *item = ledger_find(&v->r->ledger, names[i]);
        notes_add(v->notes, xasprintf("%s no longer has a directory: project %" PRId64 " is given back",
                                      names[i], item->id));
        struct place place = PLACE_INIT;
        bool gone;
        const struct kernel_limits none = {0, 0, 0, 0};
        if (place_open_any(&v->places, names[i], &place, &gone, NULL) >= 0 &&
            place.filesystem->state.accounted)
            (void)v->r->kernel->set(v->r->kernel, place.fd, (uint32_t)item->id, &none);
        place_clear(&place);
        registry_drop(v->r, item);
        v->changed = true;
        free(names[i]);
    }
    free(names);
}

void recovery_run(struct registry *r, struct notes *notes)
{
    struct recovery v = {.r = r, .notes = notes};
    struct app_path_entry *entries = NULL;
    struct error e = ERROR_INIT;
    size_t n = 0;
    struct op op = {.kind = OP_REFRESH, .container = ""}, *ops[] = {&op};
    bool torn = r->unusable;
    if (places_open(&v.places, r->kernel, r->apps, &e) < 0) {
        notes_add(notes, xasprintf("%s; quotas are looked at again with the next request", e.message));
        return;
    }
    registry_read_others(r, &v.others);
    if (app_path_list(v.places.apps_fd, &entries, &n, &e) < 0)
        notes_add(notes, xasprintf("%s", e.message));
    for (size_t i = 0; i < n; i++)
        if (entries[i].container)
            look_at(&v, &entries[i]);
    app_path_list_free(entries, n);
    drop_gone(&v);
    registry_see(r, &v.places);
    places_close(&v.places);
    /* The files in /etc are checked in any case: a killed process can have left staged files beside them. */
    if (r->ledger.n > 0 || v.changed || torn)
        registry_run(r, ops, 1, notes);
    if (op.result < 0)
        notes_add(notes, xasprintf("%s; tried again with the next change", op.e.message));
    r->unusable = false;
}
