/* A model of the kernel for the fuzz targets of net-keeper: it makes the changes of a plan in an actual
 * state, so that the next plan must have nothing to change. */
#pragma once

#include "fuzz.h"
#include "net-keeper/plan.h"

#define MODEL_DEVICE 1000000 /* the index of a device that is made */

static inline void model_remove(void *items, size_t *n, size_t size, size_t at)
{
    char *item = (char *)items + at * size;
    memmove(item, item + size, (--*n - at) * size);
}

static inline void *model_add(void *items, size_t *n, size_t size)
{
    char *grown = xrealloc(items, *n + 1, size);
    memset(grown + (*n)++ * size, 0, size);
    return grown;
}

static inline bool same_route(const struct actual_route *a, const struct actual_route *b)
{
    return a->to.first == b->to.first && a->to.bits == b->to.bits && a->gateway == b->gateway &&
           a->index == b->index && a->metric == b->metric && a->tos == b->tos && a->protocol == b->protocol;
}

static inline bool same_entry(const struct actual_entry *a, const struct actual_entry *b)
{
    return a->index == b->index && a->peer == b->peer && a->port == b->port && a->id == b->id &&
           a->via == b->via && memcmp(a->ethernet, b->ethernet, ETHERNET_SIZE) == 0;
}

static inline void model_link(struct actual *a, const struct plan *plan, const struct change *c)
{
    if (c->kind == CHANGE_CREATE_DEVICE) {
        a->links = model_add(a->links, &a->n_links, sizeof *a->links);
        a->links[a->n_links - 1] = (struct actual_link){.index = MODEL_DEVICE,
                                                        .up = true,
                                                        .mtu = plan->mtu,
                                                        .vxlan = true,
                                                        .id = VXLAN_ID,
                                                        .port = VXLAN_PORT};
        strcpy(a->links[a->n_links - 1].name, NET_DEVICE);
        a->links[a->n_links - 1].lower = plan->lower;
        return;
    }
    struct actual_link *link = (struct actual_link *)actual_link_named(a, NET_DEVICE);
    must(link);
    if (c->kind == CHANGE_MARK_DEVICE) {
        strcpy(link->alias, "hostlet 1");
        return;
    }
    must(c->set != 0);
    if (c->set & DEVICE_LOWER)
        link->lower = plan->lower;
    if (c->set & DEVICE_MTU)
        link->mtu = plan->mtu;
    if (c->set & DEVICE_UP)
        link->up = true;
    if (c->set & DEVICE_LEARNING)
        link->learning = false;
    if (c->set & DEVICE_NO_IPV6)
        link->ipv6 = false;
}

static inline void model_route(struct actual *a, int device, const struct change *c)
{
    for (size_t i = 0; c->kind != CHANGE_ADD_ROUTE && i < a->n_routes; i++) {
        struct actual_route *r = &a->routes[i];
        bool found =
            c->kind == CHANGE_REPLACE_ROUTE
                ? r->to.first == c->route.to.first && r->to.bits == c->route.to.bits && !r->tos && !r->metric
                : same_route(r, &c->route);
        if (found) {
            must(r->index == device); /* another device's route is never touched */
            model_remove(a->routes, &a->n_routes, sizeof *r, i);
            break;
        }
    }
    if (c->kind == CHANGE_DELETE_ROUTE)
        return;
    a->routes = model_add(a->routes, &a->n_routes, sizeof *a->routes);
    a->routes[a->n_routes - 1] = c->route;
    a->routes[a->n_routes - 1].index = device;
    a->routes[a->n_routes - 1].protocol = NET_PROTOCOL;
}

static inline void model_change(struct actual *a, const struct plan *plan, const struct change *c)
{
    int device = plan->device ? plan->device : MODEL_DEVICE;
    switch (c->kind) {
    case CHANGE_DELETE_ADDRESS:
        for (size_t i = 0; i < a->n_addresses; i++)
            if (a->addresses[i].index == c->address.index && a->addresses[i].address == c->address.address &&
                a->addresses[i].bits == c->address.bits) {
                must(c->address.index == device);
                model_remove(a->addresses, &a->n_addresses, sizeof *a->addresses, i--);
            }
        return;
    case CHANGE_ADD_ADDRESS:
        a->addresses = model_add(a->addresses, &a->n_addresses, sizeof *a->addresses);
        a->addresses[a->n_addresses - 1] = c->address;
        a->addresses[a->n_addresses - 1].index = device;
        return;
    case CHANGE_REPLACE_ENTRY:
        for (size_t i = 0; i < a->n_entries; i++)
            if (a->entries[i].index == device &&
                memcmp(a->entries[i].ethernet, c->entry.ethernet, ETHERNET_SIZE) == 0)
                model_remove(a->entries, &a->n_entries, sizeof *a->entries, i--);
        /* fall through */
    case CHANGE_ADD_ENTRY:
        a->entries = model_add(a->entries, &a->n_entries, sizeof *a->entries);
        a->entries[a->n_entries - 1] = c->entry;
        a->entries[a->n_entries - 1].index = device;
        return;
    case CHANGE_DELETE_ENTRY:
        for (size_t i = 0; i < a->n_entries; i++)
            if (same_entry(&a->entries[i], &c->entry)) {
                must(c->entry.index == device && (actual_floods(&c->entry) || c->entry.marked));
                model_remove(a->entries, &a->n_entries, sizeof *a->entries, i--);
            }
        return;
    case CHANGE_ADD_ROUTE:
    case CHANGE_REPLACE_ROUTE:
    case CHANGE_DELETE_ROUTE:
        model_route(a, device, c);
        return;
    default:
        model_link(a, plan, c);
    }
}

/* Plans, makes the changes, and plans again: after a few rounds nothing is left to change. */
static inline void model_settles(const struct map *map, struct actual *a)
{
    size_t changes = 1;
    for (unsigned round = 0; round < 4 && changes > 0; round++) {
        struct plan plan;
        const struct plan_input input = {map, a, "hostlet 1", 0};
        plan_make(&input, &plan);
        must(!plan.blocked || plan.changes.n == 0);
        must(plan.problems.n <= STRINGS_MAX && plan.n_present <= plan.n_hosts);
        changes = plan.changes.n;
        for (size_t i = 0; i < changes; i++)
            model_change(a, &plan, &plan.changes.items[i]);
        plan_done(&plan);
    }
    must(changes == 0);
}
