/* Reads the map of a zone's network from a leader's answer. What is wrong in a part of it leaves out that
 * part alone. net-keeper judges what remains against this machine. */
#pragma once

#include "lib/api/net_keeper.h"
#include "lib/basic/error.h"
#include "rpc-gateway/problems.h"

struct zone_map {
    struct net_network network; /* without the members about this machine */
    struct problems problems;   /* the parts that were left out, and why */
};

/* Returns the number of a map, which grows with each change; 0: it has none. The bytes need not be valid. */
uint64_t zone_map_revision(const uint8_t *data, size_t size);

/* Reads the bytes of a ZoneNetworkMap. Hosts and records are sorted by address. A host with a network that
 * contains one of the zone hosts ("ADDRESS:PORT") is left out, since this machine would no longer reach its
 * leader. Returns 0, or a negative errno (refused) if the message is malformed, contains text that is not
 * UTF-8, or has too many entries. The caller releases '*ret' with zone_map_done(). */
int zone_map_read(const uint8_t *data, size_t size, char *const *zone_hosts, size_t n_zone_hosts,
                  struct zone_map *ret, struct error *e);
void zone_map_done(struct zone_map *map);
