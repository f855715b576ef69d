/* Implements server.h: sockets, connections, calls and their replies. dispatch.c turns messages into calls.
 */
#include "lib/varlink/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/pack.h"
#include "lib/varlink/dispatch.h"
#include "lib/varlink/server-types.h"

#define LISTENERS_MAX 4
/* Connections that are accepted in one iteration of the event loop, so that the others are handled as well.
 */
#define ACCEPT_BATCH 64
/* A connection that has been idle for less is not ended, because its call may be in transit. */
#define IDLE_GRACE   USEC_PER_SEC
#define ACCEPT_PAUSE (100 * USEC_PER_MSEC)
/* Limit of the connections that wait at a listening socket (unix_listen()). */
#define BACKLOG 1024
/* Limits of the unsent bytes of one user. Root's is higher, because its tools read all lists. */
#define UNSENT_MAX      VARLINK_OUTPUT_MAX
#define UNSENT_MAX_ROOT (2 * VARLINK_OUTPUT_MAX)

int varlink_server_new(sd_event *event, const struct varlink_server_options *options,
                       struct varlink_server **ret)
{
    int r = timer_reserve(event); /* so that a timer can be armed during a shortage of descriptors */
    if (r < 0)
        return r;
    struct varlink_server *server = xcalloc(1, sizeof *server);
    server->event = sd_event_ref(event);
    server->options = *options;
    if (server->options.connections_max == 0)
        server->options.connections_max = 256;
    *ret = server;
    return 0;
}

/* --- users --- */

static struct varlink_user *get_user(struct varlink_server *server, uid_t uid)
{
    for (struct varlink_user *u = server->users; u; u = u->next)
        if (u->uid == uid)
            return u;
    struct varlink_user *user = xcalloc(1, sizeof *user);
    *user = (struct varlink_user){
        .next = server->users, .uid = uid, .account.unsent_max = uid == 0 ? UNSENT_MAX_ROOT : UNSENT_MAX};
    server->users = user;
    return user;
}

static int take_waiting(struct varlink_user *user)
{
    int fd = user->waiting[user->first_waiting];
    user->first_waiting = (user->first_waiting + 1) % WAITING_MAX;
    user->n_waiting--;
    return fd;
}

static void put_waiting(struct varlink_user *user, int fd)
{
    user->waiting[(user->first_waiting + user->n_waiting++) % WAITING_MAX] = fd;
}

static void free_user_if_gone(struct varlink_server *server, struct varlink_user *user)
{
    if (user->n_connections > 0 || user->n_waiting > 0)
        return;
    struct varlink_user **at = &server->users;
    while (*at != user)
        at = &(*at)->next;
    *at = user->next;
    free(user);
}

/* --- connections --- */

static void on_serve_later(void *userdata);

static void serve_later(struct varlink_server *server, uint64_t usec)
{
    timer_arm(&server->serve_later, server->event, usec, on_serve_later, server);
}

static void connection_free(struct connection *c)
{
    struct varlink_server *server = c->server;
    struct varlink_user *user = c->user;
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
    user->n_connections--;
    if (user->n_waiting > 0)
        serve_later(server, 0);
    else
        free_user_if_gone(server, user);
    if (server->n_connections == 0 && server->options.on_idle && !server->freeing)
        server->options.on_idle(server->options.hooks_userdata);
}

static void on_closed(struct stream *stream, const struct error *e, void *userdata)
{
    (void)stream;
    struct connection *c = userdata;
    if (e->errnum && e->errnum != ECONNRESET)
        log_debug("connection of pid %d, uid %u: %s", c->peer.pid, c->peer.uid, e->message);
    connection_free(c);
}

static struct ucred peer_of(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        peer = (struct ucred){.uid = (uid_t)-1, .gid = (gid_t)-1};
    return peer;
}

static void serve(struct varlink_server *server, struct varlink_user *user, int fd)
{
    struct connection *c = xcalloc(1, sizeof *c);
    c->server = server;
    c->user = user;
    c->peer = peer_of(fd);
    c->idle_since = now_monotonic_usec();
    if (stream_new(server->event, fd, connection_message, on_closed, c, &c->stream) < 0) {
        free(c);
        return;
    }
    stream_set_account(c->stream, &user->account);
    c->next = server->connections;
    if (c->next)
        c->next->previous = c;
    server->connections = c;
    server->n_connections++;
    user->n_connections++;
}

/* Ends the longest idle connection of a user. Returns false when none has been idle for IDLE_GRACE. */
static bool end_idle(struct varlink_server *server, const struct varlink_user *user)
{
    struct connection *oldest = NULL;
    uint64_t latest = now_monotonic_usec() - IDLE_GRACE;
    for (struct connection *c = server->connections; c; c = c->next)
        if (c->user == user && !c->call && c->idle_since <= (oldest ? oldest->idle_since : latest) &&
            stream_idle(c->stream))
            oldest = c;
    if (oldest)
        connection_free(oldest);
    return oldest;
}

static void serve_waiting(struct varlink_server *server, struct varlink_user *user)
{
    while (user->n_waiting > 0 &&
           (user->n_connections < server->options.connections_max || end_idle(server, user)))
        serve(server, user, take_waiting(user));
    if (user->n_waiting > 0) /* a connection can become idle for long enough */
        serve_later(server, IDLE_GRACE);
    free_user_if_gone(server, user);
}

