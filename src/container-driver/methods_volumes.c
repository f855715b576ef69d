/* Implements methods_volumes.h. */
#include "container-driver/methods_volumes.h"

#include <errno.h>

#include "container-driver/manager.h"
#include "container-driver/name.h"
#include "container-driver/spec_copy.h"
#include "container-driver/task.h"

/* CopyVolumes */

static void on_copied(struct runtime_result *result, const struct error *e, void *userdata)
{
    struct task *task = userdata;
    struct error own = ERROR_INIT;
    task->job = NULL;
    if (e) {
        own = *e;
        error_prefix(&own, "%s", task->name);
        e = &own;
    } else if (task_failpoint(task, "driver.after_copy_volumes")) {
        return;
    }
    task_answer(result, e, task);
}

static void copy_them(struct task *task, struct driver_container *c)
{
    struct manager *m = task->manager;
    struct error e = ERROR_INIT;
    struct spec spec;
    if (!task->call)
        error_retry(&e, ECANCELED, "the client hung up");
    else if (!c)
        error_set(&e, ERROR_NOT_FOUND, ENOENT, "there is no container '%s'", task->name);
    else if (driver_state_is_up(c->state))
        error_retry(&e, EBUSY, "container '%s' runs, and its volumes are copied when it is down", task->name);
    else
        spec_make_copy(task->in, c, &m->settings, &spec, &e);
    if (e.errnum) {
        task_fail(task, &e);
        return;
    }
    if (!task_failpoint(task, "driver.before_copy_volumes"))
        task->job = m->runtime->ops->copy_volumes(m->runtime, &spec, on_copied, task);
    spec_done(&spec);
}

int method_copy_volumes(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct driver_copy_in *i = in;
    if (i->n_volumes == 0)
        return error_refuse(e, EINVAL, "a copy of no volume");
    struct task *task = task_new(userdata, call, "CopyVolumes", in);
    task_with_own_container(task, i->instance, i->replica_id, i->slot, copy_them);
    return 0;
}

/* RemoveVolumes */

static void on_removed(struct runtime_result *result, const struct error *e, void *userdata)
{
    struct task *task = userdata;
    if (!e && task_failpoint(task, "driver.after_remove_volumes"))
        return;
    task_answer(result, e, task);
}

static void on_copy_ended(struct runtime_result *result, const struct error *e, void *userdata)
{
    (void)result;
    struct task *task = userdata;
    struct manager *m = task->manager;
    const struct driver_volumes_in *in = task->in;
    if (e) {
        task_fail(task, e);
        return;
    }
    _cleanup_free_ char *prefix = volume_name_prefix(m->settings.tree_id, in->instance, in->replica_id);
    m->runtime->ops->remove_volumes(m->runtime, prefix, on_removed, task);
}

int method_remove_volumes(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    struct manager *m = userdata;
    const struct driver_volumes_in *v = in;
    _cleanup_free_ char *name = NULL;
    int r = container_name(v->instance, v->replica_id, DRIVER_SLOT_CURRENT, &name, e);
    if (r < 0)
        return r;
    struct task *task = task_new(m, call, "RemoveVolumes", in);
    _cleanup_free_ char *copy = copy_container_name(m->settings.tree_id, v->instance, v->replica_id);
    if (!task_failpoint(task, "driver.before_remove_volumes"))
        m->runtime->ops->end_copy(m->runtime, copy, on_copy_ended, task);
    return 0;
}
