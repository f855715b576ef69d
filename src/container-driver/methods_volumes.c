/* Implements methods_volumes.h. */
#include "container-driver/methods_volumes.h"

#include "container-driver/manager.h"
#include "container-driver/name.h"
#include "container-driver/task.h"

static void on_removed(struct runtime_result *result, const struct error *e, void *userdata)
{
    struct task *task = userdata;
    if (!e && task_failpoint(task, "driver.after_remove_volumes"))
        return;
    task_answer(result, e, task);
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
    _cleanup_free_ char *prefix = volume_name_prefix(m->settings.tree_id, v->instance, v->replica_id);
    if (!task_failpoint(task, "driver.before_remove_volumes"))
        m->runtime->ops->remove_volumes(m->runtime, prefix, on_removed, task);
    return 0;
}
