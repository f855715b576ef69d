/* Checks what states a membership in a zone: id and key of the host, the zone's hosts, and the values of its
 * network. Each of them comes from another machine or another program, and becomes a part of files. */
#pragma once

#include "lib/basic/error.h"

/* Report whether a text has the form of an IPv4 address, of one with a prefix ("10.10.3.0/24"), or of a
 * domain's name. */
bool zone_is_address(const char *text);
bool zone_is_network(const char *text);
bool zone_is_domain(const char *text);

/* Each returns 0, or −EINVAL or −E2BIG (refused) with the value that is wrong; no message contains a secret.
 */

/* Checks "ADDRESS:PORT" or "ADDRESS", each of which becomes a line of a file and an address to connect to. */
int zone_check_hosts(char *const *hosts, size_t n, struct error *e);
/* Checks a host's id, and its access key "ak_ID_SECRET", whose id must be the host's. */
int zone_check_identity(const char *host_id, const char *access_key, struct error *e);
/* Checks the network's values; NULL and "" mean that a value is not known. */
int zone_check_network(const char *bridge_ip, const char *instance_cidr, const char *domain, struct error *e);
