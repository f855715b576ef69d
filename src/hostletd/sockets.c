/* Implements sockets.h. */
#include "hostletd/sockets.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostletd/down.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/lock.h"
#include "lib/basic/log.h"
#include "lib/topology/listen.h"
#include "lib/varlink/client.h"
#include "lib/varlink/unix.h"

static int on_caller(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source, (void)fd, (void)revents;
    struct service *s = userdata;
    service_watch_callers(s, false);
    service_event(s, EVENT_CALLER);
    return 0;
}

void service_watch_callers(struct service *s, bool on)
{
    if (s->caller)
        sd_event_source_set_enabled(s->caller, on ? SD_EVENT_ON : SD_EVENT_OFF);
    if (s->public.caller)
        sd_event_source_set_enabled(s->public.caller, on ? SD_EVENT_ON : SD_EVENT_OFF);
}

/* Lets only the users who may call open the socket. */
static int admit(const struct service *s, const char *path, struct error *e)
{
    return sockets_admit(s->manager, path, s->conf->peer_ids, s->conf->n_peers, e);
}

int sockets_admit(struct manager *m, const char *path, const uid_t *users, size_t n_users, struct error *e)
{
    bool by_group;
    int r = unix_admit(path, users, n_users, m->group, &by_group, e);
    if (r >= 0 && by_group && !m->told_by_group) {
        m->told_by_group = true;
        log_notice("the file system of '%s' has no access lists: the group hostlet can open sockets, and "
                   "the services check every caller's uid",
                   m->tree.run);
    }
    return r;
}

int sockets_restore(struct manager *m, const char *path, const uid_t *users, size_t n_users, struct error *e)
{
    int r = sockets_admit(m, path, users, n_users, e);
    if (r > 0)
        log_warning("the socket '%s' had other rights, which are corrected", path);
    return r;
}

void service_admit(struct service *s)
{
    struct error e = ERROR_INIT;
    if (s->listen_fd < 0)
        return;
    _cleanup_free_ char *path = tree_socket(&s->manager->tree, s->conf->socket);
    if (admit(s, path, &e) < 0)
        log_warning("%s: %s; the service checks callers when they connect", s->name, e.message);
}

static void unbind_unix(struct service *s)
{
    s->caller = sd_event_source_disable_unref(s->caller);
    s->listen_fd = close_fd(s->listen_fd);
}

/* Listens on the new socket in place of the one that no path leads to. Callers who wait there are served if a
 * process runs; otherwise their connection is reset, and they retry. */
static void replace_unix(struct service *s, const char *path)
{
    struct error e = ERROR_INIT;
    log_warning("%s: its socket '%s' was deleted or replaced, and is bound again", s->name, path);
    s->outdated = s->pid;
    if (s->down && varlink_server_move(s->down, s->listen_fd, &e) < 0)
        log_warning("%s: %s", s->name, e.message);
    if (s->state == SERVICE_LISTENING)
        service_watch_callers(s, true);
}

/* Binds the Unix socket, if it is not bound or its path does not lead to it. Returns 0, 1 when it bound the
 * socket again or corrected the rights, or a negative errno. */
static int bind_unix(struct service *s, struct error *e)
{
    if (!s->conf->socket)
        return 0;
    _cleanup_free_ char *path = tree_socket(&s->manager->tree, s->conf->socket);
    if (s->listen_fd >= 0 && unix_is_at(&s->listen_file, path))
        return sockets_restore(s->manager, path, s->conf->peer_ids, s->conf->n_peers, e);
    struct unix_file file;
    _cleanup_close_ int fd = unix_listen(path, 0600, (gid_t)-1, &file, e), old = -1;
    if (fd < 0)
        return fd;
    int r = admit(s, path, e);
    if (r < 0)
        return r;
    sd_event_source *caller = NULL;
    r = sd_event_add_io(s->manager->event, &caller, fd, EPOLLIN, on_caller, s);
    if (r >= 0)
        r = sd_event_source_set_enabled(caller, SD_EVENT_OFF);
    if (r < 0) {
        sd_event_source_disable_unref(caller);
        return error_os(e, -r, "cannot watch the socket '%s'", path);
    }
    sd_event_source_disable_unref(s->caller);
    old = s->listen_fd;
    s->caller = caller;
    s->listen_fd = TAKE_FD(fd);
    s->listen_file = file;
    if (old >= 0)
        replace_unix(s, path);
    return old >= 0;
}

/* Reports whether another socket has the path of a service that an administrator stopped: its process can be
 * run by hand then, to debug it. That process holds the lock beside the path from before it removes this
 * socket, so the path is lent while no socket is there too. A start of the service takes the path back. */
static bool is_lent(const struct service *s)
{
    struct stat st;
    _cleanup_free_ char *path = tree_socket(&s->manager->tree, s->conf->socket);
    if (!s->stopped || s->state != SERVICE_DOWN || unix_is_at(&s->listen_file, path))
        return false;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        return true;
    _cleanup_free_ char *lock = xasprintf("%s.lock", path);
    return lock_is_held(lock);
}

