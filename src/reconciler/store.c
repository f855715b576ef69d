/* The reconciler's files: one per instance, one writer, replaced atomically. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "reconciler/manager.h"

#define RECORD_MAX ((size_t)16 << 20)

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
    r = replace_file(path, text, size, 0600, e);
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

static int load_one(struct manager *m, int dirfd, const char *file, struct error *e)
{
    _cleanup_free_ char *text = NULL;
    size_t size;
    int r = read_file_at(dirfd, file, RECORD_MAX, &text, &size, e);
    if (r < 0)
        return r;
    struct record *record = xcalloc(1, sizeof *record);
    r = schema_parse_text(&record_schema, text, size, 0, file, record, e);
    if (r >= 0 && record->format > RECORD_FORMAT)
        r = error_refuse(e, EPROTONOSUPPORT, "%s has format %lld, this version knows %d", file,
                         (long long)record->format, RECORD_FORMAT);
    if (r >= 0 && !record_find_revision(record, record->revision))
        r = error_refuse(e, EINVAL, "%s: its revision %lld is missing", file, (long long)record->revision);
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
        int r = load_one(m, fd, d->d_name, e);
        if (r < 0)
            return error_prefix(e, "%s", path);
    }
    return 0;
}
