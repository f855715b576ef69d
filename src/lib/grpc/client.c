/* Implements the connections of client.h, and assigns calls to them. request.c handles calls. */
#include "lib/grpc/client.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/grpc/client-types.h"
#include "lib/grpc/request.h"
#include "lib/grpc/tls.h"

#define MIB        ((size_t)1 << 20)
#define WINDOW     (2 * 1024 * 1024)
#define WINDOW_ALL (8 * 1024 * 1024)

/* --- lists --- */

void request_link(struct grpc_request *q, struct grpc_request **list)
{
    struct grpc_request **end = list, *last = NULL;
    for (; *end; end = &(*end)->next)
        last = *end;
    *end = q;
    q->next = NULL;
    q->previous = last;
}

void request_unlink(struct grpc_request *q)
{
    if (q->previous)
        q->previous->next = q->next;
    else if (q->connection)
        q->connection->first_stream = q->next;
    else
        q->client->waiting = q->next;
    if (q->next)
        q->next->previous = q->previous;
    q->next = q->previous = NULL;
}

/* --- connections --- */

static void connection_end(struct grpc_connection *c, const char *why)
{
    struct grpc_client *client = c->owner;
    if (c->previous)
        c->previous->next = c->next;
    else
        client->connections = c->next;
    if (c->next)
        c->next->previous = c->previous;
    /* Calls that are started by callbacks below must use another connection. */
    c->draining = true;
    while (c->first_stream)
        request_lost(c->first_stream, why);
    grpc_connection_free(c);
}

static void on_gone(struct grpc_connection *c, const struct error *e)
{
    log_debug("%s", e->message);
    connection_end(c, e->message);
}

/* Moves calls whose streams were not opened yet to another connection. */
static void on_goaway(struct grpc_connection *c)
{
    struct grpc_request *q = c->first_stream;
    while (q) {
        struct grpc_request *next = q->next;
        if (!nghttp2_session_find_stream(c->session, q->stream)) {
            nghttp2_submit_rst_stream(c->session, 0, q->stream, NGHTTP2_CANCEL);
            request_send_again(q);
        }
        q = next;
    }
}

static const struct grpc_connection_hooks hooks = {
    .header = request_header,
    .headers = request_headers,
    .data = request_data,
    .end = request_end,
    .sent_end = request_sent_end,
    .closed = request_closed,
    .goaway = on_goaway,
    .gone = on_gone,
};

/* Fails the waiting calls, because no connection can be established. */
static void fail_waiting(struct grpc_client *client, const char *why)
{
    free(client->failure);
    client->failure = xstrdup(why);
    client_kick(client);
}

static int bind_source(int fd, const char *source, struct error *e)
{
    struct sockaddr_storage address;
    socklen_t size;
    if (grpc_numeric_address(source, 0, &address, &size) < 0)
        return error_refuse(e, EINVAL, "'%s' is not an address to connect from", source);
    if (bind(fd, (struct sockaddr *)&address, size) < 0)
        return error_os(e, errno, "cannot connect from %s", source);
    return 0;
}

static int make_socket(struct grpc_client *client, const struct sockaddr_storage *address, socklen_t size,
                       struct error *e)
{
    _cleanup_close_ int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_os(e, errno, "cannot make a socket");
    if (client->options.source) {
        int r = bind_source(fd, client->options.source, e);
        if (r < 0)
            return r;
    }
    if (connect(fd, (const struct sockaddr *)address, size) < 0 && errno != EINPROGRESS)
        return error_os(e, errno, "%s: cannot connect", client->address);
    return TAKE_FD(fd);
}

static void connect_to(struct grpc_client *client, const struct sockaddr_storage *address, socklen_t size)
{
    struct error e = ERROR_INIT;
    struct grpc_tls *tls = NULL;
    struct grpc_connection *c = NULL;
    int fd = make_socket(client, address, size, &e);
    int r = fd < 0                ? fd
            : client->options.tls ? grpc_tls_new(client->options.tls, fd, false, client->host, &tls, &e)
                                  : 0;
    if (r < 0) {
        close_fd(fd);
        fail_waiting(client, e.message);
        return;
    }
    const struct grpc_connection_options o = {
        .hooks = &hooks,
        .owner = client,
        .limits = {.handshake = client->options.connect_timeout_usec,
                   .stall = 30 * USEC_PER_SEC,
                   .keepalive = client->options.keepalive_usec,
                   .keepalive_answer = 10 * USEC_PER_SEC,
                   .idle = client->options.idle_timeout_usec},
        .connecting = true,
        .tls = tls,
        .window = WINDOW,
        .window_all = WINDOW_ALL,
        .header_list_max = 16 * 1024,
    };
    if (grpc_connection_new(client->event, fd, &o, &c, &e) < 0) {
        fail_waiting(client, e.message);
        return;
    }
    snprintf(c->peer, sizeof c->peer, "%.79s", client->address);
    c->next = client->connections;
    if (c->next)
        c->next->previous = c;
    client->connections = c;
    /* From now on its timeouts are checked. */
    grpc_connection_kick(c);
    client_kick(client);
}

