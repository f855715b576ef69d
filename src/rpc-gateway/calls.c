/* Implements calls.h. */
#include "rpc-gateway/calls.h"

#include <stdlib.h>

#include "lib/api/net_keeper.h"
#include "lib/api/quota_keeper.h"
#include "lib/api/reconciler.h"
#include "lib/api/supervisor.h"
#include "lib/basic/cleanup.h"

const struct call_peer call_supervisor = {"hostletd", "supervisor", &supervisor_interface},
                       call_reconciler = {"reconciler", "reconciler", &reconciler_interface},
                       call_quota = {"quota-keeper", "quota-keeper", &quota_keeper_interface},
                       call_net = {"net-keeper", "net-keeper", &net_keeper_interface};

struct call {
    struct varlink_request *request;
    struct call_stats *stats;
    const struct call_peer *peer;
    const char *method;
    uint64_t started;
    bool counted, cancelled, answering;
    varlink_answer_fn on_answer;
    void *userdata;
};

static void count(struct call *c, const struct error *e)
{
    if (c->counted)
        return;
    c->counted = true;
    call_stats_add(c->stats, "varlink", c->peer->name, c->method, e ? error_class_to_string(e->class) : "ok",
                   now_monotonic_usec() - c->started);
}

static void on_call_answer(const void *out, bool continues, const struct error *e, void *userdata)
{
    struct call *c = userdata;
    count(c, e);
    if (!continues)
        c->request = NULL;
    c->answering = true;
    c->on_answer(out, continues, e, c->userdata);
    c->answering = false;
    if (!continues || c->cancelled) {
        varlink_request_cancel(c->request);
        free(c);
    }
}

struct call *call_start(const struct caller *caller, const struct call_peer *peer, const char *method,
                        const void *in, bool more, uint64_t timeout_usec, varlink_answer_fn on_answer,
                        void *userdata)
{
    struct call *c = xcalloc(1, sizeof *c);
    _cleanup_free_ char *socket = tree_socket(caller->tree, peer->socket);
    const struct varlink_call_options options = {.socket = socket,
                                                 .interface = peer->interface,
                                                 .method = method,
                                                 .in = in,
                                                 .more = more,
                                                 .timeout_usec = timeout_usec};
    *c = (struct call){.stats = caller->stats,
                       .peer = peer,
                       .method = method,
                       .started = now_monotonic_usec(),
                       .on_answer = on_answer,
                       .userdata = userdata};
    c->request = varlink_call_start(caller->event, &options, on_call_answer, c);
    return c;
}

void call_cancel(struct call *c)
{
    if (!c)
        return;
    /* A call that is cancelled by its own 'on_answer' is freed afterwards. */
    if (c->answering) {
        c->cancelled = true;
        return;
    }
    varlink_request_cancel(c->request);
    free(c);
}
