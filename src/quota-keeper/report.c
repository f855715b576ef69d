/* Implements report.h. */
#include "quota-keeper/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lib/app-path/app_path.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/schema/object.h"
#include "quota-keeper/projects.h"
#include "quota-keeper/recheck.h"
#include "quota-keeper/tag.h"

/* Open files of a running application that have no name any more; so few are not reported. */
#define OPEN_AND_DELETED 16
#define ORPHANS_MAX      100 /* orphan ids that are reported one by one */

/* What the walk found in the directories of an item. */
struct seen {
    struct tag_result files;
    bool incomplete; /* not all entries could be checked */
};

struct report {
    struct registry *r;
    struct places places;
    struct id_set others;
    struct ledger_item *items;
    struct seen *seen; /* one for each item */
    size_t n_items;
    double *elsewhere; /* for each id: files that carry it in directories of others */
    struct findings found;
};

#define add(p, kind, container, project, place, ...)                                                         \
    placed(findings_add(&(p)->found, kind, container, project, __VA_ARGS__), place)

static struct quota_finding *placed(struct quota_finding *f, const struct place *place)
{
    f->path = place ? xstrdup(place->path) : NULL;
    f->mount_point = place ? xstrdup(place->filesystem->mount.mount_point) : NULL;
    return f;
}

static void add_use(struct quota_finding *f, const struct kernel_quota *quota)
{
    f->used = quota->used;
    f->used_inodes = quota->used_inodes;
    f->hard = quota->limits.hard;
}

static const struct ledger_item *find_item(const struct report *p, const char *container)
{
    for (size_t i = 0; i < p->n_items; i++)
        if (streq(p->items[i].name, container))
            return &p->items[i];
    return NULL;
}

static const struct ledger_item *find_id(const struct report *p, int64_t id)
{
    for (size_t i = 0; i < p->n_items; i++)
        if (p->items[i].id == id)
            return &p->items[i];
    return NULL;
}

/* --- limits and files of an item --- */

static void check_limits(struct report *p, const struct ledger_item *item, const struct place *place,
                         const struct kernel_quota *quota)
{
    const struct kernel_limits wanted = {item->soft, item->hard, item->inodes_soft, item->inodes};
    if (!kernel_limits_match(&wanted, &quota->limits))
        add_use(add(p, QUOTA_LIMITS_DIFFER, item->name, item->id, place,
                    "the ledger wants %" PRId64 " bytes and %" PRId64 " inodes, the kernel has %" PRId64
                    " and %" PRId64 "; the next start of quota-keeper, or of the application, sets them",
                    item->hard, item->inodes, quota->limits.hard, quota->limits.inodes),
                quota);
}

static void check_files(struct report *p, const struct ledger_item *item, const struct place *place,
                        const struct kernel_quota *quota)
{
    const struct tag_result *seen = &p->seen[item - p->items].files;
    struct kernel_quota now;
    const struct kernel *k = p->r->kernel;
    if (seen->skipped > 0)
        add_use(add(p, QUOTA_NOT_TAGGED, item->name, item->id, place,
                    "%" PRId64
                    " files do not carry the project, and are not counted: 'hostletctl quota recheck %s' "
                    "gives it to them",
                    seen->skipped, item->name),
                quota);
    /* Files are created and deleted during the walk: only what existed before it and still exists counts. */
    int64_t most = quota->used_inodes;
    if (k->get(k, place->fd, (uint32_t)item->id, &now) == 0 && now.used_inodes < most)
        most = now.used_inodes;
    int64_t found = item->id <= ID_MAX ? (int64_t)(p->elsewhere[item->id] + 0.5) : 0;
    int64_t elsewhere = most - seen->entries - seen->unseen - seen->skipped - found;
    if (elsewhere > OPEN_AND_DELETED && !p->seen[item - p->items].incomplete)
        add_use(add(p, QUOTA_USED_BY_OTHERS, item->name, item->id, place,
                    "%" PRId64 " files of project %" PRId64
                    " are in no replica's directory: another program uses the id (Docker gives out ids from "
                    "1 up if its storage is on the same filesystem), or they were deleted and are "
                    "still open, or they are symbolic links, fifos or devices, whose project cannot be read",
                    elsewhere, item->id),
                quota);
}

