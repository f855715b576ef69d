/* Reads the driver's settings: section [container-driver] of hostlet.conf, and the tree's directories. */
#pragma once

#include "container-driver/adopted.h"
#include "lib/config/config.h"

struct words {
    char **items;
    size_t n;
};

struct settings {
    char *tree_id;     /* value of the label io.hostlet.tree */
    char *apps;        /* the app path */
    char *ipk_install; /* the install store */
    char *agents;      /* the directory of the agents' socket */
    char *inagent;     /* the program, for a container of this machine's architecture */
    char *docker_socket, *docker_config;
    uint64_t request_timeout_usec, pull_timeout_usec;
    char *log_driver;
    int64_t log_max_size, log_max_file;
    int64_t layer_size;         /* bytes; 0: writable layers are not limited */
    struct words dns, zone_dns; /* name servers: of all containers; of those in the zone's network, if any */
    bool lxcfs;                 /* mount the files of lxcfs when it runs */
    char *lxcfs_path;
    char *seccomp;         /* "hostlet", "runtime", or the path of a profile */
    char *seccomp_profile; /* the profile as compact JSON; NULL: the runtime's own */
    struct adopted *adopted;
    bool was_root; /* the process was started as root, so that a restart can get another group */
};

/* Reads the settings, the adoption ledger and the seccomp profile; borrows neither 'tree' nor 'config'. The
 * caller releases *ret with settings_done(). An adoption ledger that cannot be read is logged and is not an
 * error. Fails when the tree has no id yet or the seccomp profile is not usable. */
int settings_read(const struct tree *tree, const struct config *config, struct settings *ret,
                  struct error *e);
void settings_done(struct settings *s);

/* Checks the section, and the files that it names: seccomp profile and credentials. Of what settings_read()
 * accepts, it refuses what would fail later: a name server without an IP address, a path that is too long for
 * a socket, credentials that cannot be read. Returns 0, or a negative errno (refused). */
int settings_check(const struct config *config, struct error *e);
