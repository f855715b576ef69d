/* Implements methods.h: reads the input of each call, and replies. */
#include "reconciler/face/methods.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/app/check.h"
#include "lib/app/extent.h"
#include "lib/app/name.h"
#include "lib/app/normalise.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "reconciler/engine/call.h"
#include "reconciler/engine/observe.h"
#include "reconciler/face/agent.h"
#include "reconciler/face/apply.h"
#include "reconciler/face/host_ports.h"
#include "reconciler/face/report.h"
#include "reconciler/face/zone.h"
#include "reconciler/model/secret.h"
#include "reconciler/model/unreadable.h"
#include "reconciler/model/wish.h"
#include "reconciler/rules/plan.h"
#include "reconciler/rules/ports.h"

/* A Plan or Apply in progress, which waits for the runtime's list of containers. */
struct planning {
    struct manager *manager;
    struct varlink_call *call;
    struct varlink_request *request;
    struct app_manifest manifest;
    struct driver_container **containers; /* the runtime's list */
    size_t n_containers;
    bool apply;
};

static void planning_free(struct planning *p)
{
    varlink_request_cancel(p->request);
    for (size_t i = 0; i < p->n_containers; i++)
        schema_free(&driver_container_schema, p->containers[i]);
    free(p->containers);
    schema_done(&app_manifest_schema, &p->manifest);
    free(p);
}

static void planning_gone(struct varlink_call *call, void *userdata)
{
    (void)call;
    planning_free(userdata);
}

static void refuse_all(const struct reconciler_apply_out *out, struct error *e)
{
    char text[sizeof e->message] = "";
    size_t n = 0;
    for (size_t i = 0; i < out->n_refusals && n < sizeof text; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? "; " : "", out->refusals[i]);
    error_refuse(e, EINVAL, "%s", text);
}

static void make_plan(const struct planning *p, struct reconciler_apply_out *out)
{
    struct manager *m = p->manager;
    const char *name = app_instance_name(&p->manifest);
    const struct instance *instance = manager_find(m, name);
    const struct unreadable *unreadable = unreadable_find(m, name);
    _cleanup_free_ char *problem = unreadable ? unreadable_problem(unreadable) : NULL;
    struct port_uses ports = {.n_items = 0};
    if (p->manifest.app->spec->n_service_ports > 0)
        host_ports_in_use(m, &ports);
    struct plan_input in = {.manifest = &p->manifest,
                            .record = instance ? instance->record : NULL,
                            .containers = p->containers,
                            .n_containers = p->n_containers,
                            .ports = &ports,
                            .machine = m->info,
                            .host_id_problem = m->host_id_problem,
                            .record_problem = problem};
    plan_make(&in, out);
    free(ports.items);
}

static void planning_finish(struct planning *p)
{
    struct reconciler_apply_out out = {.name = NULL};
    struct error e = ERROR_INIT;
    int r = 0;
    make_plan(p, &out);
    if (p->apply && out.n_refusals > 0) {
        refuse_all(&out, &e);
        r = -EINVAL;
    } else if (p->apply) {
        r = apply_manifest(p->manager, &p->manifest, &out, &e);
    }
    varlink_call_on_gone(p->call, NULL, NULL);
    if (r < 0)
        varlink_error(p->call, &e);
    else
        varlink_reply(p->call, &out);
    apply_out_done(&out);
    planning_free(p);
}

static void on_listed(const void *out, bool continues, const struct error *e, void *userdata)
{
    struct planning *p = userdata;
    if (e) {
        /* The desired state is accepted without the runtime, too. Conflicts are shown when the runtime is
         * back. */
        p->request = NULL;
        planning_finish(p);
        return;
    }
    const struct driver_container *c = ((const struct driver_inspect_out *)out)->container;
    if (c)
        schema_copy(&driver_container_schema, c, schema_append(&p->containers, &p->n_containers, sizeof *c));
    if (continues)
        return;
    p->request = NULL;
    planning_finish(p);
}

static void list_containers(struct planning *p)
{
    struct manager *m = p->manager;
    p->request = manager_call(m, m->driver_socket, &container_driver_interface, "List", NULL, true,
                              QUESTION_TIMEOUT, on_listed, p);
}

/* Receives the machine's CPUs and memory, which a process that just started does not know. A plan compares
 * limits with them. */
static void on_info(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct planning *p = userdata;
    if (!e)
        manager_set_info(p->manager, out);
    list_containers(p);
}

static int plan(struct varlink_call *call, const void *in, struct manager *m, bool apply, struct error *e)
{
    const struct reconciler_apply_in *wanted = in;
    int r = app_check(wanted->manifest, e);
    if (r < 0)
        return r;
    struct planning *p = xcalloc(1, sizeof *p);
    p->manager = m;
    p->call = call;
    p->apply = apply;
    schema_copy(&app_manifest_schema, wanted->manifest, &p->manifest);
    r = app_normalise(&p->manifest, e);
    if (r >= 0)
        r = app_check_extent(&p->manifest, "/app", e); /* defaults may have made it larger */
    if (r < 0) {
        planning_free(p);
        return r;
    }
    varlink_call_on_gone(call, planning_gone, p);
    if (m->info)
        list_containers(p);
    else
        p->request = manager_call(m, m->driver_socket, &container_driver_interface, "Info", NULL, false,
                                  QUESTION_TIMEOUT, on_info, p);
    return 0;
}

static int on_apply(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    return plan(call, in, userdata, true, e);
}

static int on_plan(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    return plan(call, in, userdata, false, e);
}

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
    varlink_reply(call, &out);
    return 0;
}

static int on_get(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    struct manager *m = userdata;
    const char *name = ((const struct reconciler_name_in *)in)->name;
    const struct unreadable *u = unreadable_find(m, name);
    struct instance *instance = u ? NULL : find(m, name, e);
    if (!instance && !u)
        return -e->errnum;
    if (u) {
        struct app_manifest nothing = {.app = &(struct app_instance){.meta = NULL}}; /* not known */
        struct reconciler_get_out shown = {report_unreadable(m, u), &nothing};
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
    if (name && !unreadable_find(m, name) && !find(m, name, e))
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
                                      .runtime = m->info};
    observe_runtime(m);
    for (const struct instance *i = m->instances; i; i = i->next)
        out.instances++;
    for (const struct unreadable *u = m->unreadable; u; u = u->next)
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
    {"Apply", on_apply},
    {"Plan", on_plan},
    {"List", on_list},
    {"Get", on_get},
    {"Start", on_start},
    {"Stop", on_stop},
    {"Watch", on_watch},
    {"Destroy", on_destroy},
    {"Hold", method_hold},
    {"Release", method_release},
    {"Info", on_info_call},
    {"PutZoneState", method_put_zone_state},
    {"AgentReport", method_agent_report},
    {"ImportSecret", on_import_secret},
    {NULL, NULL},
};