/* --- the walk --- */

/* Adds what the walk found to the item, for each directory that stands for its project. */
static void add_seen(struct report *p, const struct ledger_item *item, uint32_t project,
                     const struct tag_result *seen, bool whole)
{
    if (!item || item->id != project)
        return;
    struct tag_result *sum = &p->seen[item - p->items].files;
    p->seen[item - p->items].incomplete |= !whole;
    sum->entries += seen->entries;
    sum->skipped += seen->skipped;
    sum->unseen += seen->unseen;
}

static void walk_directory(struct report *p, const struct app_path_entry *entry, struct strays *strays)
{
    struct place place = PLACE_INIT;
    struct error e = ERROR_INIT;
    struct tag_result seen = {.entries = 0};
    const struct tag_options how = {.strays = strays};
    const struct ledger_item *item = entry->container ? find_item(p, entry->container) : NULL;
    uint32_t project;
    if (place_open(&p->places, entry->name, &place, NULL) < 0)
        return;
    if (recheck_project(p->r, &place, entry, item, &project) >= 0) {
        int r = tag_count(p->r->kernel, place.fd, project, &how, &seen, &e);
        if (r < 0)
            add(p, QUOTA_NOT_TAGGED, entry->container, project, &place, "'%s': %s", entry->name, e.message);
        add_seen(p, item, project, &seen, r >= 0);
        findings_add_strays(&p->found, p->r, entry->name, entry->container, strays, false);
        for (size_t id = 0; id <= ID_MAX; id++)
            p->elsewhere[id] += strays->by_id[id];
        strays_clear(strays);
    }
    place_clear(&place);
}

static int walk_directories(struct report *p, struct error *e)
{
    struct app_path_entry *entries = NULL;
    size_t n = 0;
    struct strays *strays = xcalloc(1, sizeof *strays);
    strays->by_id = xcalloc(ID_MAX + 1, sizeof *strays->by_id);
    int r = app_path_list(p->places.apps_fd, &entries, &n, e);
    for (size_t i = 0; i < n; i++)
        walk_directory(p, &entries[i], strays);
    app_path_list_free(entries, n);
    free(strays->by_id);
    free(strays);
    return r;
}

/* --- an item --- */

static void check_item(struct report *p, const struct ledger_item *item)
{
    struct place place = PLACE_INIT;
    struct error e = ERROR_INIT;
    struct kernel_quota quota;
    bool gone;
    if (id_set_has(&p->others, item->id))
        add(p, QUOTA_USED_BY_OTHERS, item->name, item->id, NULL,
            "project %" PRId64 " is also in use by others, in %s/projects or %s/projid", item->id, p->r->etc,
            p->r->etc);
    if (place_open_any(&p->places, item->name, &place, &gone, &e) < 0) {
        add(p, QUOTA_WITHOUT_DIRECTORY, item->name, item->id, NULL, "%s", e.message);
        return;
    }
    int r = place.filesystem->state.accounted
                ? p->r->kernel->get(p->r->kernel, place.fd, (uint32_t)item->id, &quota)
                : -ENOSYS;
    if (gone) {
        struct quota_finding *f =
            add(p, QUOTA_WITHOUT_DIRECTORY, item->name, item->id, NULL,
                "project %" PRId64 " is in the ledger, and its directory no longer exists; the next check "
                "gives the id back when nothing is charged to it",
                item->id);
        if (r >= 0)
            add_use(f, &quota);
    } else if (r >= 0) {
        check_limits(p, item, &place, &quota);
        check_files(p, item, &place, &quota);
    }
    place_clear(&place);
}

/* --- directories and kernel --- */

