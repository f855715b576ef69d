/* Implements zone_order.h. */
#include "reconciler/rules/zone_order.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/app/check_deploy.h"
#include "lib/app/extent.h"
#include "lib/app/limits.h"
#include "lib/app/name.h"
#include "lib/app/normalise.h"
#include "lib/app/zone.h"
#include "lib/basic/util.h"
#include "lib/schema/object.h"

static int64_t order_of(const struct app_instance *wanted)
{
    return wanted->deploy ? wanted->deploy->revision : 0;
}

/* Sets the ports that the zone allocated to the replica, or if it allocated none, those of the spec with
 * equal host ports. */
static void set_ports(struct record_replica *r, const struct app_replica *wish, const struct app_spec *spec)
{
    for (size_t i = 0; i < r->n_ports; i++)
        schema_free(&app_service_port_schema, r->ports[i]);
    r->n_ports = 0;
    for (size_t i = 0; i < wish->n_service_ports; i++)
        if (wish->service_ports[i]->port > 0 && wish->service_ports[i]->host_port > 0)
            schema_copy(&app_service_port_schema, wish->service_ports[i],
                        schema_append(&r->ports, &r->n_ports, sizeof **r->ports));
    for (size_t i = 0; wish->n_service_ports == 0 && i < spec->n_service_ports; i++) {
        struct app_service_port *p = schema_append(&r->ports, &r->n_ports, sizeof *p);
        p->name = xstrdup_null(spec->service_ports[i]->name);
        p->port = p->host_port = spec->service_ports[i]->port;
    }
}

bool zone_assign_replicas(struct record *record, const struct app_manifest *manifest, const char *host_id)
{
    const struct app_deploy *deploy = manifest->app->deploy;
    bool changed = false;
    for (size_t i = 0; i < record->n_replicas; i++) {
        struct record_replica *r = record->replicas[i];
        bool unassigned = !app_find_replica_of(manifest, r->id, host_id);
        changed |= unassigned != r->unassigned;
        r->unassigned = unassigned;
    }
    for (size_t i = 0; deploy && i < deploy->n_replicas; i++) {
        const struct app_replica *wish = deploy->replicas[i];
        if (!streq_null(wish->host_id, host_id) || wish->id < 0 || wish->id > APP_REPLICA_ID_MAX)
            continue;
        struct record_replica *r = record_find_replica(record, wish->id);
        if (!r) {
            r = record_add_replica(record, wish->id);
            /* An adopted container of the replica may run already, and needs its files. Without one, the
             * files are written before a container is created. */
            r->update_files = true;
            changed = true;
        }
        set_ports(r, wish, manifest->app->spec);
        set_string(&r->vpc_ipv4, wish->vpc_ipv4 && *wish->vpc_ipv4 ? wish->vpc_ipv4 : NULL);
    }
    return changed;
}

static bool same_bits(const struct app_spec *a, const struct app_spec *b)
{
    if (!streq_null(a->image, b->image) || a->n_packages != b->n_packages)
        return false;
    for (size_t i = 0; i < a->n_packages; i++)
        if (!streq_null(a->packages[i]->name, b->packages[i]->name) ||
            !streq_null(a->packages[i]->version, b->packages[i]->version))
            return false;
    return true;
}

/* Sets the desired revision: the order's number, but at least the highest applied one. Returns true if image
 * or packages changed under a revision of the record; 'old' then receives the previous ids. */
static bool set_revision(struct record *record, int64_t order, const struct app_manifest *manifest,
                         struct record_revision *old)
{
    int64_t number = order > 0 ? order : 1, applied = 0; /* 0 means "none" in the journal */
    for (size_t i = 0; i < record->n_replicas; i++)
        if (record->replicas[i]->applied_revision > applied)
            applied = record->replicas[i]->applied_revision;
    if (number < applied)
        number = applied;
    struct record_revision *target = record_find_revision(record, number);
    record->revision = number;
    if (!target) {
        record_add_revision(record, number, manifest);
        return false;
    }
    bool same = same_bits(target->manifest->app->spec, manifest->app->spec);
    if (!schema_equal(&app_manifest_schema, target->manifest, manifest))
        for (size_t i = 0; i < record->n_replicas; i++)
            record->replicas[i]->update_files = true;
    record_set_manifest(target, manifest);
    if (!same)
        record_forget_bits(target, old);
    return !same;
}

/* Makes a manifest with only the name and this host's replicas of an order that cannot be followed, so that
 * the problem can be shown and reported. Its size does not depend on the order's. */
static struct app_manifest *make_stub(const struct app_manifest *manifest, const char *host_id)
{
    struct app_manifest *stub = xcalloc(1, sizeof *stub);
    stub->app = xcalloc(1, sizeof *stub->app);
    stub->app->meta = xcalloc(1, sizeof *stub->app->meta);
    stub->app->meta->name = xstrdup(manifest->app->meta->name);
    stub->app->spec = xcalloc(1, sizeof *stub->app->spec);
    stub->app->deploy = xcalloc(1, sizeof *stub->app->deploy);
    const struct app_deploy *deploy = manifest->app->deploy;
    for (size_t i = 0; deploy && i < deploy->n_replicas; i++)
        if (streq_null(deploy->replicas[i]->host_id, host_id) && deploy->replicas[i]->id >= 0 &&
            deploy->replicas[i]->id <= APP_REPLICA_ID_MAX &&
            !app_find_replica(stub, deploy->replicas[i]->id)) {
            struct app_replica *r =
                schema_append(&stub->app->deploy->replicas, &stub->app->deploy->n_replicas, sizeof *r);
            r->id = deploy->replicas[i]->id;
            r->host_id = xstrdup(host_id);
        }
    app_default_options(stub);
    return stub;
}

