/* Implements sockets.h. */
#include "lib/service/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "lib/service/file_watch.h"
#include "lib/service/lock.h"
#include "lib/topology/listen.h"

/* Accepts the sockets that hostletd passes: the Unix socket first, then the public one, then the TCP sockets
 * in the order of service.conf. */
static int take_inherited(struct sockets *s, struct service_context *c, size_t n, struct error *e)
{
    size_t n_tcp = service_conf_tcp_ports(c->conf, c->config),
           expected = 1 + (c->conf->public_socket ? 1 : 0) + n_tcp;
    int next = SD_LISTEN_FDS_START;
    if (n != expected)
        return error_fail(e, EINVAL, "%zu listening sockets were passed, expected %zu", n, expected);
    s->listen_fd = next++;
    if (c->conf->public_socket)
        c->public_fd = next++;
    for (size_t i = 0; i < n_tcp; i++)
        c->tcp_fds[i] = next++;
    for (int fd = SD_LISTEN_FDS_START; fd < next; fd++) {
        int flags = fcntl(fd, F_GETFL);
        if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
            return error_os(e, errno, "bad listening socket %d", fd);
    }
    return 0;
}

/* Lets the users in 'peers' of service.conf open the socket. */
static int admit_peers(const struct service_context *c, const char *path, struct error *e)
{
    struct stat st;
    /* On a file system without access lists, the group of the run directory can open the socket. */
    bool by_group;
    int r = unix_admit(path, c->conf->peer_ids, c->conf->n_peers,
                       stat(c->tree.run, &st) == 0 ? st.st_gid : (gid_t)-1, &by_group, e);
    if (r >= 0 && by_group)
        log_notice("the file system of '%s' has no access lists: its group can open it, and the service "
                   "checks every caller's uid",
                   path);
    return r;
}

static int bind_own(struct own_socket *own, char *path, mode_t mode, int *ret_fd, struct error *e)
{
    own->path = path;
    *ret_fd = unix_listen(path, mode, (gid_t)-1, &own->file, e);
    return *ret_fd < 0 ? *ret_fd : 0;
}

static int bind_public(struct sockets *s, struct service_context *c, struct error *e)
{
    char *path = service_conf_public_path(c->conf, &c->tree);
    _cleanup_free_ char *directory = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    int r = make_dirs(directory, 0755, e);
    if (r < 0) {
        free(path);
        return r;
    }
    return bind_own(&s->own_public, path, 0666, &c->public_fd, e);
}

int sockets_take(struct sockets *s, struct service_context *c, struct error *e)
{
    int n = sd_listen_fds(1);
    if (n > 0)
        return take_inherited(s, c, (size_t)n, e);
    for (size_t i = 0; i < service_conf_tcp_ports(c->conf, c->config); i++) {
        c->tcp_fds[i] = service_conf_tcp_listen(c->conf, c->config, i, e);
        if (c->tcp_fds[i] < 0)
            return c->tcp_fds[i];
    }
    /* Without the lock the second of two processes would take the socket of the first one, which would exit.
     */
    char *path = tree_socket(&c->tree, c->conf->socket ?: c->service->name);
    _cleanup_free_ char *lock = xasprintf("%s.lock", path);
    s->lock_fd = service_lock(lock, e);
    if (s->lock_fd < 0) {
        free(path);
        return s->lock_fd == -EAGAIN ? error_prefix(e, "another %s runs for this tree", c->service->name)
                                     : s->lock_fd;
    }
    int r = bind_own(&s->own, path, 0600, &s->listen_fd, e);
    if (r >= 0)
        r = admit_peers(c, path, e);
    return r < 0 || !c->conf->public_socket ? r : bind_public(s, c, e);
}

static void on_gone(void *userdata)
{
    const struct own_socket *own = userdata;
    log_error("the socket '%s' was deleted or replaced: ending, so that the next start binds it again",
              own->path);
    service_exit(own->context, EXIT_FAILED);
}

static void watch(struct own_socket *own, struct service_context *c, int signal)
{
    struct error e = ERROR_INIT;
    own->context = c;
    if (own->path &&
        file_watch_new(c->event, own->path, &own->file, signal, on_gone, own, &own->watch, &e) < 0)
        log_warning("%s: the process does not notice when its socket is deleted", e.message);
}

void sockets_watch(struct sockets *s, struct service_context *c)
{
    watch(&s->own, c, SIGUSR1);
    watch(&s->own_public, c, SIGUSR2); /* a service without a public socket can use the signal itself */
}

void sockets_done(struct sockets *s)
{
    file_watch_free(s->own.watch);
    file_watch_free(s->own_public.watch);
    free(s->own.path);
    free(s->own_public.path);
}
