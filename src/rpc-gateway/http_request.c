/* Implements http_request.h. */
#include "rpc-gateway/http_request.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "rpc-gateway/http_types.h"

/* Bytes of a body without use that are read, so that the client reads the response. */
#define DRAINED_MAX ((size_t)64 << 10)

static size_t body_max(const struct http_request *r)
{
    return r->route && r->route->post ? r->route->body_max : DRAINED_MAX;
}

/* Reports whether the announced body is too large. Such a request is refused before its body arrives. */
static bool announces_too_much(struct http_request *r)
{
    const char *text = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Content-Length");
    int64_t size;
    return text && (parse_int64(text, 0, INT64_MAX, &size) < 0 || (uint64_t)size > body_max(r));
}

static struct http_request *request_new(struct http_server *s, struct MHD_Connection *connection,
                                        const char *url, const char *method)
{
    struct http_request *r = xcalloc(1, sizeof *r);
    *r = (struct http_request){
        .server = s,
        .place = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context,
        .next = s->requests,
        .connection = connection,
        .started = now_monotonic_usec(),
        .post = streq(method, "POST")};
    if (s->requests)
        s->requests->previous = r;
    s->requests = r;
    r->place->request = r;
    http_connection_begun(r->place);
    for (const struct http_route *route = s->options.routes; route->path; route++)
        if (streq(route->path, url))
            r->route = route;
    r->method_fits = r->route && (r->route->post ? r->post : streq(method, "GET") || streq(method, "HEAD"));
    return r;
}

/* Appends a part of the body. Memory grows with the received data, not with the announced size. Returns
 * false if the body is too large. */
static bool take_body(struct http_request *r, const char *data, size_t size)
{
    if (size > body_max(r) - r->size)
        return false;
    if (r->method_fits && r->route->post) {
        if (r->size + size + 1 > r->room) {
            r->room = 2 * (r->size + size) + 1;
            if (r->room > body_max(r) + 1)
                r->room = body_max(r) + 1;
            r->body = xrealloc(r->body, r->room, 1);
        }
        memcpy(r->body + r->size, data, size);
        r->body[r->size + size] = '\0';
    }
    r->size += size;
    return true;
}

static void make_answer(struct http_request *r, unsigned status, const char *type, const char *body,
                        size_t size)
{
    r->status = status;
    r->answer = MHD_create_response_from_buffer(size, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
    if (!r->answer)
        abort();
    MHD_add_response_header(r->answer, "Content-Type", type);
    /* One request per connection: so the time of a connection is limited, and the rate of connections
     * limits that of requests. */
    MHD_add_response_header(r->answer, "Connection", "close");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(r->answer, "Allow", r->route->post ? "POST" : "GET, HEAD");
}

static enum MHD_Result queue_answer(struct http_request *r)
{
    struct MHD_Response *answer = TAKE_PTR(r->answer);
    enum MHD_Result result = MHD_queue_response(r->connection, r->status, answer);
    MHD_destroy_response(answer);
    return result;
}

/* Makes the response to a request that the server itself refuses. */
static void refuse(struct http_request *r, unsigned status, const char *text)
{
    bool json = r->route && r->route->json;
    _cleanup_free_ char *body = json ? xasprintf("{\"error\":\"%s\"}", text) : xasprintf("%s\n", text);
    make_answer(r, status, json ? "application/json" : "text/plain; charset=utf-8", body, strlen(body));
}

static enum MHD_Result dispatch(struct http_request *r)
{
    r->dispatched = r->place->place.busy = true;
    if (!r->route)
        refuse(r, MHD_HTTP_NOT_FOUND, "not found");
    else if (!r->method_fits)
        refuse(r, MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed");
    else
        r->route->handler(r, r->server->options.userdata);
    if (r->answer)
        return queue_answer(r);
    r->suspended = true;
    MHD_suspend_connection(r->connection);
    return MHD_YES;
}

/* Called by the library first with the headers, then for each part of the body, then at its end, and once
 * more after a suspension. */
enum MHD_Result http_on_request(void *userdata, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *data, size_t *data_size,
                                void **request)
{
    (void)version;
    struct http_request *r = *request;
    if (!r) {
        *request = r = request_new(userdata, connection, url, method);
        if (!announces_too_much(r))
            return MHD_YES;
        refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "too large");
        return queue_answer(r);
    }
    if (*data_size > 0) {
        /* The body is larger than announced and too large: it is too late for a response. */
        if (!take_body(r, data, *data_size))
            return MHD_NO;
        *data_size = 0;
        return MHD_YES;
    }
    if (!r->dispatched)
        return dispatch(r);
    return r->answer ? queue_answer(r) : MHD_YES;
}

void http_on_completed(void *userdata, struct MHD_Connection *connection, void **request,
                       enum MHD_RequestTerminationCode how)
{
    (void)connection;
    struct http_server *s = userdata;
    struct http_request *r = TAKE_PTR(*request);
    if (!r)
        return;
    if (r->on_gone)
        r->on_gone(r->pending);
    bool told = how == MHD_REQUEST_TERMINATED_COMPLETED_OK && r->status > 0;
    s->options.on_done(r->route ? r->route->path : "other", told ? r->status : 0,
                       now_monotonic_usec() - r->started, s->options.userdata);
    *(r->previous ? &r->previous->next : &s->requests) = r->next;
    if (r->next)
        r->next->previous = r->previous;
    r->place->request = NULL;
    if (r->answer)
        MHD_destroy_response(r->answer);
    free(r->body);
    free(r);
}

void http_request_abandon(struct http_request *r)
{
    if (!r->suspended)
        return;
    if (r->on_gone)
        r->on_gone(r->pending);
    r->on_gone = NULL;
    refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "not available");
    r->suspended = false;
    MHD_resume_connection(r->connection);
}

const char *http_request_body(const struct http_request *r, size_t *ret_size)
{
    *ret_size = r->body ? r->size : 0;
    return r->body ?: "";
}

const char *http_request_header(const struct http_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

const struct peer *http_request_peer(const struct http_request *r)
{
    return &r->place->peer;
}

void http_request_on_gone(struct http_request *r, void (*on_gone)(void *pending), void *pending)
{
    r->on_gone = on_gone;
    r->pending = pending;
}

void http_answer(struct http_request *r, unsigned status, const char *type, const char *body, size_t size)
{
    r->on_gone = NULL;
    make_answer(r, status, type, body, size);
    if (!r->suspended)
        return;
    r->suspended = false;
    MHD_resume_connection(r->connection);
    http_run_soon(r->server);
}

void http_answer_json(struct http_request *r, unsigned status, const char *json)
{
    http_answer(r, status, "application/json", json, strlen(json));
}
