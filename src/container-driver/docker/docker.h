/* The Docker runtime: what its files share. One file each: the requests (call.c), containers, images,
 * logs, events. */
#pragma once

#include "container-driver/runtime.h"
#include "lib/http/client.h"

struct docker;
struct docker_call;
struct docker_events;

int docker_new(sd_event *event, const struct settings *settings, struct runtime **ret, struct error *e);

/* Whether writable layers can be limited: Docker says so only when it is asked for it. */
enum layer_limit { LAYER_LIMIT_UNKNOWN, LAYER_LIMIT_YES, LAYER_LIMIT_NO };

struct docker {
    struct runtime rt;
    sd_event *event;
    const struct settings *settings;
    struct http_client *http;

    enum driver_runtime_state state; /* written by docker_set_state() alone */
    char *reason;                    /* why it is down */
    char *api;                       /* the version spoken; NULL until asked, and again after a failure */

    struct docker_call *calls, *last_call; /* sent and waiting, oldest first */
    struct docker_call *version_call;
    unsigned active; /* of those that count against the limit */
    bool freeing;    /* nothing is sent any more */

    enum layer_limit layer_limit;
    bool engine_known;  /* /info was read since it came up */
    bool is_podman;     /* takes the path of a seccomp profile, and no profile; has no log driver "local" */
    bool lacks_seccomp; /* says that it cannot filter system calls */
    char *seccomp_said; /* what was logged last about the profile */
    struct docker_events *events;
    /* Called with 'events' when Docker is down: docker_events_break, which call.c need not know. */
    void (*on_down)(struct docker_events *events, const char *reason);
};
