/* Implements turn.h. Gathers the input of decide() and begins the step that it returns. */
#include "reconciler/engine/turn.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "reconciler/engine/copy.h"
#include "reconciler/engine/data.h"
#include "reconciler/engine/exits.h"
#include "reconciler/engine/journal.h"
#include "reconciler/engine/limits.h"
#include "reconciler/engine/observe.h"
#include "reconciler/engine/prepare.h"
#include "reconciler/engine/quota.h"
#include "reconciler/engine/release.h"
#include "reconciler/engine/renamed.h"
#include "reconciler/engine/replica.h"
#include "reconciler/engine/steps.h"
#include "reconciler/engine/target.h"
#include "reconciler/model/stages.h"
#include "reconciler/model/store.h"
#include "reconciler/model/wish.h"

/* --- the input of decide() --- */

static bool drifted(const struct replica *r)
{
    return r->drift.seen && drift_is_mended_now(&r->drift, replica_monotonic_usec(r));
}

/* Reports whether the replica's directory is needed for the current container, or for the one that is made
 * next. An image's container that was made before its volumes were known has none, and runs on without. */
static bool uses_data(const struct replica *r, const struct record_revision *target)
{
    const struct driver_container *c = &r->seen.current;
    if (target->assumed)
        return false;
    if (c->state == DRIVER_MISSING && copy_is_due(r, &r->seen.old))
        return true;
    return has_data(target) && (has_agent(target) || c->state == DRIVER_MISSING || c->n_volumes > 0);
}

/* Returns the next step and changes nothing. note_what_is_seen() runs before it. */
static enum step next_step(const struct replica *r, const struct record_revision *target, const char *config)
{
    bool assigned = !r->record->unassigned; /* else neither drift nor files are considered */
    bool interim = target_is_interim(r);
    bool next_is_prepared = prepare_is_done(r->instance, r->instance->record->revision);
    struct decision_input in = {
        .want = replica_want(r),
        .current = &r->seen.current,
        .old = &r->seen.old,
        .renamed = &r->seen.renamed,
        .renamed_in_way = renamed_is_in_way(r),
        .target_revision = target->revision,
        .target_config = assigned ? config : NULL,
        .applied_revision = r->record->applied_revision,
        .was_stopped = r->stopped_start != 0 && r->stopped_start == r->seen.current.started_at,
        .rolling_back = r->record->rolling_back,
        .drifted = assigned && !target->assumed && drifted(r),
        .prepared = prepare_is_done(r->instance, target->revision),
        .turn = target_has_turn(r),
        .until = !interim           ? STEP_SETTLED
                 : next_is_prepared ? STEP_WAIT
                                    : STEP_AWAIT,
        .patient = target_may_change_soon(r),
        .bring_back = interim && r->switching_to != target->revision,
        .limits_due = !target->assumed && limits_are_due(r),
        .quota_raises = quota_raises(r),
        .quota_set = r->done.quota_set,
        .provisioned = r->done.provisioned,
        .restored = r->done.restored,
        .has_data = uses_data(r, target),
        .data_removed = r->done.data_removed,
        .current_unsaved = copy_is_due(r, &r->seen.current),
        .old_unsaved = copy_is_due(r, &r->seen.old),
        .update_files = r->record->update_files && assigned && has_agent(target),
        .probation_over = replica_probation_left(r) == 0,
        .readiness = replica_readiness(r),
    };
    enum step step = decide(&in);
    return step == STEP_REMOVE_DATA && !data_may_be_removed(r) ? STEP_WAIT : step;
}

/* --- conclusions from an inspection --- */

/* Updates turn_taken. A switch that a previous process began counts, too: its containers show it. */
static void note_turn(struct replica *r, int64_t target)
{
    bool unproven = r->seen.current.state != DRIVER_MISSING && r->seen.current.revision == target &&
                    r->record->applied_revision != target;
    bool put_aside =
        r->seen.old.state != DRIVER_MISSING && !driver_state_is_lost((enum driver_state)r->seen.old.state);
    if (replica_want(r) != WANT_RUN) {
        r->turn_taken = false;
        r->switching_to = 0;
        r->stopped_start = r->seen.current.state == DRIVER_EXITED ? r->seen.current.started_at : 0;
    } else if (put_aside || unproven)
        r->turn_taken = true;
}

static void log_drift(const struct replica *r, const struct drift_wish *wish)
{
    _cleanup_free_ char *reason = drift_reason(&r->seen.current, wish);
    const char *then = replica_want(r) != WANT_RUN ? "it is recreated when it is to run again"
                       : drifted(r)                ? "it is recreated"
                                                   : "it is recreated at most once in ten minutes";
    log_notice("%s/%lld: the container differs from revision %lld: %s; %s", r->instance->record->name,
               (long long)r->record->id, (long long)wish->revision->revision, reason, then);
}

static void note_what_is_seen(struct replica *r, const struct record_revision *target,
                              const struct driver_create_in *create)
{
    note_turn(r, target->revision);
    if (target->assumed)
        return;
    limits_note(r, target);
    if (r->record->unassigned)
        return;
    struct drift_wish wish = drift_wish_of(r, target, create);
    bool before = r->drift.seen;
    r->drift.seen = drift_is_seen(&r->drift, &r->seen.current, r->record->applied_revision, &wish);
    if (r->drift.seen && !before)
        log_drift(r, &wish);
}

