/* Calls of the gRPC client: sending one, and what its end means; see request.h. */
#include "lib/grpc/request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "config.h"
#include "lib/basic/cleanup.h"
#include "lib/grpc/client-types.h"

#define HEADERS_MAX (16 * 1024)

/* --- creation and end --- */

static void request_free(struct grpc_request *q)
{
    timer_stop(&q->timer);
    for (size_t i = 0; i < q->n_headers; i++) {
        free((char *)q->headers[i].name);
        free((char *)q->headers[i].value);
    }
    free(q->headers);
    free(q->path);
    free(q->message);
    free(q->answer);
    free(q->text);
    grpc_frames_done(&q->frames);
    free(q);
}

/* Removes a call from its list and from its stream, if it has one. */
static void detach(struct grpc_request *q)
{
    struct grpc_connection *c = q->connection;
    request_unlink(q);
    q->connection = NULL;
    if (!c)
        return;
    if (c->session)
        nghttp2_session_set_stream_user_data(c->session, q->stream, NULL);
    grpc_connection_closed(c);
}

/* Returns the error class of a status. */
static enum error_class class_of(int status)
{
    switch (status) {
    case GRPC_UNAVAILABLE:
    case GRPC_DEADLINE_EXCEEDED:
    case GRPC_RESOURCE_EXHAUSTED:
    case GRPC_ABORTED:
    case GRPC_CANCELLED:
        return ERROR_RETRY;
    case GRPC_NOT_FOUND:
        return ERROR_NOT_FOUND;
    case GRPC_UNIMPLEMENTED:
        return ERROR_NOT_SUPPORTED;
    case GRPC_INVALID_ARGUMENT:
    case GRPC_PERMISSION_DENIED:
    case GRPC_UNAUTHENTICATED:
        return ERROR_REFUSED;
    default:
        return ERROR_FAILED;
    }
}

static int errno_of(int status)
{
    return status == GRPC_DEADLINE_EXCEEDED ? ETIMEDOUT
           : status == GRPC_UNAUTHENTICATED ? EACCES
           : status == GRPC_UNAVAILABLE     ? ECONNRESET
           : status == GRPC_UNIMPLEMENTED   ? ENOSYS
           : status == GRPC_NOT_FOUND       ? ENOENT
                                            : EIO;
}

/* Ends and frees a call. 'answered': status and text were sent by the peer. */
static void finish(struct grpc_request *q, bool answered, int status, const char *text)
{
    struct grpc_result result = {.status = status, .text = text ?: "", .answered = answered};
    if (answered && q->connection)
        grpc_connection_useful(q->connection);
    detach(q);
    if (status != GRPC_OK)
        error_set(&result.error, class_of(status), errno_of(status), "%s: %s%s%s", q->client->address,
                  answered ? grpc_status_name(status) : text, answered && *result.text ? ": " : "",
                  answered ? result.text : "");
    else if (!q->on_data) {
        result.data = q->answer;
        result.size = q->answer_size;
    }
    q->finished = true;
    q->on_done(q, &result, q->userdata);
    request_free(q);
}

void request_lost(struct grpc_request *q, const char *why)
{
    /* If 'why' begins with the peer's address, as errors of connections do, it is removed. */
    const char *rest = after_prefix(why, q->client->address);
    rest = rest ? after_prefix(rest, ": ") : NULL;
    finish(q, false, GRPC_UNAVAILABLE, rest ?: why);
}

static void nobody(struct grpc_request *q, const struct grpc_result *result, void *userdata)
{
    (void)q, (void)result, (void)userdata;
}

void grpc_request_cancel(struct grpc_request *q)
{
    if (!q || q->finished)
        return;
    /* The call cancels itself in on_data. Its stream ends after the callback has returned. */
    if (q->delivering) {
        q->on_done = nobody;
        error_set(&q->failure, ERROR_RETRY, ECANCELED, "cancelled");
        return;
    }
    if (q->connection && q->connection->session && !q->connection->dead)
        nghttp2_submit_rst_stream(q->connection->session, 0, q->stream, NGHTTP2_CANCEL);
    if (q->connection)
        grpc_connection_kick(q->connection);
    detach(q);
    request_free(q);
}

uint8_t *grpc_request_take_answer(struct grpc_request *q)
{
    return TAKE_PTR(q->answer);
}

/* --- sending --- */

static ssize_t read_message(nghttp2_session *session, int32_t stream, uint8_t *to, size_t size,
                            uint32_t *flags, nghttp2_data_source *source, void *userdata)
{
    (void)source, (void)userdata;
    struct grpc_request *q = nghttp2_session_get_stream_user_data(session, stream);
    /* The call was cancelled meanwhile. */
    if (!q)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    size_t n = q->message_size - q->sent < size ? q->message_size - q->sent : size;
    memcpy(to, q->message + q->sent, n);
    q->sent += n;
    if (q->sent == q->message_size)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

#define HEADERS_OWN 8

static nghttp2_nv header(const char *name, const char *value, uint8_t flags)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), flags};
}

