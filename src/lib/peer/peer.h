/* Handles the addresses of peers: one form for IPv4 and IPv6, networks with a permission, and the rate of
 * each origin. Pure functions. */
#pragma once

#include <netinet/in.h>

#include "lib/basic/error.h"

/* An IPv4 address is stored as IPv4-mapped IPv6. */
struct peer {
    struct in6_addr address;
};

/* Converts a socket address. One that is neither IPv4 nor IPv6 becomes all zeros. */
void peer_from_socket(const struct sockaddr *address, struct peer *ret);

/* Networks from hostlet.conf: "127.0.0.0/8 10.0.0.5 fd00::/8". */
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

/* Returns the origin that an address is counted for: an IPv4 address itself, the /64 of an IPv6 address,
 * since a peer with a /64 has 2^64 addresses. The wider origin is the /48 that a site has; for IPv4 it is
 * the address again. For IPv6 the two never compare equal. */
struct peer peer_origin(const struct peer *peer);
struct peer peer_wider_origin(const struct peer *peer);
bool peer_equal(const struct peer *a, const struct peer *b);

/* Limits the rate of each origin: at most 'burst' at once, and 'per_second' in the long run. A wider
 * origin has sixteen times as much. The table has a fixed size; an origin without a slot starts with a
 * full burst. */
#define PEER_RATE_SLOTS 1024
#define PEER_RATE_WIDER 16
struct peer_rate {
    double per_second, burst;
    /* Prevents a peer from choosing which origins share slots. */
    uint64_t seed;
    struct peer_rate_slot {
        struct peer origin;
        uint64_t usec; /* when 'tokens' was computed (monotonic microseconds); 0: free */
        double tokens;
    } slots[PEER_RATE_SLOTS];
};
void peer_rate_init(struct peer_rate *rate, double per_second, double burst);
/* Reports whether 'peer' is admitted at 'usec' (monotonic microseconds). An admission costs one token. */
bool peer_rate_take(struct peer_rate *rate, const struct peer *peer, uint64_t usec);
/* Reports whether 'peer' would be admitted, without regard to the wider origin, and takes nothing. */
bool peer_rate_allows(struct peer_rate *rate, const struct peer *peer, uint64_t usec);
/* Reports the same for a request that costs 'cost' tokens. A refused request costs nothing. */
bool peer_rate_spend(struct peer_rate *rate, const struct peer *peer, double cost, uint64_t usec);
