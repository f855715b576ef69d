/* Implements run_task.h. The request is a file that the provisioner writes; inagent notices it, and its
 * reports contain the id of the request with the result. */
#include "reconciler/face/run_task.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/api/provisioner.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "reconciler/engine/call.h"
#include "reconciler/model/unreadable.h"
#include "reconciler/model/wish.h"

#define ID_BYTES 16
/* A request that the agent does not report for so long is lost: its container ended, for example. */
#define LOST_USEC (10 * USEC_PER_SEC)
/* How many names of tasks a message contains. */
#define NAMES_SHOWN 10

struct request {
    struct varlink_call *call; /* NULL: the caller hung up */
    char *what;                /* "task 'backup' of web/0" */
    char *id;
};

static void on_written(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)out, (void)continues;
    struct request *request = userdata;
    struct varlink_call *call = request->call;
    if (call)
        varlink_call_on_gone(call, NULL, NULL);
    if (e)
        log_warning("%s: the request failed: %s", request->what, e->message);
    else
        log_notice("%s: requested by an administrator (%s)", request->what, request->id);
    if (call && e)
        varlink_error(call, e);
    else if (call)
        varlink_reply(call, &(struct reconciler_run_task_out){.id = request->id});
    free(request->what);
    free(request->id);
    free(request);
}

static void on_gone(struct varlink_call *call, void *userdata)
{
    (void)call;
    ((struct request *)userdata)->call = NULL;
}

static int refuse_unknown(const struct app_spec *spec, const char *name, const char *task, struct error *e)
{
    _cleanup_free_ char *names = xstrdup("");
    for (size_t i = 0; i < spec->n_tasks && i < NAMES_SHOWN; i++) {
        char *more = xasprintf("%s%s%.100s", names, i == 0 ? "" : ", ", spec->tasks[i]->name);
        free(names);
        names = more;
    }
    return error_set(e, ERROR_NOT_FOUND, ENOENT, "'%s' has no task '%.100s'; it has %s%s", name, task,
                     spec->n_tasks > 0 ? names : "no tasks", spec->n_tasks > NAMES_SHOWN ? ", …" : "");
}

static int check_task(const struct replica *replica, const char *task, struct error *e)
{
    const struct record *record = replica->instance->record;
    const struct driver_container *container = &replica->seen.current;
    const struct record_revision *revision =
        record_find_revision(record, container->revision) ?: target_of(replica);
    const struct app_spec *spec = revision ? revision->manifest->app->spec : NULL;
    if (!has_agent(revision))
        return error_refuse(e, ENOTSUP,
                            "'%s' runs its image's own program (init = \"image\"): it has no inagent, and "
                            "no tasks",
                            record->name);
    for (size_t i = 0; spec && i < spec->n_tasks; i++)
        if (streq_null(spec->tasks[i]->name, task))
            return 0;
    return refuse_unknown(spec ?: &(struct app_spec){.name = NULL}, record->name, task, e);
}

static int check_container(const struct replica *replica, struct error *e)
{
    const struct driver_container *container = &replica->seen.current;
    const char *name = replica->instance->record->name;
    int64_t id = replica->record->id;
    if (!replica->seen.observed)
        return error_retry(e, EAGAIN, "the container of %s/%" PRId64 " is not known yet", name, id);
    if (container->state == DRIVER_MISSING)
        return error_refuse(e, ESRCH, "%s/%" PRId64 " has no container: start the application first", name,
                            id);
    if (!container->ours)
        return error_set(e, ERROR_CONFLICT, EBUSY,
                         "the container of %s/%" PRId64 " does not belong to this tree", name, id);
    if (container->state == DRIVER_PAUSED)
        return error_refuse(e, EBUSY, "the container of %s/%" PRId64 " is paused: unpause it first", name,
                            id);
    if (container->state != DRIVER_RUNNING)
        return error_refuse(e, ESRCH,
                            "the container of %s/%" PRId64
                            " does not run (%s): a task runs only in a running "
                            "container",
                            name, id, schema_enum_name(&driver_state_enum, container->state));
    return 0;
}

/* Only of an agent that reports tasks is it known what it has read. */
static int check_last(const struct replica *replica, const char *id, uint64_t now, struct error *e)
{
    if (now >= replica->asked.until || streq_null(id, replica->asked.id))
        return 0;
    return error_retry(e, EAGAIN,
                       "the agent in the container of %s/%" PRId64
                       " has not taken the request before this one yet",
                       replica->instance->record->name, replica->record->id);
}

static void note_last(struct replica *replica, const char *id, uint64_t now)
{
    const struct record_agent *agent = replica->record->agent;
    (void)snprintf(replica->asked.id, sizeof replica->asked.id, "%s", id);
    replica->asked.until = agent && agent->n_tasks > 0 ? now + LOST_USEC : 0;
}

void run_task_reported(struct replica *replica, const struct record_agent *agent)
{
    for (size_t i = 0; agent && i < agent->n_tasks; i++)
        if (streq_null(agent->tasks[i]->request, replica->asked.id))
            replica->asked.until = 0;
}

int method_run_task(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    struct manager *m = userdata;
    const struct reconciler_run_task_in *wanted = in;
    struct instance *instance = manager_find(m, wanted->name);
    const struct unreadable *unreadable = instance ? NULL : unreadable_find(m, wanted->name);
    if (unreadable)
        return unreadable_refuse(unreadable, e);
    if (!instance)
        return error_set(e, ERROR_NOT_FOUND, ENOENT, "there is no instance '%s'", wanted->name);
    struct replica *replica = instance_find_replica(instance, wanted->replica_id);
    if (!replica)
        return error_set(e, ERROR_NOT_FOUND, ENOENT, "'%s' has no replica %" PRId64, wanted->name,
                         wanted->replica_id);
    int r = check_container(replica, e);
    if (r >= 0)
        r = check_task(replica, wanted->task, e);
    uint64_t now = replica_monotonic_usec(replica);
    if (r >= 0)
        r = check_last(replica, wanted->id, now, e);
    if (r < 0)
        return r;
    struct request *request = xcalloc(1, sizeof *request);
    request->call = call;
    request->what = xasprintf("task '%s' of %s/%" PRId64, wanted->task, wanted->name, wanted->replica_id);
    char id[2 * ID_BYTES + 1];
    random_hex(id, ID_BYTES);
    request->id = xstrdup(wanted->id ?: id);
    note_last(replica, request->id, now);
    varlink_call_on_gone(call, on_gone, request);
    _cleanup_free_ char *container = container_name(replica);
    struct provisioner_request_task_in task = {container, wanted->task, request->id};
    manager_call(m, m->provisioner_socket, &provisioner_interface, "RequestTask", &task, false, CALL_TIMEOUT,
                 on_written, request);
    return 0;
}
