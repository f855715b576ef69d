/* Implements io.hostlet.Supervisor; see methods.h. */
#include "hostletd/methods.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "hostletd/reason.h"
#include "hostletd/reload.h"
#include "hostletd/service.h"
#include "hostletd/sockets.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "lib/varlink/client.h"
#include "lib/varlink/unix.h"

/* A call that hostletd answers when its service and the others are ready, are down, or will not become so for
 * now. */
struct waiter {
    struct waiter *next;
    struct varlink_call *call;
    struct service *service;
    bool up;
    char **also; /* names of the other services that the call starts or stops */
    size_t n_also;
};

struct watcher {
    struct watcher *next;
    struct varlink_call *call;
};

/* Returns the proportional set size of a process in bytes, or 0 if the kernel does not report it. */
static int64_t read_memory(pid_t pid)
{
    _cleanup_free_ char *path = xasprintf("/proc/%d/smaps_rollup", pid), *text = NULL;
    long long kib;
    if (read_file_at(AT_FDCWD, path, 65536, &text, NULL, NULL) < 0)
        return 0;
    const char *line = strstr(text, "\nPss:");
    return line && sscanf(line + strlen("\nPss:"), "%lld", &kib) == 1 ? kib * 1024 : 0;
}

/* Returns a description that borrows from the service: it is valid until the service's next event. The caller
 * frees the reason. */
static struct supervisor_service describe(const struct service *s, bool with_memory)
{
    return (struct supervisor_service){
        .name = s->name,
        .description = s->conf->description,
        .state = (int)s->state,
        .reason = reason_of(s),
        .pid = s->pid,
        .uptime_msec = s->pid ? (int64_t)((now_monotonic_usec() - s->started_usec) / USEC_PER_MSEC) : 0,
        .restarts = s->restarts,
        .last_exit = s->last_exit,
        .memory = with_memory && s->pid ? read_memory(s->pid) : 0,
        .on_demand = service_is_on_demand(s),
        .disabled = !service_is_enabled(s),
    };
}

static void tell(struct varlink_call *call, const struct service *s, bool with_memory)
{
    struct supervisor_service service = describe(s, with_memory);
    struct supervisor_list_out out = {.service = &service};
    varlink_notify(call, &out);
    free(service.reason);
}

static void tell_watcher(struct varlink_call *call, const struct service *s, bool with_memory, bool gone)
{
    struct supervisor_service service = describe(s, with_memory);
    varlink_notify(call, &(struct supervisor_watch_out){.service = &service, .gone = gone});
    free(service.reason);
}

static int on_list(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in;
    const struct manager *m = userdata;
    if (!varlink_call_wants_more(call))
        return error_refuse(e, EINVAL, "List sends one reply for each service: set 'more'");
    for (size_t i = 0; i < m->n_services; i++)
        tell(call, m->services[i], true);
    struct supervisor_list_out end = {.service = NULL};
    varlink_reply(call, &end);
    return 0;
}

static void watcher_gone(struct varlink_call *call, void *userdata)
{
    struct manager *m = userdata;
    for (struct watcher **w = &m->watchers; *w; w = &(*w)->next)
        if ((*w)->call == call) {
            struct watcher *gone = *w;
            *w = gone->next;
            free(gone);
            return;
        }
}

static int on_watch(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in;
    struct manager *m = userdata;
    if (!varlink_call_wants_more(call))
        return error_refuse(e, EINVAL, "Watch sends a reply for each service and change: set 'more'");
    for (size_t i = 0; i < m->n_services; i++)
        tell_watcher(call, m->services[i], true, false);
    struct watcher *w = xcalloc(1, sizeof *w);
    *w = (struct watcher){.next = m->watchers, .call = call};
    m->watchers = w;
    varlink_call_on_gone(call, watcher_gone, m);
    varlink_notify(call, &(struct supervisor_watch_out){.complete = true});
    return 0;
}

/* Reports whether a service has reached the state that a call asked for: 1 if it has, 0 if not yet, or a
 * negative errno with 'e' set. */
static int has_reached(const struct service *s, bool up, struct error *e)
{
    if (!up && s->wanted)
        return error_retry(e, ECANCELED, "service '%s' was started meanwhile", s->name);
    if (!up)
        return s->state == SERVICE_DOWN;
    if (s->state == SERVICE_READY || s->state == SERVICE_LISTENING)
        return s->wanted;
    _cleanup_free_ char *reason = reason_of(s);
    if (s->state == SERVICE_FAILED)
        return error_fail(e, ECANCELED, "service '%s' failed: %s", s->name, reason);
    if (s->state == SERVICE_BACKOFF)
        return error_retry(e, EAGAIN, "service '%s' does not stay up: %s", s->name, reason);
    if (s->state == SERVICE_DOWN || !s->wanted)
        return error_retry(e, ECANCELED, "service '%s' was stopped meanwhile", s->name);
    return 0;
}

