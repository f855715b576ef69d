/* Reads and prints the parts of hostletctl status about the zone: the membership, and the network between its
 * machines. A machine whose zone is not enabled has neither. */
#pragma once

#include "ctl/services.h"
#include "lib/api/net_keeper.h"
#include "lib/api/rpc_gateway.h"

struct status_zone {
    bool enabled; /* false: the rest is empty */
    struct gateway_zone_out zone;
    struct net_info_out network;
    /* The reasons why parts could not be read; errnum 0: the part was read. */
    struct error zone_error, network_error;
};

/* 'timeout_usec' applies to each of two calls. */
void status_zone_read(const struct ctl *ctl, const struct service_list *services, uint64_t timeout_usec,
                      struct status_zone *ret);
void status_zone_print(const struct status_zone *s);
/* Return the part, or NULL if the zone is not enabled. */
json_t *status_zone_pack(const struct status_zone *s);
json_t *status_zone_pack_network(const struct status_zone *s);
void status_zone_done(struct status_zone *s);
