/* Implements zone.h. */
#include "reconciler/face/zone.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/app/extent.h"
#include "lib/app/name.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "reconciler/engine/prepare.h"
#include "reconciler/engine/turn.h"
#include "reconciler/face/apply.h"
#include "reconciler/face/directory.h"
#include "reconciler/face/report.h"
#include "reconciler/face/zone_follow.h"
#include "reconciler/face/zone_network.h"
#include "reconciler/model/facts.h"
#include "reconciler/model/store.h"
#include "reconciler/model/unreadable.h"
#include "reconciler/model/wish.h"
#include "reconciler/rules/plan.h"
#include "reconciler/rules/zone_order.h"

/* --- orders that wait --- */

/* Restores the members from 'before' after a failed write, frees the newer order, and returns 'r'. */
static int next_as_before(struct record *record, const struct record *before, int r)
{
    if (record->next != before->next)
        record_set_next(record, NULL, 0);
    record->next = before->next;
    record->next_since = before->next_since;
    record->unassigned = before->unassigned;
    return r;
}

/* Stores an order that waits, since the instance is on hold or a local instance has the name. */
static int keep_for_later(struct instance *instance, const struct app_instance *wanted, bool *changed,
                          struct error *e)
{
    struct record *record = instance->record;
    if (record->next && schema_equal(&app_instance_schema, record->next, wanted) && !record->unassigned)
        return 0;
    struct app_manifest whole = {.app = (struct app_instance *)wanted};
    if (app_check_extent(&whole, "", e) < 0)
        return -E2BIG;
    const struct record before = *record;
    record->next = NULL;
    record_set_next(record, wanted, outside_now_msec(instance->manager->outside));
    record->unassigned = false;
    int r = store_save(instance, e);
    if (r < 0)
        return next_as_before(record, &before, r); /* rpc-gateway sends the order again */
    if (before.next)
        schema_free(&app_instance_schema, before.next);
    log_notice("instance %s: an order of the zone waits: %s", record->name,
               record->hold ? "on hold" : "a local instance has the name");
    *changed = true;
    instance_changed(instance);
    return 0;
}

void zone_take_over(struct manager *m, struct app_instance *next)
{
    struct error e = ERROR_INIT;
    bool changed;
    if (next && m->zone && zone_follow(m, NULL, next, NULL, &changed, &e) < 0)
        log_warning("instance %s: the zone's order cannot be followed: %s", next->meta->name, e.message);
    if (next)
        schema_free(&app_instance_schema, next);
}

static int set_unassigned(struct instance *instance, bool unassigned, bool *changed, struct error *e)
{
    struct record *record = instance->record;
    bool zone = record_is_zone(record);
    if (zone ? record->unassigned == unassigned : !unassigned || !record->next)
        return 0;
    const struct record before = *record;
    if (zone)
        record->unassigned = unassigned;
    else
        record->next = NULL, record->next_since = 0; /* the clash is over */
    int r = store_save(instance, e);
    if (r < 0)
        return next_as_before(record, &before, r);
    if (!zone)
        schema_free(&app_instance_schema, before.next);
    *changed = true;
    if (!zone) {
        instance_changed(instance);
        return 0;
    }
    log_notice("instance %s: %s", record->name,
               unassigned ? "no longer assigned by the zone" : "assigned by the zone again");
    instance_begin(instance);
    return 0;
}

/* --- PutZoneState --- */

static bool is_ours(const struct manager *m, const struct app_instance *wanted)
{
    const struct app_deploy *deploy = wanted->deploy;
    for (size_t i = 0; deploy && i < deploy->n_replicas; i++)
        if (streq_null(deploy->replicas[i]->host_id, m->zone->host_id))
            return true;
    return false;
}

