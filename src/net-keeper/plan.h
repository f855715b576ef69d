/* Compares the zone's network with the actual state, and computes the smallest list of changes that makes the
 * kernel agree with it. Pure functions.
 *
 * What belongs to net-keeper, and what it never touches, is decision 234. */
#pragma once

#include "net-keeper/changes.h"
#include "net-keeper/map.h"

/* What exists of a host. */
struct plan_host {
    bool entry, route;
    /* The entry of its Ethernet address, without which the device floods what is for it. */
    bool unicast, unicast_elsewhere; /* to its peer address; to another one */
    /* Why it is not connected, beyond its own map_host.problem. What exists of it stays. NULL: nothing. */
    char *problem;
};

struct plan_input {
    const struct map *map; /* NULL: the network is left, so that the device is deleted */
    const struct actual *actual;
    const char *mark;        /* the alias by which this tree knows its device; NULL: none */
    uint32_t configured_mtu; /* 0: as large as possible */
};

struct plan {
    struct changes changes; /* in the order in which they are made */
    int device;             /* the index of the device; 0: it does not exist, or belongs to another program */
    bool device_ok;         /* it is as it has to be */
    int lower;              /* the index of the device that has to carry it; 0: there is none */
    char lower_name[16];
    unsigned char ethernet[ETHERNET_SIZE]; /* the address of a device that is made */
    uint32_t mtu;                          /* which the device has to have; 0: unknown */
    struct plan_host *hosts;               /* those of the map, in its order */
    size_t n_hosts, n_present;
    struct strings problems; /* beyond those of the map */
    /* A problem prevents every change; what exists stays. */
    bool blocked;
};

/* Makes the plan. The input need not stay in memory. */
void plan_make(const struct plan_input *input, struct plan *ret);
void plan_done(struct plan *plan);
