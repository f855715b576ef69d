/* Implements planning.h. */
#include "reconciler/face/planning.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/app/name.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "reconciler/engine/call.h"
#include "reconciler/engine/observe.h"
#include "reconciler/face/host_addresses.h"
#include "reconciler/face/host_ports.h"
#include "reconciler/model/unreadable.h"
#include "reconciler/rules/plan.h"
#include "reconciler/rules/ports.h"

#define PATIENCE_MSEC 10000 /* for all questions to the runtime */

struct planning {
    struct manager *manager;
    struct varlink_request *request;
    struct timer patience;
    struct app_manifest **manifests;
    size_t n_manifests;
    int64_t planned_memory;               /* see planning_set_memory() */
    struct driver_container **containers; /* the runtime's list */
    size_t n_containers;
    struct driver_usage_out **usages; /* see struct plan_input */
    /* Of the usage that is asked for: the manifest that lowers a limit, and the container. */
    size_t manifest, container;
    bool unlisted; /* the runtime has not listed its containers */
    planning_done_fn done;
    void *userdata;
};

void planning_free(struct planning *p)
{
    if (!p)
        return;
    p->manager->outside->cancel(p->manager->outside, p->request);
    timer_stop(&p->patience);
    for (size_t i = 0; i < p->n_manifests; i++)
        schema_free(&app_manifest_schema, p->manifests[i]);
    free(p->manifests);
    for (size_t i = 0; p->usages && i < p->n_containers; i++)
        free(p->usages[i]);
    free(p->usages);
    for (size_t i = 0; i < p->n_containers; i++)
        schema_free(&driver_container_schema, p->containers[i]);
    free(p->containers);
    free(p);
}

size_t planning_count(const struct planning *p)
{
    return p->n_manifests;
}

struct app_manifest *planning_manifest(const struct planning *p, size_t index)
{
    return p->manifests[index];
}

void planning_set_memory(struct planning *p, int64_t bytes)
{
    p->planned_memory = bytes;
}

/* Returns the memory limits of the replicas of all instances but one. */
static int64_t memory_of_others(const struct planning *p, const char *name)
{
    int64_t sum = p->planned_memory;
    for (const struct instance *i = p->manager->instances; i; i = i->next)
        if (!streq(i->record->name, name) && __builtin_add_overflow(sum, record_memory(i->record), &sum))
            return INT64_MAX;
    return sum;
}

/* The caller fills in what a plan needs beyond the containers. */
static struct plan_input input_of(const struct planning *p, size_t index)
{
    const struct app_manifest *manifest = p->manifests[index];
    const struct instance *instance = manager_find(p->manager, app_instance_name(manifest));
    return (struct plan_input){.manifest = manifest,
                               .record = instance ? instance->record : NULL,
                               .containers = p->containers,
                               .n_containers = p->n_containers,
                               .usages = p->usages};
}

static int64_t machine_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGE_SIZE);
    return pages > 0 && size > 0 ? (int64_t)pages * size : 0;
}

void planning_make(const struct planning *p, size_t index, const char *origin,
                   struct reconciler_apply_out *out)
{
    struct manager *m = p->manager;
    struct plan_input in = input_of(p, index);
    /* The runtime has the same memory as this process; only it knows how many CPUs containers can use. */
    const struct driver_info_out machine = {.memory = machine_memory()};
    const struct unreadable *unreadable = unreadable_find(m, app_instance_name(in.manifest));
    _cleanup_free_ char *problem = unreadable ? unreadable_problem(unreadable) : NULL;
    struct port_uses ports = {.n_items = 0};
    struct host_addresses addresses = {.n = 0};
    bool has_ports = in.manifest->app->spec->n_service_ports > 0;
    if (has_ports)
        host_ports_in_use(m, &ports);
    in.origin = origin;
    in.ports = &ports;
    in.range = &m->settings.ports;
    in.addresses = has_ports && host_addresses_read(&addresses) ? &addresses : NULL;
    in.machine = m->info ?: &machine;
    in.unlisted = p->unlisted;
    in.memory_of_others = memory_of_others(p, app_instance_name(in.manifest));
    in.overcommit = m->settings.overcommit;
    in.host_id_problem = m->host_id_problem;
    in.record_problem = problem;
    plan_make(&in, out);
    free(ports.items);
    free(addresses.items);
}

static void ask_usages(struct planning *p);

/* A usage that cannot be read does not prevent the change: the driver checks it again. */
static void on_usage(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct planning *p = userdata;
    p->request = NULL;
    if (!e) {
        p->usages[p->container] = xcalloc(1, sizeof **p->usages);
        *p->usages[p->container] = *(const struct driver_usage_out *)out;
    }
    p->container++;
    ask_usages(p);
}

/* Asks for the usage of the next container whose limits are lowered while it runs, and ends after the last
 * one. */
static void ask_usages(struct planning *p)
{
    struct manager *m = p->manager;
    size_t next = SIZE_MAX;
    for (; p->manifest < p->n_manifests; p->manifest++, p->container = 0) {
        struct plan_input input = input_of(p, p->manifest);
        next = plan_next_lowered(&input, p->container);
        if (next != SIZE_MAX)
            break;
    }
    if (next == SIZE_MAX) {
        p->done(p, p->userdata);
        return;
    }
    p->container = next;
    if (!p->usages)
        p->usages = xcalloc(p->n_containers, sizeof *p->usages);
    const struct driver_container *c = p->containers[next];
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
        p->done(p, p->userdata);
        return;
    }
    const struct driver_container *c = ((const struct driver_inspect_out *)out)->container;
    if (c)
        schema_copy(&driver_container_schema, c, schema_append(&p->containers, &p->n_containers, sizeof *c));
    if (continues)
        return;
    p->request = NULL;
    p->unlisted = false;
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

/* Continues with what is known when the runtime has not answered in time. */
static void on_impatient(void *userdata)
{
    struct planning *p = userdata;
    struct outside *outside = p->manager->outside;
    outside->cancel(outside, TAKE_PTR(p->request));
    p->done(p, p->userdata);
}

void planning_hurry(struct planning *p, int64_t msec)
{
    if (msec > 0 && msec < PATIENCE_MSEC)
        clock_arm(p->manager->outside->clock, &p->patience, (uint64_t)msec * USEC_PER_MSEC, on_impatient, p);
}

struct planning *planning_start(struct manager *m, struct app_manifest **manifests, size_t n,
                                planning_done_fn done, void *userdata)
{
    struct planning *p = xcalloc(1, sizeof *p);
    *p = (struct planning){.manager = m,
                           .manifests = manifests,
                           .n_manifests = n,
                           .unlisted = true,
                           .done = done,
                           .userdata = userdata};
    clock_arm(m->outside->clock, &p->patience, PATIENCE_MSEC * USEC_PER_MSEC, on_impatient, p);
    if (m->info)
        list_containers(p);
    else
        p->request = manager_call(m, m->driver_socket, &container_driver_interface, "Info", NULL, false,
                                  QUESTION_TIMEOUT, on_info, p);
    return p;
}
