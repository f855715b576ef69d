/* A request of the HTTP server, from its first line to its response. */
#pragma once

#include <microhttpd.h>

#include "rpc-gateway/http.h"

/* Returns the body, which has a final NUL beyond 'size'. It is valid as long as the request. */
const char *http_request_body(const struct http_request *request, size_t *ret_size);
/* Returns the value of a header, or NULL if the request lacks it. */
const char *http_request_header(const struct http_request *request, const char *name);
const struct peer *http_request_peer(const struct http_request *request);

/* Registers 'on_gone', which is called when the connection or the server ends before the response: the
 * request is invalid afterwards. NULL removes it. */
void http_request_on_gone(struct http_request *request, void (*on_gone)(void *pending), void *pending);

/* Send the response; 'body' is copied. The request is invalid afterwards. */
void http_answer(struct http_request *request, unsigned status, const char *type, const char *body,
                 size_t size);
void http_answer_json(struct http_request *request, unsigned status, const char *json);

/* Callbacks of libmicrohttpd that concern requests; their first argument is the server. */
enum MHD_Result http_on_request(void *server, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *data, size_t *data_size,
                                void **request);
void http_on_completed(void *server, struct MHD_Connection *connection, void **request,
                       enum MHD_RequestTerminationCode how);

/* Calls the request's 'on_gone', if it waits for its response, and lets it end with status 503. */
void http_request_abandon(struct http_request *request);
