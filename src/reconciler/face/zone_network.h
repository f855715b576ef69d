/* Passes the zone's network of PutZoneState to net-keeper, which stores it; the reconciler keeps no copy. One
 * network is passed at a time, in the order of the calls. */
#pragma once

#include "lib/varlink/server.h"
#include "reconciler/model/instance.h"

/* Starts to pass the network of 'wanted', or that there is none. On success takes ownership of the members of
 * '*out', and replies with them when net-keeper has stored it, or with net-keeper's error. Returns −EBUSY
 * (retry) while another one is being passed. */
int zone_network_pass(struct manager *m, struct varlink_call *call, const struct reconciler_zone_in *wanted,
                      struct reconciler_zone_out *out, struct error *e);
/* Ends without a reply. */
void zone_network_stop(struct manager *m);
