/* Implements nft_ranges.h. */
#include "net-keeper/nft_ranges.h"

#include <stdlib.h>

/* The ranges that are collected, and the addresses that none of them may contain. */
struct collection {
    struct range *ranges;
    uint32_t *peers;
    size_t n, n_peers;
};

static void add_peer(struct collection *c, const char *text)
{
    uint32_t address;
    if (ipv4_parse(text, &address))
        c->peers[c->n_peers++] = address;
}

static void add(struct collection *c, struct range range)
{
    bool good = range_is_private(range);
    for (size_t i = 0; i < c->n_peers && good; i++)
        good = !range_contains(range, c->peers[i]);
    if (good)
        c->ranges[c->n++] = range;
}

static void add_range(struct collection *c, const char *text)
{
    struct range range;
    if (range_parse(text, &range))
        add(c, range);
}

static void add_address(struct collection *c, const char *text)
{
    uint32_t address;
    if (ipv4_parse(text, &address))
        add(c, range_of(address, 32));
}

static int compare(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return (int)x->bits - (int)y->bits;
}

size_t nft_ranges_of(const struct net_network *network, struct range **ret)
{
    struct collection c = {.ranges = xcalloc(2 * network->n_hosts + 4, sizeof *c.ranges),
                           .peers = xcalloc(network->n_hosts + 1, sizeof *c.peers)};
    size_t kept = 0;
    add_peer(&c, network->lan_addr);
    for (size_t i = 0; i < network->n_hosts; i++)
        add_peer(&c, network->hosts[i]->peer);
    add_range(&c, network->vpc_instance_cidr);
    add_range(&c, network->vpc_bridge_cidr);
    add_range(&c, network->instance_cidr);
    add_address(&c, network->bridge_ip);
    for (size_t i = 0; i < network->n_hosts; i++) {
        add_range(&c, network->hosts[i]->instance);
        add_address(&c, network->hosts[i]->bridge);
    }
    if (c.n > 0)
        qsort(c.ranges, c.n, sizeof *c.ranges, compare);
    for (size_t i = 0; i < c.n; i++) /* a range within another comes after it */
        if (kept == 0 || !range_contains(c.ranges[kept - 1], c.ranges[i].first) ||
            c.ranges[kept - 1].bits > c.ranges[i].bits)
            c.ranges[kept++] = c.ranges[i];
    free(c.peers);
    *ret = c.ranges;
    return kept;
}
