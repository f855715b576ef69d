/* Implements methods_limits.h.
 *
 * SetLimits compares lower limits with the container's present usage before it changes anything: on cgroup v2
 * the kernel kills processes until a lower limit of memory fits, and below the number of its processes a
 * container cannot start another one. */
#include "container-driver/methods_limits.h"

#include <errno.h>

#include "container-driver/manager.h"
#include "container-driver/task.h"

static int check_usage(const struct task *task, const struct driver_usage_out *usage, struct error *e)
{
    const struct driver_limits_in *in = task->in;
    if (in->memory_limit > 0 && usage->memory > in->memory_limit) {
        _cleanup_free_ char *used = format_size(usage->memory), *limit = format_size(in->memory_limit);
        return error_refuse(e, EBUSY,
                            "container %s uses %s of memory (without its file cache): a limit of %s cannot "
                            "be set while it does",
                            task->name, used, limit);
    }
    if (in->pids_limit > 0 && usage->pids > in->pids_limit)
        return error_refuse(e, EBUSY,
                            "container %s has %lld processes and threads: a limit of %lld cannot be set "
                            "while it has",
                            task->name, (long long)usage->pids, (long long)in->pids_limit);
    return 0;
}

static void on_limits_set(struct runtime_result *result, const struct error *e, void *userdata)
{
    struct task *task = userdata;
    if (!e && task_failpoint(task, "driver.after_set_limits"))
        return;
    task_answer(result, e, task);
}

static void set(struct task *task, const struct driver_container *c)
{
    struct runtime *rt = task->manager->runtime;
    if (!task_failpoint(task, "driver.before_set_limits"))
        rt->ops->set_limits(rt, c, task->in, on_limits_set, task);
}

static void set_after_check(struct task *task, struct driver_container *c)
{
    set(task, c);
}

static void on_usage_known(struct runtime_result *result, const struct error *e, void *userdata)
{
    struct task *task = userdata;
    const struct driver_limits_in *in = task->in;
    struct error own = ERROR_INIT;
    if (!e && check_usage(task, result->usage, &own) < 0)
        e = &own;
    if (e)
        task_fail(task, e);
    else
        task_with_own_container(task, in->instance, in->replica_id, in->slot, set_after_check);
}

/* Reports whether a limit is set where 'is' is larger or none. */
static bool lowers(int64_t is, int64_t wanted)
{
    return wanted > 0 && (is == 0 || wanted < is);
}

static void set_limits_of(struct task *task, struct driver_container *c)
{
    struct runtime *rt = task->manager->runtime;
    const struct driver_limits_in *in = task->in;
    struct error e = ERROR_INIT;
    if (!c) {
        error_set(&e, ERROR_NOT_FOUND, ENOENT, "there is no container '%s'", task->name);
        task_fail(task, &e);
    } else if (c->cpu_limit == in->cpu_limit && c->memory_limit == in->memory_limit &&
               c->pids_limit == in->pids_limit) {
        task_reply(task, NULL);
    } else if (driver_state_is_up(c->state) &&
               (lowers(c->memory_limit, in->memory_limit) || lowers(c->pids_limit, in->pids_limit))) {
        rt->ops->usage(rt, c->id, on_usage_known, task);
    } else {
        set(task, c);
    }
}

int method_set_limits(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct driver_limits_in *l = in;
    if (l->cpu_limit < 0 || l->cpu_limit > INT64_MAX / 1000000 || l->memory_limit < 0 || l->pids_limit < 0)
        return error_refuse(e, ERANGE, "the limits %lld, %lld and %lld are not all valid",
                            (long long)l->cpu_limit, (long long)l->memory_limit, (long long)l->pids_limit);
    struct task *task = task_new(userdata, call, "SetLimits", in);
    task_with_own_container(task, l->instance, l->replica_id, l->slot, set_limits_of);
    return 0;
}

static void on_usage(struct runtime_result *result, const struct error *e, void *userdata)
{
    if (e)
        task_fail(userdata, e);
    else
        task_reply(userdata, result->usage);
}

static void tell_usage(struct task *task, struct driver_container *c)
{
    struct runtime *rt = task->manager->runtime;
    struct driver_usage_out none = {.memory = 0};
    struct error e = ERROR_INIT;
    if (!c) {
        error_set(&e, ERROR_NOT_FOUND, ENOENT, "there is no container '%s'", task->name);
        task_fail(task, &e);
    } else if (!driver_state_is_up(c->state)) {
        task_reply(task, &none);
    } else {
        rt->ops->usage(rt, c->id, on_usage, task);
    }
}

int method_usage(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)e;
    const struct driver_replica_in *r = in;
    struct task *task = task_new(userdata, call, "Usage", in);
    task_with_own_container(task, r->instance, r->replica_id, r->slot, tell_usage);
    return 0;
}
