/* Maps libcurl's error codes to error classes. */
#pragma once

#include <curl/curl.h>

#include "lib/http/client.h"

/* Sets class, errno and message for a transfer that failed in libcurl. */
void http_failure(const struct http_request *q, CURLcode code, struct error *e);
