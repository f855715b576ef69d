/* Implements peer.h. */
#include "lib/peer/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"

#define WAYS 8 /* slots that an address may occupy in the table of rates */

static void map_ipv4(const struct in_addr *four, struct in6_addr *ret)
{
    *ret = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&ret->s6_addr[12], four, sizeof *four);
}

void peer_from_socket(const struct sockaddr *address, struct peer *ret)
{
    *ret = (struct peer){.address = IN6ADDR_ANY_INIT};
    if (address->sa_family == AF_INET)
        map_ipv4(&((const struct sockaddr_in *)address)->sin_addr, &ret->address);
    else if (address->sa_family == AF_INET6)
        ret->address = ((const struct sockaddr_in6 *)address)->sin6_addr;
}

static int parse_network(const char *word, struct in6_addr *address, unsigned *bits)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr four;
    const char *slash = strchr(word, '/');
    size_t n = slash ? (size_t)(slash - word) : strlen(word);
    if (n >= sizeof text)
        return -EINVAL;
    (void)snprintf(text, sizeof text, "%.*s", (int)n, word);
    bool is_four = inet_pton(AF_INET, text, &four) == 1;
    if (is_four)
        map_ipv4(&four, address);
    else if (inet_pton(AF_INET6, text, address) != 1)
        return -EINVAL;
    int64_t width = is_four ? 32 : 128;
    if (slash && parse_int64(slash + 1, 0, width, &width) < 0)
        return -EINVAL;
    *bits = (unsigned)width + (is_four ? 96 : 0);
    return 0;
}

int peer_networks_parse(const char *text, struct peer_networks *ret, struct error *e)
{
    struct peer_networks networks = {.n = 0};
    _cleanup_free_ char *copy = xstrdup(text);
    char *save = NULL;
    for (char *word = strtok_r(copy, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
        networks.items = xrealloc(networks.items, networks.n + 1, sizeof *networks.items);
        int r = parse_network(word, &networks.items[networks.n].address, &networks.items[networks.n].bits);
        if (r < 0) {
            peer_networks_done(&networks);
            return error_refuse(e, EINVAL, "'%s' is no address or network such as 192.168.1.0/24", word);
        }
        networks.n++;
    }
    *ret = networks;
    return 0;
}

void peer_networks_done(struct peer_networks *networks)
{
    free(networks->items);
    *networks = (struct peer_networks){.n = 0};
}

static bool same_bits(const struct in6_addr *a, const struct in6_addr *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(a->s6_addr, b->s6_addr, whole) == 0 &&
           (rest == 0 || (a->s6_addr[whole] ^ b->s6_addr[whole]) >> (8 - rest) == 0);
}

bool peer_is_in(const struct peer *peer, const struct peer_networks *networks)
{
    for (size_t i = 0; i < networks->n; i++)
        if (same_bits(&peer->address, &networks->items[i].address, networks->items[i].bits))
            return true;
    return false;
}

void peer_rate_init(struct peer_rate *rate, double per_second, double burst)
{
    *rate = (struct peer_rate){.per_second = per_second, .burst = burst};
    random_bytes(&rate->seed, sizeof rate->seed);
}

struct peer peer_origin(const struct peer *peer)
{
    struct peer p = *peer;
    if (!IN6_IS_ADDR_V4MAPPED(&p.address))
        memset(&p.address.s6_addr[8], 0, 8);
    return p;
}

struct peer peer_wider_origin(const struct peer *peer)
{
    struct peer p = *peer;
    if (IN6_IS_ADDR_V4MAPPED(&p.address))
        return p;
    memset(&p.address.s6_addr[6], 0, 10);
    p.address.s6_addr[15] = 48; /* no /64 has this value */
    return p;
}

bool peer_equal(const struct peer *a, const struct peer *b)
{
    return memcmp(&a->address, &b->address, sizeof a->address) == 0;
}

static uint64_t hash(const struct peer *peer, uint64_t seed)
{
    uint64_t words[2], h = seed;
    memcpy(words, &peer->address, sizeof words);
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        h = (h ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    h *= UINT64_C(0xbf58476d1ce4e5b9) ^ seed;
    return h ^ h >> 32;
}

/* Returns the slot of an origin with its current tokens. An origin without a slot gets the one, of its
 * WAYS slots, that has been unused longest. */
static struct peer_rate_slot *look_up(struct peer_rate *rate, const struct peer *origin, double more,
                                      uint64_t usec)
{
    struct peer_rate_slot *first =
        &rate->slots[(size_t)(hash(origin, rate->seed) % (PEER_RATE_SLOTS / WAYS)) * WAYS];
    struct peer_rate_slot *slot = first;
    for (struct peer_rate_slot *s = first; s < first + WAYS; s++) {
        if (s->usec > 0 && peer_equal(&s->origin, origin)) {
            slot = s;
            break;
        }
        if (s->usec < slot->usec)
            slot = s;
    }
    if (slot->usec == 0 || !peer_equal(&slot->origin, origin))
        *slot = (struct peer_rate_slot){*origin, usec, more * rate->burst};
    slot->tokens += (double)(usec - slot->usec) / USEC_PER_SEC * more * rate->per_second;
    if (slot->tokens > more * rate->burst)
        slot->tokens = more * rate->burst;
    slot->usec = usec;
    return slot;
}

bool peer_rate_spend(struct peer_rate *rate, const struct peer *peer, double cost, uint64_t usec)
{
    const struct peer origin = peer_origin(peer), wider = peer_wider_origin(peer);
    if (look_up(rate, &origin, 1, usec)->tokens < cost)
        return false;
    if (!peer_equal(&origin, &wider)) {
        struct peer_rate_slot *site = look_up(rate, &wider, PEER_RATE_WIDER, usec);
        if (site->tokens < cost)
            return false;
        site->tokens -= cost;
    }
    /* looked up again: the site may have taken over the slot */
    look_up(rate, &origin, 1, usec)->tokens -= cost;
    return true;
}

bool peer_rate_allows(struct peer_rate *rate, const struct peer *peer, uint64_t usec)
{
    const struct peer origin = peer_origin(peer);
    return look_up(rate, &origin, 1, usec)->tokens >= 1;
}

bool peer_rate_take(struct peer_rate *rate, const struct peer *peer, uint64_t usec)
{
    return peer_rate_spend(rate, peer, 1, usec);
}
