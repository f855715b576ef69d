/* Implements the methods about containers. A method that changes a container first inspects it to determine
 * whether it belongs to this tree, and then acts on its id. */
#include "container-driver/methods_container.h"

#include <errno.h>

#include "container-driver/manager.h"
#include "container-driver/methods_watch.h"
#include "container-driver/name.h"
#include "container-driver/task.h"

#define DEFAULT_STOP_TIMEOUT_MSEC 10000

static void fail_missing(struct task *task)
{
    struct error e = ERROR_INIT;
    error_set(&e, ERROR_NOT_FOUND, ENOENT, "there is no container '%s'", task->name);
    task_fail(task, &e);
}

/* List, ListMisnamed, Inspect */

static void on_listed(struct runtime_result *result, const struct error *e, void *userdata)
{
    struct task *task = userdata;
    struct driver_inspect_out out = {.container = result->container};
    if (e)
        task_fail(task, e);
    else if (result->more)
        task_notify(task, &out);
    else
        task_reply(task, &out);
}

int method_list(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    struct manager *m = userdata;
    if (!varlink_call_wants_more(call))
        return error_refuse(e, EINVAL, "List sends one reply for each container: call it with \"more\"");
    m->runtime->ops->list(m->runtime, on_listed, task_new(m, call, "List", in));
    return 0;
}

static void tell_container(struct task *task, struct driver_container *c)
{
    struct driver_inspect_out out = {.container = c};
    task_reply(task, &out);
}

int method_list_misnamed(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    struct manager *m = userdata;
    if (!varlink_call_wants_more(call))
        return error_refuse(e, EINVAL,
                            "ListMisnamed sends one reply for each container: call it with \"more\"");
    m->runtime->ops->list_misnamed(m->runtime, on_listed, task_new(m, call, "ListMisnamed", in));
    return 0;
}

int method_inspect(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)e;
    const struct driver_replica_in *r = in;
    struct task *task = task_new(userdata, call, "Inspect", in);
    task_select_id(task, r->id);
    task_with_container(task, r->instance, r->replica_id, r->slot, tell_container);
    return 0;
}

/* Start */

static void fail_lost(struct task *task, const struct driver_container *c)
{
    struct error e = ERROR_INIT;
    error_fail(&e, EBUSY, "container '%s' cannot be started: the runtime %s%s%s", c->name,
               c->state == DRIVER_DEAD ? "failed to remove it" : "is removing it", c->error ? ": " : "",
               c->error ?: "");
    task_fail(task, &e);
}

static void on_started(struct runtime_result *result, const struct error *e, void *userdata)
{
    struct task *task = userdata;
    struct error own = ERROR_INIT;
    if (e) {
        own = *e;
        error_prefix(&own, "%s", task->name);
        e = &own;
    } else if (task_failpoint(task, "driver.after_start")) {
        return;
    }
    task_answer(result, e, task);
}

static void start_it(struct task *task, struct driver_container *c)
{
    struct runtime *rt = task->manager->runtime;
    if (!c) {
        fail_missing(task);
        return;
    }
    if (driver_state_has_processes(c->state)) { /* Docker refuses a start of a paused container */
        task_reply(task, NULL);
        return;
    }
    if (driver_state_is_lost(c->state)) {
        fail_lost(task, c);
        return;
    }
    if (!task_failpoint(task, "driver.before_start"))
        rt->ops->start(rt, c->id, on_started, task);
}

int method_start(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)e;
    const struct driver_replica_in *r = in;
    struct task *task = task_new(userdata, call, "Start", in);
    task_select_id(task, r->id);
    task_with_own_container(task, r->instance, r->replica_id, r->slot, start_it);
    return 0;
}

/* Stop, Remove: they succeed when there is nothing to do */

static void on_ended(struct runtime_result *result, const struct error *e, void *userdata)
{
    struct task *task = userdata;
    bool stop = streq(task->method->name, "Stop");
    struct error own = ERROR_INIT;
    if (e && e->class == ERROR_NOT_FOUND)
        e = NULL;
    if (e) {
        own = *e;
        error_prefix(&own, "%s", task->name);
        e = &own;
    }
    if (!e && !stop)
        adopted_drop(task->manager->settings.adopted, task->id);
    if (!e && task_failpoint(task, stop ? "driver.after_stop" : "driver.after_remove"))
        return;
    task_answer(result, e, task);
}

static void stop_it(struct task *task, struct driver_container *c)
{
    struct runtime *rt = task->manager->runtime;
    const struct driver_stop_in *in = task->in;
    if (!c || !driver_state_is_up(c->state)) {
        task_reply(task, NULL);
        return;
    }
    int64_t timeout = in->timeout_msec ?: c->stop_timeout_msec ?: DEFAULT_STOP_TIMEOUT_MSEC;
    if (!task_failpoint(task, "driver.before_stop"))
        rt->ops->stop(rt, c->id, timeout, on_ended, task);
}

int method_stop(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct driver_stop_in *s = in;
    if (s->timeout_msec < 0 || s->timeout_msec > INT64_C(86400000))
        return error_refuse(e, ERANGE, "timeout_msec of %lld is not between 0 and a day",
                            (long long)s->timeout_msec);
    struct task *task = task_new(userdata, call, "Stop", in);
    task_with_own_container(task, s->instance, s->replica_id, s->slot, stop_it);
    return 0;
}

