/* Implements rollout.h. */
#include "reconciler/rules/rollout.h"

static bool is_first(const struct rollout_replica *r)
{
    return r->record->applied_revision == 0;
}

bool rollout_stopped(const struct record *record)
{
    for (size_t i = 0; i < record->n_replicas; i++) {
        const struct record_replica *r = record->replicas[i];
        bool failed = r->failed_revision == record->revision ||
                      (r->rolling_back == record->revision && r->applied_revision != 0);
        if (failed && !r->unassigned)
            return true;
    }
    return false;
}

/* Reports whether the replica has an applied revision that a switch takes down. */
static bool needs_turn(const struct rollout *rollout, const struct rollout_replica *r)
{
    return !is_first(r) && (r->up || r->record->applied_revision != rollout->record->revision);
}

/* Reports whether a replica with a lower id is still to be switched. */
static bool others_first(const struct rollout *rollout, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        const struct rollout_replica *other = &rollout->replicas[i];
        /* A replica that is no longer assigned keeps its revision. */
        if (!other->turn_taken && !other->record->unassigned && !other->conflict && other->wanted &&
            needs_turn(rollout, other) && other->record->applied_revision != rollout->record->revision)
            return true;
    }
    return false;
}

static int64_t parallel(const struct rollout *rollout, bool update)
{
    const struct record_revision *target = record_find_revision(rollout->record, rollout->record->revision);
    const struct app_options *options = target ? target->manifest->hostlet : NULL;
    int64_t configured = update ? rollout->parallel_update : rollout->parallel_first;
    return options && options->parallel ? options->parallel : configured;
}

/* Counts the replicas in a switch: those with an applied revision, or those without. */
static int64_t busy(const struct rollout *rollout, bool update)
{
    int64_t n = 0;
    for (size_t i = 0; i < rollout->n_replicas; i++)
        n += rollout->replicas[i].turn_taken && is_first(&rollout->replicas[i]) == !update;
    return n;
}

bool rollout_turn(const struct rollout *rollout, size_t index)
{
    const struct rollout_replica *replica = &rollout->replicas[index];
    if (replica->turn_taken)
        return true;
    bool update = needs_turn(rollout, replica);
    if (!update && !is_first(replica))
        return true;
    if (update && (rollout_stopped(rollout->record) || others_first(rollout, index)))
        return false;
    return busy(rollout, update) < parallel(rollout, update);
}

bool rollout_repair_turn(const struct rollout *rollout, size_t index)
{
    const struct rollout_replica *replica = &rollout->replicas[index];
    return replica->turn_taken || !replica->up || busy(rollout, true) < parallel(rollout, true);
}
