/* The actual state: what the kernel has of devices, addresses, forwarding entries and routes, and the parser
 * of the kernel's messages. The parser uses no socket, and accepts any bytes. */
#pragma once

#include <linux/netlink.h>

#include "net-keeper/ipv4.h"

/* The protocol number that marks the routes and addresses of net-keeper. The kernel stores and shows it, and
 * gives it no meaning. */
#define NET_PROTOCOL 104

#define VXLAN_ID   10
#define VXLAN_PORT 8472

#define ALIAS_MAX 256

struct actual_link {
    int index;
    char name[16];
    bool up;
    uint32_t mtu;
    bool vxlan; /* the members below are set */
    uint32_t id;
    uint16_t port;
    int lower;               /* index of the device that carries it; 0: none */
    uint32_t local, remote;  /* 0: none */
    bool learning, external; /* external: it takes the id of each packet from its route */
    bool ipv6;               /* the kernel speaks IPv6 on it */
    char alias[ALIAS_MAX];
};

struct actual_address {
    int index; /* of its device */
    uint32_t address;
    unsigned bits;
    bool global, point_to_point;
    unsigned protocol;
};

/* A forwarding entry: the machine to which the device sends what is for an Ethernet address. With the
 * all-zero address, one of those to which it sends what has no entry of its own. */
struct actual_entry {
    unsigned char ethernet[ETHERNET_SIZE];
    bool marked; /* it has the flag of net-keeper's entries, NTF_EXT_LEARNED */
    int index;   /* of its device */
    uint32_t peer;
    /* Of an entry with attributes that net-keeper does not set; 0: none. */
    uint16_t port;
    uint32_t id;
    int via;
};

/* A route of the main table, of any type: one that drops packets (blackhole, unreachable, prohibit, throw)
 * takes the place of another one, too. */
struct actual_route {
    struct range to;  /* bits 0: the default route */
    uint32_t gateway; /* 0: none */
    int index;        /* of its device; 0: it has several, or none: it drops packets */
    uint32_t metric;
    unsigned tos, protocol, scope;
};

struct actual {
    struct actual_link *links;
    struct actual_address *addresses;
    struct actual_entry *entries;
    struct actual_route *routes;
    size_t n_links, n_addresses, n_entries, n_routes;
    /* What does not fit is left out: see ACTUAL_MAX. */
    size_t left_out;
};

#define ACTUAL_MAX ((size_t)1 << 20) /* items of each kind */

/* Adds what a message states: RTM_NEWLINK and RTM_DELLINK, …ADDR, …NEIGH and …ROUTE, from a reply or a
 * notification. Anything else, and a message that is cut off, adds nothing. Returns whether it added
 * something. */
bool actual_add(struct actual *actual, const struct nlmsghdr *message);
void actual_done(struct actual *actual);

/* Reports whether an entry is of the all-zero address. */
bool actual_floods(const struct actual_entry *entry);

const struct actual_link *actual_link_named(const struct actual *actual, const char *name);
const struct actual_link *actual_link_at(const struct actual *actual, int index);