static void on_resolved(const struct sockaddr_storage *address, socklen_t size, const struct error *e,
                        void *userdata)
{
    struct grpc_client *client = userdata;
    client->resolve = NULL;
    if (address)
        connect_to(client, address, size);
    else
        fail_waiting(client, e->message);
}

static void make_connection(struct grpc_client *client)
{
    struct sockaddr_storage address;
    socklen_t size;
    struct error e = ERROR_INIT;
    if (client->resolve)
        return;
    if (grpc_numeric_address(client->host, client->port, &address, &size) == 0)
        connect_to(client, &address, size);
    else if (!(client->resolve =
                   grpc_resolve_start(client->event, client->host, client->port, on_resolved, client, &e)))
        fail_waiting(client, e.message);
}

/* Returns the connection for new calls, or NULL. */
static struct grpc_connection *current(const struct grpc_client *client)
{
    struct grpc_connection *c = client->connections;
    return c && !c->draining && !c->dead ? c : NULL;
}

static int on_work(sd_event_source *source, void *userdata)
{
    (void)source;
    struct grpc_client *client = userdata;
    if (client->failure) {
        _cleanup_free_ char *why = TAKE_PTR(client->failure);
        struct grpc_request *last = client->waiting;
        while (last && last->next)
            last = last->next;
        /* Calls that the callbacks add are after 'last', and start another attempt. */
        for (bool more = last; more && client->waiting;) {
            more = client->waiting != last;
            request_lost(client->waiting, why);
        }
    }
    if (client->waiting && !current(client))
        make_connection(client);
    while (client->waiting && current(client)) {
        struct grpc_request *q = client->waiting;
        request_unlink(q);
        request_submit(q, current(client));
    }
    return 0;
}

void client_kick(struct grpc_client *client)
{
    if (!client->freeing)
        sd_event_source_set_enabled(client->work, SD_EVENT_ONESHOT);
}

void grpc_client_renew(struct grpc_client *client)
{
    struct grpc_connection *c = current(client);
    if (c)
        grpc_connection_drain(c);
}

int grpc_client_new(sd_event *event, const struct grpc_client_options *options, struct grpc_client **ret,
                    struct error *e)
{
    char *host = NULL;
    uint16_t port = 0;
    int r = grpc_split_address(options->address, &host, &port, e);
    if (r < 0)
        return r;
    struct grpc_client *client = xcalloc(1, sizeof *client);
    client->event = sd_event_ref(event);
    client->options = *options;
    client->options.source = xstrdup_null(options->source);
    client->address = xstrdup(options->address);
    client->host = host;
    client->port = port;
    client->options.message_max = options->message_max ?: 24 * MIB;
    client->options.connect_timeout_usec = options->connect_timeout_usec ?: 5 * USEC_PER_SEC;
    client->options.keepalive_usec = options->keepalive_usec ?: 30 * USEC_PER_SEC;
    client->options.idle_timeout_usec = options->idle_timeout_usec ?: 300 * USEC_PER_SEC;
    r = sd_event_add_defer(event, &client->work, on_work, client);
    if (r >= 0)
        r = sd_event_source_set_enabled(client->work, SD_EVENT_OFF);
    if (r < 0) {
        grpc_client_free(client);
        return error_os(e, -r, "cannot make the event loop");
    }
    *ret = client;
    return 0;
}

void grpc_client_free(struct grpc_client *client)
{
    if (!client)
        return;
    client->freeing = true;
    while (client->waiting)
        grpc_request_cancel(client->waiting);
    while (client->connections) {
        struct grpc_connection *c = client->connections;
        while (c->first_stream)
            grpc_request_cancel(c->first_stream);
        connection_end(c, "");
    }
    grpc_resolve_cancel(client->resolve);
    sd_event_source_disable_unref(client->work);
    sd_event_unref(client->event);
    free((char *)client->options.source);
    free(client->failure);
    free(client->address);
    free(client->host);
    free(client);
}
