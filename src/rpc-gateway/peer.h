/* The addresses of those who connect: one form for IPv4 and IPv6, networks that may do something, and how often one address may
 * come. Pure. */
#pragma once

#include <netinet/in.h>

#include "lib/basic/error.h"

/* IPv4 stands in it as IPv4-mapped IPv6. */
struct peer {
    struct in6_addr address;
};

/* An address that is neither is all zero. */
void peer_from_socket(const struct sockaddr *address, struct peer *ret);
/* INET6_ADDRSTRLEN bytes; IPv4 as such. */
void peer_to_text(const struct peer *peer, char *ret);

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

/* How often one address may come: 'burst' at once, and then 'per_second'. All addresses of one IPv6 /64 are one. The table has a
 * fixed size; an address that is not in it has not come lately. */
#define PEER_RATE_SLOTS 1024
struct peer_rate {
    double per_second, burst;
    uint64_t seed; /* so that nobody can choose who shares a place with whom */
    struct {
        struct peer peer;
        uint64_t usec; /* when 'tokens' was right; 0: free */
        double tokens;
    } slots[PEER_RATE_SLOTS];
};
void peer_rate_init(struct peer_rate *rate, double per_second, double burst);
/* Whether 'peer' may come now (monotonic microseconds), which then counts. */
bool peer_rate_take(struct peer_rate *rate, const struct peer *peer, uint64_t usec);
