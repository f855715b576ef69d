/* Implements instance.h. */
#include "reconciler/model/instance.h"

#include <stdlib.h>

#include "lib/schema/object.h"

#define NOTICE_USEC (USEC_PER_SEC / 2) /* between two notices of what agents report */

struct instance *manager_find(struct manager *m, const char *name)
{
    for (struct instance *i = m->instances; i; i = i->next)
        if (streq(i->record->name, name))
            return i;
    return NULL;
}

struct replica *instance_find_replica(struct instance *instance, int64_t id)
{
    for (size_t i = 0; i < instance->n_replicas; i++)
        if (instance->replicas[i]->record->id == id)
            return instance->replicas[i];
    return NULL;
}

struct replica *instance_add_replica(struct instance *instance, struct record_replica *record)
{
    struct replica *r = schema_append(&instance->replicas, &instance->n_replicas, sizeof *r);
    r->instance = instance;
    r->record = record;
    set_string(&r->message, record->failure);
    for (size_t i = instance->n_replicas - 1; i > 0 && instance->replicas[i - 1]->record->id > record->id;
         i--) {
        instance->replicas[i] = instance->replicas[i - 1];
        instance->replicas[i - 1] = r;
    }
    return r;
}

struct prepare *prepare_find(struct instance *instance, int64_t revision)
{
    for (size_t i = 0; i < instance->n_prepares; i++)
        if (instance->prepares[i]->revision == revision)
            return instance->prepares[i];
    return NULL;
}

void prepare_free(struct prepare *p)
{
    struct outside *outside = p->instance->manager->outside;
    outside->cancel(outside, p->request);
    timer_stop(&p->timer);
    free(p->image);
    free(p->network);
    free(p->failure);
    free(p);
}

static void replica_free(struct replica *r)
{
    struct outside *outside = r->instance->manager->outside;
    outside->cancel(outside, r->request);
    timer_stop(&r->retry.timer);
    timer_stop(&r->exits.calm);
    timer_stop(&r->limits.timer);
    schema_done(&driver_container_schema, &r->seen.current);
    schema_done(&driver_container_schema, &r->seen.old);
    schema_done(&driver_container_schema, &r->seen.renamed);
    free(r->message);
    free(r->exits.container);
    free(r->quota.lost);
    free(r->limits.failure);
    free(r);
}

void instance_drop_replica(struct replica *replica)
{
    struct instance *instance = replica->instance;
    for (size_t i = 0; i < instance->n_replicas; i++)
        if (instance->replicas[i] == replica) {
            instance->n_replicas--;
            memmove(&instance->replicas[i], &instance->replicas[i + 1],
                    (instance->n_replicas - i) * sizeof *instance->replicas);
            break;
        }
    record_remove_replica(instance->record, replica->record->id);
    replica_free(replica);
}

struct instance *manager_add(struct manager *m, struct record *record)
{
    struct instance *instance = xcalloc(1, sizeof *instance);
    instance->manager = m;
    instance->record = record;
    for (size_t i = 0; i < record->n_replicas; i++)
        instance_add_replica(instance, record->replicas[i]);
    instance->next = m->instances;
    m->instances = instance;
    return instance;
}

void instance_free(struct instance *instance)
{
    for (size_t i = 0; i < instance->n_replicas; i++)
        replica_free(instance->replicas[i]);
    free(instance->replicas);
    for (size_t i = 0; i < instance->n_prepares; i++)
        prepare_free(instance->prepares[i]);
    free(instance->prepares);
    timer_stop(&instance->notice);
    timer_stop(&instance->save_timer);
    timer_stop(&instance->turn);
    schema_free(&record_schema, instance->record);
    free(instance);
}

static void ask_for_turn(struct instance *instance)
{
    struct manager *m = instance->manager;
    if (!timer_armed(&instance->turn))
        clock_arm(m->outside->clock, &instance->turn, 0, m->turn, instance);
}

void instance_changed(struct instance *instance)
{
    instance->changed = true;
    ask_for_turn(instance);
}

static void on_notice(void *userdata)
{
    struct instance *instance = userdata;
    instance->notice_due = outside_monotonic_usec(instance->manager->outside) + NOTICE_USEC;
    instance_changed(instance);
}

void instance_reported(struct instance *instance)
{
    struct outside *outside = instance->manager->outside;
    uint64_t now = outside_monotonic_usec(outside);
    if (instance->notice_due <= now)
        on_notice(instance);
    else if (!timer_armed(&instance->notice))
        clock_arm(outside->clock, &instance->notice, instance->notice_due - now, on_notice, instance);
}

void replica_kick(struct replica *replica)
{
    replica->kick = true;
    ask_for_turn(replica->instance);
}

void instance_kick(struct instance *instance)
{
    for (size_t i = 0; i < instance->n_replicas; i++)
        instance->replicas[i]->kick = true;
    instance_changed(instance);
}

int64_t replica_now_msec(const struct replica *replica)
{
    return outside_now_msec(replica->instance->manager->outside);
}

uint64_t replica_monotonic_usec(const struct replica *replica)
{
    return outside_monotonic_usec(replica->instance->manager->outside);
}
