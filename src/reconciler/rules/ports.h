/* Assigns a host port to each port of a replica. */
#pragma once

#include "lib/app/host_port.h"
#include "reconciler/model/record.h"

enum port_user {
    PORT_OF_REPLICA,    /* a replica of an instance */
    PORT_OF_UNREADABLE, /* a container of an instance whose record cannot be read */
    PORT_OF_LISTENER,   /* a program that listens on it */
    PORT_OF_TREE,       /* this tree itself */
};

/* A host port that is in use. One port may have several users. */
struct port_use {
    struct host_port port;
    enum port_user user;
    /* The user's name, borrowed: an instance, or for PORT_OF_TREE a key of hostlet.conf; NULL: a listener. */
    const char *name;
    int64_t replica_id; /* PORT_OF_REPLICA only */
};

struct port_uses {
    struct port_use *items;
    size_t n_items;
};

/* The range that ports are allocated from, both ends included. */
struct port_range {
    int64_t low, high;
};

/* Returns the first use by such a user that overlaps with the port, or NULL. */
const struct port_use *port_find_use(const struct port_uses *uses, const struct host_port *port,
                                     enum port_user user);

/* Returns the first replica but the given one that uses an overlapping port, or NULL. */
const struct port_use *port_find_other_replica(const struct port_uses *uses, const struct host_port *port,
                                               const char *instance, int64_t replica_id);

/* Returns the binding that the manifest states for a replica's port; NULL: none. */
const struct app_service_port *port_wished(const struct app_manifest *manifest, int64_t replica_id,
                                           const struct app_spec_port *port);
/* Returns the binding that a replica of the record has for a port of the spec; NULL: none. */
const struct app_service_port *port_of_replica(const struct record_replica *replica,
                                               const struct app_spec *spec, const struct app_spec_port *port);

/* Updates the replicas of 'record', which is being made, to the manifest: adds new ones, marks missing ones
 * for removal, and assigns host ports to new replicas, and with 'changed' to all. Each port of the manifest
 * gets the host port that the manifest states, or a free one of the range that it states, the present one if
 * possible; else the one that the replica has; else, for a single replica, the same number; else a free one
 * of 'range'. What the manifest states need not be free: the plan refuses it. The ports of 'record' count as
 * in use, beside 'uses', which lists those of all current records. Returns 0, or −EADDRINUSE (refused) if no
 * port is free. */
int ports_assign(const struct port_uses *uses, const struct port_range *range, struct record *record,
                 const struct app_manifest *manifest, bool changed, struct error *e);
