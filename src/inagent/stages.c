/* Implements stages.h. */
#include "inagent/stages.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/util.h"

void stages_set_revision(struct stages *stages, double revision, int64_t now)
{
    if (stages->revision == revision)
        return;
    *stages = (struct stages){.revision = revision, .changed = true};
    stages_set(stages, STAGE_BOOT, STAGE_SUCCESS, "", now);
}

void stages_set(struct stages *stages, enum stage_name name, enum stage_state state, const char *message,
                int64_t now)
{
    struct stage *stage = &stages->stages[name];
    char text[sizeof stage->message];
    (void)snprintf(text, sizeof text, "%s", message);
    if (stage->state == state && streq(stage->message, text))
        return;
    /* A success after a failure is a new attempt. */
    if (stage->state == STAGE_FAILED && state != STAGE_FAILED)
        stage->attempt++;
    if (stage->state != state && (stage->state == STAGE_FAILED || stage->state == STAGE_SUCCESS))
        stage->begun = now;
    if (stage->created == 0)
        stage->created = now;
    stage->finished = state == STAGE_RUNNING ? 0 : now;
    stage->state = state;
    memcpy(stage->message, text, sizeof text);
    stages->changed = true;
}

static bool has_failed(const struct task *task)
{
    const struct task_definition *d = &task->definition;
    return task->state == TASK_FAILED ||
           (task->state == TASK_DELAYED && (d->max_attempts == 0 || task->attempts >= d->max_attempts));
}

void stages_set_tasks(struct stages *stages, const struct plan *plan, int64_t now)
{
    unsigned all = 0, running = 0, done = 0, failed = 0;
    const char *first = NULL;
    char message[sizeof stages->stages[STAGE_TASKS].message] = "";
    for (size_t i = 0; i < plan->n_tasks; i++) {
        const struct task *task = plan->tasks[i];
        if (!task->present || task->definition.trigger != TRIGGER_ON_STARTUP)
            continue;
        all++;
        running += task->state == TASK_RUNNING;
        done += task->state == TASK_SUCCEEDED;
        if (has_failed(task)) {
            first = first ?: task->definition.name;
            failed++;
        }
    }
    if (failed > 0)
        (void)snprintf(message, sizeof message, "%u/%u tasks failed (first: %.128s)", failed, all, first);
    else if (done < all)
        (void)snprintf(message, sizeof message, "%u/%u tasks running", running, all);
    else if (all > 0)
        (void)snprintf(message, sizeof message, "%u/%u tasks done", done, all);
    stages_set(stages, STAGE_TASKS,
               failed > 0   ? STAGE_FAILED
               : done < all ? STAGE_RUNNING
                            : STAGE_SUCCESS,
               message, now);
}

/* Members with the value zero are omitted, as everywhere in the contract. */
static void put_number(json_t *object, const char *name, double value)
{
    if (value > 0 && value < 9e18)
        json_object_set_new(object, name, json_integer((json_int_t)value));
}

static void put_text(json_t *object, const char *name, const char *value)
{
    if (*value)
        json_object_set_new(object, name, json_string(value) ?: json_string("(not UTF-8)"));
}

static json_t *pack_stage(const struct stage *stage, enum stage_name name, double revision)
{
    static const char *const names[] = {
        [STAGE_BOOT] = "inagent_boot", [STAGE_LOAD] = "spec_load", [STAGE_TASKS] = "task_run"};
    static const char *const states[] = {[STAGE_NONE] = "",
                                         [STAGE_RUNNING] = "running",
                                         [STAGE_SUCCESS] = "success",
                                         [STAGE_FAILED] = "failed"};
    json_t *object = json_object();
    put_text(object, "name", names[name]);
    put_text(object, "owner", "inagent");
    put_number(object, "revision", revision);
    put_text(object, "state", states[stage->state]);
    put_number(object, "attempt", stage->attempt);
    put_text(object, "message", stage->message);
    put_number(object, "created", (double)stage->created);
    put_number(object, "begun", (double)stage->begun);
    put_number(object, "finished", (double)stage->finished);
    return object;
}

char *stages_report(const struct stages *stages, const struct application *application, json_t *tasks,
                    const char *instance, int64_t replica_id, int64_t now)
{
    json_t *report = json_object(), *list = json_array();
    put_text(report, "instance_name", instance);
    put_number(report, "replica_id", (double)replica_id);
    put_number(report, "updated", (double)now);
    for (int i = 0; i < _STAGE_MAX; i++)
        if (stages->stages[i].state != STAGE_NONE)
            json_array_append_new(list, pack_stage(&stages->stages[i], (enum stage_name)i, stages->revision));
    json_object_set_new(report, "stages", list);
    if (json_array_size(tasks) > 0)
        json_object_set(report, "tasks", tasks);
    json_decref(tasks);
    put_text(report, "container", application->container);
    put_text(report, "life", application->life);
    if (application->ready)
        json_object_set_new(report, "ready", json_true());
    put_text(report, "status", application->status);
    put_number(report, "ready_until", (double)application->ready_until);
    char *text = json_dumps(report, JSON_COMPACT);
    json_decref(report);
    if (!text)
        abort();
    return text;
}
