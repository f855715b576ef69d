/* Implements connection.h: creation and end, reading, sending and timeouts. session.c contains the callbacks
 * of nghttp2. */
#include "lib/grpc/connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/grpc/session.h"
#include "lib/grpc/tls.h"

#define READ_SIZE       (64 * 1024)
#define READS_AT_ONCE   8 /* then other event sources run */
#define SEND_SIZE       (64 * 1024)
#define SMALL_SIZE      4096
#define TCP_PATIENCE_MS 20000
#define TCP_UNSENT_MAX  (256 * 1024)      /* bytes that the kernel buffers and could not send yet */
#define HELD_MAX        ((size_t)4 << 20) /* limit for a connection whose owner uses no accounts */
#define COST_CONNECTION 4096              /* bytes of memory for the struct and its event sources */
#define COST_TLS        (96 * 1024)

/* A connection is ended after this many useless frames within FRAMES_TIME. */
#define FRAMES_MAX   2000
#define FRAMES_WORTH 8 /* number of frames that one delivered message compensates */
#define FRAMES_TIME  (10 * USEC_PER_SEC)

/* Formats an address: "192.0.2.1:9533", "[2001:db8::1]:9533". */
static void grpc_address_text(const struct sockaddr *address, char *ret, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
    if (address->sa_family == AF_INET) {
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(ret, size, "%s:%u", host, ntohs(in->sin_port));
    } else if (address->sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(ret, size, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else
        snprintf(ret, size, "?");
}

void grpc_connection_fail(struct grpc_connection *c, int errnum, const char *fmt, ...)
{
    char what[512];
    va_list ap;
    if (c->dead)
        return;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    error_retry(&c->error, errnum, "%s: %s", c->peer, what);
    c->dead = true;
    if (c->io)
        sd_event_source_set_enabled(c->io, SD_EVENT_OFF);
    grpc_connection_kick(c);
}

void grpc_connection_kick(struct grpc_connection *c)
{
    if (c->work)
        sd_event_source_set_enabled(c->work, SD_EVENT_ONESHOT);
}

/* Ends a connection after sending the peer ENHANCE_YOUR_CALM. Must not be called from a hook. */
static void grpc_connection_banish(struct grpc_connection *c, const char *why)
{
    if (c->dead || c->banished)
        return;
    log_debug("%s: %s: ending the connection", c->peer, why);
    c->banished = true;
    nghttp2_session_terminate_session(c->session, NGHTTP2_ENHANCE_YOUR_CALM);
    grpc_connection_kick(c);
}

void grpc_connection_wake(struct grpc_connection *c)
{
    c->woken = true;
    grpc_connection_kick(c);
}

void grpc_connection_consumed(struct grpc_connection *c, int32_t stream, size_t bytes)
{
    nghttp2_session_consume_stream(c->session, stream, bytes);
    grpc_connection_kick(c);
}

void grpc_connection_useful(struct grpc_connection *c)
{
    c->frames -= c->frames < FRAMES_WORTH ? c->frames : FRAMES_WORTH;
}

void grpc_connection_opened(struct grpc_connection *c)
{
    c->streams++;
}

void grpc_connection_closed(struct grpc_connection *c)
{
    if (--c->streams == 0)
        c->idle_since = now_monotonic_usec();
    grpc_connection_kick(c);
}

void grpc_connection_drain(struct grpc_connection *c)
{
    if (c->draining || c->dead)
        return;
    c->draining = true;
    if (c->server && c->settled) {
        /* The final GOAWAY is sent after the reply to a ping: all streams that the peer had begun are
         * received by then. */
        c->farewell = true;
        c->pinged = now_monotonic_usec();
        nghttp2_submit_shutdown_notice(c->session);
        nghttp2_submit_ping(c->session, 0, GRPC_PING_DRAIN);
    } else
        session_goaway(c);
    grpc_connection_kick(c);
}

/* --- reading --- */

static ssize_t read_some(struct grpc_connection *c, void *data, size_t size, struct error *e)
{
    if (c->tls)
        return grpc_tls_read(c->tls, data, size, e);
    ssize_t n = recv(c->fd, data, size, 0);
    return n < 0 ? error_fail(e, errno, "%s", strerror(errno)) : n;
}

/* Counts the cost of received bytes before they are parsed. Returns false if the peer exceeds a limit. */
static bool pays_for(struct grpc_connection *c, const uint8_t *data, size_t size)
{
    struct grpc_toll toll = grpc_tally(&c->tally, data, size);
    if (c->last_read > c->frames_since + FRAMES_TIME) {
        c->frames_since = c->last_read;
        c->frames = 0;
    }
    c->frames += toll.frames;
    if (c->frames >= FRAMES_MAX)
        grpc_connection_banish(c, "sends too many useless frames");
    else if (c->hooks->toll && !c->hooks->toll(c, toll.cost))
        grpc_connection_banish(c, "causes too much work");
    return !c->banished;
}

/* Ends the connection if it holds too much. The memory that nghttp2 needs is known only after parsing. */
static void check_room(struct grpc_connection *c)
{
    if (!c->dead && !(c->hooks->room ? c->hooks->room(c) : c->account.held <= HELD_MAX))
        grpc_connection_fail(c, ENOBUFS, "causes too much memory to be held");
}

static void receive(struct grpc_connection *c)
{
    uint8_t buffer[READ_SIZE];
    for (int i = 0; i < READS_AT_ONCE && !c->dead && !c->banished; i++) {
        struct error e = ERROR_INIT;
        ssize_t n = read_some(c, buffer, sizeof buffer, &e);
        if (n == -EAGAIN || n == -EINTR)
            return;
        if (n < 0) {
            grpc_connection_fail(c, (int)-n, "%s", e.message);
            return;
        }
        if (n == 0) {
            grpc_connection_fail(c, ECONNRESET, "closed the connection");
            return;
        }
        c->last_read = now_monotonic_usec();
        c->pinged = 0;
        if (!pays_for(c, buffer, (size_t)n))
            return;
        ssize_t used = nghttp2_session_mem_recv(c->session, buffer, (size_t)n);
        if (used < 0) {
            grpc_connection_fail(c, EPROTO, "violates HTTP/2: %s", nghttp2_strerror((int)used));
            return;
        }
        check_room(c);
    }
}

/* --- sending --- */

static ssize_t write_some(struct grpc_connection *c, const void *data, size_t size, struct error *e)
{
    if (c->tls)
        return grpc_tls_write(c->tls, data, size, e);
    ssize_t n = send(c->fd, data, size, MSG_NOSIGNAL);
    return n < 0 ? error_fail(e, errno, "%s", strerror(errno)) : n;
}

/* Sends the queued bytes. Returns false if the socket accepts no more. */
static bool send_unsent(struct grpc_connection *c)
{
    while (c->unsent_at < c->unsent_size) {
        struct error e = ERROR_INIT;
        ssize_t n = write_some(c, c->unsent + c->unsent_at, c->unsent_size - c->unsent_at, &e);
        if (n == -EINTR)
            continue;
        if (n < 0 && n != -EAGAIN) {
            grpc_connection_fail(c, (int)-n, "%s", e.message);
            return false;
        }
        if (n < 0) {
            if (!c->stalled_since)
                c->stalled_since = now_monotonic_usec();
            return false;
        }
        c->unsent_at += (size_t)n;
        c->stalled_since = 0;
    }
    free(c->unsent);
    c->unsent = NULL;
    grpc_account_sub(&c->account, c->unsent_room);
    c->unsent_at = c->unsent_size = c->unsent_room = 0;
    return true;
}

/* Collects frames of the session up to about SEND_SIZE bytes, so that one write sends many small frames. */
static void collect(struct grpc_connection *c)
{
    while (c->unsent_size < SEND_SIZE) {
        const uint8_t *data = NULL;
        ssize_t n = nghttp2_session_mem_send(c->session, &data);
        if (n < 0) {
            grpc_connection_fail(c, EPROTO, "cannot make frames: %s", nghttp2_strerror((int)n));
            return;
        }
        if (n == 0)
            return;
        if (c->unsent_size + (size_t)n > c->unsent_room) {
            size_t room = c->unsent_size + (size_t)n <= SMALL_SIZE ? SMALL_SIZE : SEND_SIZE + (size_t)n;
            c->unsent = xrealloc(c->unsent, room, 1);
            grpc_account_add(&c->account, room - c->unsent_room);
            c->unsent_room = room;
        }
        memcpy(c->unsent + c->unsent_size, data, (size_t)n);
        c->unsent_size += (size_t)n;
    }
}

static void flush(struct grpc_connection *c)
{
    if (c->connecting)
        return;
    while (!c->dead && send_unsent(c)) {
        collect(c);
        if (c->unsent_size == 0)
            break;
    }
    bool wants = c->unsent_size > 0;
    if (c->tls)
        wants = (wants && !grpc_tls_write_wants_read(c->tls)) || grpc_tls_read_wants_write(c->tls);
    if (!c->dead)
        sd_event_source_set_io_events(c->io, EPOLLIN | (wants ? EPOLLOUT : 0u));
}

/* --- time --- */

static void earlier(uint64_t *at, uint64_t begin, uint64_t limit)
{
    if (limit && begin + limit < *at)
        *at = begin + limit;
}

static uint64_t next_deadline(const struct grpc_connection *c)
{
    uint64_t at = UINT64_MAX;
    if (!c->settled)
        earlier(&at, c->created, c->limits.handshake);
    if (c->stalled_since)
        earlier(&at, c->stalled_since, c->limits.stall);
    if (c->pinged)
        earlier(&at, c->pinged, c->limits.keepalive_answer);
    else if (c->streams > 0)
        earlier(&at, c->last_read, c->limits.keepalive);
    if (c->streams == 0)
        earlier(&at, c->idle_since, c->limits.idle);
    return at;
}

static void on_timer(void *userdata);

/* The timer can fire too early and is then set again, which costs less than moving it with every frame. */
static void arm(struct grpc_connection *c)
{
    uint64_t at = next_deadline(c);
    if (c->dead || at >= (timer_armed(&c->timer) ? c->timer.at : UINT64_MAX))
        return;
    timer_arm_at(&c->timer, c->event, at, on_timer, c);
}

static bool over(uint64_t now, uint64_t begin, uint64_t limit)
{
    return limit && now >= begin + limit;
}

static void watch_time(struct grpc_connection *c, uint64_t now)
{
    const struct grpc_connection_limits *l = &c->limits;
    if (!c->settled && over(now, c->created, l->handshake))
        grpc_connection_fail(c, ETIMEDOUT,
                             c->connecting ? "no connection within %.3g s" : "no HTTP/2 within %.3g s",
                             (double)l->handshake / 1e6);
    else if (c->stalled_since && over(now, c->stalled_since, l->stall))
        grpc_connection_fail(c, ETIMEDOUT, "does not read what is sent");
    else if (c->pinged && over(now, c->pinged, l->keepalive_answer))
        grpc_connection_fail(c, ETIMEDOUT, "does not respond any more");
    else if (!c->pinged && c->streams > 0 && over(now, c->last_read, l->keepalive)) {
        c->pinged = now;
        nghttp2_submit_ping(c->session, 0, GRPC_PING_ALIVE);
    } else if (c->streams == 0 && over(now, c->idle_since, l->idle)) {
        log_debug("%s: idle, ended", c->peer);
        session_goaway(c);
    }
}

/* Ends each iteration: sends what is queued, and calls 'gone' if the connection has failed. 'c' may be freed
 * afterwards. */
static void conclude(struct grpc_connection *c)
{
    if (c->woken && !c->dead && !c->banished) {
        c->woken = false;
        c->hooks->wake(c);
    }
    flush(c);
    check_room(c);
    if (c->banished && !c->dead)
        grpc_connection_fail(c, EPROTO, "exceeded a limit");
    if (!c->dead && !c->connecting && !c->farewell && c->unsent_size == 0 &&
        !nghttp2_session_want_read(c->session) && !nghttp2_session_want_write(c->session))
        grpc_connection_fail(c, ECONNRESET, "ended the connection");
    if (!c->dead) {
        arm(c);
        return;
    }
    sd_event_source_set_enabled(c->work, SD_EVENT_OFF);
    c->hooks->gone(c, &c->error);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    struct grpc_connection *c = userdata;
    if (c->connecting) {
        int errnum = 0;
        socklen_t size = sizeof errnum;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &size) < 0 || errnum)
            grpc_connection_fail(c, errnum ?: errno, "cannot connect: %s", strerror(errnum ?: errno));
        c->connecting = false;
    }
    if (!c->dead && (events & (EPOLLIN | EPOLLHUP | EPOLLERR) || c->tls))
        receive(c);
    conclude(c);
    return 0;
}

