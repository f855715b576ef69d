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

/* Adds an event of a replica, unless there is one already. */
static void add(struct driver_event *events, int *n, const char *instance, int64_t replica_id, int slot)
{
    for (int i = 0; i < *n; i++)
        if (streq(events[i].instance, instance) && events[i].replica_id == replica_id)
            return;
    events[(*n)++] =
        (struct driver_event){.instance = xstrdup(instance), .replica_id = replica_id, .slot = slot};
}

/* Adds an event of the replica whose container has the name, if it is a replica's. */
static void add_named(struct driver_event *events, int *n, const char *name)
{
    _cleanup_free_ char *instance = NULL;
    int64_t id;
    int slot;
    if (name && container_name_parse(name, &instance, &id, &slot))
        add(events, n, instance, id, slot);
}

/* Adds an event of the replica that the labels state. The name states the slot if it is one of the replica.
 */
static void add_labelled(struct driver_event *events, int *n, json_t *attributes, const char *name)
{
    _cleanup_free_ char *instance = NULL;
    const char *label = json_string_value(json_object_get(attributes, LABEL_NAME));
    int64_t id, named;
    int slot;
    if (!container_labels_parse(label, json_string_value(json_object_get(attributes, LABEL_REPLICA)), &id))
        return;
    bool same =
        name && container_name_parse(name, &instance, &named, &slot) && streq(instance, label) && named == id;
    add(events, n, label, id, same ? slot : DRIVER_SLOT_CURRENT);
}

int docker_read_event(const char *line, size_t size, const char *tree_id, const struct adopted *adopted,
                      struct driver_event ret[static DOCKER_EVENT_REPLICAS], struct error *e)
{
    _cleanup_json_ json_t *j = NULL;
    struct reading r = {.what = "a line of Docker's events", .error = e};
    int x = parse_answer(r.what, line, size, &j, e);
    if (x < 0)
        return x;
    const char *type = read_string(&r, j, "Type") ?: "", *action = read_string(&r, j, "Action") ?: "";
    const char *name = read_string(&r, j, "Actor/Attributes/name");
    const char *exit_code = read_string(&r, j, "Actor/Attributes/exitCode");
    const char *old_name = read_string(&r, j, "Actor/Attributes/oldName");
    const char *id = read_string(&r, j, "Actor/ID");
    bool ours = is_ours(&r, j, tree_id, adopted);
    if (r.r < 0)
        return r.r;
    bool wanted = false;
    for (size_t i = 0; i < ARRAY_SIZE(interesting); i++)
        wanted |= streq(action, interesting[i]);
    if (!ours || !wanted || !streq(type, "container"))
        return 0;
    int n = 0;
    int64_t code;
    if (!exit_code || parse_int64(exit_code, INT32_MIN, INT32_MAX, &code) < 0)
        code = 0;
    add_labelled(ret, &n, read_object(&r, j, "Actor/Attributes"), name);
    add_named(ret, &n, name);
    add_named(ret, &n, old_name);
    for (int i = 0; i < n; i++) {
        ret[i].id = xstrdup_null(id);
        ret[i].action = xstrdup(action);
        ret[i].exit_code = code;
    }
    return n;
}
