/* Implements methods.h: reads the input of each call, and replies. */
#include "reconciler/face/methods.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "reconciler/engine/observe.h"
#include "reconciler/face/agent.h"
#include "reconciler/face/apply.h"
#include "reconciler/face/apply_call.h"
#include "reconciler/face/directory.h"
#include "reconciler/face/report.h"
#include "reconciler/face/run_task.h"
#include "reconciler/face/zone.h"
#include "reconciler/model/secret.h"
#include "reconciler/model/unreadable.h"
#include "reconciler/model/wish.h"
#include "reconciler/rules/plan.h"

static struct instance *find(struct manager *m, const char *name, struct error *e)
{
    struct instance *instance = manager_find(m, name);
    const struct unreadable *u = instance ? NULL : unreadable_find(m, name);
    if (u)
        unreadable_refuse(u, e);
    else if (!instance)
        error_set(e, ERROR_NOT_FOUND, ENOENT, "there is no instance '%s'", name);
    return instance;
}

static int order(struct varlink_call *call, struct manager *m, const char *name, enum app_action action,
                 bool purge, struct error *e)
{
    struct reconciler_apply_out out = {.name = NULL};
    struct unreadable *u = action == APP_ACTION_DESTROY ? unreadable_find(m, name) : NULL;
    if (u) {
        out.name = xstrdup(name);
        _cleanup_free_ char *subject = xasprintf("instance %s", name),
                            *path = xasprintf("'%s' is kept aside", u->path);
        plan_add_change(&out, subject, schema_enum_name(&app_action_enum, (int)action), path);
        int r = apply_destroy_unreadable(m, u, purge, e);
        /* A caller that waits for the end compares revisions. No instance is made for an invalid name. */
        const struct instance *made = r >= 0 ? manager_find(m, name) : NULL;
        out.revision = made ? instance_revision(made) : 0;
        if (r >= 0)
            varlink_reply(call, &out);
        apply_out_done(&out);
        return r;
    }
    struct instance *instance = find(m, name, e);
    if (!instance)
        return -e->errnum;
    int r = apply_action(instance, action, purge, &out, e);
    if (r >= 0)
        varlink_reply(call, &out);
    apply_out_done(&out);
    return r;
}

static int on_start(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    return order(call, userdata, ((const struct reconciler_name_in *)in)->name, APP_ACTION_START, false, e);
}

static int on_stop(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    return order(call, userdata, ((const struct reconciler_name_in *)in)->name, APP_ACTION_STOP, false, e);
}

static int on_destroy(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct reconciler_destroy_in *wanted = in;
    return order(call, userdata, wanted->name, APP_ACTION_DESTROY, wanted->purge, e);
}

/* Reports whether the name is that of a file that cannot be followed, without an instance. */
static bool is_file_alone(const struct manager *m, const char *name)
{
    const char *found = NULL;
    do
        found = directory_next_alone(m, found);
    while (found && !streq(found, name));
    return found;
}

/* Sends the files that cannot be followed and have no instance; all, or the one with the name. */
static void tell_files(const struct manager *m, struct varlink_call *call, const char *name)
{
    for (const char *f = NULL; varlink_call_wants_more(call) && (f = directory_next_alone(m, f));) {
        if (name && !streq(f, name))
            continue;
        struct reconciler_watch_out out = {.instance = report_file(m, f)};
        varlink_notify(call, &out);
        schema_free(&reconciler_instance_schema, out.instance);
    }
}

static int on_list(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in, (void)e;
    struct manager *m = userdata;
    struct reconciler_watch_out out = {.instance = NULL};
    for (struct instance *i = m->instances; i && varlink_call_wants_more(call); i = i->next) {
        out.instance = report_instance(i);
        varlink_notify(call, &out);
        schema_free(&reconciler_instance_schema, out.instance);
        out.instance = NULL;
    }
    for (struct unreadable *u = m->unreadable; u && varlink_call_wants_more(call); u = u->next) {
        out.instance = report_unreadable(m, u);
        varlink_notify(call, &out);
        schema_free(&reconciler_instance_schema, out.instance);
        out.instance = NULL;
    }
    tell_files(m, call, NULL);
    varlink_reply(call, &out);
    return 0;
}

