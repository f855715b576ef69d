/* The addresses of those who connect: one form for IPv4 and IPv6, networks that may do something, and how
 * often one address may come. Pure. */
#pragma once

#include <netinet/in.h>

#include "lib/basic/error.h"

/* IPv4 stands in it as IPv4-mapped IPv6. */
struct peer {
    struct in6_addr address;
};

/* An address that is neither is all zero. */
void peer_from_socket(const struct sockaddr *address, struct peer *ret);

/* Networks of a configuration: "127.0.0.0/8 10.0.0.5 fd00::/8". */
struct peer_networks {
    struct {
        struct in6_addr address;
        unsigned bits;
    } * items;
    size_t n;
};
int peer_networks_parse(const char *text, struct peer_networks *ret, struct error *e);
void peer_networks_done(struct peer_networks *networks);
bool peer_is_in(const struct peer *peer, const struct peer_networks *networks);

/* Whom an address counts for wherever something is counted: an IPv4 address for itself, an IPv6 address for
 * its /64, since whoever has one has 2^64 addresses. The wider origin is the /48 that a site has, of IPv4 the
 * address again. The two never compare equal for IPv6. */
struct peer peer_origin(const struct peer *peer);
struct peer peer_wider_origin(const struct peer *peer);
bool peer_equal(const struct peer *a, const struct peer *b);

/* How often one origin may come, or how much it may cost: 'burst' at once, and then 'per_second'. A wider
 * origin has sixteen times as much. The table has a fixed size; an origin that is not in it has not come
 * lately. */
#define PEER_RATE_SLOTS 1024
#define PEER_RATE_WIDER 16
struct peer_rate {
    double per_second, burst;
    uint64_t seed; /* so that nobody can choose who shares a place with whom */
    struct peer_rate_slot {
        struct peer origin;
        uint64_t usec; /* when 'tokens' was right; 0: free */
        double tokens;
    } slots[PEER_RATE_SLOTS];
};
void peer_rate_init(struct peer_rate *rate, double per_second, double burst);
/* Whether 'peer' may come now (monotonic microseconds), which then counts. */
bool peer_rate_take(struct peer_rate *rate, const struct peer *peer, uint64_t usec);
/* The same for what costs more than one coming. What is refused costs nothing. */
bool peer_rate_spend(struct peer_rate *rate, const struct peer *peer, double cost, uint64_t usec);
