/* Implements damp.h. */
#include "net-keeper/damp.h"

#include "lib/loop/retry.h"

#define CALM  (10 * USEC_PER_SEC)
#define FIGHT 6 /* corrections in a row */

static const struct retry_policy policy = {100 * USEC_PER_MSEC, 60 * USEC_PER_SEC};

static uint64_t pause_after(unsigned n)
{
    return n == 0 ? 0 : retry_pause(&policy, n);
}

static bool is_calm(const struct damp *damp, uint64_t now)
{
    uint64_t calm = 2 * pause_after(damp->n);
    return damp->n == 0 || now - damp->last > (calm > CALM ? calm : CALM);
}

uint64_t damp_wait(const struct damp *damp, uint64_t now)
{
    uint64_t next = damp->last + pause_after(damp->n);
    return damp->n == 0 || next <= now ? 0 : next - now;
}

void damp_count(struct damp *damp, uint64_t now)
{
    *damp = (struct damp){is_calm(damp, now) ? 1 : damp->n + 1, now};
}

bool damp_is_fight(const struct damp *damp, uint64_t now)
{
    return damp->n >= FIGHT && !is_calm(damp, now);
}
