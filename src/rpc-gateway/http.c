/* Implements http.h: the library's daemon on the event loop, connections and their deadlines. */
#include "rpc-gateway/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "rpc-gateway/http_request.h"
#include "rpc-gateway/http_types.h"

#define BACKLOG_MAX     1024
#define ACCEPTS_AT_ONCE 8 /* connections accepted in one iteration of the loop */
#define RUNS_PER_SECOND 1000
#define RUNS_BURST      4000
#define PAUSE_USEC      2000
/* Ended connections that the library has not closed yet, beyond those that have a place. */
#define ENDING_MAX 32

static void on_run_timer(void *userdata);
static void on_deadline(void *userdata);

static void run(struct http_server *s)
{
    MHD_UNSIGNED_LONG_LONG msec;
    MHD_run(s->daemon);
    /* If the library has read more than it could process, it states when it has to run again. */
    if (MHD_get_timeout(s->daemon, &msec) == MHD_YES)
        timer_arm(&s->run_timer, s->event, msec * USEC_PER_MSEC, on_run_timer, s);
}

void http_run_soon(struct http_server *s)
{
    timer_arm(&s->run_timer, s->event, 0, on_run_timer, s);
}

/* Reports whether the library may run now. A client that sends a request byte by byte would make it run
 * for each byte: after many runs it pauses for a moment, in which more bytes arrive. */
static bool may_run(struct http_server *s)
{
    uint64_t now = now_monotonic_usec();
    s->runs += (double)(now - s->ran) / USEC_PER_SEC * RUNS_PER_SECOND;
    if (s->runs > RUNS_BURST)
        s->runs = RUNS_BURST;
    s->ran = now;
    if (s->runs < 1)
        return false;
    s->runs -= 1;
    return true;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)fd, (void)revents;
    struct http_server *s = userdata;
    if (may_run(s)) {
        run(s);
        return 0;
    }
    (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
    timer_arm(&s->run_timer, s->event, PAUSE_USEC, on_run_timer, s);
    return 0;
}

static void on_run_timer(void *userdata)
{
    struct http_server *s = userdata;
    (void)sd_event_source_set_enabled(s->io, SD_EVENT_ON);
    run(s);
}

/* --- deadlines. The library only limits idle time, which a client that sends single bytes never reaches.
 * --- */

static struct http_connection *of_place(struct peer_place *place)
{
    return (struct http_connection *)place;
}

static void set_deadline_timer(struct http_server *s)
{
    uint64_t at = UINT64_MAX;
    for (struct peer_place *p = s->places.oldest; p; p = p->next)
        if (of_place(p)->deadline < at)
            at = of_place(p)->deadline;
    if (at < UINT64_MAX)
        timer_arm_at(&s->deadline_timer, s->event, at, on_deadline, s);
    else
        timer_stop(&s->deadline_timer);
}

void http_connection_begun(struct http_connection *c)
{
    if (!c->ended)
        /* The timer can now expire once too early, which costs less than to rearm it. */
        c->deadline = c->created + HTTP_DEADLINE_USEC;
}

/* Releases the connection's place at once; the library closes the connection in its next run. Must not be
 * called from one of the library's callbacks. */
static void end(struct http_connection *c)
{
    if (c->ended)
        return;
    c->ended = true;
    c->deadline = UINT64_MAX;
    peer_places_remove(&c->server->places, &c->place);
    if (c->request)
        http_request_abandon(c->request);
    (void)shutdown(c->fd, SHUT_RDWR);
}

static void on_deadline(void *userdata)
{
    struct http_server *s = userdata;
    uint64_t now = now_monotonic_usec();
    for (struct peer_place *p = s->places.oldest, *next; p; p = next) {
        next = p->next;
        if (of_place(p)->deadline > now)
            continue;
        s->counts.overdue++;
        end(of_place(p));
    }
    run(s);
    set_deadline_timer(s);
}

/* --- connections --- */

/* Reports whether a new connection gets a place, before anything is read from it; ends another connection
 * if that must make room. */
static bool make_place(struct http_server *s, const struct peer *peer)
{
    unsigned n = peer_places_of(&s->places, peer);
    struct peer_place *victim = NULL;
    if (!peer_rate_take(&s->rate, peer, now_monotonic_usec())) {
        s->counts.refused_rate++;
        return false;
    }
    bool full = s->places.n >= HTTP_CONNECTIONS_MAX;
    if (full)
        victim = peer_places_least_welcome(&s->places, n);
    if (n >= s->options.limits.of_peer || (full && !victim)) {
        s->counts.refused_places++;
        return false;
    }
    if (victim) {
        s->counts.refused_places++;
        end(of_place(victim));
        run(s);
    }
    return true;
}

static void take(struct http_server *s, int fd, const struct sockaddr *address, socklen_t size)
{
    struct peer peer;
    if (s->options.identify)
        s->options.identify(fd, &peer);
    else
        peer_from_socket(address, &peer);
    if (!make_place(s, &peer)) {
        close_fd(fd);
        return;
    }
    s->counts.accepted++;
    s->accepting = &peer;
    if (MHD_add_connection(s->daemon, fd, address, size) == MHD_YES) /* closes 'fd' also on failure */
        run(s);
}