/* The same for the service of a call, and then for the others that the call starts or stops. */
static int is_over(const struct service *s, bool up, char **also, size_t n_also, struct error *e)
{
    int r = has_reached(s, up, e);
    for (size_t i = 0; r > 0 && i < n_also; i++) {
        const struct service *other = manager_find(s->manager, also[i]);
        if (other)
            r = has_reached(other, up, e);
    }
    return r;
}

static void free_waiter(struct waiter *w)
{
    for (size_t i = 0; i < w->n_also; i++)
        free(w->also[i]);
    free(w->also);
    free(w);
}

static void waiter_gone(struct varlink_call *call, void *userdata)
{
    struct manager *m = userdata;
    for (struct waiter **w = &m->waiters; *w; w = &(*w)->next)
        if ((*w)->call == call) {
            struct waiter *gone = *w;
            *w = gone->next;
            free_waiter(gone);
            return;
        }
}

static void answer(struct varlink_call *call, char **also, size_t n_also, int r, const struct error *e)
{
    if (r < 0)
        varlink_error(call, e);
    else
        varlink_reply(call, &(struct supervisor_order_out){.also = also, .n_also = n_also});
}

/* Replies when the service and those of 'also' have reached the state. Takes ownership of the array. */
static void wait_until(struct varlink_call *call, struct service *s, bool up, struct service_names also)
{
    struct error e = ERROR_INIT;
    int r = is_over(s, up, also.items, also.n, &e);
    if (r != 0) {
        answer(call, also.items, also.n, r, &e);
    } else {
        struct waiter *w = xcalloc(1, sizeof *w);
        *w = (struct waiter){.next = s->manager->waiters, .call = call, .service = s, .up = up};
        w->also = xcalloc(also.n + 1, sizeof *w->also);
        while (w->n_also < also.n) {
            w->also[w->n_also] = xstrdup(also.items[w->n_also]);
            w->n_also++;
        }
        s->manager->waiters = w;
        varlink_call_on_gone(call, waiter_gone, s->manager);
    }
    free(also.items);
}

static int find(struct manager *m, const struct supervisor_name_in *in, bool starting, struct service **ret,
                struct error *e)
{
    if (m->ending)
        return error_retry(e, ESHUTDOWN, "the tree is stopping");
    struct service *s = manager_find(m, in->name);
    if (!s || s->removed)
        return error_set(e, ERROR_NOT_FOUND, ENOENT, "there is no service '%s'", in->name);
    if (starting && !service_is_enabled(s))
        return error_refuse(e, EINVAL, "service '%s' is not enabled: hostlet.conf says no to %s", in->name,
                            s->conf->enabled);
    *ret = s;
    return 0;
}

static int on_start(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    struct service *s;
    int r = find(userdata, in, true, &s, e);
    if (r < 0)
        return r;
    wait_until(call, s, true, manager_want(userdata, s));
    return 0;
}

static int on_stop(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    struct service *s;
    int r = find(userdata, in, false, &s, e);
    if (r < 0)
        return r;
    wait_until(call, s, false, manager_unwant(userdata, s));
    return 0;
}

static int on_restart(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    struct service *s;
    int r = find(userdata, in, true, &s, e);
    if (r < 0)
        return r;
    struct service_names also = {.n = 0};
    if (s->wanted)
        service_event(s, EVENT_RENEW);
    else
        also = manager_want(userdata, s);
    wait_until(call, s, true, also);
    return 0;
}

static int on_reload(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in;
    struct manager *m = userdata;
    if (m->ending)
        return error_retry(e, ESHUTDOWN, "the tree is stopping");
    manager_reload(m, call);
    return 0;
}

static const struct varlink_handlers handlers[] = {
    {"List", on_list},   {"Start", on_start},   {"Stop", on_stop}, {"Restart", on_restart},
    {"Watch", on_watch}, {"Reload", on_reload}, {NULL, NULL}};

void methods_state_changed(struct service *s)
{
    struct manager *m = s->manager;
    for (struct watcher *w = m->watchers; w; w = w->next)
        tell_watcher(w->call, s, false, false);
    for (struct waiter **at = &m->waiters; *at;) {
        struct waiter *w = *at;
        struct error e = ERROR_INIT;
        int r = is_over(w->service, w->up, w->also, w->n_also, &e);
        if (r == 0) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        varlink_call_on_gone(w->call, NULL, NULL);
        answer(w->call, w->also, w->n_also, r, &e);
        free_waiter(w);
    }
}

