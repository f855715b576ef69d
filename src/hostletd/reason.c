/* Implements reason.h. */
#include "hostletd/reason.h"

#include "lib/basic/util.h"

char *reason_of(const struct service *s)
{
    bool retried = (s->state == SERVICE_BACKOFF || s->state == SERVICE_FAILED) && timer_armed(&s->timer);
    if (!s->reason || !retried)
        return xstrdup_null(s->reason);
    uint64_t now = now_monotonic_usec(), left = s->timer.at > now ? s->timer.at - now : 0;
    return xasprintf("%s; tried again in %.1f s", s->reason, (double)left / (double)USEC_PER_SEC);
}
