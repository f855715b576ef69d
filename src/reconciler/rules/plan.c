/* Implements plan.h. */
#include "reconciler/rules/plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/app/check_deploy.h"
#include "lib/app/name.h"
#include "lib/app/normalise.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "reconciler/rules/conflict.h"
#include "reconciler/rules/plan_ports.h"

#define DIFFERENCES_MAX 4

void plan_add_change(struct reconciler_apply_out *out, const char *subject, const char *action,
                     const char *reason)
{
    struct reconciler_change *c = schema_append(&out->changes, &out->n_changes, sizeof *c);
    c->subject = xstrdup(subject);
    c->action = xstrdup(action);
    c->reason = xstrdup_null(reason);
    out->changed = true;
}

void plan_refuse(struct reconciler_apply_out *out, char *reason)
{
    schema_append_string(&out->refusals, &out->n_refusals, reason);
    free(reason);
}

/* Writes the first DIFFERENCES_MAX differences of two documents as "pointer: a -> b", and counts all of them.
 */
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

static const struct driver_container *find_container(const struct plan_input *in, int64_t replica_id)
{
    for (size_t i = 0; i < in->n_containers; i++) {
        const struct driver_container *c = in->containers[i];
        if (c->slot == DRIVER_SLOT_CURRENT && c->replica_id == replica_id &&
            streq(c->instance, app_instance_name(in->manifest)))
            return c;
    }
    return NULL;
}

static void check_machine(const struct plan_input *in, struct reconciler_apply_out *out)
{
    const struct app_deploy *deploy = in->manifest->app->deploy;
    const struct driver_info_out *machine = in->machine;
    if (machine && machine->cpus > 0 && deploy->cpu_limit > machine->cpus * 1000)
        plan_refuse(out, xasprintf("cpu_limit is %lld millicores, and this machine has %lld CPUs",
                                   (long long)deploy->cpu_limit, (long long)machine->cpus));
    if (machine && machine->memory > 0 && deploy->memory_limit > machine->memory)
        plan_refuse(out, xasprintf("memory_limit is %lld bytes, and this machine has %lld",
                                   (long long)deploy->memory_limit, (long long)machine->memory));
}

/* Compares the memory limits of all replicas with the machine's memory. A change that does not raise their
 * sum is not refused, since it can be one that lowers it. */
static void check_memory(const struct plan_input *in, struct reconciler_apply_out *out)
{
    const struct app_deploy *deploy = in->manifest->app->deploy;
    int64_t before = in->record ? record_memory(in->record) : 0, own, all;
    if (app_action_of(deploy) == APP_ACTION_DESTROY)
        own = 0;
    else if (__builtin_mul_overflow((int64_t)deploy->n_replicas, deploy->memory_limit, &own))
        own = INT64_MAX;
    if (__builtin_add_overflow(in->memory_of_others, own, &all))
        all = INT64_MAX;
    out->memory_change = own - before;
    if (!in->machine || in->machine->memory <= 0 || all <= in->machine->memory || own == 0 ||
        !in->overcommit || streq(in->overcommit, "ignore"))
        return;
    _cleanup_free_ char *sum = format_size(all), *memory = format_size(in->machine->memory);
    bool refused = streq(in->overcommit, "refuse") && own > before;
    char *text = xasprintf(
        "the memory limits of all replicas would be %s together, and this machine has %s%s", sum, memory,
        refused ? " ([reconciler] overcommit = refuse)"
                : ": if they use it, the kernel kills some of their processes");
    if (refused) {
        plan_refuse(out, text);
        return;
    }
    schema_append_string(&out->warnings, &out->n_warnings, text);
    free(text);
}

/* Reports whether a limit is set where 'is' is larger or none. */
static bool lowers(int64_t is, int64_t wanted)
{
    return wanted > 0 && (is == 0 || wanted < is);
}

size_t plan_next_lowered(const struct plan_input *in, size_t at)
{
    const struct record_revision *target =
        in->record ? record_find_revision(in->record, in->record->revision) : NULL;
    if (!target || at >= in->n_containers || !app_same_revision(target->manifest, in->manifest))
        return SIZE_MAX; /* new containers are made, if any */
    struct record_limits limits = record_limits_of(in->manifest);
    for (; at < in->n_containers; at++) {
        const struct driver_container *c = in->containers[at];
        if (c->ours && c->slot == DRIVER_SLOT_CURRENT && c->revision == target->revision &&
            driver_state_is_up((enum driver_state)c->state) &&
            streq(c->instance, app_instance_name(in->manifest)) &&
            app_find_replica(in->manifest, c->replica_id) &&
            (lowers(c->memory_limit, limits.memory_limit) || lowers(c->pids_limit, limits.pids_limit)))
            return at;
    }
    return SIZE_MAX;
}

/* Refuses limits below what the containers use at present: the runtime would kill processes. */
static void check_usages(const struct plan_input *in, struct reconciler_apply_out *out)
{
    static const char remedy[] = "lower it when the replica uses less, or stop the instance first";
    struct record_limits limits = record_limits_of(in->manifest);
    for (size_t i = 0; in->usages && (i = plan_next_lowered(in, i)) != SIZE_MAX; i++) {
        const struct driver_usage_out *usage = in->usages[i];
        long long id = in->containers[i]->replica_id;
        _cleanup_free_ char *used = usage ? format_size(usage->memory) : NULL,
                            *limit = format_size(limits.memory_limit);
        if (usage && limits.memory_limit > 0 && usage->memory > limits.memory_limit)
            plan_refuse(out,
                        xasprintf("replica %lld uses %s of memory (without its file cache), and memory_limit "
                                  "is %s: %s",
                                  id, used, limit, remedy));
        if (usage && limits.pids_limit > 0 && usage->pids > limits.pids_limit)
            plan_refuse(out,
                        xasprintf("replica %lld has %lld processes and threads, and pids_limit is %lld: %s",
                                  id, (long long)usage->pids, (long long)limits.pids_limit, remedy));
    }
}

