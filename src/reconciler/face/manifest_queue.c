/* Implements manifest_queue.h. */
#include "reconciler/face/manifest_queue.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/app/name.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "reconciler/engine/turn.h"
#include "reconciler/face/apply.h"
#include "reconciler/face/planning.h"
#include "reconciler/model/store.h"
#include "reconciler/model/wish.h"

/* How long a file that disappeared may be missing before that is an order. */
#define ABSENCE_USEC (2 * USEC_PER_SEC)
/* A planning has at most this many manifests, and reads no further file from this size on. */
#define BATCH_MAX  32
#define BATCH_SIZE ((size_t)16 << 20)

/* A file that is to be read, is missed, or cannot be followed. */
struct manifest_file {
    struct manifest_file *next;
    struct manifest_queue *queue;
    char *name; /* without ".json" */
    bool queued;
    bool planned; /* it was read, and the planning in progress has its manifest */
    bool arrived; /* it was renamed into the directory: as an equal apply, it retries what failed */
    char *problem;
    struct retry count; /* attempts to follow it that were refused for the machine's state */
    struct timer timer; /* until the next attempt, or until the end of the pause after it disappeared */
};

/* --- the list of files --- */

static struct manifest_file *find_file(const struct manifest_queue *q, const char *name)
{
    struct manifest_file *f = q->files;
    while (f && !streq(f->name, name))
        f = f->next;
    return f;
}

static struct manifest_file *add_file(struct manifest_queue *q, const char *name)
{
    struct manifest_file *f = find_file(q, name);
    if (f)
        return f;
    f = xcalloc(1, sizeof *f);
    *f = (struct manifest_file){.next = q->files, .queue = q, .name = xstrdup(name)};
    q->files = f;
    return f;
}

static void drop_file(struct manifest_file *f)
{
    for (struct manifest_file **at = &f->queue->files; *at; at = &(*at)->next)
        if (*at == f) {
            *at = f->next;
            break;
        }
    timer_stop(&f->timer);
    free(f->name);
    free(f->problem);
    free(f);
}

static void set_file_problem(struct manifest_file *f, const char *problem)
{
    if (streq_null(f->problem, problem))
        return;
    if (problem)
        log_error("the manifest '%s/%s.json' is not followed: %s", f->queue->path, f->name, problem);
    set_string(&f->problem, problem);
    f->queue->changed(f->queue->manager, f->name);
}

/* The file is followed, or there is none. */
static void forget_file(struct manifest_file *f)
{
    set_file_problem(f, NULL);
    if (f->queued) {
        f->count = (struct retry){0};
        timer_stop(&f->timer);
    } else {
        drop_file(f);
    }
}

/* --- work on the queue --- */

static void on_work(void *userdata);

static void begin_work(struct manifest_queue *q)
{
    if (!q->planning && !timer_armed(&q->work))
        clock_arm(q->manager->outside->clock, &q->work, 0, on_work, q);
}

void manifest_queue_read(struct manifest_queue *q, const char *name, bool arrived)
{
    struct manifest_file *f = add_file(q, name);
    f->queued = true;
    f->planned = false;
    f->arrived |= arrived;
    timer_stop(&f->timer);
    begin_work(q);
}

static void on_retry(void *userdata)
{
    struct manifest_file *f = userdata;
    manifest_queue_read(f->queue, f->name, f->arrived);
}

/* The file is right, and the machine's state does not permit it now. */
static void retry_file(struct manifest_file *f, const char *problem)
{
    struct manager *m = f->queue->manager;
    set_file_problem(f, problem);
    clock_arm(m->outside->clock, &f->timer, retry_next(&f->count, &m->settings.retry), on_retry, f);
}

static bool is_followed(const struct manifest_queue *q, const struct instance *instance, const char *path)
{
    return instance && record_is_directory(instance->record) && streq_null(instance->record->file, path) &&
           !instance->record->unassigned && q->followed;
}

void manifest_queue_close(struct manifest_queue *q)
{
    q->place.fd = close_fd(q->place.fd);
}

/* Opens the directory again, if it is still the one that was read last. */
static bool open_place(struct manifest_queue *q)
{
    struct directory_place now;
    struct error e = ERROR_INIT;
    if (!q->followed || !directory_is_at(&q->place, q->path) || directory_open(q->path, &now, &e) < 0)
        return false;
    q->place.fd = now.fd;
    return true;
}

/* The removal of a file is the order to stop or destroy its instance. */
static void order_removal(struct manifest_file *f, struct instance *instance)
{
    struct manager *m = f->queue->manager;
    struct error e = ERROR_INIT;
    instance->record->unassigned = true;
    if (store_save(instance, &e) < 0) {
        instance->record->unassigned = false;
        retry_file(f, e.message);
        return;
    }
    log_notice("instance %s: its file '%s' was removed: %s", instance->record->name, instance->record->file,
               m->settings.manifests_removed);
    forget_file(f);
    instance_begin(instance);
}

static void on_absence_over(void *userdata)
{
    struct manifest_file *f = userdata;
    struct manifest_queue *q = f->queue;
    _cleanup_free_ char *path = manifest_path(q->manager, f->name);
    struct instance *instance = manager_find(q->manager, f->name);
    bool open = is_followed(q, instance, path) && !instance->record->hold && open_place(q);
    bool there = open && directory_has(&q->place, f->name);
    manifest_queue_close(q);
    if (!open)
        forget_file(f);
    else if (there)
        set_file_problem(f,
                         "it was written in place, and may be incomplete: it is read at the next reload, or "
                         "when it is renamed into the directory");
    else
        order_removal(f, instance);
}

