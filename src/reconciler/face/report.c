/* Implements report.h. */
#include "reconciler/face/report.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/app/limits.h"
#include "lib/app/name.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "reconciler/engine/exits.h"
#include "reconciler/engine/quota.h"
#include "reconciler/engine/replica.h"
#include "reconciler/face/directory.h"
#include "reconciler/face/outlook.h"
#include "reconciler/model/unreadable.h"
#include "reconciler/model/wish.h"
#include "reconciler/rules/rollout.h"

static bool replica_settled(const struct replica *r)
{
    if (r->retry.count.failures > 0 && replica_only_cleans_up(r))
        return true;
    if (r->request || r->seen.stale || r->kick || r->limits.next || r->retry.next > replica_monotonic_usec(r))
        return false;
    return r->last == STEP_SETTLED || r->last == STEP_CONFLICT ||
           (r->last == STEP_GONE && replica_stays_known(r)) ||
           (r->last == STEP_WAIT && rollout_stopped(r->instance->record));
}

static bool replica_failed(const struct replica *r)
{
    return r->limits.failure || r->state == REPLICA_FAILED || r->state == REPLICA_CRASH_LOOPING ||
           r->state == REPLICA_CONFLICT;
}

/* Returns the limits of the container as the last inspection showed them, or, without one, as they were set
 * last; NULL: not known. */
static struct reconciler_limits *limits_of(const struct replica *r)
{
    const struct driver_container *c = &r->seen.current;
    const struct record_limits *stored = r->record->limits;
    struct reconciler_limits *limits = xcalloc(1, sizeof *limits);
    if (c->state != DRIVER_MISSING && c->ours)
        *limits = (struct reconciler_limits){c->cpu_limit, c->memory_limit, c->pids_limit};
    else if (!r->seen.observed && stored)
        *limits = (struct reconciler_limits){stored->cpu_limit, stored->memory_limit, stored->pids_limit};
    else {
        free(limits);
        return NULL;
    }
    return limits;
}

static void report_agent(const struct record_agent *agent, struct reconciler_replica *to)
{
    for (size_t i = 0; agent && i < agent->n_tasks; i++)
        schema_copy(&app_task_status_schema, agent->tasks[i],
                    schema_append(&to->tasks, &to->n_tasks, sizeof(struct app_task_status)));
    to->ready = agent && agent->ready;
    to->status = agent ? xstrdup_null(agent->status) : NULL;
}

static void report_replica(const struct replica *r, struct reconciler_replica *to)
{
    const struct driver_container *running =
        r->seen.current.state != DRIVER_MISSING ? &r->seen.current : &r->seen.old;
    to->id = r->record->id;
    to->container = app_container_name(r->instance->record->name, r->record->id);
    to->state = (int)r->state;
    to->revision = running->state != DRIVER_MISSING && running->ours ? running->revision : 0;
    to->step = xstrdup_null(outlook_step(r));
    /* The application's own text is shown where nothing else is to be said. */
    const char *status = r->record->agent && !r->limits.failure ? r->record->agent->status : NULL;
    to->message = xstrdup_null(r->message ?: r->record->failure ?: status);
    to->attempt = r->retry.count.failures ?: r->record->attempt;
    to->next_retry = outside_due_msec(r->instance->manager->outside, r->retry.next ?: r->limits.next);
    uint64_t at;
    to->next = outlook_of_replica(r, &at);
    to->next_at = outside_due_msec(r->instance->manager->outside, at);
    to->quota = quota_text(r);
    to->last_exit = exits_reason(r);
    to->last_exit_at = to->last_exit ? outside_due_msec(r->instance->manager->outside, r->exits.at) : 0;
    to->exits = r->exits.n;
    to->oom_kills = r->exits.n_oom;
    to->limits = limits_of(r);
    to->limits_problem = xstrdup_null(r->limits.failure);
    to->unassigned = r->record->unassigned;
    to->vpc_ipv4 = xstrdup_null(r->record->vpc_ipv4);
    for (size_t i = 0; i < r->record->n_ports; i++)
        schema_copy(&app_service_port_schema, r->record->ports[i],
                    schema_append(&to->ports, &to->n_ports, sizeof(struct app_service_port)));
    for (size_t i = 0; i < r->record->n_stages; i++)
        schema_copy(&app_stage_schema, r->record->stages[i],
                    schema_append(&to->stages, &to->n_stages, sizeof(struct app_stage)));
    report_agent(r->record->agent, to);
}

