/* Implements spec.h. */
#include "inagent/spec.h"

#include <errno.h>

#include "inagent/template.h"
#include "inagent/variables.h"
#include "lib/basic/cleanup.h"

static void json_unref(json_t *json)
{
    json_decref(json);
}
DEFINE_CLEANUP(json_t *, json_unref);
#define _cleanup_json_ _cleanup_(cleanup_json_unref)

static void cleanup_spec(struct spec *spec)
{
    spec_clear(spec);
}

/* --- members of a task: each may be missing (the contract omits empty ones), else it must have its type
 * --- */
static int get_string(json_t *object, const char *pointer, const char *name, const char **ret,
                      struct error *e)
{
    json_t *value = json_object_get(object, name);
    if (value && !json_is_null(value) && !json_is_string(value))
        return error_refuse(e, EINVAL, "spec decode failed: %s/%s is not a string", pointer, name);
    *ret = json_string_value(value) ?: "";
    return 0;
}

static int get_number(json_t *object, const char *pointer, const char *name, double max, double *ret,
                      struct error *e)
{
    json_t *value = json_object_get(object, name);
    if (value && !json_is_null(value) && !json_is_number(value))
        return error_refuse(e, EINVAL, "spec decode failed: %s/%s is not a number", pointer, name);
    double number = json_number_value(value);
    if (number < 0 || number > max)
        return error_refuse(e, EINVAL, "spec decode failed: %s/%s is out of range", pointer, name);
    *ret = number;
    return 0;
}

static int get_bool(json_t *object, const char *pointer, const char *name, bool *ret, struct error *e)
{
    json_t *value = json_object_get(object, name);
    if (value && !json_is_null(value) && !json_is_boolean(value))
        return error_refuse(e, EINVAL, "spec decode failed: %s/%s is neither true nor false", pointer, name);
    *ret = json_is_true(value);
    return 0;
}

/* Reads the trigger: the first one that is set, in the contract's order of precedence. */
static int get_trigger(json_t *task, const char *pointer, struct task_definition *ret, struct error *e)
{
    bool on_shutdown, on_startup;
    double interval;
    const char *cron;
    int r;
    if ((r = get_bool(task, pointer, "on_shutdown", &on_shutdown, e)) < 0 ||
        (r = get_bool(task, pointer, "on_startup", &on_startup, e)) < 0 ||
        (r = get_number(task, pointer, "interval_seconds", 1e18, &interval, e)) < 0 ||
        (r = get_string(task, pointer, "cron", &cron, e)) < 0)
        return r;
    ret->trigger = on_shutdown    ? TRIGGER_ON_SHUTDOWN
                   : on_startup   ? TRIGGER_ON_STARTUP
                   : interval > 0 ? TRIGGER_INTERVAL
                   : *cron        ? TRIGGER_CRON
                                  : TRIGGER_NONE;
    /* The longest interval is beyond the life of every container. */
    ret->interval_seconds = interval > UINT32_MAX ? UINT32_MAX : interval < 1 ? 1 : (uint32_t)interval;
    ret->cron = xstrdup(ret->trigger == TRIGGER_CRON ? cron : "");
    return 0;
}

static int get_names(json_t *object, const char *pointer, const char *name, char ***ret, struct error *e)
{
    json_t *array = json_object_get(object, name), *item;
    size_t i;
    if (array && !json_is_null(array) && !json_is_array(array))
        return error_refuse(e, EINVAL, "spec decode failed: %s/%s is not an array", pointer, name);
    json_array_foreach(array, i, item) if (!json_is_string(item)) return error_refuse(
        e, EINVAL, "spec decode failed: %s/%s/%zu is not a string", pointer, name, i);
    char **names = xcalloc(json_array_size(array) + 1, sizeof *names);
    json_array_foreach(array, i, item) names[i] = xstrdup(json_string_value(item));
    *ret = names;
    return 0;
}

