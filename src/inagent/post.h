/* One HTTP POST without waiting: a plain socket to a numeric address, HTTP/1.0, and nothing of the answer but
 * its status. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/basic/error.h"

#define POST_TIMEOUT_USEC (3 * USEC_PER_SEC)

struct post {
    int fd; /* −1: none is on its way */
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

/* Begins; 'url' is http://ADDRESS[:PORT][/PATH] with a numeric address. 0, or a negative errno with the
 * reason. */
int post_begin(struct post *post, const char *url, const char *secret, const char *body, uint64_t now,
               struct error *e);

/* What poll() is to wait for, besides 'deadline'. */
short post_events(const struct post *post);

/* Goes on as far as it can. Afterwards it is waiting still, or over, and then ready for the next one; a
 * failure says why. */
enum post_result post_step(struct post *post, uint64_t now, struct error *e);

void post_end(struct post *post);
