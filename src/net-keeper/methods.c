/* Implements methods.h. */
#include "net-keeper/methods.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/api/net_keeper.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "net-keeper/manager.h"

static int on_set_network(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct net_set_network_in *i = in;
    struct manager *m = userdata;
    struct net_set_network_out out = {.changed = false};
    int r = i->network ? network_check_limits(i->network, e) : 0;
    if (r >= 0)
        r = manager_set_network(m, i->network, &out.changed, e);
    if (r < 0)
        return r;
    manager_problems(m, &out.problems, &out.n_problems);
    varlink_reply(call, &out);
    schema_done(varlink_find_method(&net_keeper_interface, "SetNetwork")->out, &out);
    return 0;
}

static int on_info(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in;
    (void)e;
    const struct manager *m = userdata;
    const char *problem;
    bool masquerades = masquerade_stands(m->masquerade, &problem);
    const struct plan *plan = &m->keep.plan;
    struct net_info_out out = {
        .network = m->network,
        .instance_cidr = m->network ? xstrdup(m->network->instance_cidr) : NULL,
        .host_id = m->network ? xstrdup(m->network->host_id) : NULL,
        .lan_addr = m->network ? xstrdup(m->network->lan_addr) : NULL,
        .bridge_ip = m->network ? xstrdup(m->network->bridge_ip) : NULL,
        .device = m->network ? xstrdup(NET_DEVICE) : NULL,
        .underlay = *plan->lower_name ? xstrdup(plan->lower_name) : NULL,
        .mtu = plan->mtu,
        .device_ok = plan->device_ok,
        .masquerade = masquerades,
        .masquerade_problem = xstrdup_null(problem),
        .dns_file = m->network && m->records.wanted ? xstrdup(m->records.path) : NULL,
        .dns_problem = xstrdup_null(m->records.problem),
        .peers = (int64_t)plan->n_present,
        .repairs = m->keep.repairs + masquerade_repairs(m->masquerade),
        .changes = m->keep.changes,
    };
    manager_problems(m, &out.problems, &out.n_problems);
    varlink_reply(call, &out);
    schema_done(varlink_find_method(&net_keeper_interface, "Info")->out, &out);
    return 0;
}

static int on_list(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in;
    const struct manager *m = userdata;
    if (!varlink_call_wants_more(call))
        return error_refuse(e, EINVAL, "the reply is a stream: the call must set 'more'");
    const struct traffic *traffic = masquerade_traffic(m->masquerade);
    for (size_t i = 0; i < m->keep.map.n_hosts; i++) {
        static const struct traffic_item none = {0};
        const struct net_host *h = m->keep.map.hosts[i].host;
        const struct traffic_item *t = traffic_find(traffic, h->id) ?: &none;
        struct net_host_state state = {.id = h->id,
                                       .peer = h->peer,
                                       .bridge = h->bridge,
                                       .instance = h->instance,
                                       .sent_bytes = t->sent_bytes,
                                       .sent_packets = t->sent_packets,
                                       .received_bytes = t->received_bytes,
                                       .received_packets = t->received_packets};
        state.present = keep_host(&m->keep, i, &state.problem);
        varlink_notify(call, &(struct net_list_out){.host = &state});
        free(state.problem);
    }
    varlink_reply(call, &(struct net_list_out){.host = NULL});
    return 0;
}

static int on_ping(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct net_ping_in *i = in;
    const struct manager *m = userdata;
    _cleanup_free_ char *problem = NULL;
    ssize_t number = keep_find_host(&m->keep, i->host);
    if (number < 0)
        return error_set(e, ERROR_NOT_FOUND, ENOENT, "the zone's network has no host '%.40s'", i->host);
    if (!keep_host(&m->keep, (size_t)number, &problem))
        return error_fail(e, EHOSTUNREACH, "host '%.40s' is not reachable: %s", i->host,
                          problem ?: "its entry or its route does not exist");
    return ping_begin(m->pings, call, i->host, m->keep.map.hosts[number].bridge, e);
}

const struct varlink_handlers net_handlers[] = {{"SetNetwork", on_set_network},
                                                {"Info", on_info},
                                                {"List", on_list},
                                                {"Ping", on_ping},
                                                {.method = NULL}};
