/* Implements server.h: listening sockets, connections and limits. call.c handles calls. */
#include "lib/grpc/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/grpc/call.h"
#include "lib/grpc/call_answer.h"
#include "lib/grpc/call_message.h"
#include "lib/grpc/server-types.h"
#include "lib/grpc/tls.h"

#define MIB        ((size_t)1 << 20)
#define WINDOW_ALL (1024 * 1024)
/* A connection without a valid token for this long can be replaced by another one of its address. */
#define STRANGER_USEC (5 * USEC_PER_SEC)

static void set_share(size_t *share, size_t mib)
{
    *share = *share ?: mib * MIB;
}

static void set_defaults(struct grpc_server_options *o)
{
    o->connections_max = o->connections_max ?: 64;
    o->connections_per_address_max = o->connections_per_address_max ?: 8;
    o->streams_max = o->streams_max ?: 32;
    o->message_max = o->message_max ?: 16 * MIB;
    o->buffered_max = o->buffered_max ?: 48 * MIB;
    o->memory_max = o->memory_max ?: 64 * MIB;
    o->unsent_max = o->unsent_max ?: 32 * MIB;
    set_share(&o->strangers.connection, 32);
    set_share(&o->strangers.origin, 48);
    set_share(&o->strangers.all, 64);
    set_share(&o->trusted.connection, 64);
    set_share(&o->trusted.origin, 96);
    set_share(&o->trusted.all, 128);
    o->request_timeout_usec = o->request_timeout_usec ?: 20 * USEC_PER_SEC;
    o->answer_timeout_usec = o->answer_timeout_usec ?: 60 * USEC_PER_SEC;
    o->handshake_timeout_usec = o->handshake_timeout_usec ?: 10 * USEC_PER_SEC;
    o->keepalive_usec = o->keepalive_usec ?: 60 * USEC_PER_SEC;
    o->idle_timeout_usec = o->idle_timeout_usec ?: 300 * USEC_PER_SEC;
}

int grpc_server_new(sd_event *event, const struct grpc_server_options *options, struct grpc_server **ret)
{
    struct grpc_server *s = xcalloc(1, sizeof *s);
    s->event = sd_event_ref(event);
    s->options = *options;
    set_defaults(&s->options);
    s->budget.max = s->options.buffered_max;
    s->accounts.max[GRPC_STRANGERS] = s->options.strangers;
    s->accounts.max[GRPC_TRUSTED] = s->options.trusted;
    *ret = s;
    return 0;
}

void grpc_server_add(struct grpc_server *s, const struct grpc_service *service, void *userdata)
{
    if (s->n_services == SERVICES_MAX)
        abort();
    s->services[s->n_services++] = (struct grpc_added){service, userdata};
}

const char *grpc_server_service_name(const struct grpc_server *s, size_t i)
{
    return i < s->n_services ? s->services[i].service->name : NULL;
}

unsigned grpc_server_connections(const struct grpc_server *s)
{
    return s->n_connections;
}

/* --- draining --- */

static int on_drained(sd_event_source *source, void *userdata)
{
    (void)source;
    struct grpc_server *s = userdata;
    if (s->on_drained)
        s->on_drained(s->drained_userdata);
    return 0;
}

static void tell_drained(struct grpc_server *s)
{
    if (s->drained && s->n_connections == 0)
        sd_event_source_set_enabled(s->drained, SD_EVENT_ONESHOT);
}

static void unlisten(struct grpc_server *s)
{
    while (s->n_listeners > 0)
        sd_event_source_disable_unref(s->listeners[--s->n_listeners]);
}

static void connection_end(struct grpc_connection *c);

static void on_drain_timer(void *userdata)
{
    struct grpc_server *s = userdata;
    while (s->connections)
        connection_end(s->connections);
    tell_drained(s);
}