/* Reports a hidden directory. The provisioner deletes it, and reports what prevents the deletion. */
static void check_hidden(struct report *p, const struct app_path_entry *entry)
{
    struct place place = PLACE_INIT;
    struct kernel_tag tag = {.project = 0};
    struct kernel_quota quota;
    if (!after_prefix(entry->name, APP_PATH_DELETING) ||
        place_open(&p->places, entry->name, &place, NULL) < 0)
        return;
    const struct kernel *k = p->r->kernel;
    bool tagged = k->read_tag(k, place.fd, &tag) == 0 && tag.project != 0;
    struct quota_finding *f =
        add(p, QUOTA_NOT_DELETED, entry->hidden_of, tag.project, &place,
            "'%s' was removed and is not gone yet; 'hostletctl status' says why", place.path);
    if (tagged && place.filesystem->state.accounted && k->get(k, place.fd, tag.project, &quota) == 0)
        add_use(f, &quota);
    place_clear(&place);
}

static int check_directories(struct report *p, struct error *e)
{
    struct app_path_entry *entries = NULL;
    size_t n = 0;
    int r = app_path_list(p->places.apps_fd, &entries, &n, e);
    for (size_t i = 0; i < n; i++) {
        struct place place = PLACE_INIT;
        struct kernel_tag tag;
        const char *container = entries[i].container;
        check_hidden(p, &entries[i]);
        if (!container || place_open(&p->places, entries[i].name, &place, NULL) < 0)
            continue;
        bool readable = p->r->kernel->read_tag(p->r->kernel, place.fd, &tag) == 0;
        const struct ledger_item *item = find_item(p, container),
                                 *owner = readable ? find_id(p, tag.project) : NULL;
        if (!item && !entries[i].removed && !place.filesystem->reason)
            add(p, QUOTA_DIRECTORY_UNKNOWN, container, readable ? tag.project : 0, &place,
                "the directory has no project in the ledger; the next start of the application gives it one");
        if (owner && !streq(owner->name, container))
            add(p, QUOTA_USED_BY_OTHERS, owner->name, owner->id, &place,
                "project %" PRId64 " is that of %s, and '%s' carries it too", owner->id, owner->name,
                place.path);
        place_clear(&place);
    }
    app_path_list_free(entries, n);
    return r;
}

static void say_orphan(struct report *p, const struct filesystem *f, uint32_t project,
                       const struct kernel_quota *quota)
{
    struct quota_finding *finding =
        add(p, QUOTA_ORPHAN_PROJECT, NULL, project, NULL,
            "the kernel has project %u on '%s', and no replica owns it: no new replica gets this id; "
            "'xfs_quota -x -c \"limit -p bsoft=0 bhard=0 isoft=0 ihard=0 %u\" %s' lifts its limits",
            project, f->mount.mount_point, project, f->mount.mount_point);
    add_use(finding, quota);
    finding->mount_point = xstrdup(f->mount.mount_point);
}

/* Reports ids of the range that have usage or limits on one filesystem and no item. Ids that others have
 * by name are skipped. Usage that is explained by files of replicas was reported with these files, and
 * does not keep the id from being given out. */
static void check_kernel(struct report *p, const struct filesystem *f, int fd)
{
    const struct kernel *k = p->r->kernel;
    uint32_t project = (uint32_t)p->r->ledger.id_min, last = 0;
    int64_t orphans = 0;
    struct kernel_quota quota;
    while (k->next(k, fd, project, &project, &quota) == 0 && project <= p->r->ledger.id_max) {
        struct kernel_quota rest = quota;
        if (quota.used_inodes <= (int64_t)(p->elsewhere[project] + 0.5))
            rest.used = rest.used_inodes = 0;
        if (quota_is_known(k, fd, &rest) && !find_id(p, project) && !id_set_has(&p->others, project)) {
            if (orphans++ < ORPHANS_MAX)
                say_orphan(p, f, project, &quota);
            last = project;
        }
        if (project++ == UINT32_MAX)
            break;
    }
    if (orphans > ORPHANS_MAX)
        add(p, QUOTA_ORPHAN_PROJECT, NULL, last, NULL,
            "%" PRId64 " further ids up to %u are like these on '%s'", orphans - ORPHANS_MAX, last,
            f->mount.mount_point)
            ->mount_point = xstrdup(f->mount.mount_point);
}

