/* Implements the commands zone network and zone ping. */
#include "ctl/zone_network.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/call.h"
#include "ctl/output.h"
#include "ctl/table.h"
#include "ctl/zone.h"
#include "ctl/zone_engine.h"
#include "lib/api/net_keeper.h"
#include "lib/api/rpc_gateway.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"

/* --- zone network --- */

struct listing {
    struct table *table;
    json_t *array;
};

static void add_host(const void *answer, void *userdata)
{
    const struct net_host_state *h = ((const struct net_list_out *)answer)->host;
    struct listing *l = userdata;
    if (!h)
        return;
    _cleanup_free_ char *sent = format_size(h->sent_bytes), *received = format_size(h->received_bytes);
    const char *columns[] = {h->id, h->peer, h->bridge, h->instance, sent, received};
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
        table_cell(l->table, PLAIN, "%s", columns[i]);
    table_cell_reason(l->table, h->present && !h->problem ? GREEN : RED, h->present ? "up" : "missing",
                      h->problem);
    json_array_append_new(l->array, schema_pack(&net_host_state_schema, h));
}

static void print_line(const char *name, enum colour colour, const char *text)
{
    _cleanup_free_ char *safe = format_safe(text);
    printf("%-14s ", name);
    print_coloured(colour, safe);
    putchar('\n');
}

/* Prints why this machine has no network. */
static void print_none(const struct ctl *ctl)
{
    struct gateway_zone_out zone = {.state = GATEWAY_ZONE_NONE};
    struct error e = ERROR_INIT;
    int r = ctl_call(ctl, &ctl_gateway, "ZoneStatus", NULL, &zone, CTL_TIMEOUT_USEC, &e);
    const char *why =
        r < 0                             ? e.message
        : zone.state == GATEWAY_ZONE_NONE ? "this machine belongs to no zone"
        : !zone.vpc_bridge_ip || !zone.vpc_instance_cidr
            ? "the zone's leader has assigned no addresses to this machine yet"
            : "the zone's leader has sent no map yet, or it was not delivered: see 'zone status'";
    _cleanup_free_ char *text = xasprintf("none: %s", why);
    print_line("network", YELLOW, text);
    if (r >= 0)
        ctl_done(&ctl_gateway, "ZoneStatus", &zone);
}

static void print_device(const struct net_info_out *i)
{
    _cleanup_free_ char *where = i->underlay ? xasprintf(" on %s", i->underlay) : xstrdup(""),
                        *size = i->mtu ? xasprintf(", MTU %" PRId64, i->mtu) : xstrdup(""),
                        *text = xasprintf("%s%s%s%s", i->device ?: "none", where, size,
                                          i->device_ok ? "" : ": is not as the network requires"),
                        *address = xasprintf("%s/24 at %s", i->bridge_ip ?: "-", i->lan_addr ?: "-");
    print_line("device", i->device_ok ? GREEN : RED, text);
    print_line("address", PLAIN, address);
    if (i->instance_cidr)
        print_line("containers", PLAIN, i->instance_cidr);
}

static void print_parts(const struct net_info_out *i)
{
    _cleanup_free_ char *engine = xasprintf("by the container engine: %s",
                                            i->masquerade_problem ?: "hostlet's rule does not exist yet"),
                        *unwritten = xasprintf("not written: %s", i->dns_problem ?: ""),
                        *repairs = xasprintf("%" PRId64 " since net-keeper started", i->repairs);
    print_line("masquerade", i->masquerade ? PLAIN : YELLOW,
               i->masquerade ? "by hostlet, of what leaves the zone's network" : engine);
    if (i->dns_problem || i->dns_file)
        print_line("names", i->dns_problem ? YELLOW : PLAIN, i->dns_problem ? unwritten : i->dns_file);
    else
        print_line("names", PLAIN, "no file: [zone] dns_servers is empty");
    print_line("repairs", PLAIN, repairs);
}

static void print_network(const struct ctl *ctl, const struct net_info_out *i)
{
    if (i->network) {
        print_device(i);
        print_parts(i);
    } else
        print_none(ctl);
    for (size_t k = 0; k < i->n_problems; k++)
        print_line(k == 0 ? "problems" : "", RED, i->problems[k]);
}

int command_zone_network(struct ctl *ctl)
{
    struct error e = ERROR_INIT;
    struct net_info_out info = {.network = false};
    struct listing l = {table_new("HOST", "PEER", "BRIDGE", "NETWORK", "SENT", "RECEIVED", "STATE", NULL),
                        json_array()};
    int r = ctl_call(ctl, &ctl_net, "Info", NULL, &info, CTL_TIMEOUT_USEC, &e);
    if (r >= 0)
        r = ctl_stream(ctl, &ctl_net, "List", NULL, add_host, &l, &e);
    if (r >= 0)
        zone_engine_problems(ctl, &info);
    if (r >= 0 && ctl->json) {
        json_t *all = schema_pack(varlink_find_method(&net_keeper_interface, "Info")->out, &info);
        json_object_set(all, "hosts", l.array);
        print_json(all);
    } else if (r >= 0) {
        print_network(ctl, &info);
        if (table_rows(l.table) > 0)
            putchar('\n');
    }
    table_print(l.table, r < 0 || ctl->json);
    json_decref(l.array);
    ctl_done(&ctl_net, "Info", &info);
    return r < 0 ? zone_fail(ctl, &e) : EXIT_OK;
}

/* --- zone ping --- */

/* A search for a host by its id or one of its addresses. */
struct search {
    const char *text;
    char *id;
};

static void look_at_host(const void *answer, void *userdata)
{
    const struct net_host_state *h = ((const struct net_list_out *)answer)->host;
    struct search *s = userdata;
    if (h && !s->id && (streq(s->text, h->id) || streq(s->text, h->peer) || streq(s->text, h->bridge)))
        s->id = xstrdup(h->id);
}

static void print_reply(const struct ctl *ctl, const char *id, const struct net_ping_out *out)
{
    if (ctl->json) {
        json_t *all = schema_pack(varlink_find_method(&net_keeper_interface, "Ping")->out, out);
        json_object_set_new(all, "host", json_string(id));
        print_json(all);
        return;
    }
    printf("host %s is reachable at %s: it %s after %.2f ms\n", id, out->address,
           out->method == NET_PING_ICMP ? "replied to an echo request" : "accepted a TCP connection",
           (double)out->usec / 1000);
}

int command_zone_ping(struct ctl *ctl)
{
    struct error e = ERROR_INIT;
    struct search s = {.text = ctl->arguments[0]};
    if (ctl_stream(ctl, &ctl_net, "List", NULL, look_at_host, &s, &e) < 0)
        return zone_fail(ctl, &e);
    _cleanup_free_ char *id = s.id;
    if (!id) {
        log_error(
            "zone ping: the zone's network has no other machine with the id or address '%s': 'hostletctl "
            "zone network' lists them",
            s.text);
        return EXIT_FAILED;
    }
    struct net_ping_out out = {.usec = 0};
    if (ctl_call(ctl, &ctl_net, "Ping", &(struct net_ping_in){.host = id}, &out, CTL_TIMEOUT_USEC, &e) < 0)
        return zone_fail(ctl, &e);
    print_reply(ctl, id, &out);
    ctl_done(&ctl_net, "Ping", &out);
    return EXIT_OK;
}