void methods_service_removed(const struct service *s)
{
    for (struct watcher *w = s->manager->watchers; w; w = w->next)
        tell_watcher(w->call, s, false, true);
}

void methods_service_gone(struct service *s)
{
    for (struct waiter **at = &s->manager->waiters; *at;) {
        struct waiter *w = *at;
        if (w->service != s) {
            at = &w->next;
            continue;
        }
        struct error e = ERROR_INIT;
        error_set(&e, ERROR_NOT_FOUND, ENOENT, "the service '%s' was removed", s->name);
        *at = w->next;
        varlink_call_on_gone(w->call, NULL, NULL);
        varlink_error(w->call, &e);
        free_waiter(w);
    }
}

/* Reports whether a user may call a method: root all of them, a service those in 'supervisor' of its
 * service.conf, none of which changes anything (checks_rights()). */
static bool method_allowed(uid_t uid, const char *method, void *userdata)
{
    const struct manager *m = userdata;
    if (uid == 0)
        return true;
    for (size_t i = 0; i < m->n_services; i++)
        if (m->services[i]->conf->uid == uid && service_conf_may_ask_supervisor(m->services[i]->conf, method))
            return true;
    return false;
}

static bool peer_allowed(uid_t uid, gid_t gid, pid_t pid, void *userdata)
{
    (void)gid, (void)pid;
    const struct manager *m = userdata;
    if (uid == 0)
        return true;
    for (size_t i = 0; i < m->n_services; i++)
        if (m->services[i]->conf->uid == uid && m->services[i]->conf->n_supervisor > 0)
            return true;
    return false;
}

/* Returns the users who may connect, and stores their number. The caller frees them. */
static uid_t *list_users(const struct manager *m, size_t *ret_n)
{
    uid_t *users = xcalloc(m->n_services, sizeof *users);
    *ret_n = 0;
    for (size_t i = 0; i < m->n_services; i++)
        if (m->services[i]->conf->n_supervisor > 0)
            users[(*ret_n)++] = m->services[i]->conf->uid;
    return users;
}

void methods_admit(struct manager *m)
{
    size_t n;
    _cleanup_free_ char *path = tree_socket(&m->tree, "supervisor");
    _cleanup_free_ uid_t *users = list_users(m, &n);
    struct error e = ERROR_INIT;
    if (m->supervisor_fd >= 0 && sockets_admit(m, path, users, n, &e) < 0)
        log_warning("%s; the server checks callers when they connect", e.message);
}

int methods_keep_bound(struct manager *m, struct error *e)
{
    _cleanup_free_ char *path = tree_socket(&m->tree, "supervisor");
    size_t n;
    _cleanup_free_ uid_t *users = list_users(m, &n);
    struct unix_file file;
    if (unix_is_at(&m->supervisor_file, path))
        return sockets_restore(m, path, users, n, e);
    _cleanup_close_ int fd = unix_listen(path, 0600, (gid_t)-1, &file, e), old = -1;
    if (fd < 0)
        return fd;
    int r = sockets_admit(m, path, users, n, e);
    if (r >= 0)
        r = varlink_server_move(m->server, fd, e);
    if (r < 0)
        return r;
    log_warning("the socket '%s' was deleted or replaced, and is bound again", path);
    old = m->supervisor_fd;
    m->supervisor_fd = TAKE_FD(fd);
    m->supervisor_file = file;
    return 1;
}

int methods_serve(struct manager *m, struct error *e)
{
    struct varlink_server_options options = {.interface = &supervisor_interface,
                                             .handlers = handlers,
                                             .userdata = m,
                                             .hooks_userdata = m,
                                             .peer_allowed = peer_allowed,
                                             .method_allowed = method_allowed};
    _cleanup_free_ char *path = tree_socket(&m->tree, "supervisor");
    m->supervisor_fd = unix_listen(path, 0600, (gid_t)-1, &m->supervisor_file, e);
    if (m->supervisor_fd < 0)
        return m->supervisor_fd;
    methods_admit(m);
    int r = varlink_server_new(m->event, &options, &m->server);
    return r < 0 ? error_os(e, -r, "cannot serve '%s'", path)
                 : varlink_server_listen(m->server, m->supervisor_fd, e);
}

void methods_done(struct manager *m)
{
    varlink_server_free(m->server);
    m->server = NULL;
    if (m->supervisor_fd < 0)
        return;
    _cleanup_free_ char *path = tree_socket(&m->tree, "supervisor");
    if (unix_is_at(&m->supervisor_file, path))
        unlink(path);
    m->supervisor_fd = close_fd(m->supervisor_fd);
}