/* Sets the record's problem and stores the order. 'kept' is NULL if it is too large to be stored. A record
 * without a revision gets one: the order's if it is well formed, else a stub. */
static void set_problem(struct record *record, const struct zone_order *order,
                        const struct app_manifest *manifest, const struct app_instance *kept,
                        const char *problem, bool well_formed)
{
    set_string(&record->problem, problem);
    record_set_next(record, kept, order->now);
    if (record->n_revisions > 0)
        return;
    struct app_manifest *stub = make_stub(manifest, order->host_id);
    const struct app_manifest *shown = well_formed ? manifest : stub;
    record_add_revision(record, record->order > 0 ? record->order : 1, shown);
    zone_assign_replicas(record, shown, order->host_id);
    schema_free(&app_manifest_schema, stub);
}

static void forget_failures(struct record *record)
{
    for (size_t i = 0; i < record->n_replicas; i++) {
        record->replicas[i]->failed_revision = 0;
        record->replicas[i]->attempt = 0;
        if (!record->replicas[i]->rolling_back)
            set_string(&record->replicas[i]->failure, NULL);
    }
}

/* Makes a copy of 'before', or a new record if it is NULL, with the order's number. */
static struct record *new_record(const struct record *before, const struct zone_order *order)
{
    struct record *record = xcalloc(1, sizeof *record);
    if (before) {
        schema_copy(&record_schema, before, record);
    } else {
        record->format = RECORD_FORMAT;
        record->name = xstrdup(order->wanted->meta->name);
        record->origin = xstrdup("zone");
        record->action = APP_ACTION_NONE;
    }
    record->order = order_of(order->wanted);
    record->unassigned = false;
    return record;
}

/* Reports whether the order changes nothing in the record. */
static bool is_known(const struct record *record, const struct app_manifest *manifest,
                     const struct app_instance *wanted)
{
    if (record->unassigned || record->order != order_of(wanted) || (record->problem && !record->next))
        return false;
    if (record->next)
        return schema_equal(&app_instance_schema, record->next, wanted);
    return schema_equal(&app_manifest_schema, record_find_revision(record, record->revision)->manifest,
                        manifest);
}

static void follow(const struct zone_order *order, const struct app_manifest *manifest, int action,
                   struct zone_order_effect *effect)
{
    struct record *record = effect->record;
    set_string(&record->problem, NULL);
    record_set_next(record, NULL, 0);
    if (effect->new_order)
        forget_failures(record);
    effect->other_bits = set_revision(record, record->order, manifest, &effect->old);
    effect->new_order |= record->action != action;
    record->action = action;
    record->purge = false;
    effect->new_order |= zone_assign_replicas(record, manifest, order->host_id);
}

/* How far an order can be followed. */
struct verdict {
    bool fits; /* it is small enough to be stored */
    bool well_formed;
    int action; /* enum app_action; below 0: the order is not followed */
    struct error why;
};

static struct verdict judge(const struct zone_order *order, const struct app_manifest *manifest)
{
    struct verdict v = {.why = ERROR_INIT};
    if (order->refused)
        error_refuse(&v.why, E2BIG, "%s", order->refused);
    else
        v.fits = app_check_extent(manifest, "", &v.why) >= 0;
    v.well_formed = v.fits && app_check_zone(manifest->app, order->host_id, &v.why) >= 0;
    v.action = v.well_formed ? app_action_of(order->wanted->deploy) : -EINVAL;
    if (v.well_formed && v.action < 0)
        error_refuse(&v.why, EINVAL, "action '%.64s' is not known, and the order is not followed",
                     order->wanted->deploy->action);
    return v;
}

void zone_order_make(const struct record *record, const struct zone_order *order,
                     struct zone_order_effect *ret)
{
    const struct app_instance *wanted = order->wanted;
    struct app_manifest *manifest = app_zone_manifest(wanted);
    if (record && !order->refused && is_known(record, manifest, wanted)) {
        schema_free(&app_manifest_schema, manifest);
        return;
    }
    struct verdict v = judge(order, manifest);
    ret->record = new_record(record, order);
    ret->new_order = !record || record->order != order_of(wanted) ||
                     !streq_null(record->problem, v.action >= 0 ? NULL : v.why.message);
    if (v.action >= 0)
        follow(order, manifest, v.action, ret);
    else
        set_problem(ret->record, order, manifest, v.fits ? wanted : NULL, v.why.message, v.well_formed);
    schema_free(&app_manifest_schema, manifest);
}

void zone_order_make_small(const struct record *record, const struct zone_order *order, const char *reason,
                           struct zone_order_effect *effect)
{
    struct app_manifest *manifest = app_zone_manifest(order->wanted);
    if (effect->record)
        schema_free(&record_schema, effect->record);
    effect->record = new_record(record, order);
    set_problem(effect->record, order, manifest, NULL, reason, false);
    effect->other_bits = false;
    schema_done(&record_revision_schema, &effect->old);
    schema_free(&app_manifest_schema, manifest);
}

void zone_order_effect_done(struct zone_order_effect *effect)
{
    if (effect->record)
        schema_free(&record_schema, effect->record);
    effect->record = NULL;
    schema_done(&record_revision_schema, &effect->old);
}
