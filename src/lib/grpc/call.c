/* Calls of the gRPC server: headers, routing, the request, the answer; see server.h. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/grpc/server-internal.h"

/* Life */

static void forget_request(struct grpc_call *call)
{
    call->server->budget.used -= call->request_room;
    call->request_room = call->request_size = 0;
    free(TAKE_PTR(call->request));
}

static void observe(const struct grpc_call *call, int status)
{
    const struct grpc_server_options *o = &call->server->options;
    if (o->observe && call->headers_done)
        o->observe(call->path ?: "", call->method, status, now_monotonic_usec() - call->began, o->userdata);
}

static void call_free(struct grpc_call *call)
{
    struct grpc_connection *c = call->connection;
    if (!call->answered) {
        call->answered = true;
        observe(call, GRPC_CANCELLED);
        if (call->on_gone)
            call->on_gone(call, call->gone_userdata);
    }
    if (call->previous)
        call->previous->next = call->next;
    else
        c->first_stream = call->next;
    if (call->next)
        call->next->previous = call->previous;
    sd_event_source_disable_unref(call->timer);
    forget_request(call);
    grpc_frames_done(&call->frames);
    grpc_output_done(&call->output);
    for (size_t i = 0; i < call->n_metadata; i++) {
        free(call->metadata[i].name);
        free(call->metadata[i].value);
    }
    free(call->metadata);
    free(call->path);
    free(call->text);
    free(call);
    grpc_connection_closed(c);
}

void call_closed(void *stream, uint32_t code)
{
    (void)code;
    call_free(stream);
}

void call_drop(struct grpc_call *call)
{
    call_free(call);
}

/* Time */

