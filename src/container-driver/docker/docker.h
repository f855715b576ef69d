/* Declares the Docker runtime and the state that its files share. Requests (call.c), containers, images, logs
 * and events have a file each. */
#pragma once

#include "container-driver/runtime.h"
#include "lib/http/client.h"

struct docker;
struct docker_call;
struct docker_events;

/* Creates the runtime; borrows 'settings'. Sends no request yet. Returns 0 or a negative errno. */
int docker_new(sd_event *event, const struct settings *settings, struct runtime **ret, struct error *e);

/* States whether Docker can limit writable layers. Only an attempt shows it with certainty. */
enum layer_limit { LAYER_LIMIT_UNKNOWN, LAYER_LIMIT_YES, LAYER_LIMIT_NO };

struct docker {
    struct runtime rt;
    sd_event *event;
    const struct settings *settings;
    struct http_client *http;

    enum driver_runtime_state state; /* only docker_set_state() writes it */
    char *reason;                    /* why Docker is down */
    char *api; /* the version of the API in use; NULL: not known yet, or again after a failure */

    struct docker_call *calls, *last_call; /* in progress and waiting, oldest first */
    struct docker_call *version_call;
    unsigned active; /* calls in progress that count towards the limit */
    bool freeing;    /* no further call is sent */

    enum layer_limit layer_limit;
    bool engine_known;  /* /info was read since the engine was last down */
    bool is_podman;     /* accepts only the path of a seccomp profile; has no log driver "local" */
    bool lacks_seccomp; /* reports that it cannot filter system calls */
    char *seccomp_said; /* the last logged message about the profile */
    struct docker_events *events;
    /* Is called with 'events' when Docker is down. It points to docker_events_break(), so that call.c does
     * not depend on events.c. */
    void (*on_down)(struct docker_events *events, const char *reason);
};