static int put_unreadable(struct manager *m, struct unreadable *u, const struct app_instance *wanted,
                          struct reconciler_zone_out *out, struct error *e)
{
    struct app_manifest whole = {.app = (struct app_instance *)wanted};
    int r = app_check_extent(&whole, "", e);
    if (r < 0)
        return r;
    out->problem = unreadable_problem(u);
    if (u->order && schema_equal(&app_instance_schema, u->order, wanted))
        return 0;
    if (u->order)
        schema_free(&app_instance_schema, u->order);
    u->order = xcalloc(1, sizeof *u->order);
    schema_copy(&app_instance_schema, wanted, u->order);
    u->order_since = outside_now_msec(m->outside);
    out->changed = true;
    report_unreadable_changed(m, u);
    return 0;
}

static int put_instance(struct manager *m, const struct app_instance *wanted, const char *refused,
                        struct reconciler_zone_out *out, struct error *e)
{
    if (!wanted->meta || !wanted->meta->name)
        return error_refuse(e, EINVAL, "/instance/meta/name: is missing");
    int r = app_check_instance_name(wanted->meta->name, "/instance/meta/name", e);
    if (r < 0)
        return r;
    if (!m->zone)
        return error_refuse(e, EINVAL, "the zone's facts are not known yet: they come before instances");
    struct instance *instance = manager_find(m, wanted->meta->name);
    struct unreadable *unreadable = unreadable_find(m, wanted->meta->name);
    out->managed = is_ours(m, wanted);
    if (unreadable)
        return out->managed ? put_unreadable(m, unreadable, wanted, out, e) : 0;
    if (!out->managed)
        return instance ? set_unassigned(instance, true, &out->changed, e) : 0;
    if (instance && (!record_is_zone(instance->record) || instance->record->hold))
        r = refused ? error_refuse(e, E2BIG, "instance %s: %s", wanted->meta->name, refused)
                    : keep_for_later(instance, wanted, &out->changed, e);
    else
        r = zone_follow(m, instance, wanted, refused, &out->changed, e);
    instance = manager_find(m, wanted->meta->name);
    if (r >= 0 && instance)
        out->problem = report_problem(instance);
    return r;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int put_assigned(struct manager *m, const struct reconciler_assignment *assigned,
                        struct reconciler_zone_out *out, struct error *e)
{
    int r = 0;
    size_t n = assigned->n_names;
    /* A sorted copy of the pointers, since up to 5,000 names are searched for as many instances. */
    _cleanup_free_ char **names = xcalloc(n + 1, sizeof *names);
    _cleanup_free_ bool *known = xcalloc(n + 1, sizeof *known);
    for (size_t i = 0; i < n; i++)
        names[i] = assigned->names[i];
    qsort(names, n, sizeof *names, by_name);
    for (struct instance *i = m->instances; r >= 0 && i; i = i->next) {
        char **name = bsearch(&i->record->name, names, n, sizeof *names, by_name);
        if (name)
            known[name - names] = record_is_zone(i->record) || i->record->next;
        r = set_unassigned(i, !name, &out->changed, e);
    }
    for (const struct unreadable *u = m->unreadable; u; u = u->next) {
        char **name = bsearch(&u->name, names, n, sizeof *names, by_name);
        if (name && u->order)
            known[name - names] = true;
    }
    for (size_t i = 0; i < n; i++) {
        bool again = i + 1 < n && streq(names[i], names[i + 1]);
        if (again)
            known[i + 1] |= known[i];
        else if (!known[i])
            schema_append_string(&out->unknown, &out->n_unknown, names[i]);
    }
    return r;
}

/* Has app_replica.json written again, which contains facts, and updates which replicas are assigned to this
 * machine, since its host id may have changed. */
static void facts_changed(struct manager *m)
{
    for (struct instance *i = m->instances; i; i = i->next) {
        prepare_redo(i, i->record->revision); /* the network may be another one */
        if (record_is_zone(i->record) &&
            zone_assign_replicas(i->record, instance_target(i)->manifest, m->zone->host_id)) {
            instance_add_replicas(i);
            instance_begin(i);
        }
        for (size_t k = 0; k < i->n_replicas; k++)
            i->replicas[k]->record->update_files = true;
        store_save_soon(i);
        instance_kick(i);
    }
}

int method_put_zone_state(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    struct manager *m = userdata;
    const struct reconciler_zone_in *wanted = in;
    struct reconciler_zone_out out = {.changed = false};
    /* Without a zone rpc-gateway runs for the agents alone, and parses what tenants send. */
    if (!m->settings.zone_enabled && varlink_call_uid(call) != 0)
        return error_retry(e, EPERM, "this machine follows no zone (zone.enable)");
    int r = 0;
    if (wanted->facts)
        r = facts_put(m, wanted->facts, &out.changed, e);
    if (r >= 0 && out.changed)
        facts_changed(m);
    if (r >= 0 && wanted->instance)
        r = put_instance(m, wanted->instance, wanted->refused, &out, e);
    if (r >= 0 && wanted->assigned)
        r = put_assigned(m, wanted->assigned, &out, e);
    if (r >= 0 && (wanted->network || wanted->no_network))
        r = zone_network_pass(m, call, wanted, &out, e);
    else if (r >= 0)
        varlink_reply(call, &out);
    schema_done(varlink_find_method(&reconciler_interface, "PutZoneState")->out, &out);
    return r;
}

/* --- holds --- */

static int reply_changed(struct varlink_call *call, struct instance *instance, const char *action,
                         const char *reason)
{
    struct reconciler_apply_out out = {.name = xstrdup(instance->record->name),
                                       .revision = instance_revision(instance)};
    _cleanup_free_ char *subject = xasprintf("instance %s", instance->record->name);
    if (action)
        plan_add_change(&out, subject, action, reason);
    varlink_reply(call, &out);
    apply_out_done(&out);
    return 0;
}

static int find_ordered(struct manager *m, const char *name, struct instance **ret, struct error *e)
{
    struct instance *instance = manager_find(m, name);
    const struct unreadable *u = unreadable_find(m, name);
    if (u)
        return unreadable_refuse(u, e);
    if (!instance)
        return error_set(e, ERROR_NOT_FOUND, ENOENT, "there is no instance '%s'", name);
    if (!record_is_zone(instance->record) && !record_is_directory(instance->record))
        return error_refuse(e, EINVAL,
                            "instance %s is this machine's own: neither a zone nor a file orders it", name);
    *ret = instance;
    return 0;
}

int method_hold(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct reconciler_hold_in *wanted = in;
    struct instance *instance;
    int r = find_ordered(userdata, wanted->name, &instance, e);
    if (r < 0)
        return r;
    struct record *record = instance->record;
    const char *reason = wanted->reason && *wanted->reason ? wanted->reason : "by an administrator";
    if (streq_null(record->hold, reason))
        return reply_changed(call, instance, NULL, NULL);
    _cleanup_free_ char *before = xstrdup_null(record->hold);
    set_string(&record->hold, reason);
    r = store_save(instance, e);
    if (r < 0) {
        set_string(&record->hold, before);
        return r;
    }
    log_notice("instance %s: on hold: %s", record->name, reason);
    instance_changed(instance);
    return reply_changed(call, instance, "hold", reason);
}

int method_release(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    struct manager *m = userdata;
    struct instance *instance;
    int r = find_ordered(m, ((const struct reconciler_name_in *)in)->name, &instance, e);
    if (r < 0)
        return r;
    struct record *record = instance->record;
    if (!record->hold)
        return reply_changed(call, instance, NULL, NULL);
    struct record before = *record;
    bool changed = false;
    record->hold = NULL;
    record->hold_action = APP_ACTION_ABSENT;
    /* One write ends the hold and stores the order that waited. Without such an order, the last one is
     * followed. */
    struct app_instance *next = record_is_zone(record) ? record->next : NULL;
    if (next) {
        record->next = NULL;
        r = zone_follow(m, instance, next, NULL, &changed, e);
    }
    if (r >= 0 && !changed)
        r = store_save(instance, e);
    if (r < 0) {
        record->hold = before.hold;
        record->hold_action = before.hold_action;
        record->next = before.next;
        return r;
    }
    directory_look(m, instance->record->name); /* a file may have changed meanwhile */
    free(before.hold);
    if (next)
        schema_free(&app_instance_schema, next);
    log_notice("instance %s: the hold is released", instance->record->name);
    instance_begin(instance);
    return reply_changed(call, instance, "release", NULL);
}
