/* Declares the interface of rpc-gateway, the process that serves the network. Only the names of this
 * interface begin with gateway_. */
#pragma once

#include "lib/varlink/interface.h"

extern const struct varlink_interface rpc_gateway_interface;

/* The socket of the containers' agents, since the process started. */
struct gateway_agents {
    int64_t connections; /* open now */
    int64_t accepted, refused, overdue;
};
struct gateway_info_out {
    char *listen; /* the address of both ports; NULL: [zone] enable is no, and there are none */
    int64_t peer_port, http_port;
    char *lan_addr;  /* the machine's address in the zone; NULL: none found yet */
    int64_t started; /* unix seconds */
    struct gateway_agents *agents;
};

struct gateway_init_in {
    char *host_id, *access_key; /* NULL: the existing ones, or new ones */
    char *zone_name;
    char **hosts; /* of the zone; none: the leader sends them when it joins this machine */
    size_t n_hosts;
    char *vpc_bridge_ip, *vpc_instance_cidr, *network_domain; /* from an import; NULL: the zone sends them */
};
/* What the zone's operator needs to join this machine. */
struct gateway_join_out {
    char *host_id, *access_key;
    char *peer_addr; /* ADDRESS:PORT; NULL: the machine has no address yet */
};

enum gateway_zone_state {
    GATEWAY_ZONE_NONE,    /* this machine belongs to no zone */
    GATEWAY_ZONE_WAITING, /* for an address of this machine, or for the leader to join it */
    GATEWAY_ZONE_TRYING,  /* no leader has responded yet */
    GATEWAY_ZONE_JOINED,  /* the leader responds */
    GATEWAY_ZONE_LOST,    /* the leader no longer responds; the instances keep running */
    _GATEWAY_ZONE_STATE_MAX
};
extern const struct schema_enum gateway_zone_state_enum;

struct gateway_zone_out {
    int state;    /* enum gateway_zone_state */
    char *reason; /* why the state is waiting, trying or lost */
    char *host_id, *zone_name, *peer_addr;
    char **hosts;
    size_t n_hosts;
    char *leader;                   /* that responded last */
    int64_t last_success, next_try; /* unix milliseconds; 0: none */
    int64_t round_trip_usec;        /* of the last response; 0: none */
    int64_t failures;               /* consecutive */
    int64_t assigned;               /* instances in the last response */
    int64_t waiting;                /* those of them that the reconciler has not accepted yet */
    char *vpc_bridge_ip, *vpc_instance_cidr, *network_domain;
    int64_t reports_due; /* replicas whose stages the leader has not received yet */
    char **problems;     /* parts of the last response that were not accepted, with the reason */
    size_t n_problems;
    char *clock; /* how the machine's clock differs from other clocks; NULL: no difference is known */
};

struct gateway_leave_out {
    char **left; /* what of the zone's network is not removed yet, and why; it is retried */
    size_t n_left;
};