static void plan_replica(const struct plan_input *in, const struct record_replica *next, const char *reason,
                         struct reconciler_apply_out *out)
{
    int64_t id = next->id;
    const struct record_replica *replica = in->record ? record_find_replica(in->record, id) : NULL;
    const struct driver_container *c = find_container(in, id);
    _cleanup_free_ char *subject = xasprintf("replica %lld", (long long)id);
    if (c && !c->ours) {
        _cleanup_free_ char *remedy = conflict_remedy(c, false);
        plan_refuse(out, xasprintf("container '%s' exists and does not belong to this tree (%s)%s", c->name,
                                   c->owner ?: "no label of this tree", remedy));
    }
    plan_check_ports(in, next, out);
    if (!replica || replica->removing || reason)
        plan_tell_ports(next, out);
    if (!replica || replica->removing)
        plan_add_change(out, subject, "create", "it is new");
    else if (reason)
        plan_add_change(out, subject, replica->applied_revision ? "recreate" : "create", reason);
}

/* Adds the manifest's grants, also unchanged ones, so that an administrator need not search the manifest for
 * them. */
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

static void check_instance(const struct plan_input *in, struct reconciler_apply_out *out)
{
    const char *name = app_instance_name(in->manifest);
    if (in->record_problem)
        plan_refuse(out, xasprintf("instance %s: %s", name, in->record_problem));
    if (in->host_id_problem)
        plan_refuse(out, xstrdup(in->host_id_problem));
    const struct record *record = in->record;
    bool other = record && !streq(record->origin, in->origin ?: "local");
    if (other && record_is_zone(record))
        plan_refuse(out, xasprintf("instance %s belongs to the zone: another name is needed", name));
    else if (other && record_is_directory(record))
        plan_refuse(out, xasprintf("instance %s belongs to the file '%s': change that file, or remove it and "
                                   "destroy the instance",
                                   name, record->file ?: ""));
    else if (other)
        plan_refuse(out,
                    xasprintf("a local instance has the name %s: it stays, and the file is followed when the "
                              "instance is destroyed",
                              name));
    else if (record && record->action == APP_ACTION_DESTROY && !record_is_directory(record))
        plan_refuse(out, xasprintf("instance %s is being destroyed: apply again when that has ended", name));
}

/* Adds the removals and retries of the record's replicas. */
static void plan_known_replicas(const struct plan_input *in, bool same, struct reconciler_apply_out *out)
{
    const struct record *record = in->record;
    for (size_t i = 0; record && i < record->n_replicas; i++) {
        const struct record_replica *r = record->replicas[i];
        _cleanup_free_ char *subject = xasprintf("replica %lld", (long long)r->id);
        if (!app_find_replica(in->manifest, r->id) && !r->removing)
            plan_add_change(out, subject, "remove", "the manifest has it no more");
        else if (same && (r->failed_revision == record->revision || r->failure))
            plan_add_change(out, subject, "retry", r->failure);
    }
}

void plan_make(const struct plan_input *in, struct reconciler_apply_out *out)
{
    const struct app_manifest *manifest = in->manifest;
    const char *name = app_instance_name(manifest);
    const struct app_deploy *deploy = manifest->app->deploy;
    const struct record_revision *target =
        in->record ? record_find_revision(in->record, in->record->revision) : NULL;
    bool same = target && app_same_revision(target->manifest, manifest);
    _cleanup_free_ char *subject = xasprintf("instance %s", name);
    bool equal = target && schema_equal(&app_manifest_schema, target->manifest, manifest);
    _cleanup_free_ char *difference =
        target && !equal ? describe_difference(target->manifest, manifest) : NULL;
    const char *reason = !target ? "it is new" : same ? NULL : difference;

    out->name = xstrdup(name);
    out->revision = !target ? 1 : same ? target->revision : target->revision + 1;
    check_machine(in, out);
    check_memory(in, out);
    check_usages(in, out);
    tell_grants(manifest, out);
    check_instance(in, out);
    if (in->unlisted)
        schema_append_string(&out->warnings, &out->n_warnings,
                             "the container runtime does not answer: conflicts with its containers are not "
                             "known, and are shown later");
    if (!target)
        plan_add_change(out, subject, "create", "it is new");
    else if (same && !equal)
        plan_add_change(out, subject, "update", difference);
    struct record *next = plan_assign_ports(in, !same, out);
    for (size_t i = 0; i < deploy->n_replicas; i++) {
        const struct record_replica *replica = record_find_replica(next, deploy->replicas[i]->id);
        if (replica)
            plan_replica(in, replica, reason, out);
    }
    schema_free(&record_schema, next);
    plan_known_replicas(in, same, out);
    if (in->record && in->record->action != app_action_of(deploy))
        plan_add_change(out, subject, schema_enum_name(&app_action_enum, app_action_of(deploy)),
                        "the desired action changes");
}
