/* Implements zone_network.h. */
#include "container-driver/zone_network.h"

#include <arpa/inet.h>
#include <errno.h>

#include "lib/api/net_keeper.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"

#define RANGE_TEXT (INET_ADDRSTRLEN + 3)

static uint32_t host_mask(unsigned bits)
{
    return bits == 0 ? UINT32_MAX : bits >= 32 ? 0 : UINT32_MAX >> bits;
}

/* Reports whether a range is within one of the private ranges of RFC 1918. */
static bool is_private(uint32_t first, unsigned bits)
{
    static const struct {
        uint32_t first;
        unsigned bits;
    } blocks[] = {{UINT32_C(10) << 24, 8},
                  {UINT32_C(172) << 24 | 16 << 16, 12},
                  {UINT32_C(192) << 24 | UINT32_C(168) << 16, 16}};
    for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
        if (bits >= blocks[i].bits && (first & ~host_mask(blocks[i].bits)) == blocks[i].first)
            return true;
    return false;
}

int zone_network_parse(const char *name, const char *cidr, uint32_t *ret_first, unsigned *ret_bits,
                       struct error *e)
{
    struct in_addr address;
    int64_t bits;
    const char *slash = strchr(cidr, '/');
    _cleanup_free_ char *base = slash ? xstrndup(cidr, (size_t)(slash - cidr)) : NULL;
    if (!base || inet_pton(AF_INET, base, &address) != 1 || parse_int64(slash + 1, 8, 30, &bits) < 0)
        return error_refuse(e, EINVAL, "%s: '%.40s' is not a network", name, cidr);
    uint32_t first = ntohl(address.s_addr);
    if (!is_private(first, (unsigned)bits) || (first & host_mask((unsigned)bits)) != 0)
        return error_refuse(e, EINVAL, "%s: '%s' is not a private network", name, cidr);
    *ret_first = first;
    *ret_bits = (unsigned)bits;
    return 0;
}

static const char *range_text(uint32_t first, unsigned bits, char text[RANGE_TEXT])
{
    struct in_addr address = {htonl(first & ~host_mask(bits))};
    inet_ntop(AF_INET, &address, text, INET_ADDRSTRLEN);
    size_t n = strlen(text);
    if (bits < 32)
        (void)snprintf(text + n, RANGE_TEXT - n, "/%u", bits);
    return text;
}

static bool holds(uint32_t first, unsigned bits, uint32_t address)
{
    return ((first ^ address) & ~host_mask(bits)) == 0;
}

/* Returns why a used range prevents the zone's network; NULL: it does not. */
static const char *in_the_way(const struct used_range *u, uint32_t first, unsigned bits)
{
    bool within = u->bits >= bits && holds(first, bits, u->first),
         around = u->bits <= bits && holds(u->first, u->bits, first);
    switch (u->use) {
    case USE_ADDRESS:
        return within || around ? "to which this machine is connected" : NULL;
    case USE_ROUTE:
        return within ? "to which this machine has a route" : NULL;
    case USE_GATEWAY:
        return within ? "the gateway of a route" : NULL;
    case USE_NAME_SERVER:
        return within ? "a name server of this machine" : NULL;
    }
    return NULL;
}

int zone_network_judge(const char *cidr, const struct used_range *ranges, size_t n, const char *own,
                       char **ret_warning, struct error *e)
{
    uint32_t first;
    unsigned bits;
    char text[RANGE_TEXT];
    const struct used_range *broader = NULL;
    int r = zone_network_parse("the zone's network", cidr, &first, &bits, e);
    for (size_t i = 0; r >= 0 && i < n; i++) {
        const struct used_range *u = &ranges[i];
        if (*u->device && (streq(u->device, own) || streq(u->device, NET_DEVICE)))
            continue;
        const char *why = in_the_way(u, first, bits);
        if (why)
            return error_refuse(
                e, EADDRINUSE,
                "the zone's network %s is not made: it would take the place of %s%s%s, %s; the "
                "zone has to give this machine another one",
                cidr, range_text(u->first, u->bits, text), *u->device ? " on " : "", u->device, why);
        if (u->use == USE_ROUTE && u->bits > 0 && u->bits < bits && holds(u->first, u->bits, first) &&
            (!broader || u->bits > broader->bits))
            broader = u;
    }
    if (broader)
        *ret_warning = xasprintf("the zone's network %s is within %s, to which this machine has a route%s%s: "
                                 "this machine no longer reaches that route's destinations in this range",
                                 cidr, range_text(broader->first, broader->bits, text),
                                 *broader->device ? " by " : "", broader->device);
    return r;
}

int zone_network_check(const char *name, const char *cidr, const char *own, struct error *e)
{
    _cleanup_free_ struct used_range *ranges = NULL;
    _cleanup_free_ char *warning = NULL;
    size_t n = 0;
    int r = used_ranges_read(&ranges, &n, e);
    if (r >= 0)
        r = zone_network_judge(cidr, ranges, n, own, &warning, e);
    if (r < 0)
        return error_prefix(e, "%s", name);
    if (warning)
        log_warning("%s: %s", name, warning);
    return 0;
}
