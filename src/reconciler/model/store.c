/* Implements store.h. */
#include "reconciler/model/store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/app/limits.h"
#include "lib/app/name.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "lib/schema/parse.h"
#include "reconciler/model/unreadable.h"

/* A record has at most 27 MiB: two revisions and an order that waits (APP_SIZE_MAX each), ports, packages,
 * and the texts and stages of 128 replicas. */
#define RECORD_MAX ((size_t)32 << 20)
static_assert(RECORD_MAX >= 3 * APP_SIZE_MAX + ((size_t)16 << 20),
              "the record of the largest instance can be read again");

/* Limit the writes that a tenant can cause: one in each TENANT_SAVE_USEC, of which this many may be made in
 * advance. */
#define TENANT_SAVES_AT_ONCE 5
#define TENANT_SAVE_USEC     (10 * USEC_PER_SEC)

static char *file_of(const struct manager *m, const char *name)
{
    return xasprintf("%s/instances/%s.json", m->state_dir, name);
}

int store_save(struct instance *instance, struct error *e)
{
    struct manager *m = instance->manager;
    size_t size;
    _cleanup_free_ char *path = file_of(m, instance->record->name);
    _cleanup_free_ char *text = schema_pack_text(&record_schema, instance->record, &size);
    int r = failpoint("store.before_save");
    if (r < 0)
        return error_os(e, -r, "cannot save '%s'", path);
    r = m->outside->write(m->outside, path, RECORD_MAX, text, size, e);
    if (r < 0)
        return r;
    instance->dirty = false;
    r = failpoint("store.saved");
    return r < 0 ? error_os(e, -r, "cannot save '%s'", path) : 0;
}

static void on_save_timer(void *userdata)
{
    struct instance *instance = userdata;
    struct error e = ERROR_INIT;
    if (instance->dirty && store_save(instance, &e) < 0) {
        log_warning("instance %s: %s; the record is written again with its next change",
                    instance->record->name, e.message);
        instance->dirty = false;
    }
}

static void save_by(struct instance *instance, uint64_t at)
{
    struct clock *clock = instance->manager->outside->clock;
    uint64_t now = clock_monotonic_usec(clock);
    if (instance->dirty && instance->save_at <= at)
        return;
    instance->dirty = true;
    instance->save_at = at;
    clock_arm(clock, &instance->save_timer, at > now ? at - now : 0, on_save_timer, instance);
}

void store_save_soon(struct instance *instance)
{
    save_by(instance, outside_monotonic_usec(instance->manager->outside) + USEC_PER_SEC);
}

void store_save_sparingly(struct instance *instance)
{
    uint64_t at = outside_monotonic_usec(instance->manager->outside) + USEC_PER_SEC;
    if (instance->dirty)
        return;
    if (instance->tenant_saves < at)
        instance->tenant_saves = at;
    if (instance->tenant_saves > at + TENANT_SAVES_AT_ONCE * TENANT_SAVE_USEC)
        at = instance->tenant_saves - TENANT_SAVES_AT_ONCE * TENANT_SAVE_USEC;
    instance->tenant_saves += TENANT_SAVE_USEC;
    save_by(instance, at);
}

void store_remove(struct instance *instance)
{
    struct manager *m = instance->manager;
    _cleanup_free_ char *path = file_of(m, instance->record->name);
    m->outside->remove(m->outside, path);
}

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words && !streq(word, *words))
        words++;
    return *words != NULL;
}

static int check_words(const struct record *record, const char *file, struct error *e)
{
    static const char *const origins[] = {"local", "zone", "directory", NULL};
    if (!is_one_of(record->origin, origins))
        return error_refuse(e, EINVAL, "%s: origin '%.40s' is not known", file, record->origin);
    const struct app_metadata *next = record->next ? record->next->meta : NULL;
    if (record->next && (!next || !streq_null(next->name, record->name)))
        return error_refuse(e, EINVAL, "%s: the order that waits is for another instance", file);
    return 0;
}

/* Reports whether a container runs, or is to run, by the revision, so that it needs an image. The revision of
 * an instance that is destroyed, or had no order that could be followed, may have none. */
