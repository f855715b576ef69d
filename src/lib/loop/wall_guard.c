/* Implements wall_guard.h. */
#include "lib/loop/wall_guard.h"

#include <inttypes.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"

#define JUMP_USEC  ((int64_t)(24 * 3600 * USEC_PER_SEC))
#define DOUBT_USEC (3600 * USEC_PER_SEC)

static int64_t offset_now(const struct wall_guard *g)
{
    return (int64_t)clock_realtime_usec(g->clock) - (int64_t)clock_boottime_usec(g->clock);
}

/* Parses "OFFSET:JUMPED". Returns false for another text, and changes nothing then. */
static bool inherit(struct wall_guard *g, const char *text)
{
    const char *colon = text ? strchr(text, ':') : NULL;
    _cleanup_free_ char *first = colon ? xstrndup(text, (size_t)(colon - text)) : NULL;
    int64_t offset, jumped;
    if (!colon || parse_int64(first, INT64_MIN / 2, INT64_MAX / 2, &offset) < 0 ||
        parse_int64(colon + 1, 0, (int64_t)clock_boottime_usec(g->clock), &jumped) < 0)
        return false;
    g->offset_usec = offset;
    g->jumped_usec = (uint64_t)jumped;
    return true;
}

void wall_guard_init(struct wall_guard *g, struct clock *clock, const char *inherited)
{
    *g = (struct wall_guard){.clock = clock};
    if (!inherit(g, inherited))
        g->offset_usec = offset_now(g);
}

bool wall_guard_compare(struct wall_guard *g)
{
    int64_t offset = offset_now(g);
    bool jumped = offset - g->offset_usec > JUMP_USEC;
    g->offset_usec = offset;
    if (jumped)
        g->jumped_usec = clock_boottime_usec(g->clock);
    return jumped;
}

char *wall_guard_text(const struct wall_guard *g)
{
    return xasprintf("%" PRId64 ":%" PRIu64, g->offset_usec, g->jumped_usec);
}

int64_t wall_guard_expiry(struct wall_guard *g, uint64_t keep_usec, int64_t newest, const char **ret_why)
{
    wall_guard_compare(g);
    int64_t now = (int64_t)(clock_realtime_usec(g->clock) / USEC_PER_SEC),
            keep = (int64_t)(keep_usec / USEC_PER_SEC);
    bool doubted = g->jumped_usec && clock_boottime_usec(g->clock) - g->jumped_usec < DOUBT_USEC;
    *ret_why = doubted        ? "the clock was set forward by more than a day within the last hour"
               : now < newest ? "the clock stands before the newest time in hostlet's own records"
                              : NULL;
    return *ret_why || now < keep ? -1 : now - keep;
}
