/* Implements map.h. */
#include "net-keeper/map.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/hash.h"

/* Sets the problem of a host, unless it has one. */
_printf_(2, 3) static void refuse(struct map_host *h, const char *fmt, ...)
{
    char text[400];
    va_list args;
    if (h->problem)
        return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    h->problem = xasprintf("host '%.40s' is not connected: %s", h->host->id, text);
}

static bool private_address(const char *text, uint32_t *ret)
{
    return ipv4_parse(text, ret) && range_is_private((struct range){*ret, 32});
}

/* Reads what concerns this machine. Sets map->unusable if no device can be made of it. */
static void read_own(const struct net_network *n, struct map *map)
{
    char text[IPV4_TEXT];
    if (n->vpc_bridge_cidr && !range_parse(n->vpc_bridge_cidr, &map->vpc_bridge))
        strings_add(&map->problems, "the range of the zone's bridge addresses '%.40s' is not a network",
                    n->vpc_bridge_cidr);
    if (n->vpc_instance_cidr && !range_parse(n->vpc_instance_cidr, &map->vpc_instance))
        strings_add(&map->problems, "the range of the zone's containers '%.40s' is not a network",
                    n->vpc_instance_cidr);
    if (!private_address(n->lan_addr, &map->lan))
        map->unusable =
            xasprintf("this machine's address in the zone '%.40s' is not a private IPv4 address; set "
                      "[zone] lan_addr",
                      n->lan_addr);
    else if (!private_address(n->bridge_ip, &map->bridge))
        map->unusable =
            xasprintf("this machine's bridge address '%.40s' is not a private IPv4 address", n->bridge_ip);
    if (map->unusable)
        return;
    map->bridge_net = range_of(map->bridge, NET_PREFIX);
    if ((map->bridge & 255) == 0 || (map->bridge & 255) == 255)
        map->unusable = xasprintf("this machine's bridge address %s is not one of a host in its /%d",
                                  n->bridge_ip, NET_PREFIX);
    else if (range_contains(map->bridge_net, map->lan))
        map->unusable = xasprintf("this machine's address in the zone %s is within the network of the bridge "
                                  "addresses, %s",
                                  n->lan_addr, range_text(map->bridge_net, text));
    if (!range_parse(n->instance_cidr, &map->instance) || !range_is_private(map->instance))
        strings_add(&map->problems,
                    "the network of this machine's containers '%.40s' is not a private network",
                    n->instance_cidr);
    else if (!map->unusable && range_contains(map->instance, map->lan))
        map->unusable =
            xasprintf("the network of this machine's containers %s contains this machine's address "
                      "in the zone, %s",
                      n->instance_cidr, n->lan_addr);
    else if (!map->unusable && ranges_overlap(map->instance, map->bridge_net))
        map->unusable = xasprintf("the network of this machine's containers %s overlaps that of the bridge "
                                  "addresses, %s",
                                  n->instance_cidr, range_text(map->bridge_net, text));
}

/* Judges a host without the other ones. */
static void judge(const struct map *map, struct map_host *h)
{
    const struct net_host *n = h->host;
    char text[IPV4_TEXT];
    if (!private_address(n->peer, &h->peer))
        refuse(h, "its peer address '%.40s' is not a private IPv4 address", n->peer);
    else if (!private_address(n->bridge, &h->bridge))
        refuse(h, "its bridge address '%.40s' is not a private IPv4 address", n->bridge);
    else if (!range_parse(n->instance, &h->instance) || h->instance.bits != NET_PREFIX ||
             !range_is_private(h->instance))
        refuse(h, "the network of its containers '%.40s' is not a private /%d", n->instance, NET_PREFIX);
    else if (h->peer == map->lan)
        refuse(h, "its peer address %s is this machine's", n->peer);
    else if (h->bridge == map->bridge)
        refuse(h, "its bridge address %s is this machine's", n->bridge);
    else if (!range_contains(map->bridge_net, h->bridge) || (h->bridge & 255) == 0 ||
             (h->bridge & 255) == 255)
        refuse(h, "its bridge address %s is not one of a host in %s", n->bridge,
               range_text(map->bridge_net, text));
    else if (map->instance.bits > 0 && ranges_overlap(h->instance, map->instance))
        refuse(h, "the network of its containers %s overlaps that of this machine's, %s", n->instance,
               range_text(map->instance, text));
    else if (ranges_overlap(h->instance, map->bridge_net))
        refuse(h, "the network of its containers %s overlaps that of the bridge addresses, %s", n->instance,
               range_text(map->bridge_net, text));
    else if (range_contains(h->instance, map->lan))
        refuse(h, "the network of its containers %s contains this machine's address in the zone",
               n->instance);
    else if (range_contains(map->bridge_net, h->peer) || range_contains(map->instance, h->peer))
        refuse(h, "its peer address %s is within the zone's own network", n->peer);
}