static bool runs_by(const struct record *record, int64_t revision)
{
    for (size_t i = 0; i < record->n_replicas; i++)
        if (record->replicas[i]->applied_revision == revision)
            return true;
    return record->revision == revision && record->action != APP_ACTION_DESTROY &&
           record->action != APP_ACTION_NONE;
}

static int check_revision(const struct record *record, const struct record_revision *revision,
                          const char *file, struct error *e)
{
    const struct app_instance *app = revision->manifest->app;
    if (!app->spec || !app->deploy)
        return error_refuse(e, EINVAL, "%s: a revision without spec or deploy", file);
    if (!app->spec->image && runs_by(record, revision->revision))
        return error_refuse(e, EINVAL, "%s: a revision without an image", file);
    for (size_t i = 0; i < app->spec->n_packages; i++)
        if (!app->spec->packages[i]->name)
            return error_refuse(e, EINVAL, "%s: a package without a name", file);
    return 0;
}

static int check_replica(const struct record *record, const struct record_replica *replica, const char *file,
                         struct error *e)
{
    if (replica->id < 0 || replica->id > APP_REPLICA_ID_MAX ||
        record_find_replica(record, replica->id) != replica)
        return error_refuse(e, EINVAL, "%s: replica %lld is not valid, or occurs twice", file,
                            (long long)replica->id);
    for (size_t i = 0; i < replica->n_stages; i++)
        if (!replica->stages[i]->name)
            return error_refuse(e, EINVAL, "%s: a stage without a name", file);
    return 0;
}

/* Checks what the rest of the reconciler relies on. */
static int check_record(const struct manager *m, const struct record *record, const char *file,
                        struct error *e)
{
    size_t n = strlen(file) - strlen(".json");
    if (strlen(record->name) != n || strncmp(record->name, file, n) != 0)
        return error_refuse(e, EINVAL, "%s is the record of '%.63s'", file, record->name);
    int r = app_check_instance_name(record->name, file, e);
    if (r < 0)
        return r;
    if (record->format > RECORD_FORMAT)
        return error_refuse(e, EPROTONOSUPPORT, "%s has format %lld, this version knows %d", file,
                            (long long)record->format, RECORD_FORMAT);
    r = check_words(record, file, e);
    if (r < 0)
        return r;
    if (!record_find_revision(record, record->revision))
        return error_refuse(e, EINVAL, "%s: its revision %lld is missing", file, (long long)record->revision);
    for (size_t i = 0; r >= 0 && i < record->n_revisions; i++)
        r = check_revision(record, record->revisions[i], file, e);
    for (size_t i = 0; r >= 0 && i < record->n_replicas; i++)
        r = check_replica(record, record->replicas[i], file, e);
    if (r < 0)
        return r;
    return manager_find((struct manager *)m, record->name)
               ? error_refuse(e, EEXIST, "%s: a second record of '%s'", file, record->name)
               : 0;
}

static int load_one(struct manager *m, const char *file, struct error *e)
{
    _cleanup_free_ char *path = xasprintf("%s/instances/%s", m->state_dir, file), *text = NULL;
    size_t size;
    int r = m->outside->read(m->outside, path, RECORD_MAX, &text, &size, e);
    if (r < 0)
        return r;
    struct record *record = xcalloc(1, sizeof *record);
    r = schema_parse_text(&record_schema, text, size, 0, file, record, e);
    if (r >= 0)
        r = check_record(m, record, file, e);
    if (r < 0) {
        schema_free(&record_schema, record);
        return r;
    }
    manager_add(m, record);
    return 0;
}

static void load(void *userdata, const char *file)
{
    struct manager *m = userdata;
    struct error why = ERROR_INIT;
    if (load_one(m, file, &why) < 0)
        unreadable_add(m, file, why.message);
}

int store_load(struct manager *m, struct error *e)
{
    _cleanup_free_ char *path = xasprintf("%s/instances", m->state_dir);
    int r = m->outside->make_directory(m->outside, path, e);
    return r < 0 ? r : m->outside->list(m->outside, path, load, m, e);
}
