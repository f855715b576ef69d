/* Implements registry.h. */
#include "quota-keeper/registry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "quota-keeper/exchange.h"
#include "quota-keeper/projects.h"

#define LEDGER_MAX   ((size_t)64 << 20) /* bytes */
#define LOCK_WAIT    (10 * USEC_PER_SEC)
#define FREED_LATELY (5 * USEC_PER_SEC)

void notes_add(struct notes *notes, char *text)
{
    notes->items = xrealloc(notes->items, notes->n + 1, sizeof *notes->items);
    notes->items[notes->n++] = text;
}

void notes_clear(struct notes *notes)
{
    for (size_t i = 0; i < notes->n; i++)
        free(notes->items[i]);
    free(notes->items);
    *notes = (struct notes){.n = 0};
}

/* --- copies --- */

struct ledger_item registry_item_copy(const struct ledger_item *item)
{
    struct ledger_item copy = *item;
    copy.name = xstrdup(item->name);
    copy.mnt = xstrdup_null(item->mnt);
    return copy;
}

void registry_item_clear(struct ledger_item *item)
{
    free(item->name);
    free(item->mnt);
    *item = (struct ledger_item){.id = 0};
}

void registry_items_free(struct ledger_item *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        registry_item_clear(&items[i]);
    free(items);
}

void op_clear(struct op *op)
{
    registry_item_clear(&op->item);
}

size_t registry_count(struct registry *r)
{
    pthread_mutex_lock(&r->mutex);
    size_t n = r->ledger.n;
    pthread_mutex_unlock(&r->mutex);
    return n;
}

char *registry_owner_of(struct registry *r, int64_t id)
{
    pthread_mutex_lock(&r->mutex);
    const struct ledger_item *item = ledger_find_id(&r->ledger, id);
    char *name = item ? xstrdup(item->name) : NULL;
    pthread_mutex_unlock(&r->mutex);
    return name;
}

void registry_add_freed(struct registry *r, const uint32_t *ids, size_t n)
{
    if (n == 0)
        return;
    pthread_mutex_lock(&r->mutex);
    r->n_freed = n < ARRAY_SIZE(r->freed) ? n : ARRAY_SIZE(r->freed);
    memcpy(r->freed, ids, r->n_freed * sizeof ids[0]);
    r->freed_usec = now_monotonic_usec();
    pthread_mutex_unlock(&r->mutex);
}

/* Drops stored ids that are too old. The caller holds the mutex. */
static void drop_old_freed(struct registry *r)
{
    if (now_monotonic_usec() - r->freed_usec > FREED_LATELY)
        r->n_freed = 0;
}

void registry_forget_freed(struct registry *r)
{
    pthread_mutex_lock(&r->mutex);
    r->n_freed = 0;
    pthread_mutex_unlock(&r->mutex);
}

bool registry_has_freed(struct registry *r)
{
    pthread_mutex_lock(&r->mutex);
    drop_old_freed(r);
    bool has = r->n_freed > 0;
    pthread_mutex_unlock(&r->mutex);
    return has;
}

bool registry_take_freed(struct registry *r, int64_t *ret)
{
    pthread_mutex_lock(&r->mutex);
    drop_old_freed(r);
    bool has = r->n_freed > 0;
    if (has)
        *ret = r->freed[--r->n_freed];
    pthread_mutex_unlock(&r->mutex);
    return has;
}

bool registry_get(struct registry *r, const char *container, struct ledger_item *ret)
{
    pthread_mutex_lock(&r->mutex);
    const struct ledger_item *item = ledger_find(&r->ledger, container);
    if (item)
        *ret = registry_item_copy(item);
    pthread_mutex_unlock(&r->mutex);
    return item != NULL;
}

struct ledger_item *registry_items(struct registry *r, size_t *ret_n)
{
    pthread_mutex_lock(&r->mutex);
    size_t n;
    _cleanup_free_ struct ledger_item **items = ledger_items(&r->ledger, &n);
    struct ledger_item *copies = xcalloc(n + 1, sizeof *copies);
    for (size_t i = 0; i < n; i++)
        copies[i] = registry_item_copy(items[i]);
    pthread_mutex_unlock(&r->mutex);
    *ret_n = n;
    return copies;
}

bool registry_note_level(struct registry *r, const char *container, int level, bool not_enforced,
                         int *ret_before)
{
    pthread_mutex_lock(&r->mutex);
    struct ledger_item *item = ledger_find(&r->ledger, container);
    bool changed = item && (item->level != level || item->not_enforced != not_enforced);
    if (changed) {
        *ret_before = item->level;
        item->level = level;
        item->not_enforced = not_enforced;
    }
    pthread_mutex_unlock(&r->mutex);
    return changed;
}

/* --- the ledger's file --- */

void registry_init(struct registry *r, const struct kernel *kernel, int64_t id_min, int64_t id_max)
{
    *r = (struct registry){
        .kernel = kernel, .etc = "/etc", .lock_path = REGISTRY_LOCK, .lock_wait = LOCK_WAIT, .threshold = 90};
    pthread_mutex_init(&r->mutex, NULL);
    ledger_init(&r->ledger, id_min, id_max);
}

void registry_done(struct registry *r)
{
    ledger_done(&r->ledger);
    pthread_mutex_destroy(&r->mutex);
}

static void set_aside(struct registry *r, const char *why, struct notes *notes)
{
    _cleanup_free_ char *aside = xasprintf("%s.unusable", r->ledger_path);
    bool kept = rename(r->ledger_path, aside) == 0;
    r->unusable = true;
    notes_add(notes,
              xasprintf("the ledger of project ids is unusable (%s): it is made anew from the kernel and the "
                        "directories%s%s",
                        why, kept ? "; the old one is kept as " : "", kept ? aside : ""));
}

