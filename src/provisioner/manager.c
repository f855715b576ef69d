/* Implements manager.h: start, end and housekeeping of the process. */
#include "provisioner/manager.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/app-path/app_path.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/service/file_watch.h"
#include "lib/service/lock.h"
#include "provisioner/deletion.h"
#include "provisioner/publisher.h"

#define THREADS_MAX 4
/* Two, so that a deletion that a disk holds up does not stop the others. More would compete for the same
 * disk. */
#define DELETIONS_MAX 2

/* The limit of a tree's entries, as a multiple of the package's: a package can omit the directories above
 * its entries, so that its tree has more entries than the package. */
#define DIRECTORIES_LEFT_OUT 16

/* Starts one deletion for each container that has kept data from before 'before' (unix seconds). 'entries'
 * are sorted by container. */
static void expire(struct manager *m, const struct app_path_entry *entries, size_t n, int64_t before)
{
    const char *last = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct app_path_entry *entry = &entries[i];
        if (!entry->removed || entry->removed_at >= before || streq_null(last, entry->container))
            continue;
        last = entry->container;
        deletion_expire(m, entry->container, before);
    }
}

void manager_expire(struct manager *m)
{
    struct app_path_entry *entries = NULL;
    struct error e = ERROR_INIT;
    size_t n = 0;
    const char *why;
    if (m->keep_removed_usec == 0)
        return;
    _cleanup_close_ int apps = app_path_open(m->apps, &e);
    if (apps < 0 || app_path_list(apps, &entries, &n, &e) < 0) {
        log_warning("%s; kept data is examined again after the next removal", e.message);
        return;
    }
    int64_t newest = app_path_newest_record(apps, entries, n),
            before = wall_guard_expiry(m->wall, m->keep_removed_usec, newest, &why);
    if (why)
        log_notice("no kept data expires now: %s; it is examined again at the next removal or start", why);
    expire(m, entries, n, before);
    app_path_list_free(entries, n);
}

/* Sets the path of the lock. The name contains the device and inode of the app path, so that trees that
 * share one, by whatever path, share the lock. The lock is not in the app path, where administrators and
 * tools look, nor the directory itself, which every user can open and lock. A process without root's
 * rights uses the run directory of its tree. */
static int make_lock_path(struct manager *m, int apps, struct error *e)
{
    struct stat st;
    if (fstat(apps, &st) < 0)
        return error_os(e, errno, "cannot stat the app path '%s'", m->apps);
    m->lock_path = geteuid() == 0 ? xasprintf("/run/hostlet-apps-%u.%u-%" PRIu64 ".lock", major(st.st_dev),
                                              minor(st.st_dev), (uint64_t)st.st_ino)
                                  : xasprintf("%s/provisioner.lock", m->tree->run);
    return 0;
}

/* Another provisioner could lock a new file in place of a deleted one. This process exits, and the next one
 * locks the new file. */
static void on_lock_gone(void *userdata)
{
    struct service_context *context = userdata;
    const struct manager *m = context->userdata;
    log_error("the lock '%s' was deleted or replaced: ending", m->lock_path);
    service_exit(context, EXIT_FAILED);
}

static struct unix_file locked_file(const struct manager *m)
{
    struct stat st = {.st_ino = 0};
    (void)fstat(m->lock_fd, &st);
    return (struct unix_file){st.st_dev, st.st_ino};
}

static void watch_lock(struct manager *m, struct service_context *context)
{
    struct error e = ERROR_INIT;
    const struct unix_file file = locked_file(m);
    if (file_watch_new(m->event, m->lock_path, &file, SIGUSR2, on_lock_gone, context, &m->lock_watch, &e) < 0)
        log_warning("%s; provisioner does not notice when its lock is deleted", e.message);
}

static int lock(struct manager *m, struct error *e)
{
    /* Creates the app path if it is missing, and refuses one in which other users can write. */
    _cleanup_close_ int apps = app_path_open(m->apps, e);
    if (apps < 0)
        return apps;
    int r = make_lock_path(m, apps, e);
    if (r < 0)
        return r;
    m->lock_fd = service_lock(m->lock_path, e);
    if (m->lock_fd == -EAGAIN)
        return error_prefix(e, "another provisioner works in the app path '%s'", m->apps);
    return m->lock_fd < 0 ? m->lock_fd : 0;
}

int manager_start(struct service_context *context, struct error *e)
{
    struct manager *m = xcalloc(1, sizeof *m);
    *m = (struct manager){
        .event = context->event,
        .tree = &context->tree,
        .apps = xstrdup(context->tree.apps),
        .packages = tree_ipk_install(&context->tree),
        .package_entries_max =
            DIRECTORIES_LEFT_OUT * (uint64_t)config_number(context->config, "unpacker", "max_entries"),
        .wall = &context->wall,
        .keep_removed_usec = config_duration(context->config, "provisioner", "keep_removed"),
        .lock_fd = -1,
    };
    context->userdata = m;
    int r = workers_new(context->event, THREADS_MAX, WORKERS_PROMPT, &m->jobs, e);
    if (r >= 0)
        r = workers_new(context->event, DELETIONS_MAX, WORKERS_BACKGROUND, &m->deletions, e);
    if (r >= 0)
        r = lock(m, e);
    if (r >= 0)
        watch_lock(m, context);
    if (r >= 0)
        r = deletions_recover(m, e); /* completes what a killed process began */
    if (r < 0)
        return r;
    manager_expire(m);
    /* The kernel sends SIGIO when another process opens a file for writing on which this process has a
     * lease (take.h). */
    signal(SIGIO, SIG_IGN);
    publisher_start(m);
    return 0;
}

bool manager_busy(void *userdata)
{
    struct manager *m = userdata;
    return workers_busy(m->jobs) || workers_busy(m->deletions) || deletions_pending(m);
}

void manager_stop(void *userdata)
{
    struct manager *m = userdata;
    deletions_free(m);
    workers_free(m->jobs);
    workers_free(m->deletions);
    file_watch_free(m->lock_watch);
    const struct unix_file file = locked_file(m);
    if (m->lock_fd >= 0 && file_is_at(&file, m->lock_path))
        unlink(m->lock_path); /* a process that waits for the lock detects that the file is unlinked */
    close_fd(m->lock_fd);
    free(m->lock_path);
    free(m->apps); /* jobs have copies */
    free(m->packages);
    free(m);
}
