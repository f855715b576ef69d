/* Implements plan.h. */
#include "net-keeper/plan.h"

#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/basic/cleanup.h"
#include "net-keeper/plan_device.h"

static struct plan_host *state_of(const struct plan_input *in, struct plan *plan, const struct map_host *h)
{
    return &plan->hosts[h - in->map->hosts];
}

/* Reports whether a host is to be connected. */
static bool is_wanted(const struct plan_input *in, struct plan *plan, const struct map_host *h)
{
    return !h->problem && !state_of(in, plan, h)->problem;
}

/* Reports whether what exists of a host stays, although the host may have a problem. */
static bool stays(const struct map_host *h)
{
    return !h->problem || h->contested;
}

_printf_(4, 5) static void refuse(const struct plan_input *in, struct plan *plan, const struct map_host *h,
                                  const char *fmt, ...)
{
    struct plan_host *state = state_of(in, plan, h);
    char text[400];
    va_list args;
    if (h->problem || state->problem)
        return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    state->problem = xasprintf("host '%.40s' is not connected: %s", h->host->id, text);
    strings_add(&plan->problems, "%s", state->problem);
}

static const char *name_of(const struct plan_input *in, int index)
{
    const struct actual_link *link = actual_link_at(in->actual, index);
    return link ? link->name : "?";
}

static void refuse_routed(const struct plan_input *in, struct plan *plan, const struct map_host *h,
                          const struct actual_route *r)
{
    char text[IPV4_TEXT];
    _cleanup_free_ char *by = r->index ? xasprintf("by '%s'", name_of(in, r->index))
                                       : xstrdup("that drops packets, or has several devices");
    refuse(in, plan, h, "this machine has a route to %s in the network of its containers %s",
           range_text(r->to, text), by);
}

/* Refuses the hosts whose containers have addresses that the machine uses otherwise. The rules are those by
 * which container-driver judges this machine's own range. */
static void judge_networks(const struct plan_input *in, struct plan *plan)
{
    char text[IPV4_TEXT];
    for (size_t i = 0; i < in->actual->n_addresses; i++) {
        const struct actual_address *a = &in->actual->addresses[i];
        struct range connected = range_of(a->address, a->bits);
        if (a->index == plan->device)
            continue;
        for (size_t j = 0; j < in->map->n_hosts; j++)
            if (ranges_overlap(connected, in->map->hosts[j].instance))
                refuse(in, plan, &in->map->hosts[j],
                       "the network of its containers %s overlaps %s, to which this machine is connected by "
                       "'%s'",
                       in->map->hosts[j].host->instance, range_text(connected, text), name_of(in, a->index));
    }
    for (size_t i = 0; i < in->actual->n_routes; i++) {
        const struct actual_route *r = &in->actual->routes[i];
        if ((r->index == plan->device && plan->device) || r->to.bits < NET_PREFIX)
            continue;
        const struct map_host *h = map_by_instance(in->map, range_of(r->to.first, NET_PREFIX));
        if (h)
            refuse_routed(in, plan, h, r);
    }
}

static bool is_plain(const struct actual_entry *e)
{
    return !e->port && !e->id && !e->via;
}

/* Returns the host whose forwarding entry this is, if it is one that net-keeper makes. The peer address of
 * one that does not flood can be wrong. */
static const struct map_host *host_of_entry(const struct plan_input *in, const struct actual_entry *e)
{
    if (!actual_floods(e))
        return map_by_ethernet(in->map, e->ethernet);
    return is_plain(e) ? map_by_peer(in->map, e->peer) : NULL;
}

static bool is_of_device(const struct plan *plan, const struct actual_entry *e)
{
    return plan->device != 0 && e->index == plan->device;
}

/* Marks the hosts whose entries exist. */
static void find_entries(const struct plan_input *in, struct plan *plan)
{
    for (size_t i = 0; i < in->actual->n_entries; i++) {
        const struct actual_entry *e = &in->actual->entries[i];
        const struct map_host *h = is_of_device(plan, e) ? host_of_entry(in, e) : NULL;
        if (!h || !stays(h))
            continue;
        if (actual_floods(e))
            state_of(in, plan, h)->entry = true;
        else if (e->peer == h->peer && is_plain(e))
            state_of(in, plan, h)->unicast = true;
        else
            state_of(in, plan, h)->unicast_elsewhere = true;
    }
}

/* Adds the entry of a host's Ethernet address. One to another peer address is replaced in one message. */
static void plan_unicast(const struct plan_input *in, struct plan *plan, const struct map_host *h)
{
    const struct plan_host *state = state_of(in, plan, h);
    if (state->unicast || map_by_ethernet(in->map, h->ethernet) != h)
        return;
    enum change_kind kind = state->unicast_elsewhere ? CHANGE_REPLACE_ENTRY : CHANGE_ADD_ENTRY;
    struct actual_entry *e = &changes_add(&plan->changes, kind)->entry;
    *e = (struct actual_entry){.marked = true, .peer = h->peer};
    memcpy(e->ethernet, h->ethernet, ETHERNET_SIZE);
}

