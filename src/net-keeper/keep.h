/* Makes the kernel agree with the zone's network: at a request, and when a notification states that something
 * may have changed. */
#pragma once

#include "lib/loop/retry.h"
#include "lib/loop/timer.h"
#include "net-keeper/damp.h"
#include "net-keeper/kernel.h"
#include "net-keeper/watch.h"

struct keep {
    sd_event *event;
    struct kernel *kernel;
    struct watch *watch;
    char *mark;              /* see struct plan_input */
    uint32_t configured_mtu; /* bytes; 0: as large as possible */
    /* Is called after each comparison: the kernel's part may have changed. */
    void (*done)(void *userdata);
    void *userdata;

    bool active; /* there is a network, and 'map' is its */
    struct map map;
    struct plan plan;        /* of the last comparison */
    struct strings problems; /* everything that is not as the network requires */
    struct timer timer;      /* of the next comparison */
    uint64_t compared;       /* monotonic microseconds of the last comparison */
    struct damp damp;
    struct retry retry; /* of changes that the kernel refused */
    /* The device that carried the network, and the MTU, when everything was as required; 0: it was not yet.
     */
    int settled_lower;
    uint32_t settled_mtu;
    int64_t repairs, changes; /* since the start of the process */
};

/* Fills what the members above 'active' need. Returns 0 or a negative errno. */
int keep_start(struct keep *k, sd_event *event, char *mark, uint32_t configured_mtu, struct error *e);
void keep_stop(struct keep *k);

/* Makes the kernel agree with a network, which must stay in memory until the next call. NULL: the device is
 * removed. Returns whether the kernel was changed. */
bool keep_network(struct keep *k, const struct net_network *network);

/* Appends what is not as the network requires: copies. */
void keep_problems(const struct keep *k, char ***ret, size_t *ret_n);

/* Reports whether the kernel has the entry and the route of the host with this number in keep->map.
 * *ret_problem is why not, which the caller frees, or NULL. */
bool keep_host(const struct keep *k, size_t number, char **ret_problem);
/* Returns the host's number, or −1. */
ssize_t keep_find_host(const struct keep *k, const char *id);
