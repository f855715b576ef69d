/* Implements public_socket.h. */
#include "hostletd/public_socket.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "hostletd/service.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"

#define MODE 0666

static void on_changed(void *userdata)
{
    const struct service *s = userdata;
    manager_check_run_soon(s->manager);
}

/* Watches the directory of the socket, or follows its path again. */
static int watch(struct service *s, const char *path, struct error *e)
{
    struct public_socket *p = &s->public;
    _cleanup_free_ char *directory = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    return p->watch ? path_watch_renew(p->watch, e)
                    : path_watch_new(s->manager->event, directory, on_changed, s, &p->watch, e);
}

static int restore(const char *path, struct error *e)
{
    int r = unix_set_rights(path, (gid_t)-1, MODE, e);
    if (r > 0)
        log_warning("the socket '%s' had other rights, which are corrected", path);
    return r;
}

int public_bind(struct service *s, sd_event_io_handler_t on_caller, struct error *e)
{
    struct public_socket *p = &s->public;
    if (!s->conf->public_socket)
        return 0;
    _cleanup_free_ char *path = service_conf_public_path(s->conf, &s->manager->tree);
    if (p->fd >= 0 && unix_is_at(&p->file, path))
        return restore(path, e);
    struct unix_file file;
    _cleanup_close_ int fd = unix_listen(path, MODE, (gid_t)-1, &file, e), old = -1;
    if (fd < 0)
        return fd;
    sd_event_source *caller = NULL;
    int r = sd_event_add_io(s->manager->event, &caller, fd, EPOLLIN, on_caller, s);
    if (r >= 0)
        r = sd_event_source_set_enabled(caller, s->state == SERVICE_LISTENING ? SD_EVENT_ON : SD_EVENT_OFF);
    if (r < 0) {
        sd_event_source_disable_unref(caller);
        return error_os(e, -r, "cannot watch the socket '%s'", path);
    }
    sd_event_source_disable_unref(p->caller);
    old = p->fd;
    p->caller = caller;
    p->fd = TAKE_FD(fd);
    p->file = file;
    if (old < 0) {
        manager_check_run_soon(s->manager); /* which watches the directory */
        return 0;
    }
    log_warning("%s: its socket '%s' was deleted or replaced, and is bound again", s->name, path);
    p->outdated = s->pid;
    return 1;
}

int public_keep_bound(struct service *s, sd_event_io_handler_t on_caller, struct error *e)
{
    if (s->public.fd < 0)
        return 0;
    _cleanup_free_ char *path = service_conf_public_path(s->conf, &s->manager->tree);
    struct error unwatched = ERROR_INIT;
    int watched = watch(s, path, &unwatched), r = public_bind(s, on_caller, e);
    if (r >= 0 && watched < 0) {
        *e = unwatched;
        return watched;
    }
    return r;
}

int public_hand_over(struct service *s)
{
    s->public.outdated = false;
    return s->takes_sockets ? unix_send_fd(s->lifeline, s->public.fd, UNIX_FD_PUBLIC) : -EOPNOTSUPP;
}

void public_unbind(struct service *s)
{
    struct public_socket *p = &s->public;
    p->caller = sd_event_source_disable_unref(p->caller);
    path_watch_free(p->watch);
    p->watch = NULL;
    if (p->fd < 0)
        return;
    p->fd = close_fd(p->fd);
    _cleanup_free_ char *path = service_conf_public_path(s->conf, &s->manager->tree);
    if (unix_is_at(&p->file, path))
        unlink(path);
}
