/* Builds the nftables table of the zone's network, and compares it with what the kernel has, as JSON of
 * libnftables(5). Pure: it makes no call.
 *
 * The table is of the family ip. Its chain "to_outside" masquerades what the containers of this machine send
 * to addresses outside of the zone's network: the zone's machines then see a container's own address, and
 * others see the machine's. Its chains "sent" and "received" count the packets of the VXLAN device for each
 * other machine. A counter has the name of the machine's id, so that it survives a change of its address. */
#pragma once

#include <jansson.h>

#include "lib/api/net_keeper.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/error.h"

#define NFT_TABLE "hostlet_vpc"

/* What was counted for one other machine: IP packets of the VXLAN device, with their outer headers. */
struct traffic_item {
    char *id; /* of the machine */
    int64_t sent_bytes, sent_packets, received_bytes, received_packets;
};
/* Initialise it with zeros, and release it with traffic_done(). */
struct traffic {
    struct traffic_item *items;
    size_t n;
};
void traffic_done(struct traffic *t);
/* Returns the item of a machine, or NULL. The traffic keeps it. */
const struct traffic_item *traffic_find(const struct traffic *t, const char *id);

/* Builds the table's objects as an array; its counters begin with what 'known' contains. The caller releases
 * *ret. A range that is not private is left out, as is a peer whose id or address is not well-formed, or is
 * that of an earlier one. Returns 0, or −EINVAL (refused) if the network of this machine's containers is no
 * private network. */
int nft_table_build(const struct net_network *network, const struct traffic *known, json_t **ret,
                    struct error *e);
/* Return a document that replaces the table, in one transaction, by these objects, or that removes the table,
 * also if there is none. The caller frees it. */
char *nft_table_replacement(const json_t *objects);
char *nft_table_removal(void);
/* Returns a document that lists the table. The caller frees it. */
char *nft_table_list(void);

/* Returns the canonical text of a table: of built objects, or of a listing. Handles, the order of objects and
 * what the counters have counted are left out. The caller frees it. */
char *nft_table_canonical(const json_t *objects);
/* Adds what the counters of a listing have counted to *t, in place of what it contains for a machine. */
void nft_table_read_traffic(const json_t *listing, struct traffic *t);

DEFINE_CLEANUP(json_t *, json_decref);
#define _cleanup_json_ _cleanup_(cleanup_json_decref)
