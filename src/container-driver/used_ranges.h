/* Reads the ranges of IPv4 addresses that the machine uses. */
#pragma once

#include <net/if.h>

#include "lib/basic/error.h"

/* How the machine uses a range. */
enum address_use {
    /* The range is a device's address with its network, or is local by a route. */
    USE_ADDRESS,
    USE_ROUTE,       /* the destination of a route in any table, except default routes */
    USE_GATEWAY,     /* the next hop of a route */
    USE_NAME_SERVER, /* a name server in resolv.conf */
};

struct used_range {
    enum address_use use;
    uint32_t first; /* host byte order */
    unsigned bits;
    char device[IF_NAMESIZE]; /* "": none */
};

/* Reads, by netlink, all addresses and the routes of all tables, including those of VRFs and policies, and
 * the name servers in resolv.conf. It does not read IPv6, which the zone's network does not use, nor rules,
 * nor the remote ends of tunnels. The caller frees *ret. Returns 0 or a negative errno. */
int used_ranges_read(struct used_range **ret, size_t *ret_n, struct error *e);
