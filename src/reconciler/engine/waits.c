/* Implements waits.h. */
#include "reconciler/engine/waits.h"

#include <stdlib.h>

#include "lib/basic/util.h"
#include "reconciler/engine/call.h"
#include "reconciler/engine/exits.h"
#include "reconciler/engine/journal.h"
#include "reconciler/engine/prepare.h"
#include "reconciler/engine/release.h"
#include "reconciler/engine/replica.h"
#include "reconciler/engine/steps.h"
#include "reconciler/engine/turn.h"
#include "reconciler/model/stages.h"
#include "reconciler/model/wish.h"

static bool all_settled(const struct instance *instance)
{
    for (size_t i = 0; i < instance->n_replicas; i++)
        if (instance->replicas[i]->last != STEP_SETTLED)
            return false;
    return true;
}

void wait_settled(struct replica *r)
{
    struct instance *instance = r->instance;
    bool turn = r->turn_taken;
    r->turn_taken = false;
    r->retry.count = (struct retry){0};
    if (!exits_are_a_loop(r) && !r->record->failure)
        set_string(&r->message, NULL);
    if (replica_want(r) == WANT_STOP)
        stage_set(r, STAGE_CONTAINER_STOP, STAGE_SUCCESS, NULL);
    replica_update_state(r);
    /* An order with a lower number clears the stages without a switch, and the container already is the
     * desired one. */
    if (r->state == REPLICA_RUNNING && !r->record->failure && !r->record->unassigned)
        stage_set(r, STAGE_CONTAINER_RUNNING, STAGE_SUCCESS, NULL);
    instance_release_revisions(instance);
    if (all_settled(instance))
        prepare_redo(instance, replica_target_revision(r));
    if (turn) /* the next replica may begin */
        instance_kick(instance);
}

void wait_for_others(struct replica *r)
{
    (void)r;
}

/* The end of this turn drops the replica, unless the zone still assigns it and receives its stages. */
void wait_gone(struct replica *r)
{
    stage_set(r, STAGE_CONTAINER_DESTROY, STAGE_SUCCESS, NULL);
    if (replica_stays_known(r))
        journal_gone(r);
}

void wait_for_name(struct replica *r)
{
    const struct driver_container *c =
        r->seen.current.state != DRIVER_MISSING && !r->seen.current.ours ? &r->seen.current : &r->seen.old;
    free(r->message);
    r->message = xasprintf("container '%s' does not belong to this tree (%s) and is left unchanged", c->name,
                           c->owner ?: "no label");
    r->turn_taken = false;
    stage_set(r, STAGE_CONTAINER_CREATE, STAGE_FAILED, r->message);
    /* No event arrives for a container that does not belong to this tree: inspect it after a pause. */
    replica_kick_after(r, retry_next(&r->retry.count, &r->instance->manager->settings.retry) / USEC_PER_MSEC);
}

void wait_for_preparation(struct replica *r)
{
    struct instance *instance = r->instance;
    int64_t revision = replica_target_revision(r);
    prepare_start(instance, revision);
    const struct prepare *p = prepare_find(instance, revision);
    if (p->state == PREPARE_WAITING && p->failure && r->seen.old.state != DRIVER_MISSING) {
        /* The replica is down in the middle of a switch: the old container is brought back rather than
         * waiting for a preparation that failed. */
        set_string(&r->record->failure, p->failure);
        step_begin(r, STEP_FAIL);
    }
}

void wait_for_probation(struct replica *r)
{
    uint64_t left = replica_probation_left(r) / USEC_PER_MSEC;
    stage_set(r, STAGE_CONTAINER_RUNNING, STAGE_RUNNING, NULL);
    /* The last millisecond can end between decide() and here: without a timer nothing would wake the replica.
     */
    if (left > 0 || r->seen.current.state == DRIVER_RUNNING)
        replica_kick_after(r, left > 0 ? left : 1);
    else
        replica_kick_after(r, 100);
}
