/* Implements path_watch.h by inotify and the mount table of the process. */
#include "lib/loop/path_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"

#define ITSELF (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)
/* Events of the directories that lead to the watched one. The names in them matter only while the next one is
 * missing or cannot be read: otherwise it reports its removal itself, and the many other names of a directory
 * such as /run cause no event. */
#define LEADING    (IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define APPEARANCE (IN_CREATE | IN_MOVED_TO | IN_ATTRIB)
/* Events of the watched one. */
#define WATCHED (LEADING | APPEARANCE | IN_DELETE | IN_MOVED_FROM | IN_ATTRIB)

/* A directory that leads to the watched one, or the watched one itself, which is the last. */
struct step {
    size_t length; /* of its path, which begins the whole path */
    int wd;        /* −1: not watched */
};

struct path_watch {
    char *path;
    struct step *steps;
    size_t n_steps;
    int fd, mounts_fd;
    sd_event_source *source, *mounts;
    path_watch_fn changed;
    void *userdata;
};

/* Reports whether the event's name is the one by which the path continues. */
static bool is_next(const struct path_watch *w, const struct step *s, const struct inotify_event *event)
{
    if (event->len == 0)
        return false;
    const char *next = w->path + s->length;
    next += strspn(next, "/");
    size_t n = strcspn(next, "/");
    return strlen(event->name) == n && memcmp(event->name, next, n) == 0;
}

static bool concerns(struct path_watch *w, const struct inotify_event *event)
{
    bool concerned = event->mask & IN_Q_OVERFLOW;
    for (size_t i = 0; i < w->n_steps; i++) {
        struct step *s = &w->steps[i];
        if (s->wd != event->wd)
            continue;
        if (event->mask & IN_IGNORED)
            s->wd = -1;
        concerned |= event->mask & ITSELF || i + 1 == w->n_steps || is_next(w, s, event);
    }
    return concerned;
}

static int on_inotify(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source, (void)revents;
    struct path_watch *w = userdata;
    _Alignas(struct inotify_event) char buffer[16384];
    bool concerned = false;
    for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;)
        for (char *at = buffer; at < buffer + n;) {
            const struct inotify_event *event = (const struct inotify_event *)(const void *)at;
            concerned |= concerns(w, event);
            at += sizeof *event + event->len;
        }
    if (concerned)
        w->changed(w->userdata);
    return 0;
}

static int on_mounts(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source, (void)fd, (void)revents;
    struct path_watch *w = userdata;
    w->changed(w->userdata);
    return 0;
}

static void make_steps(struct path_watch *w)
{
    w->steps = xcalloc(strlen(w->path) + 1, sizeof *w->steps);
    w->steps[w->n_steps++] = (struct step){.length = 1, .wd = -1};
    for (const char *c = w->path + strspn(w->path, "/"); *c; c += strspn(c, "/")) {
        c += strcspn(c, "/");
        w->steps[w->n_steps++] = (struct step){.length = (size_t)(c - w->path), .wd = -1};
    }
}

/* Returns the path of a step. The caller frees it. */
static char *path_of(const struct path_watch *w, size_t i)
{
    return xstrndup(w->path, w->steps[i].length);
}

/* Watches the directory of a step in place of the one that was watched before. */
static void set_wd(struct path_watch *w, struct step *s, int wd)
{
    int old = s->wd;
    s->wd = wd;
    bool used = old < 0;
    for (size_t i = 0; i < w->n_steps; i++)
        used |= w->steps[i].wd == old;
    if (!used)
        inotify_rm_watch(w->fd, old);
}

static int fail(const char *path, int errnum, struct error *e)
{
    const char *limit = errnum == ENOSPC   ? " (a user's limit is fs.inotify.max_user_watches)"
                        : errnum == EMFILE ? " (a user's limit is fs.inotify.max_user_instances)"
                                           : "";
    return error_os(e, errnum, "cannot watch the path '%s'%s", path, limit);
}

int path_watch_renew(struct path_watch *w, struct error *e)
{
    int r = 0;
    for (size_t i = 0; i < w->n_steps; i++) {
        bool last = i + 1 == w->n_steps;
        _cleanup_free_ char *path = path_of(w, i);
        int wd = inotify_add_watch(w->fd, path, last ? WATCHED : LEADING);
        if (wd < 0 && last)
            r = fail(path, errno, e);
        /* It is missing, or this user may not read it, and watches those behind it. */
        if (wd < 0 && i > 0) {
            _cleanup_free_ char *before = path_of(w, i - 1);
            (void)inotify_add_watch(w->fd, before, LEADING | APPEARANCE);
        }
        set_wd(w, &w->steps[i], wd);
    }
    return r;
}

int path_watch_new(sd_event *event, const char *path, path_watch_fn changed, void *userdata,
                   struct path_watch **ret, struct error *e)
{
    struct path_watch *w = xcalloc(1, sizeof *w);
    *w = (struct path_watch){.path = xstrdup(path), .changed = changed, .userdata = userdata};
    make_steps(w);
    w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    int r = w->fd < 0 ? -errno : 0;
    /* The file is always readable; its change is a condition of its own. */
    w->mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    if (r >= 0)
        r = w->mounts_fd < 0 ? -errno : 0;
    if (r >= 0)
        r = sd_event_add_io(event, &w->source, w->fd, EPOLLIN, on_inotify, w);
    if (r >= 0)
        r = sd_event_add_io(event, &w->mounts, w->mounts_fd, EPOLLPRI, on_mounts, w);
    r = r < 0 ? fail(path, -r, e) : path_watch_renew(w, e);
    /* A path that does not lead to a directory now, or to none that this user may read, is watched up to
     * there. */
    if (r < 0 && r != -ENOENT && r != -ENOTDIR && r != -EACCES && r != -ELOOP) {
        path_watch_free(w);
        return r;
    }
    *ret = w;
    return 0;
}

void path_watch_free(struct path_watch *w)
{
    if (!w)
        return;
    sd_event_source_disable_unref(w->source);
    sd_event_source_disable_unref(w->mounts);
    close_fd(w->fd);
    close_fd(w->mounts_fd);
    free(w->steps);
    free(w->path);
    free(w);
}
