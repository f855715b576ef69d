/* Implements plan_device.h. */
#include "net-keeper/plan_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/basic/cleanup.h"

#define VXLAN_HEADERS 50  /* bytes: Ethernet, IPv4, UDP, VXLAN */
#define MTU_MIN       576 /* bytes: what every IPv4 host accepts */

static const char mark_of_any_tree[] = "hostlet ";

/* Returns why a device of the name is not one that net-keeper makes and may change; NULL: it is. The caller
 * frees the text. */
static char *foreign(const struct actual_link *link, const struct plan_input *in)
{
    char text[IPV4_TEXT];
    if (!link->vxlan)
        return xstrdup("it is no VXLAN device");
    if (link->external)
        return xstrdup("it takes the ids of packets from their routes (external)");
    if (link->id != VXLAN_ID)
        return xasprintf("it has the id %u, and not %d", link->id, VXLAN_ID);
    if (link->port != VXLAN_PORT)
        return xasprintf("it uses the UDP port %u, and not %d", link->port, VXLAN_PORT);
    if (link->remote)
        return xasprintf("it has the remote address %s", ipv4_text(link->remote, text));
    if (link->local && in->map && link->local != in->map->lan)
        return xasprintf("it has the local address %s", ipv4_text(link->local, text));
    if (after_prefix(link->alias, mark_of_any_tree) && !streq_null(link->alias, in->mark))
        return xasprintf("it belongs to another tree: its alias is '%.60s'", link->alias);
    return NULL;
}

static void block(struct plan *plan)
{
    plan->blocked = true;
}

/* Finds the device of the name. Returns NULL if there is none, or if it belongs to another program. */
static const struct actual_link *find_device(const struct plan_input *in, struct plan *plan)
{
    const struct actual_link *link = actual_link_named(in->actual, NET_DEVICE);
    if (link) {
        _cleanup_free_ char *why = foreign(link, in);
        if (!why) {
            plan->device = link->index;
            return link;
        }
        block(plan);
        if (in->map)
            strings_add(
                &plan->problems,
                "the device '%s' is left as it is, and the zone's network is not made: %s; to have it "
                "made, delete the device",
                NET_DEVICE, why);
        return NULL;
    }
    for (size_t i = 0; i < in->actual->n_links; i++) {
        const struct actual_link *other = &in->actual->links[i];
        if (!other->vxlan || other->external || other->id != VXLAN_ID || other->port != VXLAN_PORT)
            continue;
        if (!in->map) { /* the zone is left: what this tree has marked is removed under any name */
            if (!in->mark || !streq(other->alias, in->mark))
                continue;
            plan->device = other->index;
            return other;
        }
        block(plan);
        strings_add(&plan->problems,
                    "the zone's network is not made: the VXLAN device '%s' has the id %d and the port %d "
                    "already; rename it to '%s', or delete it",
                    other->name, VXLAN_ID, VXLAN_PORT, NET_DEVICE);
        break;
    }
    return NULL;
}

/* Chooses the device that has this machine's address in the zone. Of several the one that carries the network
 * already is the best, then one that is up, then the one with the lowest index. */
static const struct actual_link *find_lower(const struct plan_input *in, const struct actual_link *device,
                                            struct plan *plan)
{
    const struct actual_link *best = NULL, *second = NULL;
    unsigned best_rank = 0;
    char text[IPV4_TEXT];
    for (size_t i = 0; i < in->actual->n_addresses; i++) {
        const struct actual_address *a = &in->actual->addresses[i];
        const struct actual_link *link = actual_link_at(in->actual, a->index);
        if (a->address != in->map->lan || !link || link == best || link == second ||
            link->index == plan->device)
            continue;
        unsigned rank = (link->up ? 0 : 2) + (device && device->lower == link->index ? 0 : 1);
        if (!best || rank < best_rank || (rank == best_rank && link->index < best->index)) {
            second = best;
            best = link;
            best_rank = rank;
        } else
            second = link;
    }
    ipv4_text(in->map->lan, text);
    if (!best)
        strings_add(&plan->problems, "no device has this machine's address in the zone, %s", text);
    else if (second)
        strings_add(&plan->problems,
                    "the devices '%s' and '%s' have this machine's address in the zone, %s; '%s' is used",
                    best->name, second->name, text, best->name);
    return best;
}

