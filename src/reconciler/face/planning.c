/* Implements planning.h. */
#include "reconciler/face/planning.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/app/check.h"
#include "lib/app/extent.h"
#include "lib/app/name.h"
#include "lib/app/normalise.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "reconciler/engine/call.h"
#include "reconciler/engine/observe.h"
#include "reconciler/face/apply.h"
#include "reconciler/face/host_ports.h"
#include "reconciler/model/unreadable.h"
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
    struct driver_usage_out **usages; /* see struct plan_input */
    size_t next;                      /* index of the container whose usage is asked for */
    bool apply;
};

static void planning_free(struct planning *p)
{
    varlink_request_cancel(p->request);
    for (size_t i = 0; i < p->n_containers; i++)
        schema_free(&driver_container_schema, p->containers[i]);
    for (size_t i = 0; p->usages && i < p->n_containers; i++)
        free(p->usages[i]);
    free(p->usages);
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

/* The caller keeps 'ports' and 'problem' until the plan is made. */
static struct plan_input input_of(const struct planning *p, const struct port_uses *ports,
                                  const char *problem)
{
    struct manager *m = p->manager;
    const struct instance *instance = manager_find(m, app_instance_name(&p->manifest));
    return (struct plan_input){.manifest = &p->manifest,
                               .record = instance ? instance->record : NULL,
                               .containers = p->containers,
                               .n_containers = p->n_containers,
                               .usages = p->usages,
                               .ports = ports,
                               .machine = m->info,
                               .host_id_problem = m->host_id_problem,
                               .record_problem = problem};
}

static void make_plan(const struct planning *p, struct reconciler_apply_out *out)
{
    struct manager *m = p->manager;
    const struct unreadable *unreadable = unreadable_find(m, app_instance_name(&p->manifest));
    _cleanup_free_ char *problem = unreadable ? unreadable_problem(unreadable) : NULL;
    struct port_uses ports = {.n_items = 0};
    if (p->manifest.app->spec->n_service_ports > 0)
        host_ports_in_use(m, &ports);
    struct plan_input in = input_of(p, &ports, problem);
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

static void ask_usages(struct planning *p);

/* A usage that cannot be read does not prevent the change: the driver checks it again. */
static void on_usage(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct planning *p = userdata;
    p->request = NULL;
    if (!e) {
        p->usages[p->next] = xcalloc(1, sizeof **p->usages);
        *p->usages[p->next] = *(const struct driver_usage_out *)out;
    }
    p->next++;
    ask_usages(p);
}

/* Asks for the usage of the next container whose limits are lowered while it runs; after the last one the
 * plan is made. */
static void ask_usages(struct planning *p)
{
    struct manager *m = p->manager;
    struct plan_input input = input_of(p, NULL, NULL);
    p->next = plan_next_lowered(&input, p->next);
    if (p->next == SIZE_MAX) {
        planning_finish(p);
        return;
    }
    if (!p->usages)
        p->usages = xcalloc(p->n_containers, sizeof *p->usages);
    const struct driver_container *c = p->containers[p->next];
    struct driver_replica_in in = {.instance = c->instance, .replica_id = c->replica_id};
    p->request = manager_call(m, m->driver_socket, &container_driver_interface, "Usage", &in, false,
                              QUESTION_TIMEOUT, on_usage, p);
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
    ask_usages(p);
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

int method_apply(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    return plan(call, in, userdata, true, e);
}

int method_plan(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    return plan(call, in, userdata, false, e);
}
