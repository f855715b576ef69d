/* What a manifest would change, and what forbids it. Nothing is done here; apply refuses what this refuses.
 */
#include "reconciler/rules/plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/app/app.h"
#include "lib/basic/cleanup.h"
#include "reconciler/model/unreadable.h"
#include "reconciler/model/wish.h"
#include "reconciler/rules/ports.h"

#define DIFFERENCES_MAX 4

void add_change(struct reconciler_apply_out *out, const char *subject, const char *action, const char *reason)
{
    struct reconciler_change *c = schema_append(&out->changes, &out->n_changes, sizeof *c);
    c->subject = xstrdup(subject);
    c->action = xstrdup(action);
    c->reason = xstrdup_null(reason);
    out->changed = true;
}

static void refuse(struct reconciler_apply_out *out, char *reason)
{
    schema_append_string(&out->refusals, &out->n_refusals, reason);
    free(reason);
}

/* Where two documents differ, as "pointer: a -> b", the first few. */
static void differences(const char *pointer, json_t *a, json_t *b, FILE *out, unsigned *count)
{
    const char *key;
    json_t *value;
    if (json_equal(a, b))
        return;
    if (json_is_object(a) && json_is_object(b)) {
        json_object_foreach(a, key, value)
        {
            _cleanup_free_ char *below = xasprintf("%s/%s", pointer, key);
            differences(below, value, json_object_get(b, key), out, count);
        }
        json_object_foreach(b, key, value)
        {
            _cleanup_free_ char *below = xasprintf("%s/%s", pointer, key);
            if (!json_object_get(a, key))
                differences(below, NULL, value, out, count);
        }
        return;
    }
    if (json_is_array(a) && json_is_array(b) && json_array_size(a) == json_array_size(b)) {
        for (size_t i = 0; i < json_array_size(a); i++) {
            _cleanup_free_ char *below = xasprintf("%s/%zu", pointer, i);
            differences(below, json_array_get(a, i), json_array_get(b, i), out, count);
        }
        return;
    }
    if (++*count > DIFFERENCES_MAX)
        return;
    _cleanup_free_ char *from = a ? json_dumps(a, JSON_COMPACT | JSON_ENCODE_ANY) : xstrdup("(absent)");
    _cleanup_free_ char *to = b ? json_dumps(b, JSON_COMPACT | JSON_ENCODE_ANY) : xstrdup("(absent)");
    fprintf(out, "%s%s: %.60s -> %.60s", *count > 1 ? "; " : "", pointer, from, to);
}

static char *describe_difference(const struct app_manifest *a, const struct app_manifest *b)
{
    char *text = NULL;
    size_t size;
    unsigned count = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    json_t *x = schema_pack(&app_manifest_schema, a), *y = schema_pack(&app_manifest_schema, b);
    differences("", x, y, out, &count);
    json_decref(x);
    json_decref(y);
    if (count > DIFFERENCES_MAX)
        fprintf(out, "; and %u more", count - DIFFERENCES_MAX);
    fclose(out);
    return text;
}

static const struct driver_container *find_container(const struct plan_containers *containers,
                                                     const char *instance, int64_t id)
{
    for (size_t i = 0; i < containers->n_items; i++) {
        const struct driver_container *c = containers->items[i];
        if (c->slot == DRIVER_SLOT_CURRENT && c->replica_id == id && streq(c->instance, instance))
            return c;
    }
    return NULL;
}

/* Whether our own container of this replica holds the port, so that a listener there is ours. */
static bool holds_port(const struct driver_container *c, int64_t host_port)
{
    for (size_t i = 0; c && c->ours && i < c->n_ports; i++)
        if (c->ports[i]->host_port == host_port)
            return true;
    return false;
}

static void check_ports(struct manager *m, const struct app_manifest *manifest,
                        const struct plan_containers *containers, const struct record_replica *record,
                        int64_t id, struct reconciler_apply_out *out)
{
    const struct app_spec *spec = manifest->app->spec;
    const char *name = app_instance_name(manifest);
    const struct instance *self = manager_find(m, name);
    for (size_t i = 0; i < spec->n_service_ports; i++) {
        int64_t port = port_wished(manifest, id, spec->service_ports[i]->port), other;
        if (port == 0 && manifest->app->deploy->n_replicas <= 1 && !record)
            port = spec->service_ports[i]->port;
        if (port == 0)
            continue;
        const struct instance *owner = port_owner(m, port, record, &other);
        bool own = false;
        /* Ports move freely among the replicas of one instance. */
        for (size_t k = 0; self && k < containers->n_items; k++)
            own |= streq(containers->items[k]->instance, name) && holds_port(containers->items[k], port);
        const struct unreadable *unknown = unreadable_owner(m, port);
        if (unknown)
            refuse(out, xasprintf("host port %lld is taken by instance %s, whose record cannot be read",
                                  (long long)port, unknown->name));
        else if (owner && owner != self)
            refuse(out, xasprintf("host port %lld is taken by instance %s, replica %lld", (long long)port,
                                  owner->record->name, (long long)other));
        else if (!own && port_is_listened_on(port))
            refuse(out, xasprintf("host port %lld is taken by another program", (long long)port));
    }
}