static int on_work(sd_event_source *source, void *userdata)
{
    (void)source;
    conclude(userdata);
    return 0;
}

static void on_timer(void *userdata)
{
    struct grpc_connection *c = userdata;
    watch_time(c, now_monotonic_usec());
    conclude(c);
}

/* --- creation and end --- */

static int add_sources(struct grpc_connection *c)
{
    int r = sd_event_add_io(c->event, &c->io, c->fd, c->connecting ? EPOLLOUT : EPOLLIN, on_io, c);
    if (r >= 0)
        r = sd_event_add_defer(c->event, &c->work, on_work, c);
    return r;
}

int grpc_connection_new(sd_event *event, int fd, const struct grpc_connection_options *o,
                        struct grpc_connection **ret, struct error *e)
{
    static const int yes = 1, patience = TCP_PATIENCE_MS, unsent = TCP_UNSENT_MAX;
    struct grpc_connection *c = xcalloc(1, sizeof *c);
    c->event = sd_event_ref(event);
    c->fd = fd;
    c->owner = o->owner;
    c->hooks = o->hooks;
    c->tls = o->tls;
    c->limits = o->limits;
    c->server = o->server;
    c->connecting = o->connecting;
    c->created = c->last_read = c->idle_since = now_monotonic_usec();
    socklen_t size = sizeof c->address;
    if (getpeername(fd, (struct sockaddr *)&c->address, &size) == 0)
        grpc_address_text((struct sockaddr *)&c->address, c->peer, sizeof c->peer);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    c->tally.preface = o->server ? GRPC_PREFACE_SIZE : 0;
    grpc_account_add(&c->account, COST_CONNECTION + (c->tls ? COST_TLS : 0));
    int r = add_sources(c);
    if (r >= 0)
        r = session_new(c, o);
    if (r < 0) {
        grpc_connection_free(c);
        return error_os(e, -r, "cannot set up an HTTP/2 connection");
    }
    *ret = c;
    return 0;
}

void grpc_connection_free(struct grpc_connection *c)
{
    if (!c)
        return;
    c->dead = true;
    grpc_account_close(&c->account);
    session_free(c);
    grpc_tls_free(c->tls);
    sd_event_source_disable_unref(c->io);
    sd_event_source_disable_unref(c->work);
    timer_stop(&c->timer);
    sd_event_unref(c->event);
    close_fd(c->fd);
    free(c->unsent);
    free(c);
}
