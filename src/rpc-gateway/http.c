/* The HTTP server: the daemon on our loop, connections and their time; see http.h. */
#include "rpc-gateway/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lib/basic/log.h"
#include "rpc-gateway/http_internal.h"

static int on_run_timer(sd_event_source *source, uint64_t usec, void *userdata);
static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata);

/* Sets a timer, made at its first use; accuracy 1, since 0 means a quarter of a second. */
static void set_timer(struct http_server *s, sd_event_source **timer, uint64_t at,
                      sd_event_time_handler_t handler)
{
    if (!*timer) {
        (void)sd_event_add_time(s->event, timer, CLOCK_MONOTONIC, at, 1, handler, s);
        return;
    }
    (void)sd_event_source_set_time(*timer, at);
    (void)sd_event_source_set_enabled(*timer, SD_EVENT_ONESHOT);
}

static void run(struct http_server *s)
{
    MHD_UNSIGNED_LONG_LONG msec;
    MHD_run(s->daemon);
    /* It may have read more than it could work on, and says so by a time. */
    if (MHD_get_timeout(s->daemon, &msec) == MHD_YES)
        set_timer(s, &s->run_timer, now_monotonic_usec() + msec * USEC_PER_MSEC, on_run_timer);
}

void http_run_soon(struct http_server *s)
{
    set_timer(s, &s->run_timer, now_monotonic_usec(), on_run_timer);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source, (void)fd, (void)revents;
    run(userdata);
    return 0;
}

static int on_run_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source, (void)usec;
    run(userdata);
    return 0;
}

static void set_deadline_timer(struct http_server *s)
{
    for (struct http_connection *c = s->oldest; c; c = c->next)
        if (!c->overdue) {
            set_timer(s, &s->deadline_timer, c->deadline, on_deadline);
            return;
        }
    (void)sd_event_source_set_enabled(s->deadline_timer, SD_EVENT_OFF);
}

/* The library knows a time without traffic alone, which whoever sends a byte now and then never reaches. */
static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source, (void)usec;
    struct http_server *s = userdata;
    uint64_t now = now_monotonic_usec();
    for (struct http_connection *c = s->oldest; c && c->deadline <= now; c = c->next)
        if (!c->overdue) {
            c->overdue = true;
            s->counts.overdue++;
            (void)shutdown(c->fd, SHUT_RDWR);
        }
    run(s);
    set_deadline_timer(s);
    return 0;
}

/* At accept, before anything is read. */
static enum MHD_Result on_accept(void *userdata, const struct sockaddr *address, socklen_t size)
{
    (void)size;
    struct http_server *s = userdata;
    struct peer peer;
    peer_from_socket(address, &peer);
    if (!peer_rate_take(&s->rate, &peer, now_monotonic_usec())) {
        s->counts.refused_rate++;
        return MHD_NO;
    }
    s->counts.accepted++;
    return MHD_YES;
}

static void connection_opened(struct http_server *s, struct MHD_Connection *connection, void **context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct http_connection *c = xcalloc(1, sizeof *c);
    *c = (struct http_connection){.server = s,
                                  .previous = s->newest,
                                  .deadline = now_monotonic_usec() + HTTP_DEADLINE_USEC,
                                  .fd = info->connect_fd};
    *(s->newest ? &s->newest->next : &s->oldest) = c;
    s->newest = c;
    s->counts.connections++;
    *context = c;
    if (s->oldest == c)
        set_deadline_timer(s);
}

static void connection_closed(struct http_server *s, struct http_connection *c)
{
    *(c->previous ? &c->previous->next : &s->oldest) = c->next;
    *(c->next ? &c->next->previous : &s->newest) = c->previous;
    s->counts.connections--;
    free(c);
    if (!s->oldest)
        set_deadline_timer(s);
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
    s->event = sd_event_ref(event);
    peer_rate_init(&s->rate, HTTP_RATE, HTTP_BURST);
    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, on_accept, s, http_on_request, s,
        MHD_OPTION_EXTERNAL_LOGGER, on_log, s, MHD_OPTION_LISTEN_SOCKET, options->listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)HTTP_CONNECTIONS_OF_PEER, MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_HEADERS_MAX,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
        MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, s, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        s->daemon ? MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    int r = info ? sd_event_add_io(event, &s->io, info->epoll_fd, EPOLLIN, on_io, s) : -EIO;
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
    if (s->daemon) {
        (void)MHD_quiesce_daemon(s->daemon); /* the listening socket stays ours */
        http_requests_abandon(s);
        MHD_run(s->daemon);
        MHD_stop_daemon(s->daemon);
    }
    sd_event_source_disable_unref(s->io);
    sd_event_source_disable_unref(s->run_timer);
    sd_event_source_disable_unref(s->deadline_timer);
    sd_event_unref(s->event);
    free(s);
}
