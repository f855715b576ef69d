/* A Varlink client on sd-event: one connection per call, so that giving up a call is closing it. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/varlink/interface.h"

struct varlink_request;

/* Called for each answer: 'out' is the parsed struct of the method (borrowed; NULL where it has no members),
 * or 'e' says what went wrong (then 'out' is NULL): the service's own error with its class, or a lost
 * connection and a time-out as ERROR_RETRY. 'continues' is false for the last one, after which the request is
 * freed by the library; varlink_request_cancel() may be called from within while it is true. */
typedef void (*varlink_answer_fn)(const void *out, bool continues, const struct error *e, void *userdata);

struct varlink_call_options {
    const char *socket; /* path of any length */
    const struct varlink_interface *interface;
    const char *method;
    const void *in; /* the method's declared struct */
    bool more;
    uint64_t timeout_usec; /* until the next answer; 0: none */
};

/* Starts a call. Failures of the connection arrive through the callback too, from the loop: never from within
 * this call. Connecting to a full backlog is tried again until the time-out (or 10 s). The returned request
 * is valid until the last answer or its cancellation. */
struct varlink_request *varlink_call_start(sd_event *event, const struct varlink_call_options *options,
                                           varlink_answer_fn on_answer, void *userdata);

/* Ends a call without further answers; NULL is fine. */
void varlink_request_cancel(struct varlink_request *request);
