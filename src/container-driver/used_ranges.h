/* The ranges of IPv4 addresses that the machine uses. */
#pragma once

#include <net/if.h>

#include "lib/basic/error.h"

/* What the machine uses of the IPv4 addresses. */
enum address_use {
    USE_ADDRESS, /* an address of a device, with the network that it connects; also ranges that are local by a
                    route */
    USE_ROUTE,   /* of any table, except default routes */
    USE_GATEWAY, /* the next hop of a route */
    USE_NAME_SERVER, /* of resolv.conf */
};

struct used_range {
    enum address_use use;
    uint32_t first; /* host byte order */
    unsigned bits;
    char device[IF_NAMESIZE]; /* ""; none */
};

/* What this machine uses now, by netlink: all addresses and the routes of all tables, those of VRFs and
 * policies included. Not looked at: IPv6, which the zone's network has none of; rules; tunnels' far ends. The
 * caller frees. */
int used_ranges_read(struct used_range **ret, size_t *ret_n, struct error *e);