/* 'seen': the file was in this directory a moment ago. */
static void miss_file(struct manifest_file *f, bool seen)
{
    struct manifest_queue *q = f->queue;
    _cleanup_free_ char *path = manifest_path(q->manager, f->name);
    struct instance *instance = manager_find(q->manager, f->name);
    if (!is_followed(q, instance, path) || instance->record->hold) {
        forget_file(f);
        return;
    }
    if (instance->record->mounts > q->place.mounts) {
        set_file_problem(f, "it is missing, and its directory was on a file system that is not mounted now");
        return;
    }
    if (q->replaced && !seen) {
        set_file_problem(f, "it is missing, and the directory took the place of another one: nothing is "
                            "removed for that before the next reload");
        return;
    }
    clock_arm(q->manager->outside->clock, &f->timer, ABSENCE_USEC, on_absence_over, f);
}

/* Reports whether the record follows the manifest already. */
static bool is_known(const struct manifest_queue *q, const struct instance *instance,
                     const struct app_manifest *manifest, const char *path)
{
    return is_followed(q, instance, path) && instance->record->mounts == q->place.mounts &&
           schema_equal(&app_manifest_schema, instance_target(instance)->manifest, manifest);
}

/* Takes ownership of 'manifest'. */
static void judge_file(struct manifest_file *f, struct app_manifest *manifest, struct app_manifest ***batch,
                       size_t *n)
{
    struct manifest_queue *q = f->queue;
    _cleanup_free_ char *path = manifest_path(q->manager, f->name);
    const struct instance *instance = manager_find(q->manager, f->name);
    bool held = instance && record_is_directory(instance->record) && instance->record->hold;
    if (held || (!f->arrived && is_known(q, instance, manifest, path))) {
        schema_free(&app_manifest_schema, manifest);
        f->arrived = false;
        forget_file(f);
        return;
    }
    f->planned = true;
    *batch = xrealloc(*batch, *n + 1, sizeof **batch);
    (*batch)[(*n)++] = manifest;
}

static void follow_manifest(struct manifest_queue *q, const struct planning *planning, size_t index)
{
    struct manager *m = q->manager;
    struct app_manifest *manifest = planning_manifest(planning, index);
    struct manifest_file *f = find_file(q, app_instance_name(manifest));
    struct reconciler_apply_out out = {.name = NULL};
    struct error e = ERROR_INIT;
    const struct instance *instance = manager_find(m, app_instance_name(manifest));
    if (!f || !f->planned) /* it changed meanwhile */
        return;
    f->planned = false;
    if (instance && record_is_directory(instance->record) && instance->record->hold) {
        forget_file(f);
        return;
    }
    planning_make(planning, index, "directory", &out);
    _cleanup_free_ char *path = manifest_path(m, f->name);
    const struct apply_source source = {.file = path, .mounts = q->place.mounts};
    if (out.n_refusals > 0) {
        apply_refuse(&out, &e);
        retry_file(f, e.message);
    } else if (apply_manifest(m, manifest, &source, &out, &e) < 0) {
        retry_file(f, e.message);
    } else {
        for (size_t i = 0; i < out.n_warnings; i++)
            log_warning("instance %s: %s", out.name, out.warnings[i]);
        f->arrived = false;
        forget_file(f);
    }
    apply_out_done(&out);
}

static void on_planned(struct planning *planning, void *userdata)
{
    struct manifest_queue *q = userdata;
    q->planning = NULL;
    for (size_t i = 0; i < planning_count(planning); i++)
        follow_manifest(q, planning, i);
    planning_free(planning);
    begin_work(q);
}

static struct manifest_file *next_queued(const struct manifest_queue *q)
{
    struct manifest_file *f = q->files;
    while (f && !f->queued)
        f = f->next;
    return f;
}

static void on_work(void *userdata)
{
    struct manifest_queue *q = userdata;
    struct app_manifest **batch = NULL;
    size_t n = 0, size = 0, seen = 0;
    struct manifest_file *f;
    bool open = open_place(q);
    while (seen++ < BATCH_MAX && size < BATCH_SIZE && (f = next_queued(q))) {
        struct app_manifest *manifest;
        struct error e = ERROR_INIT;
        f->queued = false;
        if (!open) { /* nothing is known of its files */
            forget_file(f);
            continue;
        }
        int r = directory_read(&q->place, f->name, &manifest, &size, &e);
        if (r >= 0)
            judge_file(f, manifest, &batch, &n);
        else if (r == -ENOENT)
            miss_file(f, false);
        else
            set_file_problem(f, e.message);
    }
    manifest_queue_close(q);
    if (n > 0)
        q->planning = planning_start(q->manager, batch, n, on_planned, q);
    else if (next_queued(q))
        begin_work(q);
}

void manifest_queue_read_listed(struct manifest_queue *q)
{
    for (struct manifest_file *f = q->files; f; f = f->next)
        manifest_queue_read(q, f->name, false);
}

void manifest_queue_miss(struct manifest_queue *q, const char *name)
{
    struct manifest_file *f = add_file(q, name);
    f->queued = f->planned = f->arrived =
        false; /* another one in its place, of which nothing was heard, is not read */
    miss_file(f, true);
}

void manifest_queue_done(struct manifest_queue *q)
{
    planning_free(q->planning);
    while (q->files)
        drop_file(q->files);
    timer_stop(&q->work);
}

const char *manifest_queue_problem(const struct manifest_queue *q, const char *name)
{
    const struct manifest_file *f = find_file(q, name);
    return f ? f->problem : NULL;
}

const char *manifest_queue_next(const struct manifest_queue *q, const char *name)
{
    const struct manifest_file *f = name ? find_file(q, name)->next : q->files;
    while (f && !f->problem)
        f = f->next;
    return f ? f->name : NULL;
}
