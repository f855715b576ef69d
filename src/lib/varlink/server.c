/* The Varlink server: sockets, connections, calls and their answers. See server.h; dispatch.c turns messages
 * into calls. */
#include "lib/varlink/server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/varlink/server-internal.h"

#define LISTENERS_MAX 4

int varlink_server_new(sd_event *event, const struct varlink_server_options *options,
                       struct varlink_server **ret)
{
    struct varlink_server *server = xcalloc(1, sizeof *server);
    server->event = sd_event_ref(event);
    server->options = *options;
    if (server->options.connections_max == 0)
        server->options.connections_max = 256;
    *ret = server;
    return 0;
}

static void connection_free(struct connection *c)
{
    struct varlink_server *server = c->server;
    struct varlink_call *call = TAKE_PTR(c->call);
    if (call) {
        if (call->on_gone)
            call->on_gone(call, call->on_gone_userdata);
        free(call);
    }
    stream_free(c->stream);
    if (c->previous)
        c->previous->next = c->next;
    else
        server->connections = c->next;
    if (c->next)
        c->next->previous = c->previous;
    free(c);
    server->n_connections--;
    if (server->paused && server->n_connections < server->options.connections_max) {
        server->paused = false;
        for (size_t i = 0; i < server->n_listeners; i++)
            sd_event_source_set_enabled(server->listeners[i], SD_EVENT_ON);
    }
    if (server->n_connections == 0 && server->options.on_idle && !server->freeing)
        server->options.on_idle(server->options.userdata);
}

static void on_closed(struct stream *stream, const struct error *e, void *userdata)
{
    (void)stream;
    struct connection *c = userdata;
    if (e->errnum && e->errnum != ECONNRESET)
        log_debug("connection of pid %d, uid %u: %s", c->peer.pid, c->peer.uid, e->message);
    connection_free(c);
}

static void accept_connection(struct varlink_server *server, int fd)
{
    struct connection *c = xcalloc(1, sizeof *c);
    c->server = server;
    socklen_t size = sizeof c->peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c->peer, &size) < 0)
        c->peer = (struct ucred){.uid = (uid_t)-1, .gid = (gid_t)-1};
    c->allowed =
        !server->options.peer_allowed ||
        server->options.peer_allowed(c->peer.uid, c->peer.gid, c->peer.pid, server->options.userdata);
    if (stream_new(server->event, fd, connection_message, on_closed, c, &c->stream) < 0) {
        free(c);
        return;
    }
    c->next = server->connections;
    if (c->next)
        c->next->previous = c;
    server->connections = c;
    server->n_connections++;
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source, (void)revents;
    struct varlink_server *server = userdata;
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0) {
        if (errno == EMFILE || errno == ENFILE)
            log_warning("too many open files: a connection waits");
        return 0;
    }
    accept_connection(server, client);
    if (server->n_connections >= server->options.connections_max) {
        /* The next ones wait in the backlog until one of these ends. */
        log_debug("%u connections: no more are accepted for now", server->n_connections);
        server->paused = true;
        for (size_t i = 0; i < server->n_listeners; i++)
            sd_event_source_set_enabled(server->listeners[i], SD_EVENT_OFF);
    }
    return 0;
}

int varlink_server_listen(struct varlink_server *server, int fd, struct error *e)
{
    if (server->n_listeners == LISTENERS_MAX)
        return error_fail(e, ENOSPC, "too many listening sockets");
    int r = sd_event_add_io(server->event, &server->listeners[server->n_listeners], fd, EPOLLIN, on_accept,
                            server);
    if (r < 0)
        return error_os(e, -r, "cannot watch the listening socket");
    server->n_listeners++;
    return 0;
}

void varlink_server_unlisten(struct varlink_server *server)
{
    while (server->n_listeners > 0)
        sd_event_source_disable_unref(server->listeners[--server->n_listeners]);
}

void varlink_server_free(struct varlink_server *server)
{
    if (!server)
        return;
    server->freeing = true;
    varlink_server_unlisten(server);
    while (server->connections)
        connection_free(server->connections);
    sd_event_unref(server->event);
    free(server);
}

unsigned varlink_server_connections(const struct varlink_server *server)
{
    return server->n_connections;
}

static json_t *parameters_of(const struct schema_struct *s, const void *value)
{
    return s && value ? schema_pack(s, value) : json_object();
}

/* The call was answered: the next message of this connection may come. */
static void call_finish(struct varlink_call *call)
{
    struct connection *c = call->connection;
    c->call = NULL;
    free(call);
    stream_resume(c->stream);
}

static void call_send(struct varlink_call *call, json_t *message)
{
    if (!call->oneway)
        stream_send(call->connection->stream, message);
    json_decref(message);
}

void varlink_reply(struct varlink_call *call, const void *out)
{
    call_send(call, json_pack("{s:o}", "parameters", parameters_of(call->method->out, out)));
    call_finish(call);
}

void varlink_notify(struct varlink_call *call, const void *out)
{
    call_send(call,
              json_pack("{s:o,s:b}", "parameters", parameters_of(call->method->out, out), "continues", 1));
}

void varlink_error(struct varlink_call *call, const struct error *e)
{
    struct varlink_reason reason = {.reason = (char *)e->message};
    call_send(call, json_pack("{s:s,s:o}", "error", varlink_error_name(e->class), "parameters",
                              schema_pack(&varlink_reason_schema, &reason)));
    call_finish(call);
}

int varlink_upgrade(struct varlink_call *call, const void *out, int *ret_fd, struct error *e)
{
    struct connection *c = call->connection;
    char *early = NULL;
    size_t early_size = 0;
    call_send(call, json_pack("{s:o}", "parameters", parameters_of(call->method->out, out)));
    int fd = stream_detach(c->stream, 5 * USEC_PER_SEC, &early, &early_size);
    free(early); /* none of our upgraded streams reads from the client */
    call->on_gone = NULL;
    stream_close_when_sent(c->stream);
    if (fd < 0)
        return error_os(e, -fd, "cannot hand over the connection");
    *ret_fd = fd;
    return 0;
}

bool varlink_call_wants_more(const struct varlink_call *call)
{
    return call->more;
}

void varlink_call_peer(const struct varlink_call *call, uid_t *uid, gid_t *gid, pid_t *pid)
{
    if (uid)
        *uid = call->connection->peer.uid;
    if (gid)
        *gid = call->connection->peer.gid;
    if (pid)
        *pid = call->connection->peer.pid;
}

size_t varlink_call_pending(const struct varlink_call *call)
{
    return stream_pending(call->connection->stream);
}

void varlink_call_on_gone(struct varlink_call *call,
                          void (*on_gone)(struct varlink_call *call, void *userdata), void *userdata)
{
    call->on_gone = on_gone;
    call->on_gone_userdata = userdata;
}
