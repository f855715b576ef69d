/* Asks another machine for a sign of life at its bridge address, so that the request takes the way of the
 * containers' packets: by an ICMP echo request where the kernel permits it to this process's group
 * (net.ipv4.ping_group_range), else by a TCP connection to the peer port, which a refusal answers, too. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/varlink/server.h"

struct pings;

/* Makes the state of all requests in progress. 'port' is the peer port of the zone's machines. */
struct pings *pings_new(sd_event *event, unsigned port);
void pings_free(struct pings *pings); /* may be NULL */

/* Begins a request and keeps the call, which gets its reply within some seconds. 'host' is for messages,
 * 'address' is in the machine's byte order. Returns 0, or a negative errno: for too many requests at a time
 * (retry). */
int ping_begin(struct pings *pings, struct varlink_call *call, const char *host, uint32_t address,
               struct error *e);
