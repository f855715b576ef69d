/* Implements apply.h. */
#include "reconciler/face/apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/app/check_deploy.h"
#include "lib/app/limits.h"
#include "lib/app/name.h"
#include "lib/app/normalise.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "reconciler/engine/exits.h"
#include "reconciler/engine/limits.h"
#include "reconciler/engine/prepare.h"
#include "reconciler/engine/replica.h"
#include "reconciler/engine/turn.h"
#include "reconciler/face/host_ports.h"
#include "reconciler/model/store.h"
#include "reconciler/model/unreadable.h"
#include "reconciler/model/wish.h"
#include "reconciler/rules/plan.h"
#include "reconciler/rules/ports.h"

void apply_out_done(struct reconciler_apply_out *out)
{
    schema_done(varlink_find_method(&reconciler_interface, "Apply")->out, out);
}

int apply_refuse(const struct reconciler_apply_out *out, struct error *e)
{
    char text[sizeof e->message] = "";
    size_t n = 0;
    for (size_t i = 0; i < out->n_refusals && n < sizeof text; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? "; " : "", out->refusals[i]);
    return error_refuse(e, EINVAL, "%s", text);
}

/* Makes a copy of the instance's record with the manifest as desired state, or a new record. The current
 * record stays unchanged until the copy is on disk. */
static int make_record(const struct manager *m, const struct instance *instance,
                       const struct app_manifest *manifest, const struct apply_source *source,
                       struct record **ret, struct error *e)
{
    const char *name = app_instance_name(manifest);
    struct record *record = xcalloc(1, sizeof *record);
    bool same = false;
    if (instance) {
        schema_copy(&record_schema, instance->record, record);
        struct record_revision *target = record_find_revision(record, record->revision);
        same = app_same_revision(target->manifest, manifest);
        bool files = same && !schema_equal(&app_manifest_schema, target->manifest, manifest);
        if (same)
            record_set_manifest(target, manifest);
        else
            record_add_revision(record, record->revision + 1, manifest);
        for (size_t i = 0; i < record->n_replicas; i++) {
            record->replicas[i]->update_files |= files;
            record->replicas[i]->failed_revision = 0;
            record->replicas[i]->attempt = 0;
            if (!record->replicas[i]->rolling_back)
                set_string(&record->replicas[i]->failure, NULL);
        }
    } else {
        record->format = source ? RECORD_FORMAT : RECORD_FORMAT_LOCAL;
        record->name = xstrdup(name);
        record->origin = xstrdup(source ? "directory" : "local");
        record_add_revision(record, 1, manifest);
    }
    if (source) {
        set_string(&record->file, source->file);
        record->mounts = source->mounts;
        record->unassigned = record->purge = false;
    }
    record->action = app_action_of(manifest->app->deploy);
    struct port_uses uses = {.n_items = 0};
    if (manifest->app->spec->n_service_ports > 0)
        host_ports_in_use(m, &uses);
    int r = ports_assign(&uses, &m->settings.ports, record, manifest, !same, e);
    free(uses.items);
    if (r < 0) {
        schema_free(&record_schema, record);
        return r;
    }
    *ret = record;
    return 0;
}

void instance_add_replicas(struct instance *instance)
{
    const struct record *record = instance->record;
    for (size_t i = 0; i < record->n_replicas; i++)
        if (!instance_find_replica(instance, record->replicas[i]->id))
            instance_add_replica(instance, record->replicas[i])->seen.observed = false;
}

/* Replaces the instance's record, to whose entries its replicas point. */
static void exchange_record(struct instance *instance, struct record *record)
{
    struct record *old = instance->record;
    instance->record = record;
    for (size_t i = 0; i < instance->n_replicas; i++)
        instance->replicas[i]->record = record_find_replica(record, instance->replicas[i]->record->id);
    instance_add_replicas(instance);
    schema_free(&record_schema, old);
}

int apply_record(struct manager *m, struct instance **instance, struct record *record, struct error *e)
{
    struct instance probe = {.manager = m, .record = record};
    int r = store_save(&probe, e);
    if (r < 0) {
        schema_free(&record_schema, record);
        return r;
    }
    if (*instance)
        exchange_record(*instance, record);
    else
        *instance = manager_add(m, record);
    return 0;
}

/* Makes the next attempt at once for an instance whose preparation, steps or limits wait after a failure. */
static void attempt_now(struct instance *instance)
{
    for (size_t i = 0; i < instance->n_replicas; i++) {
        struct replica *r = instance->replicas[i];
        if (r->retry.next != 0 || r->limits.next != 0 || r->last == STEP_CONFLICT) {
            replica_forget_pause(r);
            limits_forget_pause(r);
            r->seen.stale = true;
        }
    }
    prepare_forget_failures(instance);
    instance_kick(instance);
}

/* Reports whether the record follows this file, as it is. */
static bool follows(const struct record *record, const struct apply_source *source)
{
    return !source || (streq_null(record->file, source->file) && record->mounts == source->mounts &&
                       !record->unassigned);
}

