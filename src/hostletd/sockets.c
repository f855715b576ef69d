/* The listening sockets: hostletd holds them, so that callers wait in the backlog while a service is started again. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "hostletd/service.h"
#include "lib/basic/cleanup.h"
#include "lib/varlink/client.h"

static int on_caller(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)fd, (void)revents;
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    service_event(userdata, EVENT_CALLER);
    return 0;
}

int service_bind(struct service *s, struct error *e)
{
    if (!s->conf->socket || s->listen_fd >= 0)
        return 0;
    _cleanup_free_ char *path = tree_socket(&s->manager->tree, s->conf->socket);
    int fd = unix_listen(path, 0660, s->manager->group, e);
    if (fd < 0)
        return fd;
    int r = sd_event_add_io(s->manager->event, &s->caller, fd, EPOLLIN, on_caller, s);
    if (r >= 0)
        r = sd_event_source_set_enabled(s->caller, SD_EVENT_OFF);
    if (r < 0) {
        s->caller = sd_event_source_disable_unref(s->caller);
        close_fd(fd);
        return error_os(e, -r, "cannot watch the socket '%s'", path);
    }
    s->listen_fd = fd;
    return 0;
}

void service_unbind(struct service *s)
{
    if (s->listen_fd < 0)
        return;
    service_stop_answering(s);
    s->caller = sd_event_source_disable_unref(s->caller);
    s->listen_fd = close_fd(s->listen_fd);
    _cleanup_free_ char *path = tree_socket(&s->manager->tree, s->conf->socket);
    unlink(path);
}

bool service_caller_waits(const struct service *s)
{
    struct pollfd p = {.fd = s->listen_fd, .events = POLLIN};
    return s->listen_fd >= 0 && poll(&p, 1, 0) > 0;
}
