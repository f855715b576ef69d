/* Implements call.h. */
#include "reconciler/engine/call.h"

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
    return m->outside->call(m->outside, &options, on_answer, userdata);
}

static void *call_watch(const struct varlink_call_options *options, varlink_answer_fn on_answer,
                        void *follower, void *userdata)
{
    const struct manager *m = userdata;
    return m->outside->call(m->outside, options, on_answer, follower);
}

static void cancel_watch(void *request, void *userdata)
{
    const struct manager *m = userdata;
    m->outside->cancel(m->outside, request);
}

struct follower *manager_follow(struct manager *m, const char *socket,
                                const struct varlink_interface *interface,
                                const struct follower_handlers *handlers)
{
    return follower_new(&(struct follower_options){.clock = m->outside->clock,
                                                   .socket = socket,
                                                   .interface = interface,
                                                   .pauses = m->settings.retry,
                                                   .handlers = handlers,
                                                   .userdata = m,
                                                   .call = call_watch,
                                                   .cancel = cancel_watch});
}
