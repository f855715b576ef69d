/* Whether the zone's network may be made on this machine. Whatever lies in its range goes to Docker's bridge
 * from then on: addresses of the LAN, the gateway, another Docker network. So a range that something else has
 * is refused before anything is made. */
#pragma once

#include "container-driver/used_ranges.h"

/* "10.10.3.0/24" of private addresses alone, as a network is written. Refused, with 'name' before the reason:
 * anything else. */
int zone_network_parse(const char *name, const char *cidr, uint32_t *ret_first, unsigned *ret_bits,
                       struct error *e);

/* Refused where a range of this machine is in the way: one that a device is connected to or that holds such a
 * one, a route at least as specific, a next hop or a name server within. What is on device 'own' (the
 * network's bridge of before; may be "") or on the VXLAN device of the agent before us is ours. A route that
 * is broader fills '*ret_warning', which the caller frees: what it leads to is not reached any more. */
int zone_network_judge(const char *cidr, const struct used_range *ranges, size_t n, const char *own,
                       char **ret_warning, struct error *e);

/* The three in one; what is broader is logged. */
int zone_network_check(const char *name, const char *cidr, const char *own, struct error *e);
