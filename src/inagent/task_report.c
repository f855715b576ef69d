/* Implements task_report.h. */
#include "inagent/task_report.h"

#include "lib/basic/cleanup.h"

static void put_number(json_t *object, const char *name, int64_t value)
{
    if (value > 0)
        json_object_set_new(object, name, json_integer(value));
}

static void put_text(json_t *object, const char *name, const char *value)
{
    if (value && *value)
        json_object_set_new(object, name, json_string(value) ?: json_string("(not UTF-8)"));
}

static void put_request(json_t *object, const struct request *request, const char *message)
{
    if (request->state == REQUEST_NONE || request->state == REQUEST_WAITING)
        return;
    put_text(object, "request", request->id);
    put_text(object, "request_state", request_state_names[request->state]);
    put_number(object, "request_exit_code", request->exit_code);
    put_text(object, "request_message", message);
}

static json_t *pack(const struct task *task)
{
    static const char *const states[] = {[TASK_PENDING] = "pending",
                                         [TASK_RUNNING] = "running",
                                         [TASK_SUCCEEDED] = "succeeded",
                                         [TASK_DELAYED] = "delayed",
                                         [TASK_FAILED] = "failed"};
    static const char *const triggers[] = {[TRIGGER_NONE] = "",
                                           [TRIGGER_ON_SHUTDOWN] = "on_shutdown",
                                           [TRIGGER_ON_STARTUP] = "on_startup",
                                           [TRIGGER_INTERVAL] = "interval_seconds",
                                           [TRIGGER_CRON] = "cron"};
    json_t *object = json_object();
    put_text(object, "name", task->definition.name);
    put_text(object, "trigger", triggers[task->definition.trigger]);
    put_text(object, "state", states[task->state]);
    put_number(object, "started", task->started);
    put_number(object, "finished", task->finished);
    if (task->finished > 0)
        put_number(object, "exit_code", task->exit_code & 0xff);
    put_number(object, "next", task->next);
    put_number(object, "runs", task->runs < INT64_MAX ? (int64_t)task->runs : INT64_MAX);
    put_text(object, "message", task->problem ?: task->reason);
    put_request(object, &task->request, request_message(task));
    return object;
}

/* Returns the entry of a request for a task that inagent does not have. */
static json_t *pack_unknown(const struct request_file *file)
{
    struct request request = {.state = REQUEST_REFUSED};
    memcpy(request.id, file->id, sizeof request.id);
    json_t *object = json_object();
    put_text(object, "name", file->task);
    put_text(object, "state", "pending");
    put_request(object, &request, "the specification in the container has no such task");
    return object;
}

/* Takes the entry's bytes from '*room'. Returns false if it does not fit. */
static bool fits(const json_t *entry, size_t *room)
{
    size_t size = json_dumpb(entry, NULL, 0, JSON_COMPACT) + 1;
    if (size > *room)
        return false;
    *room -= size;
    return true;
}

json_t *task_report(const struct plan *plan, const struct request_file *request, size_t room)
{
    json_t *list = json_array(), *unknown = request && request->unknown ? pack_unknown(request) : NULL;
    if (unknown && fits(unknown, &room))
        json_array_append(list, unknown);
    json_decref(unknown);
    _cleanup_free_ json_t **entries = xcalloc(plan->n_tasks + 1, sizeof *entries);
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < plan->n_tasks; i++) {
            const struct task *task = plan->tasks[i];
            bool has_run = task->runs > 0 || task->problem || task->request.state != REQUEST_NONE;
            if (!task->present || has_run != (pass == 0))
                continue;
            json_t *entry = pack(task);
            if (fits(entry, &room))
                entries[i] = entry;
            else
                json_decref(entry);
        }
    for (size_t i = 0; i < plan->n_tasks; i++)
        if (entries[i])
            json_array_append_new(list, entries[i]);
    return list;
}
