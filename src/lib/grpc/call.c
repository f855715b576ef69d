/* Calls of the gRPC server: their life, what is held for them, their headers; see call.h. call_message.c
 * has the request, call_answer.c the answer. */
#include "lib/grpc/call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/grpc/call_answer.h"
#include "lib/grpc/server-types.h"

/* Bytes of memory that a call needs besides its struct: its timer and what a handler stores for it. */
#define COST_CALL 1024

/* --- memory that is held for the caller --- */

bool call_hold(struct grpc_call *call, size_t bytes)
{
    if (!server_has_room(call->connection, bytes))
        return false;
    grpc_account_add(&call->connection->account, bytes);
    return true;
}

void call_give_back(struct grpc_call *call, size_t bytes)
{
    grpc_account_sub(&call->connection->account, bytes);
}

/* Counts memory of the message that is being received. */
static bool hold_message(void *owner, ssize_t bytes)
{
    struct grpc_call *call = owner;
    if (bytes >= 0)
        return call_hold(call, (size_t)bytes);
    call_give_back(call, (size_t)-bytes);
    return true;
}

void call_recount_output(struct grpc_call *call)
{
    grpc_account_add(&call->connection->account, call->output.room);
    call_give_back(call, call->output_held);
    call->output_held = call->output.room;
}

void call_forget_waiting(struct grpc_call *call)
{
    call_give_back(call, call->waiting_size);
    call->waiting_size = 0;
    free(TAKE_PTR(call->waiting));
}

/* --- creation and end --- */

void call_give_back_message(struct grpc_call *call, size_t room)
{
    call->server->budget.used -= room;
    call_give_back(call, room);
}

void call_forget_request(struct grpc_call *call)
{
    call_give_back_message(call, call->request_room);
    call->request_room = call->request_size = 0;
    free(TAKE_PTR(call->request));
}

void call_observe(const struct grpc_call *call, int status)
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
        call_observe(call, GRPC_CANCELLED);
        if (call->on_gone)
            call->on_gone(call, call->gone_userdata);
    }
    if (call->previous)
        call->previous->next = call->next;
    else
        c->first_stream = call->next;
    if (call->next)
        call->next->previous = call->previous;
    timer_stop(&call->timer);
    call_forget_request(call);
    call_forget_waiting(call);
    grpc_frames_done(&call->frames);
    grpc_output_done(&call->output);
    call_recount_output(call);
    call_give_back(call, call->held);
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

/* --- time --- */

static void on_timer(void *userdata);

void call_arm(struct grpc_call *call, uint64_t timeout_usec)
{
    uint64_t at = timeout_usec ? now_monotonic_usec() + timeout_usec : UINT64_MAX;
    if (!call->answered && call->deadline < at)
        at = call->deadline;
    if (at == UINT64_MAX)
        timer_stop(&call->timer);
    else
        timer_arm_at(&call->timer, call->server->event, at, on_timer, call);
}

static void leave(struct grpc_call *call, int status, const char *text)
{
    if (call->on_gone)
        call->on_gone(call, call->gone_userdata);
    grpc_call_finish(call, status, text);
}

static void on_timer(void *userdata)
{
    struct grpc_call *call = userdata;
    struct grpc_connection *c = call->connection;
    if (!call->headers_done)
        grpc_connection_fail(c, ETIMEDOUT, "did not send the headers of a call in time");
    else if (call->answered) {
        nghttp2_submit_rst_stream(c->session, 0, call->stream, NGHTTP2_CANCEL);
        grpc_connection_kick(c);
    } else if (now_monotonic_usec() >= call->deadline)
        leave(call, GRPC_DEADLINE_EXCEEDED, "the deadline has passed");
    else
        leave(call, GRPC_DEADLINE_EXCEEDED, "the request was not received in time");
}

void call_drain(struct grpc_call *call)
{
    if (call->method && call->method->flags & (GRPC_STREAMS_OUT | GRPC_STREAMS_BOTH) && !call->answered)
        leave(call, GRPC_UNAVAILABLE, "this server ends");
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

/* --- headers --- */

void call_begin(struct grpc_connection *c, int32_t stream)
{
    struct grpc_server *s = c->owner;
    if (!server_has_room(c, sizeof(struct grpc_call) + COST_CALL)) {
        nghttp2_submit_rst_stream(c->session, 0, stream, NGHTTP2_ENHANCE_YOUR_CALM);
        return;
    }
    struct grpc_call *call = xcalloc(1, sizeof *call);
    call->server = s;
    call->connection = c;
    call->stream = stream;
    call->began = now_monotonic_usec();
    call->deadline = UINT64_MAX;
    call->frames.budget = &s->budget;
    call->frames.hold = hold_message;
    call->frames.owner = call;
    call->held = sizeof *call + COST_CALL;
    grpc_account_add(&c->account, call->held);
    call->next = c->first_stream;
    if (call->next)
        call->next->previous = call;
    c->first_stream = call;
    grpc_connection_opened(c);
    nghttp2_session_set_stream_user_data(c->session, stream, call);
    call_arm(call, s->options.request_timeout_usec);
}

static bool is(const char *text, size_t size, const char *wanted)
{
    return size == strlen(wanted) && memcmp(text, wanted, size) == 0;
}

int call_header(void *stream, const char *name, size_t name_size, const char *value, size_t value_size)
{
    struct grpc_call *call = stream;
    uint64_t timeout;
    size_t bytes = name_size + value_size + 32;
    call->header_bytes += bytes;
    if (call->header_bytes > HEADERS_MAX || !call_hold(call, 2 * bytes))
        return -EMSGSIZE;
    /* twice: for the stored headers, and for the overhead of the allocator and the array */
    call->held += 2 * bytes;
    /* The server uses no trailers of callers. */
    if (call->headers_done)
        return 0;
    if (is(name, name_size, ":path")) {
        free(call->path);
        call->path = xstrndup(value, value_size);
    } else if (is(name, name_size, ":method"))
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

/* Finds the method. Returns false if there is none; the call is then finished. */
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

static void trust(struct grpc_connection *c)
{
    struct grpc_server *s = c->owner;
    c->trusted = true;
    peer_places_make_safe(&s->places, &c->place);
    grpc_account_trust(&c->account);
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
        trust(call->connection);
}

/* Applies the limits that the method defines for its calls. */
static void set_bounds(struct grpc_call *call)
{
    const struct grpc_method *m = call->method;
    size_t max = call->server->options.message_max, own = (size_t)(m->flags >> 8 & 0xfff) << 10;
    unsigned at_once = m->flags >> 24;
    call->frames.message_max = own > 0 && own < max ? own : max;
    if (at_once > 0 && server_calls_at_once(call->connection, m) > at_once)
        grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, "too many of these calls at once");
}

void call_headers(void *stream, bool end)
{
    struct grpc_call *call = stream;
    (void)end;
    if (call->headers_done)
        return;
    call->headers_done = true;
    if (!call->post || !call->path)
        call_respond_http(call, "405");
    else if (!call->right_type)
        call_respond_http(call, "415");
    else if (call->bad_timeout)
        grpc_call_finish(call, GRPC_INTERNAL, "malformed grpc-timeout");
    else if (route(call)) {
        authorise(call);
        if (!call->answered)
            set_bounds(call);
        if (!call->answered)
            call_arm(call, call->server->options.request_timeout_usec);
        if (call->server->draining)
            call_drain(call);
    }
}
