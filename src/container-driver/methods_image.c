/* Implements the methods about the runtime itself and its images. */
#include "container-driver/methods_image.h"

#include <errno.h>

#include "container-driver/manager.h"
#include "container-driver/task.h"

static void on_info(struct runtime_result *result, const struct error *e, void *userdata)
{
    struct task *task = userdata;
    if (e) {
        task_fail(task, e);
        return;
    }
    struct driver_info_out info = *result->info;
    info.adopted_reason = (char *)adopted_problem(task->manager->settings.adopted);
    task_reply(task, &info);
}

int method_info(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in, (void)e;
    struct manager *m = userdata;
    m->runtime->ops->info(m->runtime, on_info, task_new(m, call, "Info", NULL));
    return 0;
}

static void on_image(struct runtime_result *result, const struct error *e, void *userdata)
{
    struct driver_image_list_out out = {.image = result->image};
    if (e)
        task_fail(userdata, e);
    else if (result->more)
        task_notify(userdata, &out);
    else
        task_reply(userdata, &out);
}

int method_image_inspect(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)e;
    struct manager *m = userdata;
    const struct driver_image_in *i = in;
    m->runtime->ops->image_inspect(m->runtime, i->reference, on_image, task_new(m, call, "ImageInspect", in));
    return 0;
}

int method_image_list(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    struct manager *m = userdata;
    (void)in;
    if (!varlink_call_wants_more(call))
        return error_refuse(e, EINVAL, "ImageList sends one reply for each image: call it with \"more\"");
    m->runtime->ops->image_list(m->runtime, on_image, task_new(m, call, "ImageList", NULL));
    return 0;
}

static void on_pulled(struct runtime_result *result, const struct error *e, void *userdata)
{
    struct task *task = userdata;
    if (!e && result->more) {
        task_notify(task, result->progress);
        return;
    }
    task->job = NULL;
    struct driver_pull_out out = {.id = result->id};
    if (result->image) {
        out.volumes = result->image->volumes;
        out.n_volumes = result->image->n_volumes;
    }
    if (e)
        task_fail(task, e);
    else
        task_reply(task, &out);
}

int method_image_pull(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)e;
    struct manager *m = userdata;
    const struct driver_image_in *i = in;
    struct task *task = task_new(m, call, "ImagePull", in);
    task->job = m->runtime->ops->image_pull(m->runtime, i->reference, on_pulled, task);
    return 0;
}