static void report_packages(const struct record_revision *target, struct reconciler_instance *to)
{
    const struct app_spec *spec = target->manifest->app->spec;
    for (size_t i = 0; i < spec->n_packages; i++) {
        struct reconciler_package *p = schema_append(&to->packages, &to->n_packages, sizeof *p);
        p->name = xstrdup(spec->packages[i]->name);
        p->version = xstrdup_null(spec->packages[i]->version);
        p->id = i < target->n_packages ? xstrdup(target->packages[i]->id) : NULL;
    }
}

/* Adds a failed stage host_recv for each replica of the zone's instance whose name a local instance has. */
static void report_clash(const struct app_instance *order, int64_t since, const char *host_id,
                         struct reconciler_instance *to)
{
    const struct app_deploy *deploy = order->deploy;
    bool told[APP_REPLICA_ID_MAX + 1] = {false};
    for (size_t i = 0; deploy && i < deploy->n_replicas; i++) {
        int64_t id = deploy->replicas[i]->id;
        if (!host_id || !streq_null(deploy->replicas[i]->host_id, host_id) || id < 0 ||
            id > APP_REPLICA_ID_MAX || told[id])
            continue;
        told[id] = true;
        struct reconciler_stage_report *report = schema_append(&to->clash, &to->n_clash, sizeof *report);
        struct app_stage *stage = schema_append(&report->stages, &report->n_stages, sizeof *stage);
        report->replica_id = id;
        *stage = (struct app_stage){.name = xstrdup(schema_enum_name(&app_stage_name_enum, STAGE_HOST_RECV)),
                                    .owner = xstrdup("hostlet"),
                                    .revision = deploy->revision,
                                    .state = xstrdup(schema_enum_name(&app_stage_state_enum, STAGE_FAILED)),
                                    .message = xstrdup_null(to->problem),
                                    .created = since,
                                    .finished = since};
    }
}

static char *message_of(const struct instance *instance, const struct prepare *p)
{
    const struct manager *m = instance->manager;
    if (instance_blocked(instance))
        return xstrdup(instance_blocked(instance));
    if (m->runtime_failure)
        return xasprintf("the container runtime is not reachable: %s", m->runtime_failure);
    if (instance_action(instance) != APP_ACTION_START)
        return NULL;
    if (p && p->failure)
        return xstrdup(p->failure);
    if (rollout_stopped(instance->record))
        return xasprintf("the rollout of revision %lld stopped at its first failure",
                         (long long)instance->record->revision);
    return NULL;
}

char *report_problem(const struct instance *instance)
{
    const struct record *record = instance->record;
    if (!record_is_zone(record))
        return record->next
                   ? xasprintf("an instance of this machine has the name '%s': that one stays, and the "
                               "zone's waits until it is destroyed",
                               record->name)
                   : NULL;
    if (record->hold && record->next)
        return xasprintf("on hold on this machine: %s", record->hold);
    return xstrdup_null(record->problem);
}

/* Returns why the file of the instance's name is not followed, or does not decide over it; NULL: it is. */
static char *file_text(const struct instance *instance)
{
    const struct record *record = instance->record;
    const struct manager *m = instance->manager;
    const char *problem = directory_file_problem(m, record->name);
    _cleanup_free_ char *path = manifest_path(m, record->name);
    if (problem)
        return xasprintf("the file '%s' is not followed: %s", path, problem);
    if (!record_is_directory(record) || instance_is_ordered(instance))
        return NULL;
    if (record->unassigned)
        return xasprintf("its file '%s' was removed", record->file);
    return xasprintf("its file '%s' is not in the directory of manifests that is configured: it is left "
                     "unchanged until its file is there, or it is destroyed",
                     record->file);
}

