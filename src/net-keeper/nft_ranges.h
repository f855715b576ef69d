/* Determines which addresses are inside of the zone's network, as ranges that do not overlap. */
#pragma once

#include "lib/api/net_keeper.h"

struct nft_range {
    uint32_t first; /* in the machine's byte order */
    unsigned bits;  /* length of the prefix */
};

/* Parses "10.10.4.0/24". Returns 0, or −EINVAL if it is no network of private addresses (RFC 1918). */
int nft_range_parse(const char *text, struct nft_range *ret);

/* Returns the number of ranges, sorted, none of them within another: those of the zone, of all machines, and
 * of this machine. The caller frees *ret. Ranges that are not private are left out: containers must not lose
 * the addresses of the world because a zone claims them. */
size_t nft_ranges_of(const struct net_network *network, struct nft_range **ret);