static void remove_now(struct runtime_result *result, const struct error *e, void *userdata)
{
    (void)result;
    struct task *task = userdata;
    struct runtime *rt = task->manager->runtime;
    const struct driver_remove_in *in = task->in;
    if (e)
        task_fail(task, e);
    else if (!task_failpoint(task, "driver.before_remove"))
        rt->ops->remove(rt, task->id, in->keep_volumes, on_ended, task);
}

static void remove_it(struct task *task, struct driver_container *c)
{
    struct manager *m = task->manager;
    if (!c) {
        task_reply(task, NULL);
        return;
    }
    task->id = xstrdup(c->id);
    if (c->n_anonymous_volumes == 0) {
        remove_now(NULL, NULL, task);
        return;
    }
    /* The container of a copy that a killed driver left uses the volumes: the runtime would not remove them.
     */
    _cleanup_free_ char *copy = copy_container_name(m->settings.tree_id, c->instance, c->replica_id);
    m->runtime->ops->end_copy(m->runtime, copy, remove_now, task);
}

int method_remove(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)e;
    const struct driver_remove_in *r = in;
    struct task *task = task_new(userdata, call, "Remove", in);
    task_select_id(task, r->id);
    task_with_own_container(task, r->instance, r->replica_id, r->slot, remove_it);
    return 0;
}

/* Rename: after a repeated request, the container is in the target slot already */

static void on_renamed(struct runtime_result *result, const struct error *e, void *userdata)
{
    struct task *task = userdata;
    if (!e && task_failpoint(task, "driver.after_rename"))
        return;
    task_answer(result, e, task);
}

static void rename_at_target(struct task *task, struct driver_container *c)
{
    if (c)
        task_reply(task, NULL);
    else
        fail_missing(task);
}

static void rename_it(struct task *task, struct driver_container *c)
{
    struct runtime *rt = task->manager->runtime;
    const struct driver_rename_in *in = task->in;
    _cleanup_free_ char *target = NULL;
    struct error e = ERROR_INIT;
    if (!c && in->id) {
        fail_missing(task);
        return;
    }
    if (!c) {
        task_with_own_container(task, in->instance, in->replica_id, in->to, rename_at_target);
        return;
    }
    if (container_name(in->instance, in->replica_id, in->to, &target, &e) < 0)
        task_fail(task, &e);
    else if (streq(c->name, target))
        task_reply(task, NULL);
    else if (!task_failpoint(task, "driver.before_rename"))
        rt->ops->rename(rt, c->id, target, on_renamed, task);
}

int method_rename(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct driver_rename_in *r = in;
    if (r->from == r->to && !r->id)
        return error_refuse(e, EINVAL, "a rename from a slot to itself");
    struct task *task = task_new(userdata, call, "Rename", in);
    task_select_id(task, r->id);
    task_with_own_container(task, r->instance, r->replica_id, r->from, rename_it);
    return 0;
}

/* SetRestart */

static void on_restart_set(struct runtime_result *result, const struct error *e, void *userdata)
{
    struct task *task = userdata;
    if (!e && task_failpoint(task, "driver.after_set_restart"))
        return;
    task_answer(result, e, task);
}

static void set_restart_of(struct task *task, struct driver_container *c)
{
    struct runtime *rt = task->manager->runtime;
    const struct driver_restart_in *in = task->in;
    if (!c)
        fail_missing(task);
    else if (c->restart == in->policy)
        task_reply(task, NULL);
    else if (!task_failpoint(task, "driver.before_set_restart"))
        rt->ops->set_restart(rt, c->id, in->policy, on_restart_set, task);
}

int method_set_restart(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)e;
    const struct driver_restart_in *r = in;
    struct task *task = task_new(userdata, call, "SetRestart", in);
    task_with_own_container(task, r->instance, r->replica_id, r->slot, set_restart_of);
    return 0;
}

/* Adopt */

static void adopt_it(struct task *task, struct driver_container *c)
{
    struct manager *m = task->manager;
    const struct driver_adopt_in *in = task->in;
    struct driver_inspect_out out = {.container = c};
    struct error e = ERROR_INIT;
    if (!c) {
        fail_missing(task);
    } else if (c->tree) {
        container_conflict(c, &e);
        task_fail(task, &e);
    } else if (c->ours && !c->adopted) {
        error_refuse(&e, EEXIST, "container '%s' was made by this tree: there is nothing to adopt", c->name);
        task_fail(task, &e);
    } else if (!c->ours && !c->adoptable) {
        error_refuse(&e, EINVAL, "container '%s' is not adopted: %s", c->name,
                     c->misfit ?: "it does not fit");
        task_fail(task, &e);
    } else if (adopted_add(m->settings.adopted, c, in->revision, in->unsure, &e) < 0) {
        task_fail(task, &e);
    } else {
        adopted_claim(m->settings.adopted, c);
        task_reply(task, &out);
        watch_renew(m);
    }
}

int method_adopt(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct driver_adopt_in *a = in;
    if (a->revision < 0)
        return error_refuse(e, ERANGE, "revision %lld is negative", (long long)a->revision);
    struct task *task = task_new(userdata, call, "Adopt", in);
    task_with_container(task, a->instance, a->replica_id, DRIVER_SLOT_CURRENT, adopt_it);
    return 0;
}