static int parse_task(json_t *task, size_t index, json_t *variables, struct task_definition *ret,
                      struct error *e)
{
    _cleanup_free_ char *pointer = xasprintf("/app/spec/tasks/%zu", index);
    if (!json_is_object(task))
        return error_refuse(e, EINVAL, "spec decode failed: %s is not an object", pointer);
    const char *name, *script, *working_dir, *run_user, *ready;
    double attempts, backoff, timeout, watchdog;
    int r;
    if ((r = get_string(task, pointer, "name", &name, e)) < 0 ||
        (r = get_string(task, pointer, "script", &script, e)) < 0 ||
        (r = get_string(task, pointer, "working_dir", &working_dir, e)) < 0 ||
        (r = get_string(task, pointer, "run_user", &run_user, e)) < 0 ||
        (r = get_number(task, pointer, "timeout", UINT32_MAX, &timeout, e)) < 0 ||
        (r = get_number(task, pointer, "max_attempts", UINT32_MAX, &attempts, e)) < 0 ||
        (r = get_number(task, pointer, "retry_backoff_seconds", UINT32_MAX, &backoff, e)) < 0 ||
        (r = get_trigger(task, pointer, ret, e)) < 0 ||
        (r = get_string(task, pointer, "ready", &ready, e)) < 0 ||
        (r = get_number(task, pointer, "watchdog", UINT32_MAX, &watchdog, e)) < 0 ||
        (r = get_names(task, pointer, "depends_on", &ret->depends_on, e)) < 0)
        return r;
    _cleanup_free_ char *trimmed = template_trim(script);
    ret->name = xstrdup(name);
    ret->script = template_expand(trimmed, variables_lookup, variables);
    ret->working_dir = xstrdup(working_dir);
    ret->run_user = xstrdup(run_user);
    ret->max_attempts = (uint32_t)attempts;
    ret->retry_backoff_seconds = (uint32_t)backoff;
    ret->timeout_seconds = (uint32_t)timeout;
    ret->notify = streq(ready, "notify");
    ret->watchdog_seconds = (uint32_t)watchdog;
    return 0;
}

static bool has_task(const struct spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->n_tasks; i++)
        if (streq(spec->tasks[i].name, name))
            return true;
    return false;
}

static int parse_tasks(json_t *tasks, json_t *variables, struct spec *spec, struct error *e)
{
    if (tasks && !json_is_null(tasks) && !json_is_array(tasks))
        return error_refuse(e, EINVAL, "spec decode failed: /app/spec/tasks is not an array");
    spec->tasks = xcalloc(json_array_size(tasks), sizeof *spec->tasks);
    size_t i;
    json_t *item;
    json_array_foreach(tasks, i, item)
    {
        struct task_definition task = {0};
        int r = parse_task(item, i, variables, &task, e);
        if (r < 0) {
            task_definition_clear(&task);
            return r;
        }
        if (has_task(spec, task.name)) {
            r = error_refuse(e, EEXIST, "spec decode failed: /app/spec/tasks/%zu: a second task named '%s'",
                             i, task.name);
            task_definition_clear(&task);
            return r;
        }
        spec->tasks[spec->n_tasks++] = task;
    }
    return 0;
}

json_t *spec_find_replica(json_t *root, const struct identity *identity)
{
    json_t *replicas = json_object_get(json_object_get(json_object_get(root, "app"), "deploy"), "replicas"),
           *item;
    size_t i;
    json_array_foreach(replicas, i, item)
    {
        const char *host_id = json_string_value(json_object_get(item, "host_id"));
        if (streq_null(host_id, identity->host_id) &&
            json_number_value(json_object_get(item, "id")) == (double)identity->replica_id)
            return item;
    }
    item = json_object_get(root, "replica");
    return json_is_object(item) ? item : NULL;
}

