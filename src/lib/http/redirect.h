/* Limits where a redirect may lead. */
#pragma once

#include "lib/http/client.h"

/* Installs the checks that limit where a redirect may lead. */
void http_guard_redirects(struct http_request *q, const struct http_ask *ask);
