/* What the original agent of InnerStack v2 leaves on a machine: its configuration and state, read for an
 * import (contract sections 8 and 11). Nothing of it is changed. */
#pragma once

#include <sys/types.h>

#include "lib/api/app.h"

struct original_server {
    int64_t http_port, peer_port; /* 0: its defaults */
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
    struct app_instance **instances;
    size_t n_instances;
    json_t *applied_revisions;   /* {container: revision}; may be NULL */
    struct schema_pair *secrets; /* container → secret */
    size_t n_secrets;
    struct original_quota **quotas;
    size_t n_quotas;
};

/* Reads DIR/etc/innerstack.toml, hostlet_active.json and hostlet_vol_quota.json into the zeroed '*ret'; the
 * latter two may be absent. Refused, naming file and place, when they are not understood. */
int original_read(const char *dir, struct original *ret, struct error *e);
void original_done(struct original *original);

/* Refused while it runs: naming the process, or the port that someone listens on. 'ours' is the process that
 * holds the ports of our own tree, which an import before this one may have opened; 0: none. */
int original_check_stopped(const struct original *original, pid_t ours, struct error *e);

/* The revision that it last applied to a container; −1: it is not known. */
int64_t original_revision(const struct original *original, const char *container);
const char *original_secret(const struct original *original, const char *container); /* or NULL */
