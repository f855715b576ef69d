/* Sends one HTTP POST without blocking: a plain socket to a numeric address or a Unix socket, HTTP/1.0; of
 * the response it reads only the status. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/basic/error.h"

#define POST_TIMEOUT_USEC (3 * USEC_PER_SEC)

struct post {
    int fd; /* −1: no request is in progress */
    char *request;
    size_t size, sent;
    char answer[32];
    size_t received;
    uint64_t deadline; /* CLOCK_MONOTONIC, microseconds */
};

#define POST_INIT                                                                                            \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

enum post_result { POST_WAITING, POST_DONE, POST_FAILED };

/* Starts a request. 'url' is http://ADDRESS[:PORT][/PATH] with a numeric address, or unix:PATH; then the
 * function can block for half a second, if other callers fill the socket's backlog. Returns 0, or a negative
 * errno with the reason in *e. */
int post_begin(struct post *post, const char *url, const char *secret, const char *body, uint64_t now,
               struct error *e);

/* Returns the events that poll() must wait for, beside 'deadline'. */
short post_events(const struct post *post);

/* Continues as far as possible without blocking. Unless it returns POST_WAITING, the request is over and
 * the struct ready for the next one; *e contains the reason of a failure. */
enum post_result post_step(struct post *post, uint64_t now, struct error *e);

void post_end(struct post *post);
