/* Declares the interface of net-keeper, which makes the zone's network between machines. */
#pragma once

#include "lib/varlink/interface.h"

extern const struct varlink_interface net_keeper_interface;

/* The name of the VXLAN device, which the contract defines. */
#define NET_DEVICE "invpc2_vxlan.10"

/* Limits of a network, which SetNetwork checks. */
#define NET_HOSTS_MAX   4096
#define NET_RECORDS_MAX 65536

/* One machine of the zone. Addresses are IPv4. */
struct net_host {
    char *id;
    char *peer;     /* in the network that connects the machines */
    char *bridge;   /* on the VXLAN device */
    char *instance; /* the network of its containers: "10.10.4.0/24" */
};
struct net_record {
    char *name; /* without the domain */
    char *address;
};
struct net_network {
    char *host_id;       /* this machine's */
    char *lan_addr;      /* this machine's address in the zone */
    char *bridge_ip;     /* this machine's address on the VXLAN device, without a prefix length */
    char *instance_cidr; /* the network of this machine's containers */
    /* The ranges of the whole zone; NULL: the map has none. */
    char *vpc_bridge_cidr, *vpc_instance_cidr;
    char *domain;            /* NULL: none */
    struct net_host **hosts; /* all of the zone, this machine, too */
    size_t n_hosts;
    struct net_record **records;
    size_t n_records;
};
extern const struct schema_struct net_network_schema;

struct net_set_network_in {
    struct net_network *network; /* NULL: none, so that everything is removed */
};
struct net_set_network_out {
    bool changed;
    char **problems;
    size_t n_problems;
};
struct net_info_out {
    bool network;
    char *instance_cidr;
    char *host_id, *lan_addr, *bridge_ip; /* this machine's, of the network */
    char *device, *underlay;
    int64_t mtu;
    bool device_ok;
    bool masquerade;
    char *masquerade_problem;
    char *dns_file, *dns_problem;
    char **problems;
    size_t n_problems;
    int64_t peers, repairs, changes;
};
struct net_host_state {
    char *id, *peer, *bridge, *instance;
    bool present;
    char *problem;
    int64_t sent_bytes, sent_packets, received_bytes, received_packets;
};
extern const struct schema_struct net_host_state_schema;
struct net_list_out {
    struct net_host_state *host; /* NULL: the end of the list */
};
struct net_ping_in {
    char *host;
};
enum net_ping_method { NET_PING_ICMP, NET_PING_TCP };
extern const struct schema_enum net_ping_method_enum;
struct net_ping_out {
    char *address;
    int method; /* enum net_ping_method */
    int64_t usec;
};
