/* Implements registry_run.h: chooses ids, changes the ledger, and undoes what cannot be written. */
#include "quota-keeper/registry_run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/lock.h"

struct allocation {
    struct registry *registry;
    const struct place *place;
    struct id_set *others;
};

/* Reports whether an id has usage, limits or a name that is not this tree's. An id whose state the kernel
 * cannot report counts as used. */
static bool is_others(int64_t id, void *userdata)
{
    const struct allocation *a = userdata;
    return id_set_has(a->others, id) || project_is_known(a->registry->kernel, a->place->fd, (uint32_t)id);
}

/* Reports whether an id that became free can be given out, even if it has usage again. A tenant that keeps
 * giving its files such ids uses the next one at once. That is no reason to leave a replica without a
 * limit: those files are charged to the new owner until they are put back. */
static bool may_give_freed(const struct allocation *a, int64_t id)
{
    const struct registry *r = a->registry;
    struct kernel_quota quota;
    if (id < r->ledger.id_min || id > r->ledger.id_max || ledger_find_id(&r->ledger, id) ||
        id_set_has(a->others, id) || r->kernel->get(r->kernel, a->place->fd, (uint32_t)id, &quota) < 0)
        return false;
    quota.used = quota.used_inodes = 0;
    return !quota_is_known(r->kernel, a->place->fd, &quota);
}

/* Fails with a message that states who has the ids when none is free. */
static int fail_with_owners(const struct allocation *a, struct error *e)
{
    const struct ledger *l = &a->registry->ledger;
    int64_t named = 0, ours = 0;
    for (int64_t id = l->id_min; id <= l->id_max; id++) {
        bool own = ledger_find_id(l, id) != NULL;
        ours += own;
        named += !own && id_set_has(a->others, id);
    }
    return error_fail(e, ENOSPC,
                      "no project id is free between %" PRId64 " and %" PRId64 ": replicas have %" PRId64
                      ", %" PRId64 " are named in %s/projects or %s/projid, and %" PRId64
                      " have use or limits that no files of replicas explain ('hostletctl quota report' "
                      "lists them); 'ids' in section [quota-keeper] of hostlet.conf is the range",
                      l->id_min, l->id_max, ours, named, a->registry->etc, a->registry->etc,
                      l->id_max - l->id_min + 1 - ours - named);
}

bool registry_may_adopt(struct registry *r, const struct places *places, uint32_t project,
                        const struct id_set *others)
{
    struct kernel_tag apps;
    return project >= r->ledger.id_min && project <= r->ledger.id_max && !id_set_has(others, project) &&
           (r->kernel->read_tag(r->kernel, places->apps_fd, &apps) < 0 || apps.project != project);
}

/* Chooses an id: the project that the directory already carries, if it can be adopted; otherwise a new
 * one. */
static int choose_id(struct allocation *a, const struct places *places, int64_t *ret, struct error *e)
{
    struct registry *r = a->registry;
    struct kernel_tag tag;
    if (r->kernel->read_tag(r->kernel, a->place->fd, &tag) == 0 &&
        registry_may_adopt(r, places, tag.project, a->others) && !ledger_find_id(&r->ledger, tag.project)) {
        *ret = tag.project;
        return 0;
    }
    for (int64_t id; registry_take_freed(r, &id);)
        if (may_give_freed(a, id)) {
            *ret = id;
            return 0;
        }
    int result = ledger_allocate(&r->ledger, is_others, a, ret, e);
    return result == -ENOSPC ? fail_with_owners(a, e) : result;
}

struct change {
    struct ledger_item before; /* name NULL: there was no item */
    bool changed;
};

int64_t registry_inodes_for(const struct registry *r, int64_t soft, int64_t hard, int64_t used_inodes)
{
    int64_t bytes = hard ?: soft;
    if (bytes == 0 || r->bytes_per_inode == 0)
        return 0;
    int64_t inodes = bytes / r->bytes_per_inode;
    if (inodes < r->inodes_min)
        inodes = r->inodes_min;
    return inodes > used_inodes ? inodes : used_inodes;
}

/* Completes the limits that an Ensure asks for with a derived limit of inodes if it names none. */
static int complete_limits(const struct registry *r, const struct place *place, int64_t project,
                           struct kernel_limits *limits, bool *ret_derived, struct error *e)
{
    struct kernel_quota quota;
    *ret_derived = false;
    if (limits->inodes || limits->inodes_soft || registry_inodes_for(r, limits->soft, limits->hard, 0) == 0)
        return 0;
    int result = r->kernel->get(r->kernel, place->fd, (uint32_t)project, &quota);
    if (result < 0)
        return error_os(e, -result, "cannot read project %" PRId64, project);
    limits->inodes = registry_inodes_for(r, limits->soft, limits->hard, quota.used_inodes);
    *ret_derived = true;
    return 0;
}

