/* Determines which addresses are inside of the zone's network, as ranges that do not overlap. */
#pragma once

#include "lib/api/net_keeper.h"
#include "net-keeper/ipv4.h"

/* Returns the number of ranges, sorted, none of them within another: those of the zone, of all machines, and
 * of this machine. The caller frees *ret. A range that is not private (RFC 1918), or that contains an address
 * by which the machines reach each other, is left out: containers must not lose the addresses of the world,
 * or of the LAN, because a zone claims them. */
size_t nft_ranges_of(const struct net_network *network, struct range **ret);