/* --- a turn --- */

static bool may_act(const struct replica *r)
{
    return !r->request && r->instance->manager->subscribed && r->seen.observed &&
           !instance_blocked(r->instance);
}

/* Reports whether a pause after a failure is over. */
static bool pause_over(const struct replica *r)
{
    return r->retry.next <= replica_monotonic_usec(r);
}

static void act(struct replica *r)
{
    const struct record_revision *target = target_of(r);
    struct driver_create_in *create = make_create(r, target);
    note_what_is_seen(r, target, create);
    enum step step = next_step(r, target, desired_label(r, target, create)), before = r->last;
    free_create(create);
    r->last = step;
    if (step != STEP_REMOVING) {
        r->seen.removing_since = 0;
        r->seen.removal_overdue = false;
    }
    if (before == STEP_CONFLICT && step != STEP_CONFLICT)
        r->retry.count.failures = 0;
    log_debug("%s/%lld: current %s revision %lld config %s, old %s, next: %s", r->instance->record->name,
              (long long)r->record->id, schema_enum_name(&driver_state_enum, r->seen.current.state),
              (long long)r->seen.current.revision, r->seen.current.config ?: "-",
              schema_enum_name(&driver_state_enum, r->seen.old.state), step_name(step));
    step_begin(r, step);
    replica_update_state(r);
    if (step != before)
        instance_changed(r->instance);
}

/* Inspects the replica or begins its next step. Returns true if no call is in progress afterwards: watchers
 * may have been shown a step that has ended. */
static bool ask(struct replica *r)
{
    r->kick = false;
    data_leave_purge(r);
    copy_leave(r);
    if (may_act(r) && !r->seen.stale)
        journal_adopt(r);
    if (may_act(r))
        target_choose(r); /* another target ends a pause */
    if (may_act(r) && pause_over(r) && r->seen.stale)
        observe_replica(r);
    else if (may_act(r) && pause_over(r))
        act(r);
    return !r->request;
}

static bool ask_kicked(struct instance *instance)
{
    bool kicked = false, stale = false;
    for (size_t i = 0; i < instance->n_replicas; i++) {
        kicked |= instance->replicas[i]->kick;
        stale |= instance->replicas[i]->seen.stale;
    }
    /* A container that is not inspected yet may use any revision. */
    if (kicked && !stale && instance->manager->subscribed)
        instance_release_revisions(instance);
    bool tell = false;
    for (size_t i = 0; i < instance->n_replicas; i++)
        if (instance->replicas[i]->kick)
            tell |= ask(instance->replicas[i]);
    return tell;
}

static bool drop_gone(struct instance *instance)
{
    bool dropped = false;
    for (size_t i = instance->n_replicas; i > 0; i--) {
        struct replica *r = instance->replicas[i - 1];
        if (r->last == STEP_GONE && !r->request && replica_want(r) == WANT_GONE && !replica_stays_known(r)) {
            instance_drop_replica(r);
            dropped = true;
        }
    }
    return dropped;
}

/* Removes the instance and its record. */
static void forget(struct instance *instance)
{
    struct manager *m = instance->manager;
    for (struct instance **at = &m->instances; *at; at = &(*at)->next)
        if (*at == instance) {
            *at = instance->next;
            break;
        }
    if (failpoint("forget.before") < 0)
        log_notice("failpoint: instance %s is removed nevertheless", instance->record->name);
    store_remove(instance);
    instance_free(instance);
}

static void end(struct instance *instance)
{
    struct manager *m = instance->manager;
    struct app_instance *next = record_is_zone(instance->record) ? NULL : TAKE_PTR(instance->record->next);
    _cleanup_free_ char *name = xstrdup(instance->record->name);
    m->listener->gone(instance);
    forget(instance);
    m->listener->name_free(m, name, next);
}

void turn(void *userdata)
{
    struct instance *instance = userdata;
    bool tell = ask_kicked(instance) | instance->changed;
    target_drop_preparations(instance);
    bool dropped = drop_gone(instance);
    if (instance_is_over(instance) && instance_let_go(instance)) {
        end(instance);
        return;
    }
    instance->letting_go &= instance_is_over(instance);
    if (dropped) {
        instance_release_revisions(instance);
        store_save_soon(instance);
    }
    /* One notice includes what the steps above changed. */
    if (tell || dropped || instance->changed) {
        instance->changed = false;
        instance->manager->listener->changed(instance);
    }
}

/* --- beginning again --- */

void replica_forget_failure(struct replica *r)
{
    replica_forget_pause(r);
    r->record->failed_revision = 0;
    r->record->attempt = 0;
    set_string(&r->record->failure, NULL);
    exits_forget_before(r);
    r->seen.stale = true;
}

void instance_begin(struct instance *instance)
{
    for (size_t i = 0; i < instance->n_replicas; i++) {
        struct replica *r = instance->replicas[i];
        replica_forget_pause(r);
        limits_forget_pause(r);
        r->done.quota_set = r->done.provisioned = r->done.data_removed = false;
        r->drift.mended_at = 0;
        /* A new replica is inspected before its first step. */
        r->seen.observed = true;
        r->seen.stale = true;
        exits_forget_before(r);
        if (replica_want(r) == WANT_RUN && !record_is_zone(instance->record))
            stage_repeat(r, STAGE_HOST_RECV);
    }
    prepare_forget_failures(instance);
    instance_kick(instance);
}