struct reconciler_instance *report_instance(const struct instance *instance)
{
    const struct record *record = instance->record;
    const struct record_revision *target = instance_target(instance);
    const struct app_spec *spec = target->manifest->app->spec;
    const struct prepare *p = prepare_find((struct instance *)instance, record->revision);
    struct reconciler_instance *to = xcalloc(1, sizeof *to);
    to->name = xstrdup(record->name);
    to->origin = xstrdup(record->origin);
    to->action = (int)instance_action(instance);
    to->revision = instance_revision(instance);
    to->unassigned = record_is_zone(record) && record->unassigned;
    to->hold = xstrdup_null(record->hold);
    to->problem = report_problem(instance) ?: file_text(instance);
    to->file = xstrdup_null(record->file);
    if (!record_is_zone(record) && record->next)
        report_clash(record->next, record->next_since,
                     instance->manager->zone ? instance->manager->zone->host_id : NULL, to);
    to->spec = xstrdup_null(spec->name);
    to->version = xstrdup_null(spec->version);
    to->image = xstrdup_null(spec->image);
    to->image_id = xstrdup_null(target->image_id);
    report_packages(target, to);
    to->settled =
        instance->manager->subscribed && !(p && (p->state == PREPARE_RUNNING || p->state == PREPARE_WAITING));
    bool starting = to->action == APP_ACTION_START;
    to->failed = instance->manager->runtime_failure || record->problem || instance_blocked(instance) ||
                 (record_is_directory(record) && directory_file_problem(instance->manager, record->name)) ||
                 (starting && ((p && p->failure) || rollout_stopped(instance->record)));
    to->message = message_of(instance, p);
    to->next_retry = p ? outside_due_msec(instance->manager->outside, p->next_retry) : 0;
    uint64_t at;
    to->next = outlook_of_instance(instance, &at);
    to->next_at = outside_due_msec(instance->manager->outside, at);
    for (size_t i = 0; i < instance->n_replicas; i++) {
        const struct replica *r = instance->replicas[i];
        report_replica(r, schema_append(&to->replicas, &to->n_replicas, sizeof(struct reconciler_replica)));
        to->settled &= replica_settled(r);
        to->failed |= replica_failed(r);
    }
    return to;
}

struct reconciler_instance *report_unreadable(const struct manager *m, const struct unreadable *u)
{
    struct reconciler_instance *to = xcalloc(1, sizeof *to);
    to->name = xstrdup(u->name);
    to->origin = xstrdup("unknown");
    to->action = APP_ACTION_NONE;
    to->failed = to->settled = true;
    to->problem = unreadable_problem(u);
    to->message = xstrdup(to->problem);
    if (u->order)
        report_clash(u->order, u->order_since, m->zone ? m->zone->host_id : NULL, to);
    return to;
}

struct reconciler_instance *report_file(const struct manager *m, const char *name)
{
    _cleanup_free_ char *path = manifest_path(m, name);
    struct reconciler_instance *to = xcalloc(1, sizeof *to);
    to->name = xstrdup(name);
    to->origin = xstrdup("directory");
    to->action = APP_ACTION_NONE;
    to->failed = to->settled = true;
    to->file = xstrdup(path);
    to->problem = xasprintf("the file '%s' is not followed: %s", path, directory_file_problem(m, name) ?: "");
    to->message = xstrdup(to->problem);
    return to;
}

/* Sends the last reply of a watch of one instance and frees the watcher. */
static void watcher_finish(struct watcher *w, const struct reconciler_watch_out *out)
{
    for (struct watcher **at = &w->manager->watchers; *at; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            break;
        }
    varlink_call_on_gone(w->call, NULL, NULL);
    varlink_reply(w->call, out);
    free(w->name);
    free(w);
}

static void tell_watchers(struct instance *instance, bool gone)
{
    struct manager *m = instance->manager;
    struct reconciler_watch_out out = {.gone = gone};
    for (struct watcher *w = m->watchers, *next; w; w = next) {
        next = w->next;
        if (w->name && !streq(w->name, instance->record->name))
            continue;
        if (!out.instance)
            out.instance = report_instance(instance);
        if (gone && w->name)
            watcher_finish(w, &out);
        else
            varlink_notify(w->call, &out);
    }
    if (out.instance)
        schema_free(&reconciler_instance_schema, out.instance);
}

/* Sends what has a name and is no instance. Takes ownership of 'what'. */
static void tell_name(struct manager *m, const char *name, struct reconciler_instance *what, bool gone)
{
    struct reconciler_watch_out out = {.instance = what, .gone = gone};
    for (struct watcher *w = m->watchers, *next; w; w = next) {
        next = w->next;
        if (!w->name || streq(w->name, name))
            varlink_notify(w->call, &out);
    }
    schema_free(&reconciler_instance_schema, what);
}

void report_unreadable_changed(struct manager *m, const struct unreadable *u)
{
    tell_name(m, u->name, report_unreadable(m, u), false);
}

void report_file_changed(struct manager *m, const char *name)
{
    struct instance *instance = manager_find(m, name);
    if (instance)
        instance_changed(instance);
    else if (!unreadable_find(m, name))
        tell_name(m, name, report_file(m, name), !directory_file_problem(m, name));
}

void report_changed(struct instance *instance)
{
    tell_watchers(instance, false);
}

void report_gone(struct instance *instance)
{
    tell_watchers(instance, true);
}
