/* Requests to Docker, and what their ends say about the daemon. */
#pragma once

#include <jansson.h>

#include "container-driver/docker/docker.h"

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
