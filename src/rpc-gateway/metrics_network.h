/* Makes the metrics of the zone's network. */
#pragma once

#include "lib/api/net_keeper.h"
#include "rpc-gateway/openmetrics.h"

/* Adds what net-keeper says of the network and of the zone's other machines. */
void metrics_network(struct openmetrics *m, const struct net_info_out *network,
                     struct net_host_state *const *hosts, size_t n);
