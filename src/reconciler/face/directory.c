/* Implements directory.h. */
#include "reconciler/face/directory.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "reconciler/face/directory_files.h"
#include "reconciler/face/directory_watch.h"
#include "reconciler/face/manifest_queue.h"
#include "reconciler/face/report.h"
#include "reconciler/model/unreadable.h"

struct directory {
    struct manifest_queue queue;
    char *path;
    char *problem;                 /* why it cannot be followed; NULL: it can */
    struct directory_watch *watch; /* NULL: inotify is not available */
};

static void set_directory_problem(struct directory *d, const char *problem)
{
    if (streq_null(d->problem, problem))
        return;
    if (problem)
        log_error("the directory of manifests is not followed, and its instances are left unchanged: %s",
                  problem);
    else
        log_notice("the directory of manifests '%s' is followed again", d->path);
    set_string(&d->problem, problem);
}

static void on_listed(void *userdata, const char *name)
{
    struct directory *d = userdata;
    manifest_queue_read(&d->queue, name, false);
}

/* Opens the directory and queues all its files, and those that are expected there. 'other': it took the place
 * of the one that was read before, or was missing. */
static void read_all(struct directory *d, bool other)
{
    struct error e = ERROR_INIT;
    directory_watch_renew(d->watch);
    int r = directory_open(d->path, &d->queue.place, &e);
    if (r >= 0)
        r = directory_watch_follow(d->watch, d->queue.place.fd, &e);
    if (r >= 0)
        r = directory_list(&d->queue.place, d->path, on_listed, d, &e);
    manifest_queue_close(&d->queue);
    d->queue.followed = r >= 0;
    if (r < 0) {
        struct error none = ERROR_INIT;
        (void)directory_watch_follow(d->watch, -1, &none);
        set_directory_problem(d, e.message);
        return;
    }
    d->queue.replaced = other;
    set_directory_problem(d, NULL);
    for (struct instance *i = d->queue.manager->instances; i; i = i->next)
        if (record_is_directory(i->record))
            manifest_queue_read(&d->queue, i->record->name, false);
    manifest_queue_read_listed(&d->queue);
}

static void on_arrived(void *userdata, const char *name)
{
    struct directory *d = userdata;
    manifest_queue_read(&d->queue, name, true);
}

static void on_left(void *userdata, const char *name)
{
    struct directory *d = userdata;
    manifest_queue_miss(&d->queue, name);
}

static void on_lost(void *userdata)
{
    struct directory *d = userdata;
    read_all(d, d->queue.replaced);
}

static void on_moved(void *userdata)
{
    struct directory *d = userdata;
    directory_watch_renew(d->watch);
    if (!d->queue.followed || !directory_is_at(&d->queue.place, d->path) ||
        !directory_watch_follows(d->watch))
        read_all(d, true);
}

static const struct directory_handlers handlers = {on_arrived, on_left, on_lost, on_moved};

static char *without_slashes(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    return xstrndup(path, n);
}

void directory_start(struct manager *m, sd_event *event)
{
    struct error e = ERROR_INIT;
    if (!*m->settings.manifests)
        return;
    struct directory *d = xcalloc(1, sizeof *d);
    d->path = without_slashes(m->settings.manifests);
    d->queue = (struct manifest_queue){
        .manager = m, .changed = report_file_changed, .path = d->path, .place.fd = -1};
    m->directory = d;
    if (directory_watch_new(event, d->path, &handlers, d, &d->watch, &e) < 0)
        log_warning("%s: its files are read at a start and a reload alone", e.message);
    read_all(d, false);
}

void directory_stop(struct manager *m)
{
    struct directory *d = m->directory;
    if (!d)
        return;
    m->directory = NULL;
    manifest_queue_done(&d->queue);
    directory_watch_free(d->watch);
    free(d->path);
    free(d->problem);
    free(d);
}

void directory_read_all(struct manager *m)
{
    if (m->directory)
        read_all(m->directory, false);
}

void directory_look(struct manager *m, const char *name)
{
    if (m->directory)
        manifest_queue_read(&m->directory->queue, name, true);
}

int directory_check(const struct service_context *context, struct error *e)
{
    _cleanup_free_ char *path = without_slashes(config_string(context->config, "reconciler", "manifests"));
    struct directory_place place;
    int r = *path ? directory_open(path, &place, e) : -ENOENT;
    if (r >= 0)
        close_fd(place.fd);
    return r == -ENOENT ? 0 : r;
}

/* --- what is shown --- */

const char *directory_path(const struct manager *m)
{
    return m->directory ? m->directory->path : NULL;
}

const char *directory_problem(const struct manager *m)
{
    return m->directory ? m->directory->problem : NULL;
}

const char *directory_file_problem(const struct manager *m, const char *name)
{
    return m->directory ? manifest_queue_problem(&m->directory->queue, name) : NULL;
}

const char *directory_next_alone(const struct manager *m, const char *name)
{
    if (!m->directory)
        return NULL;
    do
        name = manifest_queue_next(&m->directory->queue, name);
    while (name && (manager_find((struct manager *)m, name) || unreadable_find(m, name)));
    return name;
}