void grpc_server_drain(struct grpc_server *s, uint64_t timeout_usec, void (*done)(void *userdata),
                       void *userdata)
{
    if (s->draining)
        return;
    s->draining = true;
    s->on_drained = done;
    s->drained_userdata = userdata;
    unlisten(s);
    if (sd_event_add_defer(s->event, &s->drained, on_drained, s) >= 0)
        sd_event_source_set_enabled(s->drained, SD_EVENT_OFF);
    timer_arm(&s->drain_timer, s->event, timeout_usec, on_drain_timer, s);
    for (struct grpc_connection *c = s->connections; c; c = c->next) {
        for (struct grpc_call *call = c->first_stream; call; call = call->next)
            call_drain(call);
        grpc_connection_drain(c);
    }
    tell_drained(s);
}

/* --- connections --- */

static void set_accepting(struct grpc_server *s, bool accepting)
{
    s->paused = !accepting;
    for (size_t i = 0; i < s->n_listeners; i++)
        sd_event_source_set_enabled(s->listeners[i], accepting ? SD_EVENT_ON : SD_EVENT_OFF);
}

static bool is_full(const struct grpc_server *s)
{
    return s->n_connections >= s->options.connections_max;
}

static void connection_end(struct grpc_connection *c)
{
    struct grpc_server *s = c->owner;
    while (c->first_stream)
        call_drop(c->first_stream);
    if (c->previous)
        c->previous->next = c->next;
    else
        s->connections = c->next;
    if (c->next)
        c->next->previous = c->previous;
    peer_places_remove(&s->places, &c->place);
    grpc_connection_free(c);
    s->n_connections--;
    if (s->paused && !is_full(s))
        set_accepting(s, true);
}

static void on_gone(struct grpc_connection *c, const struct error *e)
{
    struct grpc_server *s = c->owner;
    if (e->errnum != ECONNRESET)
        log_debug("%s", e->message);
    connection_end(c);
    tell_drained(s);
}

/* --- memory and cost of connections --- */

bool server_has_room(struct grpc_connection *c, size_t more)
{
    struct grpc_account *heaviest;
    enum grpc_account_verdict verdict;
    while ((verdict = grpc_account_judge(&c->account, more)) == GRPC_ACCOUNT_FULL &&
           (heaviest = grpc_account_heaviest(&c->account, more))) {
        grpc_account_leave(heaviest);
        grpc_connection_fail(heaviest->owner, ENOBUFS, "holds most memory, and is evicted");
    }
    return verdict == GRPC_ACCOUNT_FITS;
}

static bool has_room(struct grpc_connection *c)
{
    return server_has_room(c, 0);
}

bool server_pays(struct grpc_connection *c, unsigned cost)
{
    const struct grpc_server_options *o = &((struct grpc_server *)c->owner)->options;
    return c->trusted || !o->spend || o->spend((const struct sockaddr *)&c->address, cost, o->userdata);
}

unsigned server_calls_at_once(const struct grpc_connection *c, const struct grpc_method *method)
{
    const struct grpc_server *s = c->owner;
    unsigned n = 0;
    for (const struct grpc_connection *other = s->connections; other; other = other->next)
        if (peer_equal(&other->place.origin, &c->place.origin))
            for (const struct grpc_call *call = other->first_stream; call; call = call->next)
                n += call->method == method && !call->answered;
    return n;
}

static void wake(struct grpc_connection *c)
{
    for (struct grpc_call *call = c->first_stream; call; call = call->next)
        call_wake(call);
}

static const struct grpc_connection_hooks hooks = {
    .begin = call_begin,
    .header = call_header,
    .headers = call_headers,
    .data = call_data,
    .end = call_end,
    .sent_end = call_sent_end,
    .closed = call_closed,
    .toll = server_pays,
    .room = has_room,
    .wake = wake,
    .gone = on_gone,
};

static struct grpc_connection *of_place(struct peer_place *place)
{
    return (struct grpc_connection *)place;
}

/* Returns the oldest connection of an address that has shown no valid token for STRANGER_USEC, or NULL. */
static struct grpc_connection *overdue_of(const struct grpc_server *s, const struct peer *peer)
{
    struct peer_place *place = peer_places_silent_of(&s->places, peer);
    return place && now_monotonic_usec() >= of_place(place)->created + STRANGER_USEC ? of_place(place) : NULL;
}

