/* Implements readiness.h. */
#include "reconciler/rules/readiness.h"

#include "lib/app/limits.h"
#include "lib/app/normalise.h"
#include "lib/basic/util.h"

bool readiness_is_of_container(const struct record_agent *agent, const struct driver_container *container)
{
    return agent->container && (!container->id || after_prefix(container->id, agent->container));
}

bool readiness_is_of_life(const struct record_agent *agent, const struct driver_container *container)
{
    return agent->life && agent->started != 0 && agent->started == container->started_at && container->id &&
           readiness_is_of_container(agent, container);
}

uint64_t readiness_limit(const struct readiness_input *in)
{
    const struct app_task *task = app_ready_task(in->spec);
    if (!task)
        return 0;
    uint64_t limit = (uint64_t)(task->ready_timeout ?: APP_READY_TIMEOUT) * 1000, asked = 0;
    if (in->agent && readiness_is_of_life(in->agent, in->container))
        asked = (uint64_t)in->agent->ready_until;
    return asked > limit ? asked : limit;
}

enum readiness readiness_of(const struct readiness_input *in)
{
    uint64_t limit = readiness_limit(in);
    if (limit == 0)
        return READINESS_UNUSED;
    if (in->agent && in->agent->ready && readiness_is_of_life(in->agent, in->container))
        return READINESS_READY;
    return in->lasted < limit * USEC_PER_MSEC || in->grace > 0 ? READINESS_AWAITED : READINESS_LATE;
}
