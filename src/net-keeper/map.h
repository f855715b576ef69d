/* Judges the zone's network by itself: which of its hosts can be connected, and what contradicts what. Pure
 * functions: plan.h judges it against the machine. */
#pragma once

#include "lib/api/net_keeper.h"
#include "net-keeper/ipv4.h"
#include "net-keeper/strings.h"

#define NET_PREFIX 24 /* of bridge addresses and of the hosts' networks: the contract defines it */

/* Another host of the zone. */
struct map_host {
    const struct net_host *host; /* borrowed from the network */
    uint32_t peer, bridge;
    struct range instance;
    unsigned char ethernet[ETHERNET_SIZE]; /* of a device that its net-keeper has made */
    char *problem;                         /* why it is not connected; NULL: it is */
    /* Another host has the same address or network. Which of them is right is unknown, so that what the
     * kernel has of them stays, and nothing is added. */
    bool contested;
};

struct map {
    uint32_t lan, bridge;
    struct range bridge_net, instance;     /* this machine's */
    struct range vpc_bridge, vpc_instance; /* bits 0: the network states none */
    /* This machine's Ethernet address in the zone's network. */
    unsigned char ethernet[ETHERNET_SIZE];
    char *unusable;         /* why no part of the network can be made; NULL: it can */
    struct map_host *hosts; /* in the order of the network, without this machine */
    size_t n_hosts;
    struct map_host **by_peer, **by_instance; /* sorted: those that are not refused by themselves */
    size_t n_sorted;
    struct map_host **by_ethernet; /* of these, those whose Ethernet address no other id has; sorted */
    size_t n_by_ethernet;
    struct strings problems; /* all of the above */
};

/* Judges a network, which must stay in memory as long as the map. */
void map_make(const struct net_network *network, struct map *ret);
void map_done(struct map *map);

/* Return the first host with this peer address, this network, or this Ethernet address, or NULL. The host can
 * have a problem. Of contested hosts several can have an equal key. */
struct map_host *map_by_peer(const struct map *map, uint32_t peer);
struct map_host *map_by_instance(const struct map *map, struct range instance);
struct map_host *map_by_ethernet(const struct map *map, const unsigned char address[static ETHERNET_SIZE]);
