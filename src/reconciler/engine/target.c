/* Implements target.h. */
#include "reconciler/engine/target.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "reconciler/engine/prepare.h"
#include "reconciler/engine/replica.h"
#include "reconciler/model/wish.h"
#include "reconciler/rules/rollout.h"

static int64_t desired_of(const struct replica *r)
{
    return r->instance->record->revision;
}

/* Reports whether the replica's switch goes, or will go, to the desired revision. */
static bool follows_desired(const struct replica *r)
{
    return replica_want(r) == WANT_RUN && !replica_keeps_applied(r);
}

/* Reports whether the rollout permits the replica to begin a switch to 'target'. */
static bool has_turn(const struct replica *r, int64_t target)
{
    const struct instance *instance = r->instance;
    const struct settings *settings = &instance->manager->settings;
    _cleanup_free_ struct rollout_replica *seen = xcalloc(instance->n_replicas, sizeof *seen);
    struct rollout rollout = {.record = instance->record,
                              .replicas = seen,
                              .n_replicas = instance->n_replicas,
                              .parallel_first = settings->parallel_first,
                              .parallel_update = settings->parallel_update};
    size_t own = 0;
    for (size_t i = 0; i < instance->n_replicas; i++) {
        const struct replica *other = instance->replicas[i];
        seen[i] = (struct rollout_replica){.record = other->record,
                                           .up = driver_state_is_up(other->seen.current.state),
                                           .turn_taken = other->turn_taken,
                                           .wanted = replica_want(other) == WANT_RUN,
                                           .conflict = other->last == STEP_CONFLICT};
        if (other == r)
            own = i;
    }
    /* A turn that was taken for another revision is none for this one. */
    seen[own].turn_taken &= r->switching_to == 0 || r->switching_to == target;
    return target == desired_of(r) ? rollout_turn(&rollout, own) : rollout_repair_turn(&rollout, own);
}

bool target_has_turn(const struct replica *r)
{
    return has_turn(r, replica_target_revision(r));
}

/* Reports whether a switch to the desired revision has begun, which takes the replica down. */
static bool switch_began(const struct replica *r, const struct prepare *p)
{
    const struct driver_container *current = &r->seen.current;
    if (current->state != DRIVER_MISSING && current->ours && current->revision == desired_of(r))
        return true;
    if (r->seen.old.state == DRIVER_MISSING || driver_state_is_lost((enum driver_state)r->seen.old.state))
        return false;
    /* An earlier process began it, most likely for the same revision. If that cannot be prepared now, the old
     * container runs until it can. */
    if (r->switching_to == 0)
        return !p || !p->failure;
    return r->switching_to == desired_of(r);
}

/* Reports whether an adopted container exists, which alone an assumed revision can be run by. */
static bool has_adopted(const struct replica *r)
{
    const struct driver_container *current = &r->seen.current, *old = &r->seen.old;
    return (current->state != DRIVER_MISSING && current->adopted) ||
           (old->state != DRIVER_MISSING && old->adopted);
}

static int64_t choose(const struct replica *r)
{
    int64_t desired = desired_of(r), applied = r->record->applied_revision;
    const struct record_revision *known = record_find_revision(r->instance->record, applied);
    if (applied == 0 || applied == desired || !known || (known->assumed && !has_adopted(r)))
        return desired;
    if (replica_keeps_applied(r) || r->record->rolling_back)
        return applied;
    if (switch_began(r, prepare_find(r->instance, desired)))
        return desired;
    return prepare_is_done(r->instance, desired) && has_turn(r, desired) ? desired : applied;
}

void target_choose(struct replica *r)
{
    int64_t target = choose(r);
    if (r->target != 0 && r->target != target) {
        r->done.quota_set = r->done.provisioned = false;
        replica_forget_pause(r);
    }
    r->target = target;
    if (target_is_interim(r))
        prepare_start(r->instance, desired_of(r));
}

bool target_is_interim(const struct replica *r)
{
    return follows_desired(r) && !r->record->rolling_back && replica_target_revision(r) != desired_of(r);
}

bool target_may_change_soon(const struct replica *r)
{
    int64_t revision = target_is_interim(r) ? desired_of(r) : replica_target_revision(r);
    if (prepare_is_done(r->instance, revision))
        return !rollout_stopped(r->instance->record);
    return prepare_patience(r->instance, revision) > 0;
}

static bool is_needed(const struct instance *instance, const struct prepare *p)
{
    for (size_t i = 0; i < instance->n_replicas; i++) {
        const struct replica *r = instance->replicas[i];
        if (replica_want(r) == WANT_RUN && (p->revision == replica_target_revision(r) ||
                                            (p->revision == desired_of(r) && follows_desired(r))))
            return true;
    }
    return false;
}

void target_drop_preparations(struct instance *instance)
{
    for (size_t i = instance->n_prepares; i > 0; i--) {
        const struct prepare *p = instance->prepares[i - 1];
        if (!is_needed(instance, p))
            prepare_cancel(instance, p->revision);
    }
}