void request_submit(struct grpc_request *q, struct grpc_connection *c)
{
    char timeout[GRPC_TIMEOUT_SIZE];
    uint64_t now = now_monotonic_usec();
    nghttp2_nv *all = xcalloc(HEADERS_OWN + q->n_headers, sizeof *all);
    size_t n = 0;
    all[n++] = header(":method", "POST", 0);
    all[n++] = header(":scheme", c->tls ? "https" : "http", 0);
    all[n++] = header(":path", q->path, 0);
    all[n++] = header(":authority", q->client->address, 0);
    /* The server of grpc's C++ library requires it. */
    all[n++] = header("te", "trailers", 0);
    all[n++] = header("content-type", "application/grpc", 0);
    all[n++] = header("user-agent", "hostlet/" PACKAGE_VERSION, 0);
    if (q->deadline != UINT64_MAX) {
        grpc_timeout_format(q->deadline > now ? q->deadline - now : 1, timeout);
        all[n++] = header("grpc-timeout", timeout, 0);
    }
    for (size_t i = 0; i < q->n_headers; i++)
        all[n++] = header(q->headers[i].name, q->headers[i].value, NGHTTP2_NV_FLAG_NO_INDEX);
    const nghttp2_data_provider provider = {.read_callback = read_message};
    q->sent = 0;
    q->connection = c;
    struct grpc_request *first = c->first_stream;
    request_link(q, &first);
    c->first_stream = first;
    grpc_connection_opened(c);
    q->stream = nghttp2_submit_request(c->session, NULL, all, n, &provider, q);
    free(all);
    if (q->stream < 0) {
        q->failure.errnum = EIO;
        grpc_connection_fail(c, EIO, "cannot begin a call: %s", nghttp2_strerror(q->stream));
    }
    grpc_connection_kick(c);
}

/* --- receiving --- */

/* Stops a call for a reason on this side. The reason counts, whatever the peer sends afterwards. */
static int give_up(struct grpc_request *q, enum error_class class, int errnum, const char *fmt, ...)
    _printf_(4, 5);
static int give_up(struct grpc_request *q, enum error_class class, int errnum, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    if (q->failure.errnum)
        return -q->failure.errnum;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return error_set(&q->failure, class, errnum, "%s", text);
}

static bool is(const char *text, size_t size, const char *wanted)
{
    return size == strlen(wanted) && memcmp(text, wanted, size) == 0;
}

static int number_of(const char *text, size_t size, int none)
{
    int v = 0;
    if (size == 0 || size > 6)
        return none;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return none;
        v = v * 10 + (text[i] - '0');
    }
    return v;
}

int request_header(void *stream, const char *name, size_t name_size, const char *value, size_t value_size)
{
    struct grpc_request *q = stream;
    q->header_bytes += name_size + value_size + 32;
    if (q->header_bytes > HEADERS_MAX)
        return give_up(q, ERROR_FAILED, EMSGSIZE, "sent too many headers");
    if (is(name, name_size, ":status"))
        q->http_status = (unsigned)number_of(value, value_size, 0);
    else if (is(name, name_size, "content-type"))
        q->right_type = value_size >= 16 && memcmp(value, "application/grpc", 16) == 0;
    else if (is(name, name_size, "grpc-status"))
        q->status = number_of(value, value_size, GRPC_UNKNOWN);
    else if (is(name, name_size, "grpc-message")) {
        free(q->text);
        q->text = grpc_message_decode(value, value_size);
    }
    return 0;
}

void request_headers(void *stream, bool end)
{
    /* Headers are checked at the end of the call. */
    (void)stream, (void)end;
}

static int on_message(uint8_t *data, size_t size, size_t room, void *userdata)
{
    (void)room;
    struct grpc_request *q = userdata;
    int r = 0;
    if (q->connection)
        grpc_connection_useful(q->connection);
    if (q->on_data) {
        q->delivering = true;
        r = q->on_data(q, data, size, q->userdata);
        q->delivering = false;
        if (r < 0 || q->failure.errnum)
            r = give_up(q, ERROR_RETRY, ECANCELED, "the call was cancelled");
    } else if (q->answer)
        r = give_up(q, ERROR_FAILED, EPROTO, "sent more than one message");
    else {
        q->answer = TAKE_PTR(data);
        q->answer_size = size;
    }
    free(data);
    return r;
}

