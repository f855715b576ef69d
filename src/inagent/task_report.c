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

json_t *task_report(const struct plan *plan, size_t room)
{
    json_t *list = json_array();
    _cleanup_free_ json_t **entries = xcalloc(plan->n_tasks + 1, sizeof *entries);
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < plan->n_tasks; i++) {
            const struct task *task = plan->tasks[i];
            bool has_run = task->runs > 0 || task->problem;
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

static uint64_t mix(uint64_t mark, uint64_t value)
{
    for (int i = 0; i < 8; i++, value >>= 8)
        mark = (mark ^ (value & 0xff)) * UINT64_C(0x100000001b3);
    return mark;
}

uint64_t task_report_mark(const struct plan *plan)
{
    uint64_t mark = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < plan->n_tasks; i++) {
        const struct task *task = plan->tasks[i];
        if (!task->present)
            continue;
        for (const char *c = task->definition.name; *c; c++)
            mark = mix(mark, (unsigned char)*c);
        mark = mix(mark, (uint64_t)task->definition.trigger << 8 | (uint64_t)task->state);
        mark = mix(mark, (uint64_t)task->started);
        mark = mix(mark, (uint64_t)task->finished);
        mark = mix(mark, task->runs);
        mark = mix(mark, task->problem != NULL);
    }
    return mark;
}
