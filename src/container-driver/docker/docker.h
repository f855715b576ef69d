/* The Docker runtime: what its files share. One file each: the requests (call.c), containers, images,
 * logs, events. */
#pragma once

#include <jansson.h>

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

/* The answer to a call: 'body' is the JSON asked for (borrowed). After the return the call is gone. */
typedef void (*docker_answer_fn)(struct docker_call *call, json_t *body, const struct error *e,
                                 void *userdata);

struct docker_ask {
    const char *what;      /* for errors: "start container i8k_web_0" */
    const char *method;    /* NULL: GET */
    const char *path;      /* behind the version: "/containers/…" */
    json_t *body;          /* borrowed; may be NULL */
    const char *header;    /* one more; may be NULL */
    bool json;             /* the answer has a JSON body, which is wanted */
    uint64_t timeout_usec; /* 0: the configured one */
    size_t max_body;       /* 0: 4 MiB */
    /* Streams have no limit of time or size, but must begin within the timeout. Their data, of a good status
     * alone: */
    int (*on_data)(struct docker_call *call, const void *data, size_t size, void *userdata);
    void (*on_begin)(struct docker_call *call, void *userdata); /* the headers are there; may be NULL */
    unsigned quiet_seconds; /* a stream that says nothing for so long is given up; 0: it may be quiet */
};

/* Never answers from within. The call is valid until it is answered or cancelled. */
struct docker_call *docker_call(struct docker *d, const struct docker_ask *ask, docker_answer_fn answer,
                                void *userdata);
void docker_call_cancel(struct docker_call *call); /* NULL is fine */
unsigned docker_call_status(const struct docker_call *call);
void docker_call_pause(struct docker_call *call);
void docker_call_resume(struct docker_call *call);
/* For on_data: a failure that ends the stream with this error. */
int docker_call_fail(struct docker_call *call, const struct error *e);

/* What a request found. Everything that waits fails with the same reason when Docker is down; the event
 * stream begins anew. */
void docker_set_state(struct docker *d, enum driver_runtime_state state, const struct error *reason);

/* Text for a URL's query. The caller frees. */
char *docker_escape(const char *text);

/* containers.c */
void docker_list(struct runtime *rt, runtime_answer_fn answer, void *userdata);
void docker_inspect(struct runtime *rt, const char *name, runtime_answer_fn answer, void *userdata);
void docker_start(struct runtime *rt, const char *id, runtime_answer_fn answer, void *userdata);
void docker_stop(struct runtime *rt, const char *id, int64_t timeout_msec, runtime_answer_fn answer,
                 void *userdata);
void docker_rename(struct runtime *rt, const char *id, const char *name, runtime_answer_fn answer,
                   void *userdata);
void docker_remove(struct runtime *rt, const char *id, runtime_answer_fn answer, void *userdata);
void docker_set_restart(struct runtime *rt, const char *id, int policy, runtime_answer_fn answer,
                        void *userdata);

/* seccomp.c: what the answers to /version and /info say of seccomp; what it means for containers is
 * logged when it changes. */
void docker_learn_version(struct docker *d, json_t *version);
void docker_learn_info(struct docker *d, json_t *info);
void docker_forget_engine(struct docker *d);
/* Whether containers get the profile of the settings. If not, *ret_why says why, or is NULL: they are not to.
 */
bool docker_takes_profile(const struct docker *d, const char **ret_why);
/* Fills the members of the answer that say so. */
void docker_tell_seccomp(const struct docker *d, struct driver_info_out *info);

/* creation.c */
void docker_create(struct runtime *rt, const struct spec *spec, runtime_answer_fn answer, void *userdata);

/* images.c */
void docker_image_inspect(struct runtime *rt, const char *reference, runtime_answer_fn answer,
                          void *userdata);
void docker_image_list(struct runtime *rt, runtime_answer_fn answer, void *userdata);
/* pull.c */
struct runtime_job *docker_image_pull(struct runtime *rt, const char *reference, runtime_answer_fn answer,
                                      void *userdata);

/* logs.c */
struct runtime_job *docker_logs(struct runtime *rt, const char *id, const struct runtime_log_options *options,
                                runtime_log_data_fn on_data, runtime_log_end_fn on_end, void *userdata);

/* events.c */
struct docker_events *docker_events_new(struct docker *d);
void docker_events_free(struct docker_events *events);
void docker_watch(struct runtime *rt);
void docker_unwatch(struct runtime *rt);
/* Docker turned out to be down: a stream that still seems open says nothing any more. */
void docker_events_break(struct docker_events *events, const char *reason);