/* Checks each filesystem once, by the first directory on it. */
static void check_filesystems(struct report *p)
{
    struct place place = PLACE_INIT;
    struct id_set done = {.all_full = 0}; /* index in places.filesystems */
    for (size_t i = 0; i <= p->n_items; i++) {
        bool gone;
        int r = i == 0 ? place_open(&p->places, NULL, &place, NULL)
                       : place_open_any(&p->places, p->items[i - 1].name, &place, &gone, NULL);
        size_t at = 0;
        while (r >= 0 && (p->places.filesystems[at]->mount.major != place.filesystem->mount.major ||
                          p->places.filesystems[at]->mount.minor != place.filesystem->mount.minor))
            at++;
        if (r >= 0 && !id_set_has(&done, (int64_t)at)) {
            const struct filesystem *f = place.filesystem;
            id_set_add(&done, (int64_t)at);
            if (f->reason && p->n_items > 0)
                add(p, QUOTA_NOT_ENFORCED, NULL, 0, NULL, "%s; %s", f->reason, f->remedy)->mount_point =
                    xstrdup(f->mount.mount_point);
            if (f->state.accounted)
                check_kernel(p, f, place.fd);
        }
        place_clear(&place);
    }
}

int report_make(struct registry *r, struct findings *ret, struct error *e)
{
    struct report *p = xcalloc(1, sizeof *p);
    p->r = r;
    int result = places_open(&p->places, r->kernel, r->apps, e);
    if (result < 0) {
        free(p);
        return result;
    }
    registry_read_others(r, &p->others);
    p->items = registry_items(r, &p->n_items);
    p->seen = xcalloc(p->n_items + 1, sizeof *p->seen);
    p->elsewhere = xcalloc(ID_MAX + 1, sizeof *p->elsewhere);
    result = walk_directories(p, e);
    check_filesystems(p);
    for (size_t i = 0; i < p->n_items; i++)
        check_item(p, &p->items[i]);
    if (result >= 0)
        result = check_directories(p, e);
    registry_items_free(p->items, p->n_items);
    free(p->seen);
    free(p->elsewhere);
    places_close(&p->places);
    if (result < 0)
        findings_clear(&p->found);
    *ret = p->found;
    free(p);
    return result;
}

/* --- Info --- */

static void add_mount(struct quota_info_out *info, const struct filesystem *f, int64_t projects)
{
    for (size_t i = 0; i < info->n_mounts; i++)
        if (streq(info->mounts[i]->mount_point, f->mount.mount_point)) {
            info->mounts[i]->projects += projects;
            return;
        }
    struct quota_mount *m = schema_append(&info->mounts, &info->n_mounts, sizeof *m);
    m->mount_point = xstrdup(f->mount.mount_point);
    m->source = xstrdup(f->mount.source);
    m->filesystem = xstrdup(f->mount.type);
    m->accounted = f->state.accounted;
    m->enforced = !f->reason;
    m->reason = xstrdup_null(f->reason);
    m->remedy = xstrdup_null(f->remedy);
    m->projects = projects;
}

int report_info(struct registry *r, struct quota_info_out *ret, struct error *e)
{
    struct places places;
    struct place place = PLACE_INIT;
    size_t n;
    int result = places_open(&places, r->kernel, r->apps, e);
    if (result < 0)
        return result;
    result = place_open(&places, NULL, &place, e);
    if (result >= 0) {
        const struct filesystem *f = place.filesystem;
        *ret = (struct quota_info_out){
            .mount_point = xstrdup(f->mount.mount_point),
            .filesystem = xstrdup(f->mount.type),
            .enforced = !f->reason,
            .reason = xstrdup_null(f->reason),
            .remedy = xstrdup_null(f->remedy),
            .id_min = r->ledger.id_min,
            .id_max = r->ledger.id_max,
            .threshold = r->threshold,
            .ledger = xstrdup(r->ledger_path),
        };
        add_mount(ret, f, 0);
    }
    place_clear(&place);
    struct ledger_item *items = registry_items(r, &n);
    for (size_t i = 0; i < n && result >= 0; i++) {
        bool gone;
        if (place_open_any(&places, items[i].name, &place, &gone, NULL) >= 0)
            add_mount(ret, place.filesystem, 1);
        place_clear(&place);
        ret->projects++;
    }
    registry_items_free(items, n);
    places_close(&places);
    return result;
}
