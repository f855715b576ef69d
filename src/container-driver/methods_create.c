/* Implements Create, which makes the container of a replica or succeeds when the container exists with the
 * same configuration, and CheckNetwork. */
#include "container-driver/methods_create.h"

#include <errno.h>

#include "container-driver/installs.h"
#include "container-driver/manager.h"
#include "container-driver/task.h"
#include "container-driver/zone_network.h"

static void compare(struct task *task, struct driver_container *c)
{
    const struct driver_create_in *in = task->in;
    struct error e = ERROR_INIT;
    if (!c)
        error_retry(&e, EAGAIN, "the name '%s' was in use a moment ago, and is free now", task->name);
    else if (driver_state_is_lost(c->state))
        error_retry(&e, EBUSY, "the name '%s' is in use until the runtime has removed the previous container",
                    c->name);
    else if (c->revision != in->revision || !streq_null(c->config, in->config))
        error_set(&e, ERROR_CONFLICT, EEXIST,
                  "container '%s' exists already, with revision %lld and another configuration", c->name,
                  (long long)c->revision);
    if (e.errnum) {
        task_fail(task, &e);
        return;
    }
    struct driver_create_out out = {.id = c->id};
    task_reply(task, &out);
}

static void on_created(struct runtime_result *result, const struct error *e, void *userdata)
{
    struct task *task = userdata;
    const struct driver_create_in *in = task->in;
    if (e && e->class == ERROR_CONFLICT && e->errnum == EEXIST) {
        task_with_own_container(task, in->instance, in->replica_id, DRIVER_SLOT_CURRENT, compare);
    } else if (e) {
        task_fail(task, e);
    } else if (!task_failpoint(task, "driver.after_create")) {
        struct driver_create_out out = {.id = result->id, .layer_unlimited = result->layer_unlimited};
        task_reply(task, &out);
    }
}

/* Replies to CheckNetwork. A refusal is a reply with 'problem' and not an error, so that the caller can
 * distinguish it from a runtime that is down. */
static void on_checked(struct runtime_result *result, const struct error *e, void *userdata)
{
    struct driver_check_network_out out = {
        .problem = e && e->class == ERROR_REFUSED ? (char *)e->message : NULL,
        .network = result ? (struct driver_network *)result->network : NULL};
    if (e && !out.problem)
        task_fail(userdata, e);
    else
        task_reply(userdata, &out);
}

int method_check_network(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)e;
    struct manager *m = userdata;
    const struct driver_check_network_in *wanted = in;
    struct error own = ERROR_INIT;
    uint32_t first;
    unsigned bits;
    struct task *task = task_new(m, call, "CheckNetwork", in);
    if (zone_network_parse("the zone's network", wanted->cidr, &first, &bits, &own) < 0)
        on_checked(NULL, &own, task);
    else
        m->runtime->ops->check_network(m->runtime, wanted->cidr, on_checked, task);
    return 0;
}

int method_create(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    struct manager *m = userdata;
    struct spec spec;
    int r = spec_make(in, &m->settings, &spec, e);
    if (r < 0)
        return r;
    r = installs_check(&m->settings, in, e);
    if (r < 0) {
        spec_done(&spec);
        return r;
    }
    struct task *task = task_new(m, call, "Create", in);
    if (!task_failpoint(task, "driver.before_create"))
        m->runtime->ops->create(m->runtime, &spec, on_created, task);
    spec_done(&spec);
    return 0;
}
