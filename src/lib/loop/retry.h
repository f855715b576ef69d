/* Pauses between tries.
 *
 * The pause before the next try doubles with each failure, from the policy's first to its largest, and is
 * moved by up to a fifth at random, so that what failed together does not come back together. A worker that
 * died is different: hostletd starts it again within milliseconds, so that the first calls that it did not
 * answer are repeated quickly and count as no failure.
 *
 * These functions know no clock and no timer: the caller sets a timer to the pause that they return. */
#pragma once

#include "lib/basic/util.h"

#define RETRY_QUICK_TRIES 5 /* of a call whose worker died, before that counts as a failure */

struct retry_policy {
    uint64_t first_usec; /* the pause after the first failure */
    uint64_t most_usec;  /* the largest pause, before the random part */
};

/* What failed in a row. Zeros: nothing. */
struct retry {
    unsigned quick; /* quick tries */
    unsigned failures;
};

/* Decides whether the next try is a quick one, counts it, and gives the pause before it: 10 ms, 20 ms, …
 * 50 ms. False when the quick tries are used up. The caller asks where a worker was lost. */
bool retry_quickly(struct retry *retry, uint64_t *ret_usec);
/* Counts a failure and gives the pause before the next try. */
uint64_t retry_next(struct retry *retry, const struct retry_policy *policy);

/* The pause after that many failures in a row (from 1) without the random part. */
uint64_t retry_pause(const struct retry_policy *policy, unsigned failures);
/* Moves a pause by up to a fifth in either direction: by −20 % for 0, by +20 % for UINT32_MAX. */
uint64_t retry_spread(uint64_t pause_usec, uint32_t random);
