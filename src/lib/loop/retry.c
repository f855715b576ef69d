/* Implements retry.h. */
#include "lib/loop/retry.h"

#define QUICK_PAUSE (10 * USEC_PER_MSEC)

bool retry_quickly(struct retry *retry, uint64_t *ret_usec)
{
    if (retry->quick >= RETRY_QUICK_TRIES)
        return false;
    *ret_usec = QUICK_PAUSE * ++retry->quick;
    return true;
}

uint64_t retry_pause(const struct retry_policy *policy, unsigned failures)
{
    /* A pause of 0 would stay 0 when it is doubled. */
    uint64_t pause = policy->first_usec ?: 1;
    for (unsigned i = 1; i < failures && pause < policy->most_usec; i++)
        pause *= 2;
    return pause < policy->most_usec ? pause : policy->most_usec;
}

uint64_t retry_spread(uint64_t pause_usec, uint32_t random)
{
    uint64_t fifth = pause_usec / 5;
    return pause_usec - fifth + (uint64_t)((double)(2 * fifth) * random / UINT32_MAX);
}

uint64_t retry_next(struct retry *retry, const struct retry_policy *policy)
{
    uint32_t random;
    random_bytes(&random, sizeof random);
    return retry_spread(retry_pause(policy, ++retry->failures), random);
}