int service_keep_bound(struct service *s, struct error *e)
{
    /* A service that waits for the next attempt to bind its sockets has a timer for it. */
    if (s->listen_fd < 0 || is_lent(s))
        return 0;
    /* A caller who waits at the old socket starts the process, which serves it. */
    if (s->state == SERVICE_LISTENING && service_caller_waits(s))
        service_event(s, EVENT_CALLER);
    int r = bind_unix(s, e), public = r < 0 ? r : public_keep_bound(s, on_caller, e);
    r = public < 0 ? public : r > 0 || public > 0;
    service_hand_over(s);
    bool shown = s->state == SERVICE_READY || s->state == SERVICE_LISTENING;
    if (r < 0 && shown)
        service_set_reason(s, xasprintf("no caller reaches it: %s", e->message));
    else if (r >= 0 && s->unreachable && shown)
        service_set_reason(s, NULL);
    s->unreachable = r < 0;
    return r < 0 ? error_prefix(e, "%s", s->name) : r;
}

void service_hand_over(struct service *s)
{
    if ((!s->outdated && !s->public.outdated) || s->state != SERVICE_READY || !s->wanted)
        return;
    int r = s->public.outdated ? public_hand_over(s) : 0;
    if (r >= 0 && s->outdated)
        r = s->takes_sockets ? unix_send_fd(s->lifeline, s->listen_fd, UNIX_FD_VARLINK) : -EOPNOTSUPP;
    s->outdated = false;
    if (r >= 0)
        return;
    log_notice("%s: is restarted, to listen on its new socket", s->name);
    service_event(s, EVENT_RENEW);
}

/* Returns the configured addresses as one text. The caller frees it. */
static char *tcp_wanted(const struct service *s)
{
    char *text = xstrdup("");
    for (size_t i = 0; i < service_conf_tcp_ports(s->conf, s->manager->config); i++) {
        _cleanup_free_ char *before = text, *one = service_conf_tcp_address(s->conf, s->manager->config, i);
        text = xasprintf("%s %s", before, one);
    }
    return text;
}

static void unbind_tcp(struct service *s)
{
    for (size_t i = 0; i < SERVICE_TCP_MAX; i++)
        s->tcp_fds[i] = close_fd(s->tcp_fds[i]);
    free(s->tcp_bound);
    s->tcp_bound = NULL;
}

void service_unbind_tcp_unless_same(struct service *s)
{
    _cleanup_free_ char *wanted = tcp_wanted(s);
    if (!service_is_enabled(s) || !streq_null(s->tcp_bound, wanted))
        unbind_tcp(s);
}

static int bind_tcp(struct service *s, struct error *e)
{
    size_t n = service_conf_tcp_ports(s->conf, s->manager->config);
    if (n == 0 || s->tcp_bound || !service_is_enabled(s))
        return 0;
    for (size_t i = 0; i < n; i++) {
        s->tcp_fds[i] = service_conf_tcp_listen(s->conf, s->manager->config, i, e);
        if (s->tcp_fds[i] < 0) {
            int r = s->tcp_fds[i];
            unbind_tcp(s);
            return r;
        }
    }
    s->tcp_bound = tcp_wanted(s);
    return 0;
}

int service_bind(struct service *s, struct error *e)
{
    int r = bind_unix(s, e);
    if (r >= 0)
        r = public_bind(s, on_caller, e);
    return r < 0 ? r : bind_tcp(s, e);
}

struct spawn_sockets service_sockets(const struct service *s, char **ret_names)
{
    struct spawn_sockets sockets = {.n = 0};
    char *names = xstrdup("varlink");
    if (s->listen_fd >= 0)
        sockets.fds[sockets.n++] = s->listen_fd;
    if (s->public.fd >= 0) {
        _cleanup_free_ char *before = names;
        sockets.fds[sockets.n++] = s->public.fd;
        names = xasprintf("%s:public", before);
    }
    for (size_t i = 0; s->tcp_bound && i < s->conf->n_tcp; i++) {
        _cleanup_free_ char *before = names;
        sockets.fds[sockets.n++] = s->tcp_fds[i];
        names = xasprintf("%s:%s", before, service_conf_tcp_name(s->conf, i));
    }
    sockets.names = *ret_names = names;
    return sockets;
}

void service_unbind(struct service *s)
{
    unbind_tcp(s);
    public_unbind(s);
    if (s->listen_fd < 0)
        return;
    service_stop_answering(s);
    unbind_unix(s);
    _cleanup_free_ char *path = tree_socket(&s->manager->tree, s->conf->socket);
    if (unix_is_at(&s->listen_file, path))
        unlink(path);
}

bool service_caller_waits(const struct service *s)
{
    struct pollfd p[] = {{.fd = s->listen_fd, .events = POLLIN}, {.fd = s->public.fd, .events = POLLIN}};
    return poll(p, ARRAY_SIZE(p), 0) > 0;
}
