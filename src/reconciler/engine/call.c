/* Calls to workers, and how long to wait before the next try of one that failed. */
#include "reconciler/engine/call.h"

#include <stdlib.h>

struct varlink_request *manager_call(struct manager *m, const char *socket,
                                     const struct varlink_interface *interface, const char *method,
                                     const void *in, bool more, uint64_t timeout_usec,
                                     varlink_answer_fn on_answer, void *userdata)
{
    struct varlink_call_options options = {.socket = socket,
                                           .interface = interface,
                                           .method = method,
                                           .in = in,
                                           .more = more,
                                           .timeout_usec = timeout_usec};
    return varlink_call_start(m->event, &options, on_answer, userdata);
}

uint64_t backoff_msec(struct manager *m, unsigned attempt)
{
    uint64_t first = config_duration(m->context->config, "reconciler", "retry_min") / 1000;
    uint64_t most = config_duration(m->context->config, "reconciler", "retry_max") / 1000;
    uint64_t pause = first ?: 1;
    for (unsigned i = 1; i < attempt && pause < most; i++)
        pause *= 2;
    if (pause > most)
        pause = most;
    /* Jitter of ±10 %, so that what failed together does not return together. */
    uint8_t noise;
    random_bytes(&noise, 1);
    return pause - pause / 10 + pause * noise / 1275;
}