static void on_accept_timer(void *userdata)
{
    struct http_server *s = userdata;
    (void)sd_event_source_set_enabled(s->listener, SD_EVENT_ON);
}

/* Reports whether another connection may be accepted now. Otherwise a timer watches for it. */
static bool may_accept(struct http_server *s)
{
    const struct http_limits *limits = &s->options.limits;
    if (limits->accept_rate <= 0)
        return true;
    uint64_t now = now_monotonic_usec();
    s->accepts += (double)(now - s->accepts_at) / USEC_PER_SEC * limits->accept_rate;
    s->accepts_at = now;
    if (s->accepts > limits->accept_burst)
        s->accepts = limits->accept_burst;
    if (s->accepts >= 1) {
        s->accepts -= 1;
        return true;
    }
    (void)sd_event_source_set_enabled(s->listener, SD_EVENT_OFF);
    timer_arm(&s->accept_timer, s->event, PAUSE_USEC, on_accept_timer, s);
    return false;
}

/* Accepts up to 'n' connections. Returns false when none waits. */
static bool accept_some(struct http_server *s, int fd, unsigned n)
{
    while (n-- > 0 && may_accept(s)) {
        struct sockaddr_storage address;
        socklen_t size = sizeof address;
        int client = accept4(fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client >= 0) {
            take(s, client, (struct sockaddr *)&address, size);
            continue;
        }
        struct peer_place *place = peer_places_least_welcome(&s->places, 0);
        if ((errno == EMFILE || errno == ENFILE) && place) {
            end(of_place(place));
            run(s);
        }
        return false;
    }
    return true;
}

static int on_listen(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source, (void)revents;
    (void)accept_some(userdata, fd, ACCEPTS_AT_ONCE);
    return 0;
}

int http_server_move(struct http_server *s, int listen_fd, struct error *e)
{
    sd_event_source *listener = NULL;
    int r = sd_event_add_io(s->event, &listener, listen_fd, EPOLLIN, on_listen, s);
    if (r < 0)
        return error_os(e, -r, "cannot watch the new socket");
    (void)accept_some(s, s->options.listen_fd, BACKLOG_MAX);
    timer_stop(&s->accept_timer);
    sd_event_source_disable_unref(s->listener);
    s->listener = listener;
    s->options.listen_fd = listen_fd;
    return 0;
}

static void connection_opened(struct http_server *s, struct MHD_Connection *connection, void **context)
{
    struct http_connection *c = xcalloc(1, sizeof *c);
    c->peer = *s->accepting;
    c->server = s;
    c->created = now_monotonic_usec();
    c->deadline = c->created + HTTP_HEADERS_USEC;
    c->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    peer_places_add(&s->places, &c->place, &c->peer);
    s->counts.connections++;
    *context = c;
    set_deadline_timer(s);
}

static void connection_closed(struct http_server *s, struct http_connection *c)
{
    if (!c->ended)
        peer_places_remove(&s->places, &c->place);
    s->counts.connections--;
    free(c);
}

static void on_connection(void *userdata, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        connection_opened(userdata, connection, context);
    else if (*context)
        connection_closed(userdata, *context);
}

static _printf_(2, 0) void on_log(void *userdata, const char *format, va_list arguments)
{
    (void)userdata;
    char text[512];
    (void)vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0';
    log_debug("HTTP: %s", text);
}

const struct http_counts *http_server_counts(const struct http_server *server)
{
    return &server->counts;
}

int http_server_new(sd_event *event, const struct http_options *options, struct http_server **ret,
                    struct error *e)
{
    struct http_server *s = xcalloc(1, sizeof *s);
    s->options = *options;
    struct http_limits *limits = &s->options.limits;
    limits->of_peer = limits->of_peer ?: HTTP_CONNECTIONS_OF_PEER;
    s->event = sd_event_ref(event);
    peer_rate_init(&s->rate, limits->rate > 0 ? limits->rate : HTTP_RATE,
                   limits->burst > 0 ? limits->burst : HTTP_BURST);
    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET, 0, NULL,
        NULL, http_on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, s, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(HTTP_CONNECTIONS_MAX + ENDING_MAX), MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_HEADERS_MAX,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
        MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, s, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        s->daemon ? MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    int r = info ? sd_event_add_io(event, &s->io, info->epoll_fd, EPOLLIN, on_io, s) : -EIO;
    if (r >= 0)
        r = sd_event_add_io(event, &s->listener, options->listen_fd, EPOLLIN, on_listen, s);
    if (r < 0) {
        http_server_free(s);
        return error_os(e, -r, "cannot start the HTTP server");
    }
    *ret = s;
    return 0;
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    sd_event_source_disable_unref(s->listener);
    if (s->daemon) {
        for (struct http_request *r = s->requests; r; r = r->next)
            http_request_abandon(r);
        MHD_run(s->daemon);
        MHD_stop_daemon(s->daemon);
    }
    sd_event_source_disable_unref(s->io);
    timer_stop(&s->run_timer);
    timer_stop(&s->deadline_timer);
    timer_stop(&s->accept_timer);
    sd_event_unref(s->event);
    free(s);
}
