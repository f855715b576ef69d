/* Implements request.h. */
#include "inagent/request.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "inagent/plan.h"
#include "lib/basic/util.h"

#define FORMAT 1

const char *const request_state_names[_REQUEST_STATE_MAX] = {[REQUEST_NONE] = "",
                                                             [REQUEST_WAITING] = "waiting",
                                                             [REQUEST_RUNNING] = "running",
                                                             [REQUEST_SUCCEEDED] = "succeeded",
                                                             [REQUEST_FAILED] = "failed",
                                                             [REQUEST_REFUSED] = "refused",
                                                             [REQUEST_INTERRUPTED] = "interrupted"};

bool request_id_is_valid(const char *id)
{
    size_t n = id ? strlen(id) : 0;
    return n > 0 && n <= REQUEST_ID_MAX && strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz-") == n;
}

int request_read(struct request_file *file, const char *data, size_t size, struct error *e)
{
    json_t *root = json_loadb(data, size, 0, NULL);
    const char *id = json_string_value(json_object_get(root, "id")),
               *task = json_string_value(json_object_get(root, "task"));
    int r = 0;
    if (json_integer_value(json_object_get(root, "format")) != FORMAT || !task || !request_id_is_valid(id)) {
        r = error_refuse(e, EINVAL, "'" REQUEST_NAME "' is no request of format %d", FORMAT);
    } else if (!streq(id, file->id)) {
        memcpy(file->id, id, strlen(id) + 1);
        set_string(&file->task, task);
        file->unknown = false;
        r = 1;
    }
    json_decref(root);
    return r;
}

static void set(struct task *task, const char *id, enum request_state state, const char *message)
{
    task->request = (struct request){.state = state};
    memcpy(task->request.id, id, strlen(id) + 1);
    (void)snprintf(task->request.message, sizeof task->request.message, "%s", message);
}

struct task *request_decide(struct request_file *file, struct plan *plan, bool stopping)
{
    struct task *task = plan_find(plan, file->task);
    file->unknown = !task;
    if (!task)
        return NULL;
    if (stopping)
        set(task, file->id, REQUEST_REFUSED, "the container is being stopped");
    else if (task->state == TASK_RUNNING)
        set(task, file->id, REQUEST_REFUSED, "it is running already");
    else if (!plan_ask(task))
        set(task, file->id, REQUEST_REFUSED, "");
    else
        set(task, file->id, REQUEST_WAITING, "");
    return task;
}

void request_missed(const struct request_file *file, struct plan *plan)
{
    struct task *task = *file->id ? plan_find(plan, file->task) : NULL;
    if (task && !streq(task->request.id, file->id))
        set(task, file->id, REQUEST_INTERRUPTED, "the container ended before the run began");
}

const char *request_message(const struct task *task)
{
    bool never_runs = task->request.state == REQUEST_REFUSED && task->problem && !*task->request.message;
    return never_runs ? task->problem : task->request.message;
}

void request_began(struct task *task)
{
    *task->serves = '\0';
    if (task->request.state != REQUEST_WAITING)
        return;
    task->request.state = REQUEST_RUNNING;
    memcpy(task->serves, task->request.id, sizeof task->serves);
}

void request_ended(struct task *task)
{
    if (!*task->serves)
        return;
    /* Another request, which was refused meanwhile, is in its place. */
    set(task, task->serves, task->exit_code == 0 ? REQUEST_SUCCEEDED : REQUEST_FAILED, "");
    task->request.exit_code = task->exit_code;
    *task->serves = '\0';
}

void request_file_clear(struct request_file *file)
{
    free(file->task);
    *file = (struct request_file){.task = NULL};
}
