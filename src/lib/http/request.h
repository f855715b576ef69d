/* Performs one HTTP transfer: its options, its response's headers and body, its end. */
#pragma once

#include <curl/curl.h>

#include "lib/http/client.h"

/* Pauses and resumes the reception, only with on_data: at most one more buffer of libcurl (16 KiB) is
 * received meanwhile, and the peer waits. The total timeout continues, the low speed is not checked. Only
 * callbacks of the same request may pause it. */
void http_request_pause(struct http_request *request);
void http_request_resume(struct http_request *request);

/* Sets the error with which the request ends. A callback calls it and returns its return value, −errnum. */
int http_request_fail(struct http_request *request, enum error_class class, int errnum, const char *fmt, ...)
    _printf_(4, 5);

/* Returns the value of a header of the last response (the first of several), or NULL; case-insensitive. */
const char *http_request_header(const struct http_request *request, const char *name);

int http_request_setup(struct http_request *q, const struct http_ask *ask, struct error *e);
void http_request_destroy(struct http_request *q);
/* Announces headers that no body followed, and fills the result of a finished transfer. */
void http_request_finish(struct http_request *q, CURLcode code, struct http_result *ret);
