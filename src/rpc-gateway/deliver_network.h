/* Delivers the zone's network to the reconciler, which passes it to net-keeper: the leader's last map with
 * this machine's own addresses, or that there is none, while the machine belongs to no zone. The latter is
 * delivered at each start, too, so that a leave that was interrupted is completed.
 *
 * Deliveries of instances do not wait for this one. Of the map only the leader's bytes are kept. */
#pragma once

#include "rpc-gateway/calls.h"
#include "rpc-gateway/membership.h"
#include "rpc-gateway/problems.h"

struct deliver_network;

/* 'membership' is borrowed. */
struct deliver_network *deliver_network_new(const struct caller *caller, const struct membership *membership);
void deliver_network_free(struct deliver_network *d); /* NULL does nothing */

/* Stores the bytes of a newer map, which are copied. *ret_domain, which the caller frees, is the domain that
 * it states; NULL: none. Returns 0, or a negative errno (refused) if the map cannot be read; the one before
 * remains. */
int deliver_network_map(struct deliver_network *d, const uint8_t *data, size_t size, char **ret_domain,
                        struct error *e);
/* Delivers the network if it differs from what was delivered: called after deliver_network_map(), and when
 * the membership or the machine's address (NULL: none) may have changed. */
void deliver_network_look(struct deliver_network *d, const char *lan_addr);
/* Called when the reconciler has restarted: what could not be delivered is delivered again. */
void deliver_network_forget(struct deliver_network *d);

/* Delivers at once, and calls 'on_end' when the delivery of the present state has ended: with what net-keeper
 * could not do, or with the reason for which the delivery failed; an empty list if the machine is as it
 * should be. One caller waits at a time. NULL as 'on_end' ends the waiting. */
typedef void (*deliver_network_end_fn)(const struct problems *left, void *userdata);
void deliver_network_wait(struct deliver_network *d, deliver_network_end_fn on_end, void *userdata);

/* Adds the parts of the map that were left out, and why the network is not delivered. */
void deliver_network_problems(const struct deliver_network *d, struct problems *to);
