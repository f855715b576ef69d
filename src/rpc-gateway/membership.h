/* Stores to which zone this machine belongs. Only this file writes zone.json (lib/zone/file.h). */
#pragma once

#include "lib/api/rpc_gateway.h"
#include "lib/zone/file.h"

struct membership {
    const struct tree *tree; /* borrowed */
    bool member;
    struct zone_file zone; /* all zero while not a member */
    /* Called when the host id, the key or the zone's hosts have changed. */
    void (*on_change)(void *userdata);
    void *userdata;
};

/* Makes the directory of zone.json and gives it to user 'uid'; the fetcher's group can read it. Called as
 * root. */
int membership_prepare(const struct tree *tree, uid_t uid, gid_t gid, struct error *e);

int membership_load(struct membership *m, struct error *e);
void membership_done(struct membership *m);

/* membership_init(), membership_set_hosts(), membership_set_network() and membership_leave() are durable
 * when they return 0. */

/* Sets host id and key, and makes those that are neither given nor stored. Refuses an id or a key that
 * differs from a stored one. */
int membership_init(struct membership *m, const struct gateway_init_in *in, struct error *e);
/* Stores the zone's hosts and name, as a leader's HostInit states them. Without hosts it changes nothing. */
int membership_set_hosts(struct membership *m, const char *zone_name, char *const *hosts, size_t n,
                         struct error *e);
/* Stores what a leader's answer states of this machine's network; NULL or "" keeps a value. */
int membership_set_network(struct membership *m, const char *leader, const char *vpc_bridge_ip,
                           const char *vpc_instance_cidr, const char *network_domain, struct error *e);
int membership_leave(struct membership *m, struct error *e);
