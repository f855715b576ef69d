/* The state of the process: the network that the zone gave to this machine, and what exists of it. */
#pragma once

#include "lib/service/service.h"
#include "net-keeper/keep.h"
#include "net-keeper/masquerade.h"
#include "net-keeper/network_file.h"
#include "net-keeper/ping.h"
#include "net-keeper/records.h"

struct manager {
    sd_event *event;
    char *path;                  /* of network.json */
    struct net_network *network; /* NULL: none */
    bool leaving;                /* network.json states that everything is to be removed */
    char *file_problem;          /* why network.json was not read; NULL: it was, or there is none */
    struct keep keep;            /* the device, entries and routes */
    struct pings *pings;
    struct masquerade *masquerade;
    sd_event_source *first; /* the table's first comparison; NULL: it is made */
    struct records records;
    struct timer names; /* the next attempt to write the file of names */
    struct retry names_retry;
};

int manager_check(struct service_context *context, struct error *e);
int manager_start(struct service_context *context, struct error *e);
void manager_stop(void *userdata);

/* Stores the network (NULL: none), and makes this machine agree with it. *ret_changed reports whether
 * anything was changed. Returns 0, or a negative errno if it could not be stored; what could not be made is
 * a problem, not an error. */
int manager_set_network(struct manager *m, const struct net_network *network, bool *ret_changed,
                        struct error *e);

/* Returns what is not as the network requires: copies, which the caller frees by schema_done() of the struct
 * that contains them. */
void manager_problems(const struct manager *m, char ***ret, size_t *ret_n);
