/* Implements outlook.h. */
#include "reconciler/face/outlook.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/util.h"
#include "reconciler/engine/exits.h"
#include "reconciler/engine/prepare.h"
#include "reconciler/engine/replica.h"
#include "reconciler/engine/steps.h"
#include "reconciler/engine/target.h"
#include "reconciler/model/wish.h"
#include "reconciler/rules/rollout.h"

/* Between two attempts of a purge they stay "deleting data". */
const char *outlook_step(const struct replica *r)
{
    enum step step = r->step != STEP_SETTLED ? r->step : r->last;
    bool waiting = step == STEP_REMOVE_DATA && !r->request && r->instance->record->purge;
    return r->purging || waiting ? "deleting data" : step_words(step);
}

/* Returns what an administrator, or the zone, does for another attempt. */
static char *request_for(const struct instance *instance)
{
    const struct record *record = instance->record;
    if (record_is_zone(record) && !record->hold)
        return xstrdup("the zone's next order");
    return xasprintf("'hostletctl start %s'", record->name);
}

/* Returns the time of the armed timer by which the engine looks at the replica again. */
static uint64_t timer_of(const struct replica *r)
{
    return timer_armed(&r->retry.timer) ? r->retry.timer.at : 0;
}

static char *of_rollback(const struct replica *r)
{
    const struct record_replica *record = r->record;
    int64_t desired = r->instance->record->revision;
    if (record->applied_revision == 0)
        return xstrdup("its rest is removed, and after a pause it is deployed again");
    if (record->rolling_back != desired)
        return xasprintf("revision %lld is brought back, and revision %lld follows",
                         (long long)record->applied_revision, (long long)desired);
    _cleanup_free_ char *request = request_for(r->instance);
    return xasprintf("revision %lld is brought back; revision %lld is not tried again before %s",
                     (long long)record->applied_revision, (long long)desired, request);
}

/* Returns the text for a replica whose step or deploy is repeated after a pause. */
static char *of_pause(const struct replica *r, enum want want)
{
    bool first = r->record->applied_revision == 0 && r->record->attempt > 0;
    if (want == WANT_RUN && first)
        return xstrdup("it is deployed again");
    const char *words = outlook_step(r);
    return words ? xasprintf("%s is tried again", words) : xstrdup("it is tried again");
}

/* Returns the text for a replica that keeps its applied revision although another one is desired. */
static char *of_wait(const struct replica *r, uint64_t *ret_at)
{
    long long applied = (long long)r->record->applied_revision,
              desired = (long long)r->instance->record->revision;
    bool up = driver_state_is_up((enum driver_state)r->seen.current.state);
    if (!up && r->last != STEP_AWAIT)
        return NULL; /* a step that starts the applied revision is in progress */
    if (!up) {
        *ret_at = timer_of(r);
        return xasprintf("unless revision %lld is prepared before, revision %lld is started", desired,
                         applied);
    }
    if (!prepare_is_done(r->instance, desired))
        return xasprintf("revision %lld runs until revision %lld is prepared", applied, desired);
    if (!rollout_stopped(r->instance->record))
        return xasprintf("revision %lld follows in this replica's turn", desired);
    _cleanup_free_ char *request = request_for(r->instance);
    return xasprintf("revision %lld runs; revision %lld is not tried again before %s", applied, desired,
                     request);
}

static char *of_running(const struct replica *r, uint64_t *ret_at)
{
    if (replica_keeps_applied(r) && !r->record->unassigned) {
        _cleanup_free_ char *request = request_for(r->instance);
        return xasprintf("revision %lld is not tried again before %s",
                         (long long)r->instance->record->revision, request);
    }
    if (exits_are_a_loop(r))
        return xstrdup("the runtime starts the container again after each exit, with growing pauses");
    if (target_is_interim(r))
        return of_wait(r, ret_at);
    if (r->last == STEP_PROBATION) {
        *ret_at = timer_of(r);
        return xstrdup(replica_readiness(r) == READINESS_UNUSED
                           ? "its probation ends"
                           : "the deploy fails unless the application is ready before");
    }
    return NULL;
}

char *outlook_of_replica(const struct replica *r, uint64_t *ret_at)
{
    enum want want = replica_want(r);
    *ret_at = 0;
    if (r->last == STEP_CONFLICT || r->last == STEP_REMOVING) {
        *ret_at = timer_of(r);
        return xasprintf("the container is inspected again");
    }
    if (r->retry.next > replica_monotonic_usec(r)) {
        *ret_at = r->retry.next;
        return of_pause(r, want);
    }
    if (r->record->rolling_back && want == WANT_RUN)
        return of_rollback(r);
    if (r->limits.next != 0) {
        *ret_at = r->limits.next;
        return xstrdup("the limits are set again");
    }
    return want == WANT_RUN ? of_running(r, ret_at) : NULL;
}

char *outlook_of_instance(const struct instance *instance, uint64_t *ret_at)
{
    const struct prepare *p = prepare_find((struct instance *)instance, instance->record->revision);
    *ret_at = 0;
    if (instance_blocked(instance))
        return NULL; /* the message says what is to be done */
    if (instance->manager->runtime_failure)
        return xstrdup("it continues when the runtime answers");
    if (p && p->next_retry != 0) {
        *ret_at = p->next_retry;
        return xstrdup("the preparation is tried again");
    }
    return NULL;
}
