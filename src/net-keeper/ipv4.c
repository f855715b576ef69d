/* Implements ipv4.h. */
#include "net-keeper/ipv4.h"

#include <arpa/inet.h>
#include <stdio.h>

static uint32_t mask(unsigned bits)
{
    return bits == 0 ? 0 : UINT32_MAX << (32 - bits);
}

const char *ipv4_text(uint32_t address, char text[IPV4_TEXT])
{
    struct in_addr in = {htonl(address)};
    inet_ntop(AF_INET, &in, text, IPV4_TEXT);
    return text;
}

const char *range_text(struct range range, char text[IPV4_TEXT])
{
    ipv4_text(range.first, text);
    size_t n = strlen(text);
    (void)snprintf(text + n, IPV4_TEXT - n, "/%u", range.bits);
    return text;
}

bool ipv4_parse(const char *text, uint32_t *ret)
{
    struct in_addr in;
    if (!text || inet_pton(AF_INET, text, &in) != 1)
        return false;
    *ret = ntohl(in.s_addr);
    return true;
}

bool range_parse(const char *text, struct range *ret)
{
    char address[IPV4_TEXT];
    uint32_t first;
    int64_t bits;
    const char *slash = text ? strchr(text, '/') : NULL;
    if (!slash || (size_t)(slash - text) >= sizeof address)
        return false;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    if (!ipv4_parse(address, &first) || parse_int64(slash + 1, 1, 32, &bits) < 0 ||
        (first & ~mask((unsigned)bits)) != 0)
        return false;
    *ret = (struct range){first, (unsigned)bits};
    return true;
}

struct range range_of(uint32_t address, unsigned bits)
{
    return (struct range){address & mask(bits), bits};
}

bool range_contains(struct range range, uint32_t address)
{
    return range.bits > 0 && (address & mask(range.bits)) == range.first;
}

bool ranges_overlap(struct range a, struct range b)
{
    return a.bits <= b.bits ? range_contains(a, b.first) : range_contains(b, a.first);
}

bool range_is_private(struct range range)
{
    static const struct range private_ranges[] = {
        {UINT32_C(10) << 24, 8}, {UINT32_C(172) << 24 | 16 << 16, 12}, {UINT32_C(192) << 24 | 168 << 16, 16}};
    for (size_t i = 0; i < ARRAY_SIZE(private_ranges); i++)
        if (range.bits >= private_ranges[i].bits && range_contains(private_ranges[i], range.first))
            return true;
    return false;
}
