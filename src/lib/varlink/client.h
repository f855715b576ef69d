/* Implements a Varlink client on sd-event. Each call has a connection of its own, so that closing the
 * connection cancels the call. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/varlink/interface.h"

struct varlink_request;

/* Receives each reply. 'out' is the parsed struct of the method (borrowed; NULL when the reply has no
 * members). After a failure 'e' is set and 'out' is NULL; 'e' is the service's error with its class, or
 * ERROR_RETRY for a lost connection and a time-out. 'continues' is false for the last reply: the library has
 * then freed the request. While it is true, the callback may call varlink_request_cancel(). */
typedef void (*varlink_answer_fn)(const void *out, bool continues, const struct error *e, void *userdata);

struct varlink_call_options {
    const char *socket; /* path of any length */
    const struct varlink_interface *interface;
    const char *method;
    const void *in; /* the method's declared struct */
    bool more;
    uint64_t timeout_usec; /* until the next reply; 0: no limit */
};

/* Starts a call; copies 'options'. The callback, also for a failed connection, runs only from the event loop
 * and never before this function returns. While the socket's backlog is full, connecting is retried until the
 * time-out (or for 10 s). The returned request is valid until the last reply or its cancellation. */
struct varlink_request *varlink_call_start(sd_event *event, const struct varlink_call_options *options,
                                           varlink_answer_fn on_answer, void *userdata);

/* Cancels a call: frees the request without a further callback. 'request' may be NULL. */
void varlink_request_cancel(struct varlink_request *request);