static int compare_numbers(uint32_t a, uint32_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_peers(const void *a, const void *b)
{
    const struct map_host *const *x = a, *const *y = b;
    return compare_numbers((*x)->peer, (*y)->peer);
}

static int compare_bridges(const void *a, const void *b)
{
    const struct map_host *const *x = a, *const *y = b;
    return compare_numbers((*x)->bridge, (*y)->bridge);
}

static int compare_instances(const void *a, const void *b)
{
    const struct map_host *const *x = a, *const *y = b;
    return compare_numbers((*x)->instance.first, (*y)->instance.first);
}

static int compare_ids(const void *a, const void *b)
{
    const struct map_host *const *x = a, *const *y = b;
    return strcmp((*x)->host->id, (*y)->host->id);
}

static int compare_ethernets(const void *a, const void *b)
{
    const struct map_host *const *x = a, *const *y = b;
    return memcmp((*x)->ethernet, (*y)->ethernet, ETHERNET_SIZE);
}

static int compare_ethernets_and_ids(const void *a, const void *b)
{
    int r = compare_ethernets(a, b);
    return r != 0 ? r : compare_ids(a, b);
}

typedef int (*compare_fn)(const void *a, const void *b);

/* Finds hosts that compare as equal. */
static void contest(struct map_host **sorted, size_t n, compare_fn compare, const char *what)
{
    qsort(sorted, n, sizeof *sorted, compare);
    for (size_t i = 1; i < n; i++) {
        struct map_host *pair[] = {sorted[i - 1], sorted[i]};
        if (compare(&pair[0], &pair[1]) != 0)
            continue;
        for (size_t j = 0; j < 2; j++) {
            refuse(pair[j], "host '%.40s' has the same %s; what the kernel has of both stays as it is",
                   pair[1 - j]->host->id, what);
            pair[j]->contested = true;
        }
    }
}

/* Refuses the hosts whose peer address is within the network of a host's containers: the packets to it would
 * be sent through the device that they carry. */
static void refuse_loops(struct map *map)
{
    for (size_t i = 0; i < map->n_hosts; i++) {
        struct map_host *h = &map->hosts[i];
        const struct map_host *around =
            h->problem ? NULL : map_by_instance(map, range_of(h->peer, NET_PREFIX));
        if (around)
            refuse(h, "its peer address %s is within the network of the containers of host '%.40s'",
                   h->host->peer, around->host->id);
    }
}

/* An Ethernet address that two ids have, this machine's included, leads to no single machine: none of them is
 * in the list. */
static void sort_ethernets(struct map *map)
{
    struct map_host **all = xcalloc(map->n_hosts + 1, sizeof(struct map_host *));
    memcpy(all, map->by_peer, map->n_sorted * sizeof(struct map_host *));
    qsort(all, map->n_sorted, sizeof *all, compare_ethernets_and_ids);
    for (size_t i = 0, end; i < map->n_sorted; i = end) {
        for (end = i + 1; end < map->n_sorted && compare_ethernets(&all[i], &all[end]) == 0;)
            end++;
        if (compare_ids(&all[i], &all[end - 1]) == 0 &&
            memcmp(all[i]->ethernet, map->ethernet, ETHERNET_SIZE) != 0)
            all[map->n_by_ethernet++] = all[i];
    }
    map->by_ethernet = all;
}

static void sort_hosts(struct map *map)
{
    map->by_peer = xcalloc(map->n_hosts + 1, sizeof(struct map_host *));
    map->by_instance = xcalloc(map->n_hosts + 1, sizeof(struct map_host *));
    for (size_t i = 0; i < map->n_hosts; i++)
        if (!map->hosts[i].problem)
            map->by_peer[map->n_sorted++] = &map->hosts[i];
    contest(map->by_peer, map->n_sorted, compare_ids, "id");
    contest(map->by_peer, map->n_sorted, compare_bridges, "bridge address");
    contest(map->by_peer, map->n_sorted, compare_peers, "peer address");
    memcpy(map->by_instance, map->by_peer, map->n_sorted * sizeof(struct map_host *));
    contest(map->by_instance, map->n_sorted, compare_instances, "network of its containers");
    sort_ethernets(map);
}

/* Derives the Ethernet address from the machine's id, and marks it as locally administered. The other
 * machines remember it for up to a minute: a device that is made again must not have another one. */
static void choose_ethernet(const char *id, unsigned char address[static ETHERNET_SIZE])
{
    uint64_t hash = fnv1a(FNV1A_BEGIN, id, strlen(id));
    address[0] = 2;
    for (size_t i = 1; i < ETHERNET_SIZE; i++, hash >>= 8)
        address[i] = (unsigned char)hash;
}

void map_make(const struct net_network *network, struct map *ret)
{
    struct map map = {.hosts = xcalloc(network->n_hosts + 1, sizeof(struct map_host))};
    read_own(network, &map);
    choose_ethernet(network->host_id, map.ethernet);
    for (size_t i = 0; i < network->n_hosts; i++) {
        const struct net_host *n = network->hosts[i];
        if (streq(n->id, network->host_id))
            continue;
        struct map_host *h = &map.hosts[map.n_hosts++];
        h->host = n;
        choose_ethernet(n->id, h->ethernet);
        if (!map.unusable)
            judge(&map, h);
    }
    if (!map.unusable) {
        sort_hosts(&map);
        refuse_loops(&map);
    } else
        strings_add(&map.problems, "the zone's network is not made: %s", map.unusable);
    for (size_t i = 0; i < map.n_hosts && !map.unusable; i++)
        if (map.hosts[i].problem)
            strings_add(&map.problems, "%s", map.hosts[i].problem);
    *ret = map;
}

void map_done(struct map *map)
{
    for (size_t i = 0; i < map->n_hosts; i++)
        free(map->hosts[i].problem);
    free(map->hosts);
    free(map->by_peer);
    free(map->by_instance);
    free(map->by_ethernet);
    free(map->unusable);
    strings_clear(&map->problems);
    *map = (struct map){.n_hosts = 0};
}

/* Returns the first of the items that compare as equal to 'key', or NULL. */
static struct map_host *find(struct map_host *const *sorted, size_t n, const struct map_host *key,
                             compare_fn compare)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&sorted[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && compare(&sorted[low], &key) == 0 ? sorted[low] : NULL;
}

struct map_host *map_by_peer(const struct map *map, uint32_t peer)
{
    return find(map->by_peer, map->n_sorted, &(struct map_host){.peer = peer}, compare_peers);
}

struct map_host *map_by_instance(const struct map *map, struct range instance)
{
    return instance.bits == NET_PREFIX ? find(map->by_instance, map->n_sorted,
                                              &(struct map_host){.instance = instance}, compare_instances)
                                       : NULL;
}

struct map_host *map_by_ethernet(const struct map *map, const unsigned char address[static ETHERNET_SIZE])
{
    struct map_host key = {.peer = 0};
    memcpy(key.ethernet, address, ETHERNET_SIZE);
    return find(map->by_ethernet, map->n_by_ethernet, &key, compare_ethernets);
}
