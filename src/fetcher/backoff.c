/* Growing pauses between tries; see backoff.h. */
#include "fetcher/backoff.h"

#include "lib/basic/util.h"

#define PAUSE_MAX (30 * USEC_PER_SEC)

uint64_t backoff_next(struct backoff *b)
{
    if (++b->tries >= b->tries_max)
        return 0;
    uint64_t pause = b->first_usec;
    for (unsigned i = 1; i < b->tries && pause < PAUSE_MAX; i++)
        pause *= 2;
    if (pause > PAUSE_MAX && b->first_usec < PAUSE_MAX)
        pause = PAUSE_MAX;
    uint16_t random;
    random_bytes(&random, sizeof random);
    /* ±20 % */
    return pause - pause / 5 + (pause * 2 / 5) * random / UINT16_MAX + 1;
}
