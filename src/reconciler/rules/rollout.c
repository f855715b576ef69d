/* Whose turn it is: how many replicas of an instance may be between two revisions at once. */
#include "reconciler/rules/rollout.h"

#include "reconciler/model/wish.h"

static bool is_first(const struct replica *r)
{
    return r->record->applied_revision == 0;
}

bool rollout_stopped(const struct instance *instance)
{
    for (size_t i = 0; i < instance->n_replicas; i++) {
        const struct record_replica *r = instance->replicas[i]->record;
        bool failed = r->failed_revision == instance->record->revision ||
                      (r->rolling_back == instance->record->revision && r->applied_revision != 0);
        if (failed && !r->unassigned)
            return true;
    }
    return false;
}

/* Whether it runs something that proved itself, so that changing it is an outage of something good. */
static bool needs_turn(const struct replica *r)
{
    return !is_first(r) && (r->current.state == DRIVER_RUNNING || r->current.state == DRIVER_RESTARTING ||
                            r->record->applied_revision != r->instance->record->revision);
}

/* Whether another one, before it in the order of ids, is still to be switched. */
static bool others_first(const struct replica *replica)
{
    const struct instance *instance = replica->instance;
    for (size_t i = 0; i < instance->n_replicas && instance->replicas[i] != replica; i++) {
        const struct replica *other = instance->replicas[i];
        /* One that is no longer assigned stays as it is. */
        if (!other->turn_taken && !other->record->unassigned && other->last != STEP_CONFLICT &&
            replica_want(other) == WANT_RUN && needs_turn(other) &&
            other->record->applied_revision != instance->record->revision)
            return true;
    }
    return false;
}

bool rollout_turn(const struct replica *replica)
{
    const struct instance *instance = replica->instance;
    const struct config *config = instance->manager->context->config;
    if (replica->turn_taken)
        return true;
    bool update = needs_turn(replica);
    if (!update && !is_first(replica))
        return true;
    if (update && (rollout_stopped(instance) || others_first(replica)))
        return false;
    const struct record_revision *target = instance_target(instance);
    int64_t parallel = target && target->manifest->hostlet ? target->manifest->hostlet->parallel : 0;
    int64_t most =
        parallel ?: config_number(config, "reconciler", update ? "parallel_update" : "parallel_first");
    int64_t busy = 0;
    for (size_t i = 0; i < instance->n_replicas; i++) {
        const struct replica *other = instance->replicas[i];
        if (other != replica && other->turn_taken && is_first(other) == !update)
            busy++;
    }
    return busy < most;
}
