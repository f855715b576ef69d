/* Implements uptime.h. */
#include "reconciler/rules/uptime.h"

#include "lib/basic/util.h"

void uptime_see(struct uptime *u, int64_t started_at, int64_t wall, uint64_t now)
{
    if (u->looked == 0 || started_at != u->started_at) {
        uint64_t age = started_at < wall ? (uint64_t)(wall - started_at) * USEC_PER_MSEC : 0;
        u->since = age < now ? now - age : 0;
        if (u->since < u->looked)
            u->since = u->looked;
        u->started_at = started_at;
    }
    u->looked = now;
}
