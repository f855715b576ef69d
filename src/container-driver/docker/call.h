/* Sends requests to Docker, and derives the runtime's state from their results. */
#pragma once

#include <jansson.h>

#include "container-driver/docker/docker.h"

/* Receives the result of a call: 'body' is the response's JSON (borrowed), or 'e' the error. The call is
 * freed after the return. */
typedef void (*docker_answer_fn)(struct docker_call *call, json_t *body, const struct error *e,
                                 void *userdata);

struct docker_ask {
    const char *what;      /* for errors: "start container i8k_web_0" */
    const char *method;    /* NULL: GET */
    const char *path;      /* without the version: "/containers/…" */
    json_t *body;          /* borrowed; may be NULL */
    const char *header;    /* an additional header; may be NULL */
    bool json;             /* the response must have a JSON body, which the callback gets */
    uint64_t timeout_usec; /* 0: the configured time-out */
    size_t max_body;       /* 0: 4 MiB */
    /* Receives the data of a stream whose status is below 400; NULL: the call is not a stream. A stream has
     * no limit of time or size, but must begin within the time-out. A negative errno ends the call. */
    int (*on_data)(struct docker_call *call, const void *data, size_t size, void *userdata);
    /* Is called when the headers of a stream with such a status have arrived; may be NULL. */
    void (*on_begin)(struct docker_call *call, void *userdata);
    unsigned quiet_seconds; /* a stream without data for this long fails; 0: no limit */
};

/* Starts a call; copies 'ask'. 'answer' is called only from the event loop. The call is valid until then or
 * until its cancellation. */
struct docker_call *docker_call(struct docker *d, const struct docker_ask *ask, docker_answer_fn answer,
                                void *userdata);
/* Cancels a call without a further callback; 'call' may be NULL. */
void docker_call_cancel(struct docker_call *call);
/* Returns the HTTP status of the response; 0: there is none yet. */
unsigned docker_call_status(const struct docker_call *call);
/* Pause and resume the data of a stream. */
void docker_call_pause(struct docker_call *call);
void docker_call_resume(struct docker_call *call);
/* Sets the error with which a stream ends; for use in on_data, which returns the result. */
int docker_call_fail(struct docker_call *call, const struct error *e);

/* Sets the runtime's state after a request, and logs a change. When Docker is down, all waiting calls fail
 * with the same reason, and the event stream is opened again. */
void docker_set_state(struct docker *d, enum driver_runtime_state state, const struct error *reason);

/* Escapes a text for a URL's query. The caller frees. */
char *docker_escape(const char *text);
