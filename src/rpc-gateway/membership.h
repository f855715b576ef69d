/* To which zone this machine belongs: the one writer of zone.json (lib/zone/file.h). */
#pragma once

#include "lib/api/rpc_gateway.h"
#include "lib/zone/file.h"

struct membership {
    const struct tree *tree; /* borrowed */
    bool member;
    struct zone_file zone; /* all zero while not a member */
    /* Host id, key or the zone's hosts are others now. */
    void (*on_change)(void *userdata);
    void *userdata;
};

/* As root: the directory of zone.json, which the fetcher's group may read, given to user 'uid'. */
int membership_prepare(const struct tree *tree, uid_t uid, gid_t gid, struct error *e);

int membership_load(struct membership *m, struct error *e);
void membership_done(struct membership *m);

/* Each is durable when it returns 0. */

/* Host id and key, made where they are not given and not there; fails for others than those that are there.
 */
int membership_init(struct membership *m, const struct gateway_init_in *in, struct error *e);
/* HostInit: a leader tells the zone's hosts. Without any, nothing changes. */
int membership_set_hosts(struct membership *m, const char *zone_name, char *const *hosts, size_t n,
                         struct error *e);
/* What an answer says of us; NULL or "" leaves what is there. */
int membership_set_network(struct membership *m, const char *leader, const char *vpc_bridge_ip,
                           const char *vpc_instance_cidr, const char *network_domain, struct error *e);
int membership_leave(struct membership *m, struct error *e);
