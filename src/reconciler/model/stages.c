/* Implements stages.h. */
#include "reconciler/model/stages.h"

#include <stdlib.h>

#include "lib/schema/object.h"
#include "reconciler/model/store.h"
#include "reconciler/model/wish.h"

#define OWN            "hostlet"
#define AGENT          "inagent"
#define CLOCK_SET_MSEC 1000 /* a larger difference of the clocks is no rounding */

static bool is_in(const struct app_stage *stage, enum app_stage_state state)
{
    return streq_null(stage->state, schema_enum_name(&app_stage_state_enum, (int)state));
}

/* Clears the list if its stages are of another revision. */
static void begin(struct record_replica *r, int64_t revision)
{
    if (r->n_stages == 0 || r->stages[0]->revision == revision)
        return;
    for (size_t i = 0; i < r->n_stages; i++)
        schema_free(&app_stage_schema, r->stages[i]);
    r->n_stages = 0;
}

static struct app_stage *find_stage(const struct record_replica *r, enum app_stage_name stage)
{
    const char *name = schema_enum_name(&app_stage_name_enum, (int)stage);
    for (size_t i = 0; i < r->n_stages; i++)
        if (streq(r->stages[i]->name, name) && streq_null(r->stages[i]->owner, OWN))
            return r->stages[i];
    return NULL;
}

static void changed(struct replica *replica)
{
    store_save_soon(replica->instance);
    instance_changed(replica->instance);
}

/* Returns false if nothing changed. */
static bool set(struct record_replica *r, int64_t now, int64_t revision, enum app_stage_name name,
                enum app_stage_state state, const char *message)
{
    begin(r, revision);
    struct app_stage *stage = find_stage(r, name);
    bool over = state == STAGE_SUCCESS || state == STAGE_FAILED;
    const char *word = schema_enum_name(&app_stage_state_enum, (int)state);
    if (!stage) {
        stage = schema_append(&r->stages, &r->n_stages, sizeof *stage);
        stage->name = xstrdup(schema_enum_name(&app_stage_name_enum, (int)name));
        stage->owner = xstrdup(OWN);
        stage->revision = revision;
        stage->created = now;
    } else if (streq_null(stage->state, word) && streq_null(stage->message, message)) {
        return false;
    } else if (!is_in(stage, STAGE_RUNNING)) {
        stage->begun = now;
    }
    if (stage->state && is_in(stage, STAGE_FAILED) && state == STAGE_RUNNING)
        stage->attempt++;
    stage->finished = over ? now : 0;
    set_string(&stage->state, word);
    set_string(&stage->message, message);
    return true;
}

void stage_repeat(struct replica *replica, enum app_stage_name name)
{
    struct app_stage *stage = find_stage(replica->record, name);
    if (!stage || !is_in(stage, STAGE_SUCCESS) || stage->revision != instance_revision(replica->instance)) {
        stage_set(replica, name, STAGE_SUCCESS, NULL);
        return;
    }
    stage->begun = stage->finished = replica_now_msec(replica);
    changed(replica);
}

void stages_received(struct record *record, int64_t now)
{
    for (size_t i = 0; i < record->n_replicas; i++)
        set(record->replicas[i], now, record->order, STAGE_HOST_RECV,
            record->problem ? STAGE_FAILED : STAGE_SUCCESS, record->problem);
}

/* Keeps the duration of a stage that ends, if the wall clock was set since its present attempt began: then
 * that began so much before its end. */
static void keep_duration(struct replica *r, enum app_stage_name name, int64_t now)
{
    struct app_stage *stage = find_stage(r->record, name);
    uint64_t *began = &r->stages_began[name], monotonic = replica_monotonic_usec(r);
    int64_t *begun = stage->begun ? &stage->begun : &stage->created;
    if (*begun == now) {
        *began = monotonic;
    } else if (stage->finished == now && *began) {
        int64_t took = (int64_t)((monotonic - *began) / USEC_PER_MSEC);
        if (llabs(stage->finished - *begun - took) > CLOCK_SET_MSEC)
            *begun = stage->finished - took;
    }
}

void stage_set(struct replica *replica, enum app_stage_name name, enum app_stage_state state,
               const char *message)
{
    const struct instance *instance = replica->instance;
    if (instance->record->problem && name != STAGE_HOST_RECV)
        return;
    int64_t now = replica_now_msec(replica);
    if (!set(replica->record, now, instance_revision(instance), name, state, message))
        return;
    keep_duration(replica, name, now);
    changed(replica);
}

void stage_interrupt(struct replica *replica, enum app_stage_name name)
{
    const struct app_stage *stage = find_stage(replica->record, name);
    if (stage && is_in(stage, STAGE_RUNNING))
        stage_set(replica, name, STAGE_PENDING, NULL);
}

void stages_proven(struct replica *replica)
{
    struct record_replica *r = replica->record;
    /* The list is that of an order that is not followed, and its host_recv stays a failure. */
    if (replica->instance->record->problem)
        return;
    for (size_t i = 0; i < r->n_stages; i++) {
        const struct app_stage *stage = r->stages[i];
        int name = schema_enum_value(&app_stage_name_enum, stage->name);
        if (streq_null(stage->owner, OWN) && !is_in(stage, STAGE_SUCCESS) && name >= 0)
            stage_set(replica, (enum app_stage_name)name, STAGE_SUCCESS, NULL);
    }
    stage_set(replica, STAGE_CONTAINER_RUNNING, STAGE_SUCCESS, NULL);
}

void stage_overcome(struct replica *replica, enum app_stage_name name)
{
    const struct app_stage *stage = find_stage(replica->record, name);
    if (stage && is_in(stage, STAGE_FAILED))
        stage_set(replica, name, STAGE_SUCCESS, NULL);
}

void instance_stage_set(struct instance *instance, enum app_stage_name name, enum app_stage_state state,
                        const char *message)
{
    for (size_t i = 0; i < instance->n_replicas; i++) {
        struct replica *r = instance->replicas[i];
        if (replica_want(r) == WANT_RUN && !r->record->unassigned &&
            r->record->applied_revision != instance->record->revision)
            stage_set(r, name, state, message);
    }
}

/* Reports whether inagent's stages in the list equal 'stages', in the same order. */
static bool has_stages(const struct record_replica *r, struct app_stage *const *stages, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < r->n_stages; i++)
        if (streq_null(r->stages[i]->owner, AGENT) &&
            (at == n || !schema_equal(&app_stage_schema, r->stages[i], stages[at++])))
            return false;
    return at == n;
}

void stages_of_agent(struct replica *replica, struct app_stage **stages, size_t n)
{
    struct record_replica *r = replica->record;
    begin(r, instance_revision(replica->instance));
    if (has_stages(r, stages, n)) {
        for (size_t i = 0; i < n; i++)
            schema_free(&app_stage_schema, stages[i]);
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < r->n_stages; i++)
        if (streq_null(r->stages[i]->owner, AGENT))
            schema_free(&app_stage_schema, r->stages[i]);
        else
            r->stages[kept++] = r->stages[i];
    r->stages = xrealloc(r->stages, kept + n + 1, sizeof *r->stages);
    for (size_t i = 0; i < n; i++)
        r->stages[kept++] = stages[i];
    r->n_stages = kept;
    store_save_sparingly(replica->instance);
    instance_reported(replica->instance);
}
