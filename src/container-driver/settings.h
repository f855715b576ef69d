/* What the driver was configured with: section [container-driver] of hostlet.conf, and the places of the
 * tree. */
#pragma once

#include "container-driver/adopted.h"
#include "lib/config/config.h"

struct settings {
    char *tree_id;     /* value of the label io.hostlet.tree */
    char *apps;        /* the replicas' directories lie in it */
    char *ipk_install; /* the packages' install directories lie in it */
    char *docker_socket, *docker_config;
    uint64_t request_timeout_usec, pull_timeout_usec;
    char *log_driver;
    int64_t log_max_size, log_max_file;
    int64_t layer_size; /* bytes; 0: writable layers are not limited */
    char **dns;
    size_t n_dns;
    bool lxcfs; /* wanted, where it runs */
    char *lxcfs_path;
    char *seccomp;         /* hostlet, runtime, or the path of the profile that containers get */
    char *seccomp_profile; /* its text, compact JSON; NULL: the runtime's own */
    struct adopted *adopted;
    bool was_root; /* at the start: the next start can take another group of the socket */
};

/* Copies what it keeps, and reads the adoption ledger and the seccomp profile. Fails when the tree has no id
 * yet. */
int settings_read(const struct tree *tree, const struct config *config, struct settings *ret,
                  struct error *e);
void settings_done(struct settings *s);