/* Checks that the required members are objects. */
static int check_members(json_t *root, struct error *e)
{
    json_t *app = json_object_get(root, "app"), *spec = json_object_get(app, "spec");
    const struct {
        const char *pointer;
        json_t *value;
    } members[] = {
        {"/app", app},
        {"/app/spec", spec},
        {"/app/spec/resources", json_object_get(spec, "resources")},
        {"/app/deploy", json_object_get(app, "deploy")},
    };
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        if (!json_is_object(members[i].value))
            return error_refuse(e, EINVAL, "spec decode failed: %s is %s", members[i].pointer,
                                members[i].value ? "not an object" : "missing");
    return 0;
}

/* Refuses a document that is no JSON. What jansson quotes of it ("… near '…'") is left out: it can be a
 * secret, and the message is logged and reported. */
static int refuse_json(json_error_t *at, struct error *e)
{
    char *quotation = strstr(at->text, " near ");
    if (quotation)
        *quotation = '\0';
    return error_refuse(e, EINVAL, "spec decode failed: line %d, column %d: %s", at->line, at->column,
                        at->text);
}

int spec_parse(const char *data, size_t size, const struct identity *identity, struct spec *ret,
               struct error *e)
{
    if (strspn(data, " \t\r\n") == size)
        return error_refuse(e, ENODATA, "spec file empty");
    /* Integers are decoded as reals: jansson refuses the whole document if one integer is above 2^63 − 1,
     * which members of type uint64 can be. The members that inagent uses are small. */
    json_error_t at;
    _cleanup_json_ json_t *root = json_loadb(data, size, JSON_DECODE_INT_AS_REAL, &at);
    if (!root)
        return refuse_json(&at, e);
    int r = check_members(root, e);
    if (r < 0)
        return r;
    json_t *replica = spec_find_replica(root, identity);
    if (!replica)
        return error_refuse(e, ENOENT, "replica not found: no replica %lld of host '%s'",
                            (long long)identity->replica_id, identity->host_id);
    _cleanup_json_ json_t *variables = variables_make(root, replica);
    json_t *app = json_object_get(root, "app");
    _cleanup_(cleanup_spec) struct spec spec = {0};
    r = parse_tasks(json_object_get(json_object_get(app, "spec"), "tasks"), variables, &spec, e);
    if (r < 0)
        return r;
    spec.instance = xstrdup(json_string_value(json_object_get(json_object_get(app, "meta"), "name")) ?: "");
    spec.revision = json_number_value(json_object_get(json_object_get(app, "deploy"), "revision"));
    *ret = spec;
    spec = (struct spec){0};
    return 0;
}

void spec_clear(struct spec *spec)
{
    for (size_t i = 0; i < spec->n_tasks; i++)
        task_definition_clear(&spec->tasks[i]);
    free(spec->tasks);
    free(spec->instance);
    *spec = (struct spec){0};
}

static char *text_member(json_t *object, const char *name)
{
    return xstrdup(json_string_value(json_object_get(object, name)) ?: "");
}

void spec_envelope(const char *data, size_t size, struct envelope *ret)
{
    _cleanup_json_ json_t *root = json_loadb(data, size, JSON_DECODE_INT_AS_REAL, NULL);
    json_t *app = json_object_get(root, "app"), *endpoint = json_object_get(root, "hostlet_endpoint");
    const char *instance = json_string_value(json_object_get(json_object_get(app, "meta"), "name"));
    *ret = (struct envelope){.known = instance && *instance};
    if (!ret->known)
        return;
    ret->instance = xstrdup(instance);
    ret->url = text_member(endpoint, "url");
    ret->secret = text_member(endpoint, "secret_key");
    ret->revision = json_number_value(json_object_get(json_object_get(app, "deploy"), "revision"));
}

void envelope_clear(struct envelope *envelope)
{
    free(envelope->instance);
    free(envelope->url);
    free(envelope->secret);
    *envelope = (struct envelope){.known = false};
}
