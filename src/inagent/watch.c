/* Implements watch.h.
 *
 * The kernel limits inotify instances per user (128 by default), and the root users of all containers of a
 * machine are one user, so that a machine with many applications reaches the limit. The older directory
 * notification (fcntl F_NOTIFY), which has no such limit and sends a signal, replaces inotify then. */
#include "inagent/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"

static int add(struct watch *watch, struct error *e)
{
    int r = make_dirs(watch->path, 0755, e);
    if (r < 0)
        return r;
    if (watch->inotify < 0)
        watch->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch->inotify >= 0 &&
        inotify_add_watch(watch->inotify, watch->path,
                          IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR) >= 0)
        return 0;
    int reason = errno;
    watch->inotify = close_fd(watch->inotify);
    close_fd(watch->directory);
    watch->directory = open_dir_at(AT_FDCWD, watch->path, e);
    if (watch->directory < 0)
        return watch->directory;
    if (fcntl(watch->directory, F_NOTIFY, DN_MULTISHOT | DN_CREATE | DN_RENAME | DN_MODIFY) < 0)
        return error_os(e, reason, "cannot watch directory '%s'", watch->path);
    return 0;
}

int watch_begin(struct watch *watch, const char *path, struct error *e)
{
    watch->path = xstrdup(path);
    return add(watch, e);
}

void watch_drain(struct watch *watch)
{
    /* aligned for the structures in it */
    char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool gone = false;
    for (ssize_t n; watch->inotify >= 0 && (n = read(watch->inotify, buffer, sizeof buffer)) > 0;)
        for (char *at = buffer; at < buffer + n;) {
            const struct inotify_event *event = (const void *)at;
            gone = gone || event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED);
            at += sizeof *event + event->len;
        }
    if (!gone)
        return;
    struct error e = ERROR_INIT;
    /* Also removes the watch on the old directory, which may still exist elsewhere. */
    watch->inotify = close_fd(watch->inotify);
    if (add(watch, &e) < 0)
        log_warning("%s: a new " SPEC_NAME " is no longer noticed", e.message);
}

bool watch_file_changed(const struct watch *watch, const char *name, struct watch_file *seen)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", watch->path, name);
    struct stat st;
    if (lstat(path, &st) < 0)
        return false;
    const struct watch_file old = *seen;
    *seen = (struct watch_file){st.st_dev, st.st_ino, (uint64_t)st.st_size, st.st_mtim.tv_sec,
                                st.st_mtim.tv_nsec};
    return seen->device != old.device || seen->inode != old.inode || seen->size != old.size ||
           seen->seconds != old.seconds || seen->nanoseconds != old.nanoseconds;
}

bool watch_changed(struct watch *watch)
{
    return watch_file_changed(watch, SPEC_NAME, &watch->spec);
}

void watch_end(struct watch *watch)
{
    watch->inotify = close_fd(watch->inotify);
    watch->directory = close_fd(watch->directory);
    free(watch->path);
    watch->path = NULL;
}
