/* Host ports: which one each port of a replica gets. */
#pragma once

#include "reconciler/model/record.h"

enum port_user {
    PORT_OF_REPLICA,    /* assigned to a replica of an instance */
    PORT_OF_UNREADABLE, /* of a container of an instance whose record cannot be read */
    PORT_OF_LISTENER,   /* some program of this machine listens on it (TCP, any address) */
};

/* A host port that is in use. One port may have several users. */
struct port_use {
    int64_t port;
    enum port_user user;
    const char *instance; /* its name, borrowed; NULL for a listener */
    int64_t replica_id;   /* of PORT_OF_REPLICA */
};

struct port_uses {
    struct port_use *items;
    size_t n_items;
};

/* The range that ports are allocated from, both ends included. */
struct port_range {
    int64_t low, high;
};

/* Finds the first use of the port by such a user, or NULL. */
const struct port_use *port_find_use(const struct port_uses *uses, int64_t port, enum port_user user);

/* Finds the first replica that the port is assigned to, other than this one, or NULL. */
const struct port_use *port_find_other_replica(const struct port_uses *uses, int64_t port,
                                               const char *instance, int64_t replica_id);

/* Finds the host port that the manifest itself asks for: 0 for none. */
int64_t port_wished(const struct app_manifest *manifest, int64_t replica_id, int64_t port);

/* Tells whether ports_resolve() may need a port that is free, for one of its replicas: where it does not, it
 * makes no use of what is in use. */
bool ports_may_be_allocated(const struct app_manifest *manifest);

/* Gives a replica of 'record' its host ports in the place of those that it has. For each port of the
 * manifest: what the manifest says wins; else what the replica has already; else, for a single replica, the
 * same number; else a free one of the range. 'uses' does not know of 'record', which is being made: its ports
 * are in use, too. 0, or −EADDRINUSE, refused, which leaves the replica as it is. */
int ports_resolve(const struct port_uses *uses, const struct port_range *range, const struct record *record,
                  const struct app_manifest *manifest, struct record_replica *replica, struct error *e);
