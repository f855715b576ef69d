/* Implements zone_follow.h. rules/zone_order.c decides what follows from an order. */
#include "reconciler/face/zone_follow.h"

#include <errno.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "reconciler/engine/prepare.h"
#include "reconciler/engine/release.h"
#include "reconciler/engine/turn.h"
#include "reconciler/face/apply.h"
#include "reconciler/model/stages.h"
#include "reconciler/rules/zone_order.h"

/* Begins the work for the changed record. */
static void go_on(struct instance *instance, const struct zone_order_effect *effect)
{
    const struct record *record = instance->record;
    if (effect->other_bits)
        prepare_drop(instance, record->revision);
    if (effect->new_order) {
        log_notice("instance %s: the zone's order %lld, action %s%s%s", record->name,
                   (long long)record->order, schema_enum_name(&app_action_enum, record->action),
                   record->problem ? ": not followed: " : "", record->problem ?: "");
        instance_begin(instance);
        return;
    }
    for (size_t i = 0; i < instance->n_replicas; i++) {
        instance->replicas[i]->seen.observed = true;
        instance->replicas[i]->seen.stale = true;
    }
    instance_kick(instance);
}

/* Saves the effect's record and makes it the instance's. */
static int save(struct manager *m, struct instance **instance, struct zone_order_effect *effect,
                struct error *e)
{
    stages_received(effect->record, outside_now_msec(m->outside));
    return apply_record(m, instance, TAKE_PTR(effect->record), e);
}

int zone_follow(struct manager *m, struct instance *instance, const struct app_instance *wanted,
                const char *refused, bool *changed, struct error *e)
{
    const struct zone_order order = {.wanted = wanted,
                                     .refused = refused,
                                     .host_id = m->zone->host_id,
                                     .now = outside_now_msec(m->outside)};
    const struct record *record = instance ? instance->record : NULL;
    struct zone_order_effect effect = {.record = NULL};
    zone_order_make(record, &order, &effect);
    if (!effect.record)
        return 0;
    int r = save(m, &instance, &effect, e);
    if (r == -EFBIG) {
        zone_order_make_small(record, &order, e->message, &effect);
        *e = (struct error)ERROR_INIT;
        r = save(m, &instance, &effect, e);
    }
    if (r >= 0) {
        *changed = true;
        release_packages(m, &effect.old);
        go_on(instance, &effect);
    }
    zone_order_effect_done(&effect);
    return r;
}
