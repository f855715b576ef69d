/* Docker's events; see docker_event.h. */
#include "container-driver/docker_event.h"

#include <errno.h>

#include "container-driver/name.h"
#include "container-driver/reading.h"

/* What changes a state, a name or a policy. "exec_create: sh …" and the like do not. */
static const char *const interesting[] = {"create", "start", "restart", "die",    "stop",    "kill",
                                          "oom",    "pause", "unpause", "rename", "destroy", "update"};

int docker_read_event(const char *line, size_t size, struct driver_watch_out *ret, struct error *e)
{
    _cleanup_json_ json_t *j = NULL;
    struct reading r = {.what = "a line of Docker's events", .error = e};
    int x = parse_answer(r.what, line, size, &j, e);
    if (x < 0)
        return x;
    const char *type = read_string(&r, j, "Type") ?: "", *action = read_string(&r, j, "Action") ?: "";
    const char *name = read_string(&r, j, "Actor/Attributes/name");
    const char *exit_code = read_string(&r, j, "Actor/Attributes/exitCode");
    if (r.r < 0)
        return r.r;
    bool wanted = false;
    for (size_t i = 0; i < ARRAY_SIZE(interesting); i++)
        wanted |= streq(action, interesting[i]);
    struct driver_watch_out out = {.event = DRIVER_EVENT_CONTAINER};
    if (!wanted || !streq(type, "container") || !name ||
        !container_name_parse(name, &out.instance, &out.replica_id, &out.slot))
        return 0;
    if (!exit_code || parse_int64(exit_code, INT32_MIN, INT32_MAX, &out.exit_code) < 0)
        out.exit_code = 0;
    out.action = xstrdup(action);
    *ret = out;
    return 1;
}
