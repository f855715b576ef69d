/* Implements task_state.h. */
#include "inagent/task_state.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "inagent/request.h"
#include "lib/basic/util.h"

#define FORMAT 1
/* The largest integer that every reader of JSON represents. */
#define NUMBER_MAX (INT64_C(1) << 53)

static json_t *pack_request(const struct request *request)
{
    json_t *object = json_pack("{s:s, s:s, s:i}", "id", request->id, "state",
                               request_state_names[request->state], "exit_code", request->exit_code);
    /* The message can end in a part of a character. */
    json_object_set_new(object, "message", json_string(request->message) ?: json_string("(not UTF-8)"));
    return object;
}

char *task_state_format(const struct task *task)
{
    json_t *root = json_pack("{s:i, s:I, s:I, s:i, s:I}", "format", FORMAT, "started",
                             (json_int_t)task->started, "finished", (json_int_t)task->finished, "exit_code",
                             task->exit_code, "runs", (json_int_t)task->runs);
    if (*task->request.id)
        json_object_set_new(root, "request", pack_request(&task->request));
    char *text = json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    if (!text)
        abort();
    return text;
}

static bool get_number(json_t *object, const char *name, int64_t max, int64_t *ret)
{
    json_t *value = json_object_get(object, name);
    *ret = json_integer_value(value);
    return json_is_integer(value) && *ret >= 0 && *ret <= max;
}

static enum request_state find_state(const char *name)
{
    for (int i = REQUEST_RUNNING; name && i < _REQUEST_STATE_MAX; i++)
        if (streq(name, request_state_names[i]))
            return (enum request_state)i;
    return REQUEST_INTERRUPTED;
}

static bool get_request(json_t *object, struct request *ret)
{
    const char *id = json_string_value(json_object_get(object, "id")),
               *message = json_string_value(json_object_get(object, "message"));
    int64_t exit_code;
    *ret = (struct request){.state = REQUEST_NONE};
    if (!object)
        return true;
    if (!request_id_is_valid(id) || !message || strlen(message) >= sizeof ret->message ||
        !get_number(object, "exit_code", 255, &exit_code))
        return false;
    memcpy(ret->id, id, strlen(id) + 1);
    memcpy(ret->message, message, strlen(message) + 1);
    ret->exit_code = (int)exit_code;
    ret->state = find_state(json_string_value(json_object_get(object, "state")));
    if (ret->state == REQUEST_RUNNING) {
        ret->state = REQUEST_INTERRUPTED;
        (void)snprintf(ret->message, sizeof ret->message, "the container ended during the run");
    }
    return true;
}

int task_state_parse(const char *data, size_t size, struct task *task, struct error *e)
{
    json_t *root = json_loadb(data, size, 0, NULL);
    int64_t format, started, finished, exit_code, runs;
    struct request request;
    bool valid = get_number(root, "format", FORMAT, &format) && format == FORMAT &&
                 get_number(root, "started", NUMBER_MAX, &started) &&
                 get_number(root, "finished", NUMBER_MAX, &finished) &&
                 get_number(root, "exit_code", 255, &exit_code) &&
                 get_number(root, "runs", NUMBER_MAX, &runs) &&
                 get_request(json_object_get(root, "request"), &request);
    json_decref(root);
    if (!valid)
        return error_refuse(e, EINVAL, "it is not of format %d", FORMAT);
    task->started = started;
    task->finished = finished;
    task->exit_code = (int)exit_code;
    task->runs = (uint64_t)runs;
    task->request = request;
    return 0;
}