static void check_machine(struct manager *m, const struct app_manifest *manifest,
                          struct reconciler_apply_out *out)
{
    int64_t cpu = manifest->app->deploy->cpu_limit, memory = manifest->app->deploy->memory_limit;
    if (m->info && m->info->cpus > 0 && cpu > m->info->cpus * 1000)
        refuse(out, xasprintf("cpu_limit is %lld millicores, and this machine has %lld CPUs", (long long)cpu,
                              (long long)m->info->cpus));
    if (m->info && m->info->memory > 0 && memory > m->info->memory)
        refuse(out, xasprintf("memory_limit is %lld bytes, and this machine has %lld", (long long)memory,
                              (long long)m->info->memory));
}

static void plan_replica(struct manager *m, const struct app_manifest *manifest,
                         const struct plan_containers *containers, const struct app_replica *wanted,
                         const char *reason, struct reconciler_apply_out *out)
{
    const char *name = app_instance_name(manifest);
    const struct instance *instance = manager_find(m, name);
    struct record_replica *record = instance ? record_find_replica(instance->record, wanted->id) : NULL;
    const struct driver_container *c = find_container(containers, name, wanted->id);
    _cleanup_free_ char *subject = xasprintf("replica %lld", (long long)wanted->id);
    if (c && !c->ours)
        refuse(out, xasprintf("container '%s' exists and is not ours (%s)", c->name,
                              c->owner ?: "no label of this tree"));
    check_ports(m, manifest, containers, record, wanted->id, out);
    if (!record || record->removing)
        add_change(out, subject, "create", "it is new");
    else if (reason)
        add_change(out, subject, record->applied_revision ? "recreate" : "create", reason);
}

/* Said whether it changes or not: nobody should have to look for it in a manifest. */
static void tell_grants(const struct app_manifest *manifest, struct reconciler_apply_out *out)
{
    static const struct {
        const char *capability, *means;
    } meanings[] = {
        {"AUDIT_WRITE", "write into the machine's audit log"},
        {"MKNOD", "make device files"},
        {"NET_RAW",
         "read and forge packets in its network, and so answer for its gateway and its neighbours"},
    };
    const struct app_options *options = manifest->hostlet;
    for (size_t i = 0; options && i < options->n_capabilities; i++)
        for (size_t k = 0; k < ARRAY_SIZE(meanings); k++)
            if (streq(options->capabilities[i], meanings[k].capability)) {
                _cleanup_free_ char *text =
                    xasprintf("capability %s, which other containers do not have; with it a container can %s",
                              meanings[k].capability, meanings[k].means);
                schema_append_string(&out->grants, &out->n_grants, text);
            }
}

static const char *action_of(const struct app_manifest *manifest)
{
    const char *action = manifest->app->deploy->action;
    return action && *action ? action : "start";
}

void plan_make(struct manager *m, const struct app_manifest *manifest,
               const struct plan_containers *containers, struct reconciler_apply_out *out)
{
    const char *name = app_instance_name(manifest);
    const struct instance *instance = manager_find(m, name);
    const struct app_deploy *deploy = manifest->app->deploy;
    const struct record_revision *target = instance ? instance_target(instance) : NULL;
    bool same = target && app_same_revision(target->manifest, manifest);
    _cleanup_free_ char *reason = target && !same ? describe_difference(target->manifest, manifest) : NULL;
    _cleanup_free_ char *subject = xasprintf("instance %s", name);

    out->name = xstrdup(name);
    out->revision = !target ? 1 : same ? target->revision : target->revision + 1;
    check_machine(m, manifest, out);
    tell_grants(manifest, out);
    const struct unreadable *unreadable = unreadable_find(m, name);
    if (unreadable) {
        _cleanup_free_ char *problem = unreadable_problem(unreadable);
        refuse(out, xasprintf("instance %s: %s", name, problem));
    }
    if (m->host_id_problem)
        refuse(out, xstrdup(m->host_id_problem));
    if (instance && record_is_zone(instance->record))
        refuse(out, xasprintf("instance %s belongs to the zone: another name is needed", name));
    else if (instance && streq(instance->record->action, "destroy"))
        refuse(out, xasprintf("instance %s is being destroyed: apply again when it is gone", name));
    if (!target)
        add_change(out, subject, "create", "it is new");
    else if (same && !schema_equal(&app_manifest_schema, target->manifest, manifest)) {
        _cleanup_free_ char *what = describe_difference(target->manifest, manifest);
        add_change(out, subject, "update", what);
    }
    for (size_t i = 0; i < deploy->n_replicas; i++)
        plan_replica(m, manifest, containers, deploy->replicas[i], target ? reason : "it is new", out);
    for (size_t i = 0; instance && i < instance->record->n_replicas; i++) {
        const struct record_replica *r = instance->record->replicas[i];
        _cleanup_free_ char *replica = xasprintf("replica %lld", (long long)r->id);
        if (!app_find_replica(manifest, r->id) && !r->removing)
            add_change(out, replica, "remove", "the manifest has it no more");
        else if (same && (r->failed_revision == target->revision || r->failure))
            add_change(out, replica, "retry", r->failure);
    }
    if (instance && !streq(instance->record->action, action_of(manifest)))
        add_change(out, subject, action_of(manifest), "the wanted action changes");
}
