/* IPv4 addresses and networks as numbers in the machine's byte order. Pure functions. */
#pragma once

#include "lib/basic/util.h"

struct range {
    uint32_t first;
    unsigned bits; /* the prefix length; 0: no range */
};

/* The size of an Ethernet address in bytes. */
#define ETHERNET_SIZE 6

#define IPV4_TEXT 20 /* bytes of "255.255.255.255/32" and the final NUL */

/* Return a text in 'text', which they return. */
const char *ipv4_text(uint32_t address, char text[IPV4_TEXT]);
const char *range_text(struct range range, char text[IPV4_TEXT]);

/* Parse "10.1.2.3", and "10.1.2.0/24" with a prefix length from 1 to 32 and no bit set beyond it. Return
 * false for anything else, and for NULL. */
bool ipv4_parse(const char *text, uint32_t *ret);
bool range_parse(const char *text, struct range *ret);

/* Returns the network of a prefix length that contains the address. */
struct range range_of(uint32_t address, unsigned bits);
bool range_contains(struct range range, uint32_t address);
bool ranges_overlap(struct range a, struct range b);
/* Reports whether a range is within one of the private ranges of RFC 1918. */
bool range_is_private(struct range range);
