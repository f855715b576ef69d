/* Implements directory_watch.h by inotify. */
#include "reconciler/face/directory_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/loop/path_watch.h"

#define SUFFIX ".json"

struct directory_watch {
    const struct directory_handlers *handlers;
    void *userdata;
    struct path_watch *path;
    int fd, wd; /* inotify's; wd −1: no directory is followed */
    sd_event_source *source;
};

static void on_path(void *userdata)
{
    struct directory_watch *w = userdata;
    w->handlers->moved(w->userdata);
}

static void tell(struct directory_watch *w, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW) {
        w->handlers->lost(w->userdata);
        return;
    }
    if (event->wd == w->wd && event->mask & IN_IGNORED) { /* it was deleted, or its file system unmounted */
        w->wd = -1;
        w->handlers->moved(w->userdata);
        return;
    }
    if (event->wd != w->wd || event->len == 0 || event->name[0] == '.' || !has_suffix(event->name, SUFFIX))
        return;
    _cleanup_free_ char *name = xstrndup(event->name, strlen(event->name) - strlen(SUFFIX));
    if (event->mask & IN_MOVED_TO)
        w->handlers->arrived(w->userdata, name);
    else if (event->mask & (IN_MOVED_FROM | IN_DELETE))
        w->handlers->left(w->userdata, name);
}

static int on_events(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source, (void)revents;
    struct directory_watch *w = userdata;
    _Alignas(struct inotify_event) char buffer[16384];
    for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;)
        for (char *at = buffer; at < buffer + n;) {
            const struct inotify_event *event = (const struct inotify_event *)(const void *)at;
            tell(w, event);
            at += sizeof *event + event->len;
        }
    return 0;
}

int directory_watch_new(sd_event *event, const char *path, const struct directory_handlers *handlers,
                        void *userdata, struct directory_watch **ret, struct error *e)
{
    struct directory_watch *w = xcalloc(1, sizeof *w);
    *w = (struct directory_watch){.handlers = handlers, .userdata = userdata, .wd = -1};
    w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    int r = w->fd < 0 ? -errno : sd_event_add_io(event, &w->source, w->fd, EPOLLIN, on_events, w);
    if (r < 0)
        error_os(e, -r, "cannot watch the directory '%s'", path);
    else
        r = path_watch_new(event, path, on_path, w, &w->path, e);
    if (r < 0) {
        directory_watch_free(w);
        return r;
    }
    *ret = w;
    return 0;
}

void directory_watch_free(struct directory_watch *w)
{
    if (!w)
        return;
    path_watch_free(w->path);
    sd_event_source_disable_unref(w->source);
    close_fd(w->fd);
    free(w);
}

void directory_watch_renew(struct directory_watch *w)
{
    struct error missing = ERROR_INIT; /* the examination shows it */
    if (w)
        path_watch_renew(w->path, &missing);
}

bool directory_watch_follows(const struct directory_watch *w)
{
    return !w || w->wd >= 0;
}

int directory_watch_follow(struct directory_watch *w, int fd, struct error *e)
{
    if (!w)
        return 0;
    _cleanup_free_ char *path = xasprintf("/proc/self/fd/%d", fd);
    int wd =
        fd < 0 ? -1 : inotify_add_watch(w->fd, path, IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR);
    int r = fd >= 0 && wd < 0 ? error_os(e, errno, "cannot watch the directory of manifests") : 0;
    if (w->wd >= 0 && w->wd != wd)
        inotify_rm_watch(w->fd, w->wd);
    w->wd = wd;
    return r;
}
