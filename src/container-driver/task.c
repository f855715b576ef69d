/* Implements task.h. */
#include "container-driver/task.h"

#include <errno.h>

#include "container-driver/name.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/schema/object.h"

static void on_gone(struct varlink_call *call, void *userdata)
{
    (void)call;
    struct task *task = userdata;
    task->call = NULL;
    if (!task->job)
        return; /* the act is completed: every method may be repeated */
    struct runtime_job *job = TAKE_PTR(task->job);
    struct error e = ERROR_INIT;
    runtime_job_cancel(job);
    error_retry(&e, ECANCELED, "the client hung up");
    task_fail(task, &e);
}

struct task *task_new(struct manager *manager, struct varlink_call *call, const char *method, const void *in)
{
    struct task *task = xcalloc(1, sizeof *task);
    task->manager = manager;
    task->call = call;
    task->method = varlink_find_method(&container_driver_interface, method);
    if (in) {
        task->in = xcalloc(1, task->method->in->size);
        schema_copy(task->method->in, in, task->in);
    }
    varlink_call_on_gone(call, on_gone, task);
    return task;
}

static void task_free(struct task *task)
{
    if (task->in)
        schema_free(task->method->in, task->in);
    free(task->name);
    free(task->id);
    free(task->selected);
    free(task);
}

void task_reply(struct task *task, const void *out)
{
    if (task->call)
        varlink_reply(task->call, out);
    task_free(task);
}

void task_fail(struct task *task, const struct error *e)
{
    if (task->call)
        varlink_error(task->call, e);
    task_free(task);
}

void task_notify(struct task *task, const void *out)
{
    if (task->call && varlink_call_wants_more(task->call))
        varlink_notify(task->call, out);
}

bool task_failpoint(struct task *task, const char *name)
{
    if (failpoint(name) == 0)
        return false;
    struct error e = ERROR_INIT;
    error_retry(&e, EIO, "failpoint %s", name);
    task_fail(task, &e);
    return true;
}

void task_answer(struct runtime_result *result, const struct error *e, void *userdata)
{
    (void)result;
    struct task *task = userdata;
    if (e)
        task_fail(task, e);
    else
        task_reply(task, NULL);
}

int container_conflict(const struct driver_container *c, struct error *e)
{
    _cleanup_free_ char *remedy =
        c->adoptable ? xasprintf(": 'hostletctl adopt %s' adopts it", c->name) : xstrdup("");
    return error_set(e, ERROR_CONFLICT, EEXIST,
                     "the name '%s' is in use by %s, which hostlet does not change%s", c->name,
                     c->owner ?: "something else", remedy);
}

void task_select_id(struct task *task, const char *id)
{
    free(task->selected);
    task->selected = xstrdup_null(id);
}

/* Reports whether a container that was selected by its id is one of the replica, which anybody could name in
 * a call: 'name' is that of the replica's container. */
static bool is_of_replica(const struct task *task, const struct driver_container *c)
{
    _cleanup_free_ char *name = NULL;
    return c->ours && container_name(c->instance, c->replica_id, task->slot, &name, NULL) >= 0 &&
           streq(name, task->name);
}

static void on_inspected(struct runtime_result *result, const struct error *e, void *userdata)
{
    struct task *task = userdata;
    if (e) {
        task_fail(task, e);
        return;
    }
    struct driver_container *c = result->container;
    task->then(task, c && task->selected && !is_of_replica(task, c) ? NULL : c);
}

static void on_inspected_own(struct runtime_result *result, const struct error *e, void *userdata)
{
    struct task *task = userdata;
    struct error own = ERROR_INIT;
    if (!e && !task->selected && result->container && !result->container->ours) {
        container_conflict(result->container, &own);
        e = &own;
    }
    on_inspected(result, e, task);
}

/* Reports whether 's' is a container's full id. An id becomes a part of a path. */
static bool is_id(const char *s)
{
    return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

static void look(struct task *task, const char *instance, int64_t replica_id, int slot,
                 void (*then)(struct task *task, struct driver_container *container),
                 runtime_answer_fn answer)
{
    struct error e = ERROR_INIT;
    char *name = NULL;
    if (container_name(instance, replica_id, slot, &name, &e) < 0) {
        task_fail(task, &e);
        return;
    }
    free(task->name);
    task->name = name;
    task->slot = slot;
    task->then = then;
    if (task->selected && !is_id(task->selected)) {
        error_refuse(&e, EINVAL, "the id of a container of '%s' is not hexadecimal", name);
        task_fail(task, &e);
        return;
    }
    task->manager->runtime->ops->inspect(task->manager->runtime, task->selected ?: name, task->selected,
                                         answer, task);
}

void task_with_container(struct task *task, const char *instance, int64_t replica_id, int slot,
                         void (*then)(struct task *task, struct driver_container *container))
{
    look(task, instance, replica_id, slot, then, on_inspected);
}

void task_with_own_container(struct task *task, const char *instance, int64_t replica_id, int slot,
                             void (*then)(struct task *task, struct driver_container *container))
{
    look(task, instance, replica_id, slot, then, on_inspected_own);
}
