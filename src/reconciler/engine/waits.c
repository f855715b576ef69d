/* Implements waits.h. */
#include "reconciler/engine/waits.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "reconciler/engine/call.h"
#include "reconciler/engine/exits.h"
#include "reconciler/engine/journal.h"
#include "reconciler/engine/prepare.h"
#include "reconciler/engine/release.h"
#include "reconciler/engine/replica.h"
#include "reconciler/engine/steps.h"
#include "reconciler/engine/target.h"
#include "reconciler/engine/turn.h"
#include "reconciler/model/stages.h"
#include "reconciler/model/wish.h"
#include "reconciler/rules/conflict.h"

#define REMOVAL_OVERDUE (30 * USEC_PER_SEC) /* a removal that takes longer is shown as a failure */
#define REMOVAL_FIRST   (1 * USEC_PER_SEC)  /* the first pause between two inspections, and the longest */
#define REMOVAL_LONGEST (60 * USEC_PER_SEC)

/* Reports whether no replica is about to use the image and packages of the revision. */
static bool all_rest(const struct instance *instance, int64_t revision)
{
    for (size_t i = 0; i < instance->n_replicas; i++) {
        const struct replica *r = instance->replicas[i];
        bool waits = (r->last == STEP_AWAIT || r->last == STEP_WAIT) &&
                     driver_state_is_up(r->seen.current.state) && revision != instance->record->revision;
        if (r->last != STEP_SETTLED && !waits)
            return false;
    }
    return true;
}

/* Shows what a settled replica's container is if nobody requested that: paused by somebody else, or one that
 * the runtime failed to remove (a stop is settled with it). */
static void show_container(struct replica *r)
{
    const struct driver_container *c = &r->seen.current;
    const char *failure = r->record->failure;
    if (c->state == DRIVER_PAUSED && !exits_are_a_loop(r)) {
        free(r->message);
        r->message = xasprintf("container '%s' is paused: 'docker unpause %s' continues it%s%s", c->name,
                               c->name, failure ? "; the last failure: " : "", failure ?: "");
    }
    if (c->state != DRIVER_DEAD)
        return;
    free(r->message);
    r->message = xasprintf("container '%s' is dead, and its removal is tried again at the next start: %s",
                           c->name, c->error ?: "the runtime gives no reason");
}

/* Ends the replica's switch, or the repair of its container: nothing is left to do for its target. */
static void come_to_rest(struct replica *r)
{
    struct instance *instance = r->instance;
    bool turn = r->turn_taken;
    r->turn_taken = false;
    r->switching_to = 0;
    r->retry.count = (struct retry){0};
    if (!exits_are_a_loop(r))
        set_string(&r->message, r->record->failure);
    show_container(r);
    if (all_rest(instance, replica_target_revision(r)))
        prepare_redo(instance, replica_target_revision(r));
    if (turn) /* the next replica may begin */
        instance_kick(instance);
}

void wait_settled(struct replica *r)
{
    come_to_rest(r);
    if (replica_want(r) == WANT_STOP)
        stage_set(r, STAGE_CONTAINER_STOP, STAGE_SUCCESS, NULL);
    replica_update_state(r);
    /* An order with a lower number clears the stages without a switch, and the container already is the
     * desired one. */
    bool up = r->state == REPLICA_RUNNING || r->state == REPLICA_PAUSED; /* the same for the zone */
    if (up && !r->record->failure && !r->record->unassigned)
        stage_set(r, STAGE_CONTAINER_RUNNING, STAGE_SUCCESS, NULL);
    /* A conflict that an adoption has ended: this tree creates no container. */
    if (up && !r->record->failure)
        stage_overcome(r, STAGE_CONTAINER_CREATE);
    instance_release_revisions(r->instance);
}

/* Comes to rest if the applied revision runs until the replica's turn. */
void wait_for_others(struct replica *r)
{
    if (target_is_interim(r) && driver_state_is_up(r->seen.current.state))
        come_to_rest(r);
}

void wait_for_desired(struct replica *r)
{
    struct instance *instance = r->instance;
    uint64_t patience = prepare_patience(instance, instance->record->revision);
    if (driver_state_is_up(r->seen.current.state))
        come_to_rest(r);
    else if (patience > 0)
        replica_kick_after(r, patience / USEC_PER_MSEC + 1);
}

/* The runtime sends an event when it has removed the container, and none if it never does. Therefore the
 * container is inspected again, at first after a second, and then each time after as long as it took so far.
 */
void wait_for_removal(struct replica *r)
{
    uint64_t now = replica_monotonic_usec(r);
    if (r->seen.removing_since == 0)
        r->seen.removing_since = now;
    uint64_t taken = now - r->seen.removing_since, pause = taken < REMOVAL_FIRST ? REMOVAL_FIRST : taken;
    r->seen.removal_overdue = taken >= REMOVAL_OVERDUE;
    if (r->seen.removal_overdue) {
        free(r->message);
        r->message = xasprintf("the runtime has been removing container '%s' for %llu s; it is inspected "
                               "again, and the runtime's log may contain the reason",
                               r->seen.current.name, (unsigned long long)(taken / USEC_PER_SEC));
        stage_set(r, replica_want(r) == WANT_GONE ? STAGE_CONTAINER_DESTROY : STAGE_CONTAINER_CREATE,
                  STAGE_FAILED, r->message);
    }
    replica_kick_after(r, (pause < REMOVAL_LONGEST ? pause : REMOVAL_LONGEST) / USEC_PER_MSEC);
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
    _cleanup_free_ char *remedy = conflict_remedy(c, record_is_zone(r->instance->record));
    free(r->message);
    const char *own = r->seen.renamed.state != DRIVER_MISSING ? r->seen.renamed.name : NULL;
    r->message =
        xasprintf("container '%s' does not belong to this tree (%s) and is left unchanged%s%s%s", c->name,
                  c->owner ?: "no label", own ? "; the replica's own container is named '" : remedy,
                  own ?: "", own ? "'" : "");
    r->turn_taken = false;
    r->switching_to = 0;
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
    bool failed = p->state == PREPARE_WAITING && p->failure;
    if (failed && revision != instance->record->revision) {
        free(r->message);
        r->message = xasprintf("revision %lld, which is to run until revision %lld is prepared, cannot be "
                               "prepared again: %s",
                               (long long)revision, (long long)instance->record->revision, p->failure);
    }
    if (failed && r->seen.old.state != DRIVER_MISSING) {
        /* The replica is down in the middle of a switch: the old container is brought back rather than
         * waiting for a preparation that failed. */
        set_string(&r->record->failure, p->failure);
        step_begin(r, STEP_FAIL);
    }
}

void wait_for_probation(struct replica *r)
{
    uint64_t left = replica_probation_left(r) / USEC_PER_MSEC;
    bool paused = r->seen.current.state == DRIVER_PAUSED;
    bool awaited = replica_readiness(r) == READINESS_AWAITED;
    stage_set(r, STAGE_CONTAINER_RUNNING, STAGE_RUNNING,
              paused    ? "the container is paused"
              : awaited ? "waits until the application is ready"
                        : NULL);
    if (paused) /* the end of the pause is an event */
        return;
    /* The last millisecond can end between decide() and here: without a timer nothing would wake the replica.
     */
    if (left > 0 || r->seen.current.state == DRIVER_RUNNING)
        replica_kick_after(r, left > 0 ? left : 1);
    else
        replica_kick_after(r, 100);
}