static void plan_entries(const struct plan_input *in, struct plan *plan)
{
    const struct map *map = in->map;
    find_entries(in, plan);
    for (size_t i = 0; i < map->n_hosts; i++) {
        const struct map_host *h = &map->hosts[i];
        if (!is_wanted(in, plan, h))
            continue;
        if (!plan->hosts[i].entry)
            changes_add(&plan->changes, CHANGE_ADD_ENTRY)->entry = (struct actual_entry){.peer = h->peer};
        plan_unicast(in, plan, h);
    }
    for (size_t i = 0; i < in->actual->n_entries; i++) {
        const struct actual_entry *e = &in->actual->entries[i];
        if (!is_of_device(plan, e) || (!actual_floods(e) && !e->marked))
            continue;
        const struct map_host *h = host_of_entry(in, e);
        if (!h || !stays(h))
            changes_add(&plan->changes, CHANGE_DELETE_ENTRY)->entry = *e;
    }
}

/* Reports whether a route through the device is one that net-keeper may replace or remove. */
static bool is_own_route(const struct map *map, const struct actual_route *r)
{
    if (r->protocol == NET_PROTOCOL)
        return true;
    return (r->protocol == RTPROT_BOOT || r->protocol == RTPROT_STATIC) && r->gateway && r->tos == 0 &&
           r->metric == 0 && r->to.bits == NET_PREFIX && range_contains(map->vpc_instance, r->to.first);
}

/* Returns the host to whose network this route leads, if it has the form of those that net-keeper makes. */
static const struct map_host *host_of_route(const struct plan_input *in, const struct actual_route *r)
{
    return r->tos || r->metric ? NULL : map_by_instance(in->map, r->to);
}

static bool is_through_device(const struct plan *plan, const struct actual_route *r)
{
    return plan->device != 0 && r->index == plan->device;
}

/* Marks the hosts whose routes exist. */
static void find_routes(const struct plan_input *in, struct plan *plan)
{
    for (size_t i = 0; i < in->actual->n_routes; i++) {
        const struct actual_route *r = &in->actual->routes[i];
        const struct map_host *h = is_through_device(plan, r) ? host_of_route(in, r) : NULL;
        if (h && stays(h) && (r->gateway == h->bridge || h->contested))
            state_of(in, plan, h)->route = true;
    }
}

/* Adds the changes of routes that are wrong: to a network that no host has, or by another gateway. A route by
 * another gateway is replaced, once; further ones are removed. */
static void plan_wrong_routes(const struct plan_input *in, struct plan *plan, bool *replaced)
{
    char to[IPV4_TEXT];
    for (size_t i = 0; i < in->actual->n_routes; i++) {
        const struct actual_route *r = &in->actual->routes[i];
        if (!is_through_device(plan, r))
            continue;
        const struct map_host *h = host_of_route(in, r);
        if (h && stays(h) && (r->gateway == h->bridge || h->contested || state_of(in, plan, h)->problem))
            continue;
        if (!is_own_route(in->map, r)) {
            if (h && is_wanted(in, plan, h) && !state_of(in, plan, h)->route)
                refuse(in, plan, h, "another program has made another route to %s", range_text(r->to, to));
            continue;
        }
        if (h && is_wanted(in, plan, h) && !state_of(in, plan, h)->route && !replaced[h - in->map->hosts]) {
            struct actual_route *with = &changes_add(&plan->changes, CHANGE_REPLACE_ROUTE)->route;
            *with = (struct actual_route){.to = h->instance, .gateway = h->bridge};
            replaced[h - in->map->hosts] = true;
        } else
            changes_add(&plan->changes, CHANGE_DELETE_ROUTE)->route = *r;
    }
}

static void plan_routes(const struct plan_input *in, struct plan *plan)
{
    _cleanup_free_ bool *replaced = xcalloc(in->map->n_hosts + 1, sizeof *replaced);
    find_routes(in, plan);
    plan_wrong_routes(in, plan, replaced);
    for (size_t i = 0; i < in->map->n_hosts; i++) {
        const struct map_host *h = &in->map->hosts[i];
        if (is_wanted(in, plan, h) && !plan->hosts[i].route && !replaced[i])
            changes_add(&plan->changes, CHANGE_ADD_ROUTE)->route =
                (struct actual_route){.to = h->instance, .gateway = h->bridge};
    }
}

void plan_make(const struct plan_input *input, struct plan *ret)
{
    struct plan plan = {.n_hosts = input->map ? input->map->n_hosts : 0};
    plan.hosts = xcalloc(plan.n_hosts + 1, sizeof *plan.hosts);
    plan_device(input, &plan);
    /* Without a device, and without one that is about to be made, there is nothing to connect. */
    if (input->map && !input->map->unusable && (plan.device != 0 || plan.changes.n > 0)) {
        judge_networks(input, &plan);
        plan_entries(input, &plan);
        plan_routes(input, &plan);
    }
    if (plan.blocked)
        changes_done(&plan.changes);
    for (size_t i = 0; i < plan.n_hosts; i++)
        plan.n_present += plan.hosts[i].entry && plan.hosts[i].route;
    *ret = plan;
}

void plan_done(struct plan *plan)
{
    for (size_t i = 0; i < plan->n_hosts; i++)
        free(plan->hosts[i].problem);
    free(plan->hosts);
    changes_done(&plan->changes);
    strings_clear(&plan->problems);
    *plan = (struct plan){.n_hosts = 0};
}