static void choose_mtu(const struct plan_input *in, const struct actual_link *lower, struct plan *plan)
{
    uint32_t fits = lower->mtu > VXLAN_HEADERS ? lower->mtu - VXLAN_HEADERS : 0;
    if (fits > UINT16_MAX)
        fits = UINT16_MAX;
    if (fits < MTU_MIN) {
        strings_add(&plan->problems,
                    "the MTU of '%s', %u, is too small for the zone's network: %u are necessary", lower->name,
                    lower->mtu, MTU_MIN + VXLAN_HEADERS);
        return;
    }
    plan->mtu = in->configured_mtu > 0 && in->configured_mtu < fits ? in->configured_mtu : fits;
    if (in->configured_mtu > fits)
        strings_add(&plan->problems,
                    "[net-keeper] mtu = %u does not fit into the MTU of '%s', %u; %u is used",
                    in->configured_mtu, lower->name, lower->mtu, fits);
}

/* Judges the network of the bridge addresses against the addresses of the machine's other devices. */
static void judge_overlap(const struct plan_input *in, struct plan *plan)
{
    char net[IPV4_TEXT], text[IPV4_TEXT];
    for (size_t i = 0; i < in->actual->n_addresses; i++) {
        const struct actual_address *a = &in->actual->addresses[i];
        struct range connected = range_of(a->address, a->bits);
        if (a->index == plan->device || !ranges_overlap(connected, in->map->bridge_net))
            continue;
        const struct actual_link *link = actual_link_at(in->actual, a->index);
        block(plan);
        strings_add(
            &plan->problems,
            "the zone's network is not changed: the network of its bridge addresses %s overlaps %s, to "
            "which this machine is connected by '%s'",
            range_text(in->map->bridge_net, net), range_text(connected, text), link ? link->name : "?");
        return;
    }
}

static void plan_link(const struct plan_input *in, const struct actual_link *device,
                      const struct actual_link *lower, struct plan *plan)
{
    unsigned set = 0;
    if (!device) {
        if (lower && plan->mtu) {
            changes_add(&plan->changes, CHANGE_CREATE_DEVICE);
            memcpy(plan->ethernet, in->map->ethernet, ETHERNET_SIZE);
            if (in->mark)
                changes_add(&plan->changes, CHANGE_MARK_DEVICE);
        }
        return;
    }
    if (lower && device->lower != lower->index)
        set |= DEVICE_LOWER;
    if (plan->mtu && device->mtu != plan->mtu)
        set |= DEVICE_MTU;
    if (!device->up)
        set |= DEVICE_UP;
    if (device->learning)
        set |= DEVICE_LEARNING;
    /* The kernel accepts no MTU in a message that changes attributes of VXLAN. */
    const unsigned parts[] = {device->ipv6 ? DEVICE_NO_IPV6 : 0, set & (DEVICE_LOWER | DEVICE_LEARNING),
                              set & (DEVICE_MTU | DEVICE_UP)};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        if (parts[i])
            changes_add(&plan->changes, CHANGE_SET_DEVICE)->set = parts[i];
    if (in->mark && !*device->alias)
        changes_add(&plan->changes, CHANGE_MARK_DEVICE);
    plan->device_ok = set == 0 && lower && plan->mtu;
}

/* Reports whether an address of the device is one that net-keeper may remove. */
static bool is_own_address(const struct map *map, const struct actual_address *a)
{
    struct range host = {a->address, 32};
    if (a->protocol == NET_PROTOCOL)
        return true;
    return a->global && !a->point_to_point && a->bits == NET_PREFIX &&
           (map->vpc_bridge.bits > 0 ? range_contains(map->vpc_bridge, a->address) : range_is_private(host));
}

static void plan_address(const struct plan_input *in, struct plan *plan)
{
    bool found = false;
    for (size_t i = 0; i < in->actual->n_addresses; i++) {
        const struct actual_address *a = &in->actual->addresses[i];
        if (plan->device == 0 || a->index != plan->device)
            continue;
        if (a->address == in->map->bridge && a->bits == NET_PREFIX)
            found = true;
        else if (is_own_address(in->map, a))
            changes_add(&plan->changes, CHANGE_DELETE_ADDRESS)->address = *a;
    }
    if (found)
        return;
    plan->device_ok = false;
    changes_add(&plan->changes, CHANGE_ADD_ADDRESS)->address =
        (struct actual_address){.address = in->map->bridge, .bits = NET_PREFIX};
}

void plan_device(const struct plan_input *in, struct plan *plan)
{
    const struct actual_link *device = find_device(in, plan), *lower = NULL;
    if (!in->map) {
        if (device)
            changes_add(&plan->changes, CHANGE_DELETE_DEVICE);
        return;
    }
    if (in->map->unusable) {
        block(plan);
        return;
    }
    lower = find_lower(in, device, plan);
    if (lower) {
        plan->lower = lower->index;
        (void)snprintf(plan->lower_name, sizeof plan->lower_name, "%s", lower->name);
        choose_mtu(in, lower, plan);
    }
    judge_overlap(in, plan);
    if (plan->blocked)
        return;
    plan_link(in, device, lower, plan);
    if (plan->device || plan->changes.n > 0)
        plan_address(in, plan);
}
