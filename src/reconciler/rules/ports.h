/* Assigns a host port to each port of a replica. */
#pragma once

#include "reconciler/model/record.h"

enum port_user {
    PORT_OF_REPLICA,    /* a replica of an instance */
    PORT_OF_UNREADABLE, /* a container of an instance whose record cannot be read */
    PORT_OF_LISTENER,   /* a program that listens on it (TCP, any address) */
};

/* A host port that is in use. One port may have several users. */
struct port_use {
    int64_t port;
    enum port_user user;
    const char *instance; /* the user's name, borrowed; NULL: a listener */
    int64_t replica_id;   /* PORT_OF_REPLICA only */
};

struct port_uses {
    struct port_use *items;
    size_t n_items;
};

/* The range that ports are allocated from, both ends included. */
struct port_range {
    int64_t low, high;
};

/* Returns the first use of the port by such a user, or NULL. */
const struct port_use *port_find_use(const struct port_uses *uses, int64_t port, enum port_user user);

/* Returns the first replica but the given one that uses the port, or NULL. */
const struct port_use *port_find_other_replica(const struct port_uses *uses, int64_t port,
                                               const char *instance, int64_t replica_id);

/* Returns the host port that the manifest states for a replica's port; 0: none. */
int64_t port_wished(const struct app_manifest *manifest, int64_t replica_id, int64_t port);

/* Reports whether ports_resolve() can need a free port for one of the manifest's replicas. If not, it does
 * not read 'uses'. */
bool ports_may_be_allocated(const struct app_manifest *manifest);

/* Replaces the host ports of a replica of 'record'. Each port of the manifest gets the host port that the
 * manifest states; else the one that the replica has; else, for a single replica, the same number; else a
 * free one of the range. 'record' is being made and is not in 'uses': its ports count as in use, too. Returns
 * 0, or −EADDRINUSE (refused) and leaves the replica unchanged if no port is free. */
int ports_resolve(const struct port_uses *uses, const struct port_range *range, const struct record *record,
                  const struct app_manifest *manifest, struct record_replica *replica, struct error *e);
