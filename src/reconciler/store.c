/* The reconciler's files: one per instance, one writer, replaced atomically. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/app/app.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "reconciler/manager.h"

/* Two revisions and an order that waits (APP_SIZE_MAX each), ports, packages, and what is said of 128 replicas: 27 MiB at most. */
#define RECORD_MAX ((size_t)32 << 20)
static_assert(RECORD_MAX >= 3 * APP_SIZE_MAX + ((size_t)16 << 20),
              "a record of the largest instances is read again");

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
    r = replace_file_within(path, RECORD_MAX, text, size, 0600, e);
    if (r < 0)
        return r;
    instance->dirty = false;
    r = failpoint("store.saved");
    return r < 0 ? error_os(e, -r, "cannot save '%s'", path) : 0;
}

static int on_save_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source, (void)usec;
    struct instance *instance = userdata;
    struct error e = ERROR_INIT;
    if (instance->dirty && store_save(instance, &e) < 0) {
        log_warning("instance %s: %s; tried again at its next change", instance->record->name, e.message);
        instance->dirty = false;
    }
    return 0;
}

void store_save_soon(struct instance *instance)
{
    if (instance->dirty)
        return;
    instance->dirty = true;
    if (instance->save_timer) {
        sd_event_source_set_time_relative(instance->save_timer, USEC_PER_SEC);
        sd_event_source_set_enabled(instance->save_timer, SD_EVENT_ONESHOT);
    } else if (sd_event_add_time_relative(instance->manager->event, &instance->save_timer, CLOCK_MONOTONIC,
                                          USEC_PER_SEC, USEC_PER_SEC, on_save_timer, instance) < 0)
        abort();
}

void store_remove(struct instance *instance)
{
    struct manager *m = instance->manager;
    _cleanup_free_ char *path = file_of(m, instance->record->name),
                        *dir = xasprintf("%s/instances", m->state_dir);
    if (unlink(path) < 0 && errno != ENOENT)
        log_warning("cannot remove '%s': %m", path);
    _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && fsync(fd) < 0)
        log_warning("cannot sync '%s': %m", dir);
}

/* What the rest of the reconciler takes for granted. */
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
    if (!record_find_revision(record, record->revision))
        return error_refuse(e, EINVAL, "%s: its revision %lld is missing", file, (long long)record->revision);
    for (size_t i = 0; i < record->n_revisions; i++) {
        const struct app_instance *app = record->revisions[i]->manifest->app;
        if (!app || !app->spec || !app->deploy)
            return error_refuse(e, EINVAL, "%s: a revision without spec or deploy", file);
    }
    for (size_t i = 0; i < record->n_replicas; i++)
        if (record->replicas[i]->id < 0 || record->replicas[i]->id > APP_REPLICA_ID_MAX ||
            record_find_replica(record, record->replicas[i]->id) != record->replicas[i])
            return error_refuse(e, EINVAL, "%s: replica %lld is none, or there twice", file,
                                (long long)record->replicas[i]->id);
    return manager_find((struct manager *)m, record->name)
               ? error_refuse(e, EEXIST, "%s: a second record of '%s'", file, record->name)
               : 0;
}

static int load_one(struct manager *m, int dirfd, const char *file, struct error *e)
{
    _cleanup_free_ char *text = NULL;
    size_t size;
    int r = read_file_at(dirfd, file, RECORD_MAX, &text, &size, e);
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

int store_load(struct manager *m, struct error *e)
{
    _cleanup_free_ char *path = xasprintf("%s/instances", m->state_dir);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_os(e, errno, "cannot make directory '%s'", path);
    _cleanup_close_ int fd = open_dir_at(AT_FDCWD, path, e);
    if (fd < 0)
        return fd;
    int listing = dup(fd);
    _cleanup_closedir_ DIR *dir = listing < 0 ? NULL : fdopendir(listing);
    if (!dir)
        return error_os(e, errno, "cannot read directory '%s'", path);
    for (struct dirent *d; (d = readdir(dir));) {
        if (d->d_name[0] == '.' && has_suffix(d->d_name, ".tmp")) {
            unlinkat(fd, d->d_name, 0); /* the rest of a write that was cut off */
            continue;
        }
        if (d->d_name[0] == '.' || !has_suffix(d->d_name, ".json"))
            continue;
        struct error why = ERROR_INIT;
        if (load_one(m, fd, d->d_name, &why) < 0)
            unreadable_add(m, d->d_name, why.message);
    }
    return 0;
}
