/* Implements nft_ranges.h. */
#include "net-keeper/nft_ranges.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"

static uint32_t mask(unsigned bits)
{
    return bits == 0 ? 0 : UINT32_MAX << (32 - bits);
}

static bool holds(const struct nft_range *range, const struct nft_range *other)
{
    return range->bits <= other->bits && ((range->first ^ other->first) & mask(range->bits)) == 0;
}

static bool is_private(const struct nft_range *range)
{
    static const struct nft_range blocks[] = {{UINT32_C(10) << 24, 8},
                                              {UINT32_C(172) << 24 | 16 << 16, 12},
                                              {UINT32_C(192) << 24 | UINT32_C(168) << 16, 16}};
    for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
        if (holds(&blocks[i], range))
            return true;
    return false;
}

int nft_range_parse(const char *text, struct nft_range *ret)
{
    struct in_addr address;
    int64_t bits;
    const char *slash = text ? strchr(text, '/') : NULL;
    _cleanup_free_ char *base = slash ? xstrndup(text, (size_t)(slash - text)) : NULL;
    if (!base || inet_pton(AF_INET, base, &address) != 1 || parse_int64(slash + 1, 0, 32, &bits) < 0)
        return -EINVAL;
    struct nft_range range = {ntohl(address.s_addr), (unsigned)bits};
    if ((range.first & ~mask(range.bits)) != 0 || !is_private(&range))
        return -EINVAL;
    *ret = range;
    return 0;
}

static void add(struct nft_range **ranges, size_t *n, const char *text)
{
    struct nft_range range;
    if (nft_range_parse(text, &range) < 0)
        return;
    *ranges = xrealloc(*ranges, *n + 1, sizeof **ranges);
    (*ranges)[(*n)++] = range;
}

static void add_address(struct nft_range **ranges, size_t *n, const char *address)
{
    _cleanup_free_ char *text = address ? xasprintf("%s/32", address) : NULL;
    add(ranges, n, text);
}

static int compare(const void *a, const void *b)
{
    const struct nft_range *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return (int)x->bits - (int)y->bits;
}

size_t nft_ranges_of(const struct net_network *network, struct nft_range **ret)
{
    struct nft_range *ranges = NULL;
    size_t n = 0, kept = 0;
    add(&ranges, &n, network->vpc_instance_cidr);
    add(&ranges, &n, network->vpc_bridge_cidr);
    add(&ranges, &n, network->instance_cidr);
    add_address(&ranges, &n, network->bridge_ip);
    for (size_t i = 0; i < network->n_hosts; i++) {
        add(&ranges, &n, network->hosts[i]->instance);
        add_address(&ranges, &n, network->hosts[i]->bridge);
    }
    if (n > 0)
        qsort(ranges, n, sizeof *ranges, compare);
    for (size_t i = 0; i < n; i++) /* a range within another comes after it */
        if (kept == 0 || !holds(&ranges[kept - 1], &ranges[i]))
            ranges[kept++] = ranges[i];
    *ret = ranges;
    return kept;
}
