/* Implements methods.h. */
#include "rpc-gateway/methods.h"

#include <errno.h>

#include "lib/schema/object.h"
#include "rpc-gateway/manager.h"

static int info(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in, (void)e;
    struct gateway_info_out out;
    manager_info(userdata, &out);
    varlink_reply(call, &out);
    schema_done(varlink_find_method(&rpc_gateway_interface, "Info")->out, &out);
    return 0;
}

static int reply_join_info(struct varlink_call *call, const struct manager *m, const char *method,
                           struct error *e)
{
    struct gateway_join_out out;
    int r = manager_need_zone(m, e);
    if (r >= 0)
        r = manager_join_info(m, &out, e);
    if (r < 0)
        return r;
    varlink_reply(call, &out);
    schema_done(varlink_find_method(&rpc_gateway_interface, method)->out, &out);
    return 0;
}

static int zone_init(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    struct manager *m = userdata;
    int r = manager_need_zone(m, e);
    if (r >= 0)
        r = membership_init(&m->membership, in, e);
    return r < 0 ? r : reply_join_info(call, m, "ZoneInit", e);
}

static int zone_join_info(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in;
    return reply_join_info(call, userdata, "ZoneJoinInfo", e);
}

static int zone_status(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in;
    const struct manager *m = userdata;
    struct gateway_zone_out out;
    int r = manager_need_zone(m, e);
    if (r < 0)
        return r;
    manager_zone(m, &out);
    varlink_reply(call, &out);
    schema_done(varlink_find_method(&rpc_gateway_interface, "ZoneStatus")->out, &out);
    return 0;
}

static void on_left(const struct problems *left, void *userdata)
{
    struct manager *m = userdata;
    struct varlink_call *call = m->leaving;
    m->leaving = NULL;
    varlink_reply(call, &(struct gateway_leave_out){.left = left->items, .n_left = left->n});
}

static void on_leaver_gone(struct varlink_call *call, void *userdata)
{
    (void)call;
    struct manager *m = userdata;
    m->leaving = NULL;
    zone_loop_await_removal(m->zone, NULL, NULL);
}

/* The membership ends first, durably: whatever happens then, the network is removed once net-keeper can be
 * reached, also by the next process. */
static int zone_leave(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in;
    struct manager *m = userdata;
    int r = manager_need_zone(m, e);
    if (r < 0)
        return r;
    if (m->leaving)
        return error_retry(e, EBUSY, "another caller leaves the zone");
    r = membership_leave(&m->membership, e);
    if (r < 0)
        return r;
    m->leaving = call;
    varlink_call_on_gone(call, on_leaver_gone, m);
    zone_loop_await_removal(m->zone, on_left, m);
    return 0;
}

const struct varlink_handlers gateway_handlers[] = {{"Info", info},
                                                    {"ZoneInit", zone_init},
                                                    {"ZoneJoinInfo", zone_join_info},
                                                    {"ZoneStatus", zone_status},
                                                    {"ZoneLeave", zone_leave},
                                                    {NULL, NULL}};
