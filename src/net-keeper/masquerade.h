/* Keeps the nftables table of the zone's network in the kernel: it is made, and made again when another
 * program changes or deletes it, such as a firewall that flushes all rules. */
#pragma once

#include "net-keeper/nft_table.h"

#include <systemd/sd-event.h>

struct masquerade;

/* Makes the object; nothing is changed yet. 'event' is borrowed. 'done' is called after an attempt of the
 * object's own, by a timer or a notification. */
struct masquerade *masquerade_new(sd_event *event, void (*done)(void *userdata), void *userdata);
void masquerade_free(struct masquerade *m); /* 'm' may be NULL */

/* Makes the table of a network, or removes it for NULL. 'network' is borrowed until the next call. What
 * cannot be made is a problem, which is retried. Returns whether the kernel's table was changed. */
bool masquerade_set(struct masquerade *m, const struct net_network *network);

/* Reports whether the table is as the network requires. If it is not, *ret_problem (may be NULL) is the
 * reason; NULL: there is no network. */
bool masquerade_stands(const struct masquerade *m, const char **ret_problem);
/* Returns how often a table that another program had changed was made again. */
int64_t masquerade_repairs(const struct masquerade *m);
/* Reads what was counted for the other machines. The result belongs to 'm'. */
const struct traffic *masquerade_traffic(struct masquerade *m);