static int on_get(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    struct manager *m = userdata;
    const char *name = ((const struct reconciler_name_in *)in)->name;
    const struct unreadable *u = unreadable_find(m, name);
    bool file = is_file_alone(m, name);
    struct instance *instance = u || file ? NULL : find(m, name, e);
    if (!instance && !u && !file)
        return -e->errnum;
    if (u || file) {
        struct app_manifest nothing = {.app = &(struct app_instance){.meta = NULL}}; /* not known */
        struct reconciler_get_out shown = {u ? report_unreadable(m, u) : report_file(m, name), &nothing};
        varlink_reply(call, &shown);
        schema_free(&reconciler_instance_schema, shown.instance);
        return 0;
    }
    struct reconciler_get_out out = {report_instance(instance), instance_target(instance)->manifest};
    varlink_reply(call, &out);
    schema_free(&reconciler_instance_schema, out.instance);
    return 0;
}

static void watcher_gone(struct varlink_call *call, void *userdata)
{
    struct watcher *w = userdata;
    (void)call;
    for (struct watcher **at = &w->manager->watchers; *at; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            break;
        }
    free(w->name);
    free(w);
}

static int on_watch(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    struct manager *m = userdata;
    const char *name = ((const struct reconciler_name_in *)in)->name;
    if (!varlink_call_wants_more(call))
        return error_refuse(e, EINVAL, "Watch is a stream: call it with 'more'");
    if (name && !unreadable_find(m, name) && !is_file_alone(m, name) && !find(m, name, e))
        return -e->errnum;
    struct watcher *w = xcalloc(1, sizeof *w);
    w->manager = m;
    w->call = call;
    w->name = xstrdup_null(name);
    w->next = m->watchers;
    m->watchers = w;
    varlink_call_on_gone(call, watcher_gone, w);
    for (struct instance *i = m->instances; i; i = i->next)
        if (!name || streq(i->record->name, name)) {
            struct reconciler_watch_out out = {.instance = report_instance(i)};
            varlink_notify(call, &out);
            schema_free(&reconciler_instance_schema, out.instance);
        }
    for (struct unreadable *u = m->unreadable; u; u = u->next)
        if (!name || streq(u->name, name)) {
            struct reconciler_watch_out out = {.instance = report_unreadable(m, u)};
            varlink_notify(call, &out);
            schema_free(&reconciler_instance_schema, out.instance);
        }
    tell_files(m, call, name);
    varlink_notify(call, &(struct reconciler_watch_out){.complete = true});
    return 0;
}

static int on_info_call(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in, (void)e;
    struct manager *m = userdata;
    struct reconciler_info_out out = {.host_id = m->zone ? m->zone->host_id : m->host_id ?: (char *)"",
                                      .zone = m->zone,
                                      .runtime_failure = m->runtime_failure,
                                      .runtime = m->info,
                                      .manifests = (char *)directory_path(m),
                                      .manifests_problem = (char *)directory_problem(m)};
    observe_runtime(m);
    for (const struct instance *i = m->instances; i; i = i->next)
        out.instances++;
    for (const struct unreadable *u = m->unreadable; u; u = u->next)
        out.instances++;
    for (const char *f = NULL; (f = directory_next_alone(m, f));)
        out.instances++;
    varlink_reply(call, &out);
    return 0;
}

static int on_import_secret(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct reconciler_secret_in *s = in;
    int r = secret_import(userdata, s->name, s->replica_id, s->secret, e);
    if (r >= 0)
        varlink_reply(call, NULL);
    return r;
}

const struct varlink_handlers reconciler_handlers[] = {
    {"Apply", method_apply},
    {"Plan", method_plan},
    {"List", on_list},
    {"Get", on_get},
    {"Start", on_start},
    {"Stop", on_stop},
    {"Watch", on_watch},
    {"Destroy", on_destroy},
    {"Hold", method_hold},
    {"Release", method_release},
    {"RunTask", method_run_task},
    {"Info", on_info_call},
    {"PutZoneState", method_put_zone_state},
    {"AgentReport", method_agent_report},
    {"ImportSecret", on_import_secret},
    {NULL, NULL},
};
