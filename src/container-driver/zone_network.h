/* Judges whether the zone's network can be made on this machine. Once the network exists, the kernel sends
 * all packets for its range to Docker's bridge, also those for addresses of the LAN, a gateway or another
 * Docker network. Therefore a range that is in use is refused before the network is made. */
#pragma once

#include "container-driver/used_ranges.h"

/* Parses a network of private addresses in the form "10.10.3.0/24", with a prefix of 8 to 30 bits. Returns 0,
 * or −EINVAL (refused); the message begins with 'name'. */
int zone_network_parse(const char *name, const char *cidr, uint32_t *ret_first, unsigned *ret_bits,
                       struct error *e);

/* Judges a network against the ranges in use. Returns 0, −EINVAL (refused) when 'cidr' is not a network, or
 * −EADDRINUSE (refused) when a range prevents the network: one of a device that overlaps with it, or a route,
 * a next hop or a name server within it. Ranges on the device 'own' (the network's existing bridge; may be
 * "") and on the original agent's VXLAN device are ignored. When the network is within the range of a broader
 * route, *ret_warning names the route, because the machine then no longer reaches that route's destinations
 * in the network's range; the caller frees it. */
int zone_network_judge(const char *cidr, const struct used_range *ranges, size_t n, const char *own,
                       char **ret_warning, struct error *e);

/* Reads the ranges in use, judges the network against them and logs the warning. 'name' begins the messages.
 * Returns the result of used_ranges_read() or zone_network_judge(). */
int zone_network_check(const char *name, const char *cidr, const char *own, struct error *e);