static void on_serve_later(void *userdata)
{
    struct varlink_server *server = userdata;
    for (struct varlink_user *user = server->users, *next; user; user = next) {
        next = user->next;
        serve_waiting(server, user);
    }
}

/* --- accepting --- */

/* Sends an error and closes the connection, without reading from it: the caller receives the error before the
 * end of the connection. */
static void send_away(int fd, const char *error, const char *reason)
{
    json_t *message = json_pack("{s:s,s:{s:s}}", "error", error, "parameters", "reason", reason);
    char *text = json_dumps(message, JSON_COMPACT);
    if (text && send(fd, text, strlen(text) + 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        log_debug("cannot send the error to a refused caller: %s", strerrordesc_np(errno));
    free(text);
    json_decref(message);
    close_fd(fd);
}

static void admit(struct varlink_server *server, int fd)
{
    const struct varlink_server_options *o = &server->options;
    struct ucred peer = peer_of(fd);
    if (o->peer_allowed && !o->peer_allowed(peer.uid, peer.gid, peer.pid, o->hooks_userdata)) {
        log_debug("pid %d, uid %u may not call, and was sent away", peer.pid, peer.uid);
        send_away(fd, "org.varlink.service.PermissionDenied", "this user may not call this service");
        return;
    }
    struct varlink_user *user = get_user(server, peer.uid);
    if (user->n_waiting == WAITING_MAX) {
        send_away(fd, varlink_error_name(ERROR_RETRY), "this user has too many connections");
        return;
    }
    put_waiting(user, fd);
    serve_waiting(server, user);
}

static void set_accepting(struct varlink_server *server, int enabled)
{
    for (size_t i = 0; i < server->n_listeners; i++)
        sd_event_source_set_enabled(server->listeners[i], enabled);
}

static void on_accept_later(void *userdata)
{
    set_accepting(userdata, SD_EVENT_ON);
}

/* Stops accepting for ACCEPT_PAUSE after a shortage of descriptors. Otherwise the event loop would spin,
 * because the listening sockets stay readable. */
static void pause_accepting(struct varlink_server *server, int errnum)
{
    log_warning("cannot accept a connection, which waits: %s", strerrordesc_np(errnum));
    timer_arm(&server->accept_later, server->event, ACCEPT_PAUSE, on_accept_later, server);
    set_accepting(server, SD_EVENT_OFF);
}

/* Accepts up to ACCEPT_BATCH connections. Returns whether more may wait. */
static bool accept_some(struct varlink_server *server, int fd)
{
    /* Another process can have cleared O_NONBLOCK of the shared socket; accept4() would then block. */
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    for (unsigned i = 0; i < ACCEPT_BATCH; i++) {
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client >= 0)
            admit(server, client);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            pause_accepting(server, errno);
        if (client < 0)
            return false;
    }
    return true;
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source, (void)revents;
    accept_some(userdata, fd);
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

/* Stops accepting; existing connections remain. */
static void varlink_server_unlisten(struct varlink_server *server)
{
    while (server->n_listeners > 0)
        sd_event_source_disable_unref(server->listeners[--server->n_listeners]);
}

int varlink_server_move(struct varlink_server *server, int fd, struct error *e)
{
    sd_event_source *fresh = NULL;
    int r = sd_event_add_io(server->event, &fresh, fd, EPOLLIN, on_accept, server);
    if (r < 0)
        return error_os(e, -r, "cannot watch the listening socket");
    for (size_t i = 0; i < server->n_listeners; i++) {
        int old = sd_event_source_get_io_fd(server->listeners[i]);
        for (unsigned k = 0; k < BACKLOG / ACCEPT_BATCH && accept_some(server, old); k++)
            ;
    }
    varlink_server_unlisten(server);
    server->listeners[server->n_listeners++] = fresh;
    return 0;
}

void varlink_server_free(struct varlink_server *server)
{
    if (!server)
        return;
    server->freeing = true;
    varlink_server_unlisten(server);
    for (struct varlink_user *user = server->users, *next; user; user = next) {
        next = user->next;
        while (user->n_waiting > 0)
            close_fd(take_waiting(user));
        free_user_if_gone(server, user);
    }
    while (server->connections)
        connection_free(server->connections);
    timer_stop(&server->serve_later);
    timer_stop(&server->accept_later);
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

/* Frees a call after its final reply, and lets the connection handle the next message. */
static void call_finish(struct varlink_call *call)
{
    struct connection *c = call->connection;
    c->call = NULL;
    c->idle_since = now_monotonic_usec();
    free(call);
    stream_resume(c->stream);
}

static void call_send(struct varlink_call *call, json_t *message)
{
    if (!call->oneway && stream_send(call->connection->stream, message) == -EMSGSIZE) {
        json_t *instead = json_pack("{s:s,s:{s:s}}", "error", varlink_error_name(ERROR_FAILED), "parameters",
                                    "reason", "the reply is larger than a message may be");
        (void)stream_send(call->connection->stream, instead);
        json_decref(instead);
    }
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
    /* A time-out of 0: a client that has not read its earlier replies must not block the process. */
    int fd = stream_detach(c->stream, 0, &early, &early_size);
    free(early); /* hostlet's upgraded streams read nothing from the client */
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

uid_t varlink_call_uid(const struct varlink_call *call)
{
    return call->connection->peer.uid;
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
