/* One replica: what decide() says next, its state, its failures. */
#include "reconciler/engine/replica.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "reconciler/engine/call.h"
#include "reconciler/engine/exits.h"
#include "reconciler/engine/journal.h"
#include "reconciler/engine/observe.h"
#include "reconciler/engine/prepare.h"
#include "reconciler/engine/quota.h"
#include "reconciler/engine/release.h"
#include "reconciler/engine/steps.h"
#include "reconciler/face/report.h"
#include "reconciler/model/stages.h"
#include "reconciler/model/wish.h"
#include "reconciler/rules/rollout.h"

#define QUICK_TRIES 5

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

static enum replica_state state_of(const struct replica *r)
{
    const struct record_replica *record = r->record;
    int64_t desired = r->instance->record->revision;
    enum want want = replica_want(r);
    if (r->last == STEP_CONFLICT)
        return REPLICA_CONFLICT;
    if (want == WANT_NOTHING)
        return r->current.state == DRIVER_MISSING     ? REPLICA_NONE
               : driver_state_is_up(r->current.state) ? REPLICA_RUNNING
                                                      : REPLICA_STOPPED;
    if (want == WANT_GONE)
        return r->last == STEP_GONE ? REPLICA_DESTROYED : REPLICA_DESTROYING;
    if (want == WANT_STOP)
        return driver_state_is_up(r->current.state) ? REPLICA_STOPPING
               : r->current.state == DRIVER_MISSING ? REPLICA_NONE
                                                    : REPLICA_STOPPED;
    if (exits_are_a_loop(r))
        return REPLICA_CRASH_LOOPING;
    if (record->failed_revision == desired || record->rolling_back ||
        (record->failure && record->attempt > 0) || r->attempt > 0)
        return REPLICA_FAILED;
    bool proven = record->applied_revision != 0 && r->current.revision == record->applied_revision;
    return driver_state_is_up(r->current.state) && proven ? REPLICA_RUNNING
           : r->current.state == DRIVER_MISSING && r->old.state == DRIVER_MISSING &&
                   r->step == STEP_SETTLED && r->last != STEP_PROBATION
               ? REPLICA_NONE
               : REPLICA_STARTING;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source, (void)usec;
    struct replica *r = userdata;
    r->next_retry = 0;
    /* Whether it is still up, or still in our way, is seen, not remembered. */
    if (r->last == STEP_PROBATION || r->last == STEP_CONFLICT)
        r->stale = true;
    replica_kick(r);
    return 0;
}

static void set_timer(struct replica *r, uint64_t msec)
{
    sd_event_source_disable_unref(r->timer);
    if (sd_event_add_time_relative(r->instance->manager->event, &r->timer, CLOCK_MONOTONIC,
                                   msec * USEC_PER_MSEC, 1000, on_timer, r) < 0)
        abort();
}

void replica_retry_later(struct replica *r, const struct error *e)
{
    struct manager *m = r->instance->manager;
    /* A worker that died is back within milliseconds: its callers repeat, and nobody need notice. */
    bool quick = error_worker_lost(e) && r->quick++ < QUICK_TRIES;
    uint64_t pause = quick ? 10 * r->quick : backoff_msec(m, ++r->attempt);
    if (!quick) {
        set_string(&r->message, e->message);
        log_warning("%s/%lld: %s; tried again in %.3g s", r->instance->record->name, (long long)r->record->id,
                    e->message, (double)pause / 1000);
    }
    r->next_retry = (uint64_t)now_realtime_msec() + pause;
    set_timer(r, pause);
    replica_set_state(r, state_of(r));
    instance_changed(r->instance);
}

void replica_forget_failure(struct replica *r)
{
    r->attempt = r->quick = 0;
    r->next_retry = 0;
    r->timer = sd_event_source_disable_unref(r->timer);
    r->record->failed_revision = 0;
    r->record->attempt = 0;
    set_string(&r->record->failure, NULL);
    set_string(&r->message, NULL);
    exits_forget(r);
    r->stale = true;
}

static bool probation_over(struct replica *r)
{
    return now_realtime_msec() >= r->current.started_at + (int64_t)replica_probation_msec(r);
}

