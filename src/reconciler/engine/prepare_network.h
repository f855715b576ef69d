/* Prepares the zone's network for a revision whose containers have addresses in it: whether it can have its
 * range, and with which options it is made if it does not exist. */
#pragma once

#include "reconciler/model/instance.h"

/* Returns the zone's network if a replica of the revision has an address in it; NULL: none has. */
const char *prepare_network_wanted(const struct prepare *p);

/* Asks container-driver about the network 'cidr' and, if it does not exist, net-keeper for its options. The
 * answers become part of 'p', and the preparation continues. */
void prepare_network(struct prepare *p, const char *cidr);
