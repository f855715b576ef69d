/* Reads the configuration and state of the original agent of InnerStack v2 for an import (contract sections 8
 * and 11). Changes nothing of them. */
#pragma once

#include <sys/types.h>

#include "lib/api/app.h"

struct original_server {
    int64_t http_port, peer_port; /* 0: the original's defaults */
    char **zone_hosts;
    size_t n_zone_hosts;
};

struct original_hostlet {
    char *host_id, *lan_addr, *access_key, *app_path;
    bool lxc_fs_enable;
    char *vpc_bridge_ip, *vpc_instance_cidr, *vpc_network_domain;
    char **dns_servers;
    size_t n_dns_servers;
};

struct original_quota { /* an item of hostlet_vol_quota.json */
    int64_t id;
    char *name;
    int64_t soft, hard; /* bytes */
};

struct original {
    char *dir, *app_path;
    struct original_server *server; /* never NULL once read */
    struct original_hostlet *hostlet;
    /* A running machine's hostlet_active.json contains none: its agent never writes them. */
    struct app_instance **instances;
    size_t n_instances;
    json_t *applied_revisions;   /* {container: revision from 0}; may be NULL */
    struct schema_pair *secrets; /* container → secret */
    size_t n_secrets;
    struct original_quota **quotas;
    size_t n_quotas;
};

/* Reads DIR/etc/innerstack.toml, hostlet_active.json and hostlet_vol_quota.json into the zeroed '*ret'; the
 * latter two may be absent. Returns a negative errno (refused), with file and place, if one of them is
 * invalid. */
int original_read(const char *dir, struct original *ret, struct error *e);
void original_done(struct original *original);

/* Checks that the original agent does not run. Returns −EBUSY or −EADDRINUSE (refused), with the process or
 * the port in use, if it does. 'ours' is the hostletd of this tree, which may listen on the ports since an
 * earlier import; 0: none. */
int original_check_stopped(const struct original *original, pid_t ours, struct error *e);

/* Checks only that no process of the original agent runs. */
int original_check_process(struct error *e);

/* Returns the revision that the original last applied to a container, by hostlet_active.json; −1: that file
 * does not know it. */
int64_t original_revision(const struct original *original, const char *container);
/* Returns the secret of a container's agent (borrowed) as that file has it, or NULL if there is none. */
const char *original_secret(const struct original *original, const char *container);