static void wait_for_probation(struct replica *r)
{
    int64_t left = r->current.started_at + (int64_t)replica_probation_msec(r) - now_realtime_msec();
    stage_set(r, "container_running", "running", NULL);
    if (left > 0)
        set_timer(r, (uint64_t)left);
    else if (r->current.state != DRIVER_RUNNING)
        set_timer(r, 100);
}

/* What a container of the revision has. 'create' is made from the revision. */
static struct drift_wish wish_of(const struct replica *r, const struct record_revision *revision,
                                 const struct driver_create_in *create)
{
    struct port_list ports = replica_ports(r, revision->revision);
    return (struct drift_wish){.revision = revision,
                               .config = create->config,
                               .vpc_ipv4 = replica_vpc_ipv4(r, revision),
                               .ports = ports.items,
                               .n_ports = ports.n_items};
}

void replica_note_drift(struct replica *r)
{
    const struct record_revision *target = target_of(r);
    if (!target)
        return;
    struct driver_create_in *create = make_create(r, target);
    struct drift_wish wish = wish_of(r, target, create);
    drift_note_replacement(&r->drift, &r->current, &wish, now_monotonic_usec());
    free_create(create);
}

static bool drifted(struct replica *r, const struct record_revision *target,
                    const struct driver_create_in *create)
{
    struct drift_wish wish = wish_of(r, target, create);
    r->drift.seen = drift_is_seen(&r->drift, &r->current, r->record->applied_revision, &wish);
    return r->drift.seen && drift_is_mended_now(&r->drift, target, now_monotonic_usec());
}

/* Tells whether the rollout lets the replica begin a switch. */
static bool has_turn(const struct replica *r)
{
    const struct instance *instance = r->instance;
    const struct config *config = instance->manager->context->config;
    _cleanup_free_ struct rollout_replica *seen = xcalloc(instance->n_replicas, sizeof *seen);
    struct rollout rollout = {.record = instance->record,
                              .replicas = seen,
                              .n_replicas = instance->n_replicas,
                              .parallel_first = config_number(config, "reconciler", "parallel_first"),
                              .parallel_update = config_number(config, "reconciler", "parallel_update")};
    size_t own = 0;
    for (size_t i = 0; i < instance->n_replicas; i++) {
        const struct replica *other = instance->replicas[i];
        seen[i] = (struct rollout_replica){.record = other->record,
                                           .up = driver_state_is_up(other->current.state),
                                           .turn_taken = other->turn_taken,
                                           .wanted = replica_want(other) == WANT_RUN,
                                           .conflict = other->last == STEP_CONFLICT};
        if (other == r)
            own = i;
    }
    return rollout_turn(&rollout, own);
}

static enum step next_step(struct replica *r)
{
    struct instance *instance = r->instance;
    int64_t desired = replica_target_revision(r);
    const struct record_revision *target = record_find_revision(instance->record, desired);
    struct driver_create_in *create = make_create(r, target);
    bool is_target = r->current.revision == desired;
    bool assigned = !r->record->unassigned; /* else it is left as it is */
    if (replica_want(r) != WANT_RUN)
        r->turn_taken = false;
    else if (r->old.state != DRIVER_MISSING ||
             (is_target && r->current.state != DRIVER_MISSING && r->record->applied_revision != desired))
        r->turn_taken = true; /* a switch that an earlier life of ours began */
    struct decision_input in = {
        .want = replica_want(r),
        .current = &r->current,
        .old = &r->old,
        .target_revision = desired,
        .target_config = assigned ? create->config : NULL,
        .applied_revision = r->record->applied_revision,
        .rolling_back = r->record->rolling_back,
        .drifted = assigned && drifted(r, target, create),
        .prepared = prepare_is_done(instance, desired),
        .turn = has_turn(r),
        .quota_raises = quota_raises(r),
        .quota_set = r->quota_set,
        .provisioned = r->provisioned,
        .restored = r->restored,
        .has_data = has_data(target),
        .data_removed = r->data_removed,
        .update_files = r->record->update_files && assigned,
        .probation_over = probation_over(r),
    };
    enum step step = decide(&in);
    free_create(create);
    return step;
}

