/* Implements replica.h. */
#include "reconciler/engine/replica.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "reconciler/engine/call.h"
#include "reconciler/engine/exits.h"
#include "reconciler/model/stages.h"
#include "reconciler/model/wish.h"

/* How long a process that starts waits for the report of an application that may have been ready before.
 * inagent repeats a report that failed after 10 s at the latest. */
#define GRACE (30 * USEC_PER_SEC)

void replica_set_state(struct replica *replica, enum replica_state state)
{
    if (replica->state == state)
        return;
    log_info("%s/%lld: %s -> %s%s%s", replica->instance->record->name, (long long)replica->record->id,
             schema_enum_name(&replica_state_enum, (int)replica->state),
             schema_enum_name(&replica_state_enum, (int)state), replica->message ? ": " : "",
             replica->message ?: "");
    replica->state = state;
    instance_changed(replica->instance);
}

bool replica_only_cleans_up(const struct replica *r)
{
    return (r->last == STEP_REMOVE_OLD || r->last == STEP_REMOVE_RENAMED) && replica_want(r) == WANT_RUN &&
           r->record->applied_revision == replica_target_revision(r) &&
           driver_state_is_up((enum driver_state)r->seen.current.state);
}

static enum replica_state state_of(const struct replica *r)
{
    const struct record_replica *record = r->record;
    int64_t desired = r->instance->record->revision;
    enum want want = replica_want(r);
    if (r->last == STEP_CONFLICT)
        return REPLICA_CONFLICT;
    if (want == WANT_NOTHING)
        return r->seen.current.state == DRIVER_MISSING     ? REPLICA_NONE
               : r->seen.current.state == DRIVER_PAUSED    ? REPLICA_PAUSED
               : driver_state_is_up(r->seen.current.state) ? REPLICA_RUNNING
                                                           : REPLICA_STOPPED;
    if (want == WANT_GONE)
        return r->last == STEP_GONE ? REPLICA_DESTROYED : REPLICA_DESTROYING;
    if (want == WANT_STOP)
        return driver_state_is_up(r->seen.current.state) ? REPLICA_STOPPING
               : r->seen.current.state == DRIVER_MISSING ? REPLICA_NONE
                                                         : REPLICA_STOPPED;
    if (exits_are_a_loop(r))
        return REPLICA_CRASH_LOOPING;
    if (record->failed_revision == desired || record->rolling_back ||
        (record->failure && record->attempt > 0) || r->seen.removal_overdue ||
        (r->retry.count.failures > 0 && !replica_only_cleans_up(r)))
        return REPLICA_FAILED;
    if (r->seen.current.state == DRIVER_PAUSED)
        return REPLICA_PAUSED;
    bool proven = record->applied_revision != 0 && r->seen.current.revision == record->applied_revision;
    return driver_state_is_up(r->seen.current.state) && proven ? REPLICA_RUNNING
           : r->seen.current.state == DRIVER_MISSING && r->seen.old.state == DRIVER_MISSING &&
                   r->step == STEP_SETTLED && r->last != STEP_PROBATION
               ? REPLICA_NONE
               : REPLICA_STARTING;
}

void replica_update_state(struct replica *r)
{
    replica_set_state(r, state_of(r));
}

static void on_timer(void *userdata)
{
    struct replica *r = userdata;
    r->retry.next = 0;
    /* Whether the container is still up, or the other one still has the name, must be inspected. */
    if (r->last == STEP_PROBATION || r->last == STEP_CONFLICT || r->last == STEP_REMOVING)
        r->seen.stale = true;
    replica_kick(r);
}

static struct readiness_input readiness_input(const struct replica *r)
{
    const struct record_revision *target = target_of(r);
    uint64_t now = replica_monotonic_usec(r);
    bool reports = target && has_agent(target) && !target->assumed;
    return (struct readiness_input){.spec = reports ? target->manifest->app->spec : NULL,
                                    .agent = r->record->agent,
                                    .container = &r->seen.current,
                                    .lasted = now - r->seen.uptime.since,
                                    .grace = r->seen.found_at + GRACE > now && r->seen.found_at != 0
                                                 ? r->seen.found_at + GRACE - now
                                                 : 0};
}

enum readiness replica_readiness(const struct replica *r)
{
    struct readiness_input in = readiness_input(r);
    return readiness_of(&in);
}

uint64_t replica_probation_left(const struct replica *r)
{
    struct readiness_input in = readiness_input(r);
    uint64_t lasted = in.lasted,
             probation = (readiness_limit(&in) ?: replica_probation_msec(r)) * USEC_PER_MSEC;
    uint64_t left = lasted < probation ? probation - lasted : 0;
    return readiness_limit(&in) != 0 && in.grace > left ? in.grace : left;
}

void replica_kick_after(struct replica *r, uint64_t msec)
{
    clock_arm(r->instance->manager->outside->clock, &r->retry.timer, msec * USEC_PER_MSEC, on_timer, r);
}

void replica_retry_later(struct replica *r, const struct error *e)
{
    struct manager *m = r->instance->manager;
    uint64_t pause = 0;
    /* hostletd restarts a worker within milliseconds. The step is repeated then, and no failure is shown. */
    bool quick = error_worker_lost(e) && retry_quickly(&r->retry.count, &pause);
    if (!quick)
        pause = retry_next(&r->retry.count, &m->settings.retry);
    if (!quick) {
        set_string(&r->message, e->message);
        log_warning("%s/%lld: %s; retried in %.3g s", r->instance->record->name, (long long)r->record->id,
                    e->message, (double)pause / (double)USEC_PER_SEC);
    }
    r->retry.next = outside_monotonic_usec(m->outside) + pause;
    replica_kick_after(r, pause / USEC_PER_MSEC);
    replica_update_state(r);
    instance_changed(r->instance);
}

void replica_forget_pause(struct replica *r)
{
    r->retry.count = (struct retry){0};
    r->retry.next = 0;
    timer_stop(&r->retry.timer);
}

void replica_stage_set(struct replica *r, enum app_stage_name name, enum app_stage_state state,
                       const char *message)
{
    if (replica_want(r) != WANT_RUN || replica_target_revision(r) == r->instance->record->revision)
        stage_set(r, name, state, message);
}

void replica_step_over(struct replica *r)
{
    r->step = STEP_SETTLED;
    r->retry.count = (struct retry){0};
    replica_kick(r);
}
