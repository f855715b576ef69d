/* Implements call.h. */
#include "ctl/call.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "ctl/limit.h"
#include "lib/api/container_driver.h"
#include "lib/api/fetcher.h"
#include "lib/api/net_keeper.h"
#include "lib/api/provisioner.h"
#include "lib/api/quota_keeper.h"
#include "lib/api/reconciler.h"
#include "lib/api/rpc_gateway.h"
#include "lib/api/supervisor.h"
#include "lib/schema/object.h"
#include "lib/varlink/client-sync.h"

#define REPEAT_FOR_USEC (15 * USEC_PER_SEC)
#define REPEAT_PAUSE_NS 100000000

const struct ctl_peer ctl_supervisor = {"supervisor", &supervisor_interface},
                      ctl_reconciler = {"reconciler", &reconciler_interface},
                      ctl_driver = {"container-driver", &container_driver_interface},
                      ctl_fetcher = {"fetcher", &fetcher_interface},
                      ctl_provisioner = {"provisioner", &provisioner_interface},
                      ctl_quota = {"quota-keeper", &quota_keeper_interface},
                      ctl_gateway = {"rpc-gateway", &rpc_gateway_interface},
                      ctl_net = {"net-keeper", &net_keeper_interface};

static void pause_before_repeating(void)
{
    const struct timespec pause = {.tv_nsec = REPEAT_PAUSE_NS};
    (void)nanosleep(&pause, NULL);
}

/* Has the message at the end of --timeout say what became of the call. */
static void say_of(const struct ctl_peer *peer, const char *method)
{
    if (varlink_find_method(peer->interface, method)->flags & VARLINK_CHANGES)
        limit_say(NULL, "what was requested may be executed in the background");
}

int ctl_call(const struct ctl *ctl, const struct ctl_peer *peer, const char *method, const void *in,
             void *out, uint64_t timeout_usec, struct error *e)
{
    _cleanup_free_ char *socket = tree_socket(&ctl->tree, peer->socket);
    struct varlink_call_options options = {
        .socket = socket, .interface = peer->interface, .method = method, .in = in};
    uint64_t deadline = now_monotonic_usec() + REPEAT_FOR_USEC;
    say_of(peer, method);
    for (;;) {
        options.timeout_usec = limit_cut(timeout_usec);
        int r = varlink_call_sync(&options, out, e);
        if (r >= 0 || !error_worker_lost(e) || now_monotonic_usec() > deadline)
            return r;
        pause_before_repeating();
    }
}

void ctl_done(const struct ctl_peer *peer, const char *method, void *out)
{
    schema_done(varlink_find_method(peer->interface, method)->out, out);
}

struct streaming {
    ctl_item_fn on_item;
    void *userdata;
    struct error *e;
    int result;
    bool done;
};

static void on_answer(const void *out, bool continues, const struct error *e, void *userdata)
{
    struct streaming *s = userdata;
    if (e) {
        *s->e = *e;
        s->result = -e->errnum;
    } else
        s->on_item(out, s->userdata);
    s->done = !continues;
}

int ctl_stream(const struct ctl *ctl, const struct ctl_peer *peer, const char *method, const void *in,
               ctl_item_fn on_item, void *userdata, struct error *e)
{
    return ctl_stream_within(ctl, peer, method, in, on_item, userdata, CTL_TIMEOUT_USEC, e);
}

int ctl_stream_within(const struct ctl *ctl, const struct ctl_peer *peer, const char *method, const void *in,
                      ctl_item_fn on_item, void *userdata, uint64_t timeout_usec, struct error *e)
{
    _cleanup_free_ char *socket = tree_socket(&ctl->tree, peer->socket);
    const struct varlink_call_options options = {.socket = socket,
                                                 .interface = peer->interface,
                                                 .method = method,
                                                 .in = in,
                                                 .more = true,
                                                 .timeout_usec = limit_cut(timeout_usec)};
    say_of(peer, method);
    struct streaming s = {.on_item = on_item, .userdata = userdata, .e = e};
    sd_event *event = NULL;
    int r = sd_event_new(&event);
    if (r < 0)
        return error_os(e, -r, "cannot make an event loop");
    varlink_call_start(event, &options, on_answer, &s);
    while (!s.done && r >= 0) {
        r = sd_event_run(event, UINT64_MAX);
        r = r == -EINTR ? 0 : r;
    }
    sd_event_unref(event);
    return s.done ? s.result : error_os(e, -r, "the event loop failed");
}

int ctl_fail(const struct error *e)
{
    log_error("%s", e->message);
    return e->class == ERROR_SERVICE_DOWN ? EXIT_DOWN : EXIT_FAILED;
}
