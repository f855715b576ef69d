/* A request of the HTTP server, from its first line to its answer. */
#pragma once

#include <microhttpd.h>

#include "rpc-gateway/http.h"

/* Of a request; the body has a final NUL beyond 'size'. */
const char *http_request_body(const struct http_request *request, size_t *ret_size);
const char *http_request_header(const struct http_request *request, const char *name); /* NULL: not there */
const struct peer *http_request_peer(const struct http_request *request);

/* 'on_gone' is called when the server ends before the answer: the request is invalid after it. NULL: nobody
 * waits any more. */
void http_request_on_gone(struct http_request *request, void (*on_gone)(void *pending), void *pending);

/* The answer; 'body' is copied. The request is invalid afterwards. */
void http_answer(struct http_request *request, unsigned status, const char *type, const char *body,
                 size_t size);
void http_answer_json(struct http_request *request, unsigned status, const char *json);

/* The callbacks of libmicrohttpd that concern requests; their first argument is the server. */
enum MHD_Result http_on_request(void *server, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *data, size_t *data_size,
                                void **request);
void http_on_completed(void *server, struct MHD_Connection *connection, void **request,
                       enum MHD_RequestTerminationCode how);

/* Tells those who still work on a request that nobody waits, and lets it end. */
void http_request_abandon(struct http_request *request);