static bool all_settled(const struct instance *instance)
{
    for (size_t i = 0; i < instance->n_replicas; i++)
        if (instance->replicas[i]->last != STEP_SETTLED)
            return false;
    return true;
}

static void on_settled(struct replica *r)
{
    struct instance *instance = r->instance;
    bool turn = r->turn_taken;
    r->turn_taken = false;
    r->attempt = r->quick = 0;
    if (!exits_are_a_loop(r) && !r->record->failure)
        set_string(&r->message, NULL);
    if (replica_want(r) == WANT_STOP)
        stage_set(r, "container_stop", "success", NULL);
    /* A lower order clears the list, and nothing is switched for it: what runs is what it wants. */
    if (state_of(r) == REPLICA_RUNNING && !r->record->failure && !r->record->unassigned)
        stage_set(r, "container_running", "success", NULL);
    instance_release_revisions(instance);
    replica_set_state(r, state_of(r));
    if (all_settled(instance))
        prepare_redo(instance, replica_target_revision(r));
    if (turn) /* the next one may begin */
        instance_kick_soon(instance);
}

static void on_prepare(struct replica *r)
{
    struct instance *instance = r->instance;
    int64_t revision = replica_target_revision(r);
    prepare_start(instance, revision);
    const struct prepare *p = prepare_find(instance, revision);
    if (p->state == PREPARE_WAITING && p->failure && r->old.state != DRIVER_MISSING) {
        /* In the midst of a switch there is an outage: better the old one now than the new one some day. */
        set_string(&r->record->failure, p->failure);
        step_start(r, STEP_FAIL);
    }
}

void replica_kick(struct replica *r)
{
    struct manager *m = r->instance->manager;
    quota_leave_purge(r);
    if (r->request || !m->subscribed || !r->observed || instance_blocked(r->instance))
        return;
    if (r->next_retry > (uint64_t)now_realtime_msec())
        return;
    if (r->stale) {
        observe_replica(r);
        return;
    }
    enum step step = next_step(r), before = r->last;
    if (step == STEP_REMOVE_DATA && !quota_may_remove_data(r))
        step = STEP_WAIT;
    r->last = step;
    if (before == STEP_CONFLICT && step != STEP_CONFLICT)
        r->attempt = 0;
    log_debug("%s/%lld: current %s revision %lld config %s, old %s, next: %s", r->instance->record->name,
              (long long)r->record->id, schema_enum_name(&driver_state_enum, r->current.state),
              (long long)r->current.revision, r->current.config ?: "-",
              schema_enum_name(&driver_state_enum, r->old.state), step_to_string(step));
    switch (step) {
    case STEP_SETTLED:
        on_settled(r);
        break;
    case STEP_WAIT:
        break;
    case STEP_GONE: /* dropped at the end of this turn of the loop, see report.c; the zone's stay, to be
                       reported */
        stage_set(r, "container_destroy", "success", NULL);
        if (replica_stays_known(r))
            journal_gone(r);
        break;
    case STEP_CONFLICT: {
        const struct driver_container *c =
            r->current.state != DRIVER_MISSING && !r->current.ours ? &r->current : &r->old;
        free(r->message);
        r->message =
            xasprintf("container '%s' is not ours (%s): it is left alone", c->name, c->owner ?: "no label");
        r->turn_taken = false;
        if (before != STEP_CONFLICT)
            stage_set(r, "container_create", "failed", r->message);
        /* The runtime tells nothing of containers that are not ours. */
        set_timer(r, backoff_msec(m, ++r->attempt));
        break;
    }
    case STEP_PREPARE:
        on_prepare(r);
        break;
    case STEP_PROBATION:
        wait_for_probation(r);
        break;
    default:
        step_start(r, step);
    }
    replica_set_state(r, state_of(r));
    if (step != before)
        instance_changed(r->instance);
}

void instance_kick_soon(struct instance *instance)
{
    instance->kick = true;
    instance_changed(instance);
}

void instance_kick(struct instance *instance)
{
    for (size_t i = 0; i < instance->n_replicas; i++)
        replica_kick(instance->replicas[i]);
    instance_changed(instance);
}
