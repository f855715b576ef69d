/* Growing pauses between tries, with jitter, so that many machines do not come back together. */
#pragma once

#include <stdint.h>

struct backoff {
    uint64_t first_usec; /* after the first failure; doubles up to 30 s */
    unsigned tries_max;
    unsigned tries; /* that failed */
};

/* Counts a failure: the pause before the next try in microseconds, or 0 when there shall be none. */
uint64_t backoff_next(struct backoff *b);
