/* Implements stage_stats.h. */
#include "rpc-gateway/stage_stats.h"

#include "lib/schema/object.h"

const char *stage_stats_name(size_t i)
{
    return i < _STAGE_MAX ? schema_enum_name(&app_stage_name_enum, (int)i) : "other";
}

static size_t index_of(const char *name)
{
    int i = schema_enum_value(&app_stage_name_enum, name);
    return i < 0 ? STAGE_STATS_OTHER : (size_t)i;
}

static const struct reconciler_replica *find_replica(const struct reconciler_instance *x, int64_t id)
{
    for (size_t i = 0; x && i < x->n_replicas; i++)
        if (x->replicas[i]->id == id)
            return x->replicas[i];
    return NULL;
}

static const struct app_stage *find_stage(const struct reconciler_replica *r, const struct app_stage *like)
{
    for (size_t i = 0; r && i < r->n_stages; i++)
        if (streq_null(r->stages[i]->name, like->name) && r->stages[i]->revision == like->revision)
            return r->stages[i];
    return NULL;
}

static void add_stage(struct stage_stats *stats, const struct app_stage *before, const struct app_stage *now)
{
    if (now->finished <= 0 || (before && before->finished == now->finished))
        return;
    int state = schema_enum_value(&app_stage_state_enum, now->state);
    bool failed = state == STAGE_FAILED;
    if (!failed && state != STAGE_SUCCESS)
        return;
    size_t i = index_of(now->name);
    stats->stages[i].failed += failed;
    stats->stages[i].success += !failed;
    /* Both are wall times, and the clock can have been set back in between. */
    int64_t begun = STAGE_BEGUN(now), took = now->finished > begun ? now->finished - begun : 0;
    histogram_add(&stats->stages[i].duration, histogram_stages, (double)took / 1000.0);
}

void stage_stats_add(struct stage_stats *stats, const struct reconciler_instance *before,
                     const struct reconciler_instance *now)
{
    for (size_t i = 0; stats->counting && now && i < now->n_replicas; i++) {
        const struct reconciler_replica *r = now->replicas[i], *old = find_replica(before, r->id);
        for (size_t k = 0; k < r->n_stages; k++)
            add_stage(stats, find_stage(old, r->stages[k]), r->stages[k]);
    }
}
