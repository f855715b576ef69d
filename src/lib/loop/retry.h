/* Computes the pauses between attempts.
 *
 * The pause doubles with each failure, from the first to the largest of the policy. It is then changed at
 * random by up to a fifth, so that clients that failed at the same time do not retry at the same time. The
 * loss of a worker is different: hostletd restarts it within milliseconds, so the first calls that it did not
 * answer are retried quickly and do not count as failures.
 *
 * The functions use no clock and no timer: the caller sets a timer to the pause that they return. */
#pragma once

#include "lib/basic/util.h"

/* Number of quick retries of a call whose worker was lost, before the loss counts as a failure. */
#define RETRY_QUICK_TRIES 5

struct retry_policy {
    uint64_t first_usec; /* the pause after the first failure */
    uint64_t most_usec;  /* the largest pause, before the random part */
};

/* Consecutive failures; zero-initialized: none. */
struct retry {
    unsigned quick; /* quick retries made */
    unsigned failures;
};

/* Reports whether the next attempt is a quick retry. If so, counts it and stores the pause before it: 10 ms,
 * 20 ms, … 50 ms. Returns false if all quick retries are used. The caller calls it when a worker was lost. */
bool retry_quickly(struct retry *retry, uint64_t *ret_usec);
/* Counts a failure and returns the pause before the next attempt, in microseconds. */
uint64_t retry_next(struct retry *retry, const struct retry_policy *policy);

/* Returns the pause after 'failures' consecutive failures (from 1), without the random part. */
uint64_t retry_pause(const struct retry_policy *policy, unsigned failures);
/* Changes a pause by up to a fifth in either direction: by −20 % for a random of 0, by +20 % for
 * UINT32_MAX. */
uint64_t retry_spread(uint64_t pause_usec, uint32_t random);