static int ensure(struct registry *r, struct op *op, struct places *places, struct id_set *others,
                  struct change *change)
{
    struct place place = PLACE_INIT;
    struct kernel_limits limits = op->limits, *l = &limits;
    int64_t id = 0;
    bool derived = false;
    int result = place_open(places, op->container, &place, &op->e);
    if (result >= 0)
        result = place_check_enforced(&place, &op->e);
    /* Only this thread changes the ledger, so that its reads need no lock. */
    struct ledger_item *item = ledger_find(&r->ledger, op->container);
    if (result >= 0 && !item) {
        struct allocation a = {r, &place, others};
        result = choose_id(&a, places, &id, &op->e);
        op->no_ids = result == -ENOSPC;
    }
    if (result >= 0)
        result = complete_limits(r, &place, item ? item->id : id, l, &derived, &op->e);
    if (result < 0) {
        place_clear(&place);
        return result;
    }
    pthread_mutex_lock(&r->mutex);
    if (item)
        change->before = registry_item_copy(item);
    else
        item = ledger_add(&r->ledger, op->container, id);
    change->changed = !change->before.name || item->released || item->soft != l->soft ||
                      item->hard != l->hard || item->inodes_soft != l->inodes_soft ||
                      item->inodes != l->inodes || item->inodes_derived != derived;
    item->released = false;
    item->inodes_derived = derived;
    item->soft = l->soft;
    item->hard = l->hard;
    item->inodes_soft = l->inodes_soft;
    item->inodes = l->inodes;
    free(item->mnt);
    item->mnt = xstrdup(place.filesystem->mount.mount_point);
    op->item = registry_item_copy(item);
    op->found = true;
    pthread_mutex_unlock(&r->mutex);
    place_clear(&place);
    return 0;
}

static void let_go(struct registry *r, struct op *op, struct change *change)
{
    struct ledger_item *item = ledger_find(&r->ledger, op->container);
    if (!item)
        return;
    op->found = true;
    op->item = registry_item_copy(item);
    change->changed = op->kind == OP_REMOVE || !item->released;
    change->before = registry_item_copy(item);
    if (op->kind == OP_REMOVE) {
        registry_drop(r, item);
        return;
    }
    pthread_mutex_lock(&r->mutex);
    item->released = true;
    item->inodes_derived = false;
    item->soft = item->hard = item->inodes_soft = item->inodes = 0;
    pthread_mutex_unlock(&r->mutex);
}

/* Restores the item as it was before an op whose change could not be written. */
static void take_back(struct registry *r, const struct op *op, const struct change *change)
{
    struct ledger_item *item = ledger_find(&r->ledger, op->container);
    const struct ledger_item *before = &change->before;
    if (item && !before->name) {
        registry_drop(r, item);
        return;
    }
    pthread_mutex_lock(&r->mutex);
    if (before->name) {
        if (!item)
            item = ledger_add(&r->ledger, before->name, before->id);
        item->released = before->released;
        item->inodes_derived = before->inodes_derived;
        item->soft = before->soft;
        item->hard = before->hard;
        item->inodes_soft = before->inodes_soft;
        item->inodes = before->inodes;
        free(item->mnt);
        item->mnt = xstrdup_null(before->mnt);
    }
    pthread_mutex_unlock(&r->mutex);
}

static void run_locked(struct registry *r, struct op **ops, struct change *changes, size_t n,
                       struct notes *notes)
{
    struct places places;
    struct id_set others = {.all_full = 0};
    struct error e = ERROR_INIT;
    bool changed = false, ids_changed = false;
    int opened = places_open(&places, r->kernel, r->apps, &e);
    registry_read_others(r, &others);
    for (size_t i = 0; i < n; i++) {
        struct op *op = ops[i];
        if (op->kind == OP_REFRESH) {
            changed = ids_changed = true;
        } else if (op->kind != OP_ENSURE) {
            let_go(r, op, &changes[i]);
        } else if (opened < 0) {
            op->result = opened;
            op->e = e;
        } else {
            op->result = ensure(r, op, &places, &others, &changes[i]);
        }
        changed |= changes[i].changed;
        ids_changed |= changes[i].changed &&
                       (!changes[i].before.name || op->kind != OP_ENSURE || changes[i].before.released);
    }
    registry_forget_freed(r);
    if (opened >= 0) {
        registry_see(r, &places);
        places_close(&places);
    }
    if (!changed)
        return;
    if (ids_changed && failpoint("registry.allocated") >= 0 && registry_write_files(r, &e) < 0)
        notes_add(notes, xasprintf("%s; projects have no names until the next change", e.message));
    int saved = registry_save(r, &e);
    for (size_t i = 0; saved < 0 && i < n; i++) {
        if (!changes[i].changed && ops[i]->kind != OP_REFRESH)
            continue;
        if (changes[i].changed)
            take_back(r, ops[i], &changes[i]);
        ops[i]->result = saved;
        ops[i]->e = e;
    }
}

void registry_run(struct registry *r, struct op **ops, size_t n, struct notes *notes)
{
    struct error e = ERROR_INIT;
    _cleanup_free_ struct change *changes = xcalloc(n + 1, sizeof *changes);
    _cleanup_close_ int lock = lock_file(r->lock_path, r->lock_wait, &e);
    for (size_t i = 0; lock < 0 && i < n; i++) {
        ops[i]->result = lock;
        ops[i]->e = e;
    }
    if (lock >= 0)
        run_locked(r, ops, changes, n, notes);
    for (size_t i = 0; i < n; i++)
        registry_item_clear(&changes[i].before);
}
