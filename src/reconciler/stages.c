/* The deploy stages of the contract (section 6), kept per replica: what is shown, and later reported upward. */
#include <stdlib.h>

#include "reconciler/manager.h"

void stages_begin(struct replica *replica, int64_t revision)
{
    struct record_replica *r = replica->record;
    if (r->n_stages > 0 && r->stages[0]->revision == revision)
        return;
    for (size_t i = 0; i < r->n_stages; i++)
        schema_free(&app_stage_schema, r->stages[i]);
    r->n_stages = 0;
}

static struct app_stage *find_stage(struct record_replica *r, const char *name)
{
    for (size_t i = 0; i < r->n_stages; i++)
        if (streq(r->stages[i]->name, name))
            return r->stages[i];
    return NULL;
}

void stage_set(struct replica *replica, const char *name, const char *state, const char *message)
{
    struct record_replica *r = replica->record;
    int64_t now = now_realtime_msec();
    stages_begin(replica, replica->instance->record->revision);
    struct app_stage *stage = find_stage(r, name);
    bool over = streq(state, "success") || streq(state, "failed");
    if (!stage) {
        stage = schema_append(&r->stages, &r->n_stages, sizeof *stage);
        stage->name = xstrdup(name);
        stage->owner = xstrdup("hostlet");
        stage->revision = replica->instance->record->revision;
        stage->created = now;
    } else if (streq_null(stage->state, state) && streq_null(stage->message, message)) {
        return;
    }
    if (stage->state && streq(stage->state, "failed") && streq(state, "running"))
        stage->attempt++;
    stage->finished = over ? now : 0;
    set_string(&stage->state, state);
    set_string(&stage->message, message);
    store_save_soon(replica->instance);
    instance_changed(replica->instance);
}

void instance_stage_set(struct instance *instance, const char *name, const char *state, const char *message)
{
    for (size_t i = 0; i < instance->n_replicas; i++) {
        struct replica *r = instance->replicas[i];
        if (replica_want(r) == WANT_RUN && r->record->applied_revision != instance->record->revision)
            stage_set(r, name, state, message);
    }
}