static void arm(struct grpc_call *call, uint64_t timeout_usec)
{
    uint64_t at = timeout_usec ? now_monotonic_usec() + timeout_usec : UINT64_MAX;
    if (!call->answered && call->deadline < at)
        at = call->deadline;
    sd_event_source_set_time(call->timer, at);
    sd_event_source_set_enabled(call->timer, at == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static void leave(struct grpc_call *call, int status, const char *text)
{
    if (call->on_gone)
        call->on_gone(call, call->gone_userdata);
    grpc_call_finish(call, status, text);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source, (void)usec;
    struct grpc_call *call = userdata;
    struct grpc_connection *c = call->connection;
    if (!call->headers_done)
        grpc_connection_fail(c, ETIMEDOUT, "takes too long for its headers");
    else if (call->answered) {
        nghttp2_submit_rst_stream(c->session, 0, call->stream, NGHTTP2_CANCEL);
        grpc_connection_kick(c);
    } else if (now_monotonic_usec() >= call->deadline)
        leave(call, GRPC_DEADLINE_EXCEEDED, "the deadline has passed");
    else
        leave(call, GRPC_DEADLINE_EXCEEDED, "the request did not come in time");
    return 0;
}

void call_drain(struct grpc_call *call)
{
    if (call->method && call->method->flags & (GRPC_STREAMS_OUT | GRPC_STREAMS_BOTH) && !call->answered)
        leave(call, GRPC_UNAVAILABLE, "this server ends");
}

/* The answer */

static ssize_t read_output(nghttp2_session *session, int32_t stream, uint8_t *to, size_t size,
                           uint32_t *flags, nghttp2_data_source *source, void *userdata)
{
    (void)userdata;
    struct grpc_call *call = source->ptr;
    ssize_t n = grpc_output_read(&call->output, to, size, flags);
    if (n < 0 || !(*flags & NGHTTP2_DATA_FLAG_EOF))
        return n;
    char status[12];
    _cleanup_free_ char *text = call->text ? grpc_message_encode(call->text) : NULL;
    snprintf(status, sizeof status, "%d", call->status);
    nghttp2_nv trailers[] = {
        {(uint8_t *)"grpc-status", (uint8_t *)status, 11, strlen(status), NGHTTP2_NV_FLAG_NO_COPY_NAME},
        {(uint8_t *)"grpc-message", (uint8_t *)text, 12, text ? strlen(text) : 0,
         NGHTTP2_NV_FLAG_NO_COPY_NAME},
    };
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return nghttp2_submit_trailer(session, stream, trailers, text ? 2 : 1) == 0
               ? n
               : NGHTTP2_ERR_CALLBACK_FAILURE;
}

#define HEADER(n, v)                                                                                         \
    {                                                                                                        \
        (uint8_t *)(n), (uint8_t *)(v), strlen(n), strlen(v), NGHTTP2_NV_FLAG_NO_COPY_NAME                   \
    }

/* The headers that messages follow. */
static void respond(struct grpc_call *call)
{
    const nghttp2_nv headers[] = {HEADER(":status", "200"), HEADER("content-type", "application/grpc")};
    const nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_output};
    call->responded = true;
    nghttp2_submit_response(call->connection->session, call->stream, headers, ARRAY_SIZE(headers), &provider);
}

/* Headers that are the whole answer. */
static void respond_trailers_only(struct grpc_call *call)
{
    char status[12];
    _cleanup_free_ char *text = grpc_message_encode(call->text ?: "");
    snprintf(status, sizeof status, "%d", call->status);
    const nghttp2_nv headers[] = {HEADER(":status", "200"), HEADER("content-type", "application/grpc"),
                                  HEADER("grpc-status", status), HEADER("grpc-message", text)};
    call->responded = true;
    nghttp2_submit_response(call->connection->session, call->stream, headers, ARRAY_SIZE(headers), NULL);
}

/* For what is no gRPC at all. */
static void respond_http(struct grpc_call *call, const char *status)
{
    const nghttp2_nv headers[] = {HEADER(":status", status)};
    call->answered = call->responded = true;
    observe(call, GRPC_INTERNAL);
    nghttp2_submit_response(call->connection->session, call->stream, headers, ARRAY_SIZE(headers), NULL);
    arm(call, call->server->options.answer_timeout_usec);
}

void grpc_call_send(struct grpc_call *call, const ProtobufCMessage *message)
{
    assert(!call->answered);
    struct grpc_connection *c = call->connection;
    if (grpc_output_pending(&call->output) > call->server->options.unsent_max) {
        log_debug("%s: does not take its answers, cut off", c->peer);
        nghttp2_submit_rst_stream(c->session, 0, call->stream, NGHTTP2_ENHANCE_YOUR_CALM);
    } else {
        grpc_output_add(&call->output, message);
        if (call->responded)
            nghttp2_session_resume_data(c->session, call->stream);
        else
            respond(call);
    }
    grpc_connection_kick(c);
}

void grpc_call_finish(struct grpc_call *call, int status, const char *text)
{
    assert(!call->answered);
    call->answered = true;
    call->on_gone = NULL;
    call->status = status;
    call->text = xstrdup_null(text);
    call->output.last = true;
    if (call->responded)
        nghttp2_session_resume_data(call->connection->session, call->stream);
    else
        respond_trailers_only(call);
    observe(call, status);
    forget_request(call);
    arm(call, call->server->options.answer_timeout_usec);
    grpc_connection_kick(call->connection);
}

void grpc_call_reply(struct grpc_call *call, const ProtobufCMessage *message)
{
    grpc_call_send(call, message);
    grpc_call_finish(call, GRPC_OK, NULL);
}

/* A caller that has not finished need not. RST_STREAM queued together with the headers would drop them, so it comes after. */
void call_sent_end(void *stream)
{
    struct grpc_call *call = stream;
    if (!call->ended)
        nghttp2_submit_rst_stream(call->connection->session, 0, call->stream, NGHTTP2_NO_ERROR);
}

size_t grpc_call_pending(const struct grpc_call *call)
{
    return grpc_output_pending(&call->output);
}

void grpc_call_on_gone(struct grpc_call *call, void (*on_gone)(struct grpc_call *call, void *userdata),
                       void *userdata)
{
    call->on_gone = on_gone;
    call->gone_userdata = userdata;
}

const char *grpc_call_metadata(const struct grpc_call *call, const char *name)
{
    for (size_t i = 0; i < call->n_metadata; i++)
        if (streq(call->metadata[i].name, name))
            return call->metadata[i].value;
    return NULL;
}

const char *grpc_call_peer(const struct grpc_call *call)
{
    return call->connection->peer;
}

/* The request */

void call_begin(struct grpc_connection *c, int32_t stream)
{
    struct grpc_server *s = c->owner;
    struct grpc_call *call = xcalloc(1, sizeof *call);
    if (sd_event_add_time(s->event, &call->timer, CLOCK_MONOTONIC, UINT64_MAX, 1000, on_timer, call) < 0) {
        free(call);
        nghttp2_submit_rst_stream(c->session, 0, stream, NGHTTP2_REFUSED_STREAM);
        return;
    }
    call->server = s;
    call->connection = c;
    call->stream = stream;
    call->began = now_monotonic_usec();
    call->deadline = UINT64_MAX;
    call->frames.message_max = s->options.message_max;
    call->frames.budget = &s->budget;
    call->next = c->first_stream;
    if (call->next)
        call->next->previous = call;
    c->first_stream = call;
    grpc_connection_opened(c);
    nghttp2_session_set_stream_user_data(c->session, stream, call);
    arm(call, s->options.request_timeout_usec);
}

static bool is(const char *text, size_t size, const char *wanted)
{
    return size == strlen(wanted) && memcmp(text, wanted, size) == 0;
}

int call_header(void *stream, const char *name, size_t name_size, const char *value, size_t value_size)
{
    struct grpc_call *call = stream;
    uint64_t timeout;
    call->header_bytes += name_size + value_size + 32;
    if (call->header_bytes > HEADERS_MAX)
        return -EMSGSIZE;
    if (call->headers_done) /* trailers of a caller say nothing that we know */
        return 0;
    if (is(name, name_size, ":path"))
        call->path = xstrndup(value, value_size);
    else if (is(name, name_size, ":method"))
        call->post = is(value, value_size, "POST");
    else if (is(name, name_size, "content-type"))
        call->right_type = value_size >= 16 && memcmp(value, "application/grpc", 16) == 0 &&
                           (value_size == 16 || value[16] == '+' || value[16] == ';');
    else if (is(name, name_size, "grpc-timeout")) {
        if (grpc_timeout_parse(value, value_size, &timeout) < 0)
            call->bad_timeout = true;
        else
            call->deadline = call->began + timeout;
    } else if (*name != ':') {
        call->metadata = xrealloc(call->metadata, call->n_metadata + 1, sizeof *call->metadata);
        call->metadata[call->n_metadata++] =
            (struct grpc_metadata){xstrndup(name, name_size), xstrndup(value, value_size)};
    }
    return 0;
}

/* Finds the method; false when the call was answered because there is none. */
static bool route(struct grpc_call *call)
{
    const char *service = *call->path == '/' ? call->path + 1 : "", *slash = strchr(service, '/');
    _cleanup_free_ char *text = NULL;
    for (size_t i = 0; slash && i < call->server->n_services; i++) {
        const struct grpc_added *added = &call->server->services[i];
        if (!is(service, (size_t)(slash - service), added->service->name))
            continue;
        call->service = added;
        for (const struct grpc_method *m = added->service->methods; m->name; m++)
            if (streq(m->name, slash + 1)) {
                call->method = m;
                return true;
            }
    }
    if (call->service)
        text = xasprintf("unknown method %.128s for service %s", slash + 1, call->service->service->name);
    else if (slash)
        text =
            xasprintf("unknown service %.*s", (int)(slash - service < 128 ? slash - service : 128), service);
    else
        text = xasprintf("malformed method name");
    grpc_call_finish(call, GRPC_UNIMPLEMENTED, text);
    return false;
}

static void authorise(struct grpc_call *call)
{
    struct error e = ERROR_INIT;
    int status = GRPC_UNAUTHENTICATED;
    const struct grpc_service *service = call->service->service;
    if (!service->authorise)
        return;
    if (service->authorise(call, call->method, call->service->userdata, &status, &e) < 0)
        grpc_call_finish(call, status, e.message);
    else
        call->connection->trusted = true;
}

void call_headers(void *stream, bool end)
{
    struct grpc_call *call = stream;
    (void)end;
    if (call->headers_done)
        return;
    call->headers_done = true;
    if (!call->post || !call->path)
        respond_http(call, "405");
    else if (!call->right_type)
        respond_http(call, "415");
    else if (call->bad_timeout)
        grpc_call_finish(call, GRPC_INTERNAL, "malformed grpc-timeout");
    else if (route(call)) {
        authorise(call);
        if (!call->answered)
            arm(call, call->server->options.request_timeout_usec);
        if (call->server->draining)
            call_drain(call);
    }
}

static void hand_over(struct grpc_call *call, const ProtobufCMessage *in)
{
    struct error e = ERROR_INIT;
    if (call->method->handler(call, in, call->service->userdata, &e) < 0 && !call->answered)
        grpc_call_finish(call, GRPC_UNKNOWN, e.message);
}

static void unpack_and_hand_over(struct grpc_call *call, const uint8_t *data, size_t size)
{
    struct error e = ERROR_INIT;
    _cleanup_message_ ProtobufCMessage *in = NULL;
    int r = grpc_message_unpack(call->method->in, data, size, call->server->options.memory_max, &in, &e);
    if (r < 0)
        grpc_call_finish(call, r == -EMSGSIZE ? GRPC_RESOURCE_EXHAUSTED : GRPC_INTERNAL, e.message);
    else
        hand_over(call, in);
}

static int on_message(uint8_t *data, size_t size, size_t room, void *userdata)
{
    struct grpc_call *call = userdata;
    if (call->method->flags & GRPC_STREAMS_BOTH) {
        unpack_and_hand_over(call, data, size);
        if (!call->answered)
            arm(call, call->server->options.request_timeout_usec);
    } else if (call->request) {
        grpc_call_finish(call, GRPC_INTERNAL, "more than one message for a method that takes one");
    } else {
        call->request = data;
        call->request_size = size;
        call->request_room = room;
        return 0;
    }
    call->server->budget.used -= room;
    free(data);
    return call->answered ? -ECANCELED : 0;
}

int call_data(void *stream, const uint8_t *data, size_t size)
{
    struct grpc_call *call = stream;
    struct error e = ERROR_INIT;
    if (call->answered) /* refused already: what is still under way is let go by */
        return 0;
    int r = grpc_frames_feed(&call->frames, data, size, on_message, call, &e);
    if (r < 0 && !call->answered)
        grpc_call_finish(call, r == -EMSGSIZE ? GRPC_RESOURCE_EXHAUSTED : GRPC_UNIMPLEMENTED, e.message);
    return 0;
}

void call_end(void *stream)
{
    struct grpc_call *call = stream;
    call->ended = true;
    if (call->answered)
        return;
    arm(call, 0);
    if (!grpc_frames_at_boundary(&call->frames))
        grpc_call_finish(call, GRPC_INTERNAL, "the request is cut off");
    else if (call->method->flags & GRPC_STREAMS_BOTH)
        hand_over(call, NULL);
    else if (!call->request)
        grpc_call_finish(call, GRPC_INTERNAL, "the request has no message");
    else {
        unpack_and_hand_over(call, call->request, call->request_size);
        forget_request(call);
    }
}