/* Removes temporary files that replace_file() left when an earlier process was killed. */
static void remove_unfinished(const struct registry *r)
{
    const char *slash = strrchr(r->ledger_path, '/');
    _cleanup_free_ char *path = xstrndup(r->ledger_path, (size_t)(slash - r->ledger_path)),
                        *prefix = xasprintf(".%s.", slash + 1);
    _cleanup_closedir_ DIR *dir = opendir(path);
    for (struct dirent *d; dir && (d = readdir(dir));)
        if (after_prefix(d->d_name, prefix) && has_suffix(d->d_name, ".tmp"))
            (void)unlinkat(dirfd(dir), d->d_name, 0);
}

int registry_load(struct registry *r, struct notes *notes, struct error *e)
{
    struct stat st;
    struct error why = ERROR_INIT;
    _cleanup_free_ char *text = NULL;
    size_t size, left_out = 0;
    remove_unfinished(r);
    if (lstat(r->ledger_path, &st) < 0) {
        return errno == ENOENT ? 0 : error_os(e, errno, "cannot stat '%s'", r->ledger_path);
    }
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 0022) {
        set_aside(r, "others than root can write it", notes);
        return 0;
    }
    int result = read_file_at(AT_FDCWD, r->ledger_path, LEDGER_MAX, &text, &size, e);
    if (result < 0)
        return result;
    result = ledger_parse(&r->ledger, text, size, r->ledger_path, &left_out, &why);
    if (result == -EBADMSG) {
        set_aside(r, why.message, notes);
        return 0;
    }
    if (result < 0) {
        if (e)
            *e = why;
        return result;
    }
    if (left_out > 0)
        notes_add(notes,
                  xasprintf("'%s': %zu items cannot be ours and were left out", r->ledger_path, left_out));
    return 0;
}

int registry_save(struct registry *r, struct error *e)
{
    pthread_mutex_lock(&r->mutex);
    _cleanup_free_ char *text = ledger_pack(&r->ledger);
    pthread_mutex_unlock(&r->mutex);
    if (failpoint("ledger.before_save") < 0)
        return error_fail(e, EIO, "failpoint ledger.before_save");
    int result = replace_file_within(r->ledger_path, LEDGER_MAX, text, strlen(text), 0644, e);
    if (result >= 0 && failpoint("ledger.saved") < 0)
        result = error_fail(e, EIO, "failpoint ledger.saved");
    return result;
}

/* --- the machine's files --- */

void registry_see(struct registry *r, const struct places *places)
{
    for (size_t i = 0; i < places->n_filesystems; i++)
        r->has_quotas |= places->filesystems[i]->state.accounted;
}

void registry_read_others(const struct registry *r, struct id_set *others)
{
    _cleanup_free_ char *projects = NULL, *projid = NULL, *path = xasprintf("%s/projects", r->etc),
                        *path2 = xasprintf("%s/projid", r->etc);
    size_t size;
    if (read_file_at(AT_FDCWD, path, LEDGER_MAX, &projects, &size, NULL) >= 0)
        projects_ids(r->apps, projects, size, false, others);
    if (read_file_at(AT_FDCWD, path2, LEDGER_MAX, &projid, &size, NULL) >= 0)
        projid_foreign_ids(projid, size, others);
}

static char *merge_projects(const char *text, size_t size, void *userdata, size_t *ret_size)
{
    return projects_merge(userdata, text, size, ret_size);
}

static char *merge_projid(const char *text, size_t size, void *userdata, size_t *ret_size)
{
    return projid_merge(userdata, text, size, ret_size);
}

/* Writes both files. When adding, it writes /etc/projects before /etc/projid; when removing, the reverse,
 * so that a crash never leaves a name without a directory, which looks like another tree's. */
static int update_files(struct registry *r, int etc, struct projects *p, struct error *e)
{
    _cleanup_free_ char *text = NULL, *path = xasprintf("%s/projects", r->etc);
    size_t size;
    if (read_file_at(AT_FDCWD, path, LEDGER_MAX, &text, &size, NULL) >= 0)
        projects_ids(r->apps, text, size, true, &p->ids); /* also those of lines that have to be removed */
    p->keep = true;
    int result = exchange_file(etc, "projects", merge_projects, p, e);
    p->keep = false;
    if (result >= 0)
        result = exchange_file(etc, "projid", merge_projid, p, e);
    if (result >= 0)
        result = exchange_file(etc, "projects", merge_projects, p, e);
    return result;
}

int registry_write_files(struct registry *r, struct error *e)
{
    size_t n;
    struct ledger_item *items = registry_items(r, &n);
    _cleanup_free_ struct projects_entry *entries = xcalloc(n + 1, sizeof *entries);
    struct projects p = {.apps = r->apps, .entries = entries, .n = r->has_quotas ? n : 0, .ids = r->gone};
    for (size_t i = 0; i < n; i++) {
        entries[i] = (struct projects_entry){items[i].name, items[i].id, !items[i].released};
        id_set_add(&p.ids, items[i].id);
    }
    _cleanup_close_ int etc = open_dir_at(AT_FDCWD, r->etc, e);
    int result = etc < 0 ? etc : update_files(r, etc, &p, e);
    registry_items_free(items, n);
    if (result >= 0)
        r->gone = (struct id_set){.all_full = 0};
    return result;
}

void registry_drop(struct registry *r, struct ledger_item *item)
{
    id_set_add(&r->gone, item->id);
    pthread_mutex_lock(&r->mutex);
    ledger_remove(&r->ledger, item);
    pthread_mutex_unlock(&r->mutex);
}
