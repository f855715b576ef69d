/* The interface of rpc-gateway, the face turned to the network. Its names begin with gateway_, which nothing
 * else in this folder does. */
#pragma once

#include "lib/varlink/interface.h"

extern const struct varlink_interface rpc_gateway_interface;

struct gateway_info_out {
    char *listen; /* the address of both ports */
    int64_t peer_port, http_port;
    char *lan_addr;  /* NULL: none found yet */
    int64_t started; /* unix seconds */
};

struct gateway_init_in {
    char *host_id, *access_key; /* NULL: made, or those that are there already */
    char *zone_name;
    char **hosts; /* the zone's; none: its leader tells them when it joins us */
    size_t n_hosts;
    char *vpc_bridge_ip, *vpc_instance_cidr, *network_domain; /* of an import; NULL: the zone tells */
};
struct gateway_join_out { /* what the zone's operator needs */
    char *host_id, *access_key;
    char *peer_addr; /* NULL: the machine has no address yet */
};

enum gateway_zone_state {
    GATEWAY_ZONE_NONE,    /* this machine belongs to no zone */
    GATEWAY_ZONE_WAITING, /* for an address of this machine, or to be joined */
    GATEWAY_ZONE_TRYING,  /* no leader has answered yet */
    GATEWAY_ZONE_JOINED,  /* the leader answers */
    GATEWAY_ZONE_LOST,    /* it does not any more; what runs runs on */
    _GATEWAY_ZONE_STATE_MAX
};
extern const struct schema_enum gateway_zone_state_enum;

struct gateway_zone_out {
    int state;    /* enum gateway_zone_state */
    char *reason; /* of waiting, trying and lost */
    char *host_id, *zone_name, *peer_addr;
    char **hosts;
    size_t n_hosts;
    char *leader;                   /* that answered last */
    int64_t last_success, next_try; /* unix milliseconds; 0: none */
    int64_t round_trip_usec;        /* of the last answer; 0: none */
    int64_t failures;               /* in a row */
    int64_t assigned;               /* instances that the last answer had */
    int64_t waiting;                /* of them on their way to the reconciler */
    char *vpc_bridge_ip, *vpc_instance_cidr, *network_domain;
    int64_t reports_due; /* replicas whose stages the leader has not got yet */
    char **problems;     /* what of the last answer could not be taken, and why */
    size_t n_problems;
    char *clock; /* what is known of clocks that disagree; NULL: nothing */
};