int apply_manifest(struct manager *m, struct app_manifest *manifest, const struct apply_source *source,
                   struct reconciler_apply_out *out, struct error *e)
{
    struct instance *instance = manager_find(m, out->name);
    struct record *record = NULL;
    if (!out->changed && follows(instance->record, source)) {
        attempt_now(instance);
        return 0;
    }
    int r = make_record(m, instance, manifest, source, &record, e);
    if (r >= 0)
        r = apply_record(m, &instance, record, e);
    if (r < 0)
        return r;
    out->revision = instance->record->revision;
    log_notice("instance %s: the desired revision is %lld, the action %s", instance->record->name,
               (long long)instance->record->revision,
               schema_enum_name(&app_action_enum, instance->record->action));
    instance_begin(instance);
    return 0;
}

/* Reports whether a part of the instance failed. An equal request then retries it. */
static bool has_failed(struct instance *instance)
{
    const struct prepare *p = prepare_find(instance, instance->record->revision);
    bool failed = p && p->failure;
    for (size_t i = 0; i < instance->n_replicas; i++) {
        const struct replica *r = instance->replicas[i];
        failed |= r->record->failure || r->retry.count.failures > 0 || r->limits.failure ||
                  exits_are_a_loop(r) || r->last == STEP_CONFLICT;
    }
    return failed;
}

static int refuse_ordered(const struct record *record, struct error *e)
{
    _cleanup_free_ char *owner =
        record_is_zone(record) ? xstrdup("the zone") : xasprintf("the file '%s'", record->file ?: "");
    return error_refuse(
        e, EPERM,
        "instance %s belongs to %s, which decides over it; 'hostletctl hold %s' lets you start "
        "and stop it here",
        record->name, owner, record->name);
}

int apply_action(struct instance *instance, enum app_action action, bool purge,
                 struct reconciler_apply_out *out, struct error *e)
{
    struct record *record = instance->record;
    bool ordered = instance_is_ordered(instance), purged = record->purge;
    int *wanted = ordered || record->hold ? &record->hold_action : &record->action, kept = *wanted;
    enum app_action before = instance_action(instance);
    const char *word = schema_enum_name(&app_action_enum, (int)action);
    _cleanup_free_ char *subject = xasprintf("instance %s", record->name);
    out->name = xstrdup(record->name);
    out->revision = instance_revision(instance);
    if (ordered && !record->hold)
        return refuse_ordered(record, e);
    if (!ordered && record->unassigned && !record->hold && action != APP_ACTION_DESTROY)
        return error_refuse(e, EPERM, "instance %s is not to run: its file '%s' was removed", record->name,
                            record->file ?: "");
    if (ordered && record->action == APP_ACTION_NONE)
        return error_refuse(e, EINVAL, "instance %s has had no order yet that could be followed: %s",
                            record->name, record->problem ?: "");
    if (!ordered && before == APP_ACTION_DESTROY && action != APP_ACTION_DESTROY)
        return error_refuse(e, EBUSY, "instance %s is being destroyed", record->name);
    bool again = action != APP_ACTION_STOP && has_failed(instance);
    if (before == action && !again && purged == purge)
        return 0;
    plan_add_change(out, subject, again && before == action ? "retry" : word, NULL);
    *wanted = (int)action;
    record->purge = purge;
    for (size_t i = 0; again && i < instance->n_replicas; i++)
        if (!instance->replicas[i]->record->rolling_back)
            replica_forget_failure(instance->replicas[i]);
    int r = store_save(instance, e);
    if (r < 0) {
        *wanted = kept;
        record->purge = purged;
        return r;
    }
    log_notice("instance %s: the desired action is %s", record->name, word);
    instance_begin(instance);
    return 0;
}

/* Makes a record that destroys all objects of the name: containers, data and quotas of every possible
 * replica. */
static struct record *make_destroyer(struct unreadable *u, bool purge, int64_t now)
{
    struct app_manifest manifest = {
        .app = &(struct app_instance){.meta = &(struct app_metadata){.name = u->name},
                                      .spec = &(struct app_spec){.name = u->name},
                                      .deploy = &(struct app_deploy){.action = NULL}}};
    struct record *record = xcalloc(1, sizeof *record);
    record->format = RECORD_FORMAT_LOCAL;
    record->name = xstrdup(u->name);
    record->origin = xstrdup("local");
    record->action = APP_ACTION_DESTROY;
    record->purge = purge;
    record_add_revision(record, 1, &manifest);
    app_default_options(record->revisions[0]->manifest);
    for (int64_t id = 0; id <= APP_REPLICA_ID_MAX; id++)
        record_add_replica(record, id);
    record_set_next(record, u->order, now);
    return record;
}

int apply_destroy_unreadable(struct manager *m, struct unreadable *u, bool purge, struct error *e)
{
    struct instance *instance = NULL;
    bool ours = app_check_instance_name(u->name, "/name", NULL) >= 0;
    int r = access(u->path, F_OK) < 0 ? 0 : keep_aside(u->path, e);
    if (r >= 0 && ours)
        r = apply_record(m, &instance, make_destroyer(u, purge, outside_now_msec(m->outside)), e);
    else if (r >= 0 && unlink(u->path) < 0 && errno != ENOENT)
        r = error_os(e, errno, "cannot remove '%s'", u->path);
    if (r < 0)
        return r;
    log_notice("instance %s: its record, which could not be read, is kept as '%s.unreadable'; the instance "
               "is destroyed",
               u->name, u->path);
    unreadable_forget(m, u);
    if (instance)
        instance_begin(instance);
    return 0;
}