/* Returns the connection to evict when there are too many, or NULL. Unauthenticated peers must not keep out
 * authenticated ones, however many addresses they use. */
static struct grpc_connection *least_welcome(const struct grpc_server *s)
{
    struct peer_place *place = peer_places_least_welcome(&s->places, 0);
    return place ? of_place(place) : NULL;
}

static bool make_place(struct grpc_server *s, const struct peer *peer, const struct sockaddr *address)
{
    const struct grpc_server_options *o = &s->options;
    struct grpc_connection *gives_way = NULL;
    if (s->draining || (o->admit && !o->admit(address, o->userdata)))
        return false;
    bool crowd = peer_places_of(&s->places, peer) >= o->connections_per_address_max;
    if (crowd)
        gives_way = overdue_of(s, peer);
    else if (is_full(s))
        gives_way = least_welcome(s);
    if (!gives_way)
        return !crowd && !is_full(s);
    log_debug("too many connections: one of %s is evicted", gives_way->peer);
    connection_end(gives_way);
    return true;
}

void grpc_server_take(struct grpc_server *s, int fd)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof address;
    struct error e = ERROR_INIT;
    struct grpc_connection *c = NULL;
    struct grpc_tls *tls = NULL;
    struct peer peer;
    if (getpeername(fd, (struct sockaddr *)&address, &size) < 0) {
        close_fd(fd);
        return;
    }
    peer_from_socket((struct sockaddr *)&address, &peer);
    if (!make_place(s, &peer, (struct sockaddr *)&address)) {
        close_fd(fd);
        return;
    }
    if (s->options.tls && grpc_tls_new(s->options.tls, fd, true, NULL, &tls, &e) < 0) {
        log_debug("%s", e.message);
        close_fd(fd);
        return;
    }
    const struct grpc_connection_options o = {
        .hooks = &hooks,
        .owner = s,
        .limits = {.handshake = s->options.handshake_timeout_usec,
                   .stall = 30 * USEC_PER_SEC,
                   .keepalive = s->options.keepalive_usec,
                   .keepalive_answer = 20 * USEC_PER_SEC,
                   .idle = s->options.idle_timeout_usec},
        .server = true,
        .tls = tls,
        .streams_max = s->options.streams_max,
        .window = WINDOW_FIRST,
        .window_all = WINDOW_ALL,
        .header_list_max = HEADERS_MAX,
    };
    if (grpc_connection_new(s->event, fd, &o, &c, &e) < 0) {
        log_debug("%s", e.message);
        return;
    }
    peer_places_add(&s->places, &c->place, &peer);
    grpc_account_open(&s->accounts, &c->account, &peer, c);
    c->next = s->connections;
    if (c->next)
        c->next->previous = c;
    s->connections = c;
    s->n_connections++;
    grpc_connection_kick(c);
}

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source, (void)events;
    struct grpc_server *s = userdata;
    if (is_full(s) && !least_welcome(s)) {
        /* until a connection ends */
        set_accepting(s, false);
        return 0;
    }
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client >= 0)
        grpc_server_take(s, client);
    else if ((errno == EMFILE || errno == ENFILE) && s->n_connections > 0)
        /* until a connection ends */
        set_accepting(s, false);
    return 0;
}

int grpc_server_listen(struct grpc_server *s, int fd, struct error *e)
{
    if (s->n_listeners == LISTENERS_MAX)
        return error_fail(e, ENOSPC, "too many listening sockets");
    int r = sd_event_add_io(s->event, &s->listeners[s->n_listeners], fd, EPOLLIN, on_accept, s);
    if (r < 0)
        return error_os(e, -r, "cannot watch the gRPC socket");
    s->n_listeners++;
    return 0;
}

void grpc_server_free(struct grpc_server *s)
{
    if (!s)
        return;
    unlisten(s);
    while (s->connections)
        connection_end(s->connections);
    sd_event_source_disable_unref(s->drained);
    timer_stop(&s->drain_timer);
    sd_event_unref(s->event);
    free(s);
}
