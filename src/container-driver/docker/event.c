/* Implements event.h. */
#include "container-driver/docker/event.h"

#include <errno.h>

#include "container-driver/name.h"
#include "container-driver/reading.h"
#include "container-driver/spec.h"

/* The events that change a container's state, name or restart policy. Others, such as "exec_create: sh …", do
 * not. */
static const char *const interesting[] = {"create", "start", "restart", "die",    "stop",    "kill",
                                          "oom",    "pause", "unpause", "rename", "destroy", "update"};

/* Reports whether an event is about a container of this tree. Labels are members of the attributes, and their
 * names can contain dots and slashes, which a path of read_string() cannot express. */
static bool is_ours(struct reading *r, json_t *event, const char *tree_id, const struct adopted *adopted)
{
    const char *id = read_string(r, event, "Actor/ID"),
               *tree =
                   json_string_value(json_object_get(read_object(r, event, "Actor/Attributes"), LABEL_TREE));
    return (tree && streq(tree, tree_id)) || (id && adopted_has(adopted, id));
}

int docker_read_event(const char *line, size_t size, const char *tree_id, const struct adopted *adopted,
                      struct driver_event *ret, struct error *e)
{
    _cleanup_json_ json_t *j = NULL;
    struct reading r = {.what = "a line of Docker's events", .error = e};
    int x = parse_answer(r.what, line, size, &j, e);
    if (x < 0)
        return x;
    const char *type = read_string(&r, j, "Type") ?: "", *action = read_string(&r, j, "Action") ?: "";
    const char *name = read_string(&r, j, "Actor/Attributes/name");
    const char *exit_code = read_string(&r, j, "Actor/Attributes/exitCode");
    bool ours = is_ours(&r, j, tree_id, adopted);
    if (r.r < 0)
        return r.r;
    bool wanted = false;
    for (size_t i = 0; i < ARRAY_SIZE(interesting); i++)
        wanted |= streq(action, interesting[i]);
    struct driver_event out = {.instance = NULL};
    if (!ours || !wanted || !streq(type, "container") || !name ||
        !container_name_parse(name, &out.instance, &out.replica_id, &out.slot))
        return 0;
    if (!exit_code || parse_int64(exit_code, INT32_MIN, INT32_MAX, &out.exit_code) < 0)
        out.exit_code = 0;
    out.action = xstrdup(action);
    *ret = out;
    return 1;
}