ssize_t request_data(void *stream, const uint8_t *data, size_t size)
{
    struct grpc_request *q = stream;
    struct error e = ERROR_INIT;
    if (q->failure.errnum || q->http_status != 200 || !q->right_type)
        return (ssize_t)size;
    int r = grpc_frames_feed(&q->frames, data, size, on_message, q, &e);
    if (r < 0 && !q->failure.errnum)
        r = give_up(q, ERROR_FAILED, -r, "sent %s", e.message);
    return r < 0 ? r : (ssize_t)size;
}

void request_end(void *stream)
{
    struct grpc_request *q = stream;
    q->ended = true;
}

void request_sent_end(void *stream)
{
    (void)stream;
}

void request_send_again(struct grpc_request *q)
{
    detach(q);
    q->again = true;
    grpc_frames_done(&q->frames);
    q->header_bytes = 0;
    q->http_status = 0;
    q->status = -1;
    free(TAKE_PTR(q->text));
    request_link(q, &q->client->waiting);
    client_kick(q->client);
}

static int status_of_reset(uint32_t code)
{
    return code == NGHTTP2_CANCEL                ? GRPC_CANCELLED
           : code == NGHTTP2_ENHANCE_YOUR_CALM   ? GRPC_RESOURCE_EXHAUSTED
           : code == NGHTTP2_INADEQUATE_SECURITY ? GRPC_PERMISSION_DENIED
                                                 : GRPC_UNAVAILABLE;
}

void request_closed(void *stream, uint32_t code)
{
    struct grpc_request *q = stream;
    char text[128];
    if (q->failure.errnum) {
        struct error failure = q->failure;
        finish(q, false, failure.class == ERROR_RETRY ? GRPC_CANCELLED : GRPC_INTERNAL, failure.message);
    } else if (q->status > 0)
        finish(q, true, q->status, q->text);
    else if (code == NGHTTP2_REFUSED_STREAM && !q->again)
        request_send_again(q);
    else if (code != NGHTTP2_NO_ERROR && !(q->ended && q->status == GRPC_OK)) {
        snprintf(text, sizeof text, "reset the call: %s", nghttp2_http2_strerror(code));
        finish(q, false, status_of_reset(code), text);
    } else if (q->http_status != 200) {
        snprintf(text, sizeof text, "answers with HTTP status %u", q->http_status);
        finish(q, false, grpc_status_of_http(q->http_status), text);
    } else if (q->status < 0 || !q->right_type)
        finish(q, false, GRPC_UNKNOWN, "answers without a gRPC status");
    else if (!grpc_frames_at_boundary(&q->frames) || (!q->on_data && !q->answer))
        finish(q, false, GRPC_INTERNAL, "answers with a message that is cut off");
    else
        finish(q, true, GRPC_OK, NULL);
}

/* --- time ---
 *
 * Ends a call whose time is over. If nothing was received from the peer since the call began, its connection
 * is ended as well; otherwise only the call's stream is reset. */
static void on_timer(void *userdata)
{
    struct grpc_request *q = userdata;
    struct grpc_connection *c = q->connection;
    if (!c) {
        finish(q, false, GRPC_DEADLINE_EXCEEDED, "no connection in time");
        return;
    }
    bool silent = c->last_read < q->began || c->last_read == c->created;
    if (silent)
        grpc_connection_fail(c, ETIMEDOUT, c->settled ? "does not answer" : "no connection in time");
    else
        nghttp2_submit_rst_stream(c->session, 0, q->stream, NGHTTP2_CANCEL);
    grpc_connection_kick(c);
    finish(q, false, GRPC_DEADLINE_EXCEEDED,
           silent && !c->settled ? "no connection in time" : "no answer in time");
}

struct grpc_request *grpc_call_start(struct grpc_client *client, const struct grpc_ask *ask)
{
    struct grpc_request *q = xcalloc(1, sizeof *q);
    q->client = client;
    q->path = xstrdup(ask->path);
    q->message = grpc_message_pack(ask->message, GRPC_FRAME_HEADER, &q->message_size);
    grpc_frame_header(q->message_size - GRPC_FRAME_HEADER, q->message);
    q->headers = xcalloc(ask->n_headers + 1, sizeof *q->headers);
    for (; q->n_headers < ask->n_headers; q->n_headers++)
        q->headers[q->n_headers] = (struct grpc_header){xstrdup(ask->headers[q->n_headers].name),
                                                        xstrdup(ask->headers[q->n_headers].value)};
    q->began = now_monotonic_usec();
    q->deadline = ask->timeout_usec ? q->began + ask->timeout_usec : UINT64_MAX;
    q->status = -1;
    q->frames.message_max = client->options.message_max;
    q->on_data = ask->on_data;
    q->on_done = ask->on_done;
    q->userdata = ask->userdata;
    if (ask->timeout_usec)
        timer_arm_at(&q->timer, client->event, q->deadline, on_timer, q);
    request_link(q, &client->waiting);
    client_kick(client);
    return q;
}
