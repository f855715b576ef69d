/* Builds the complete definition of a new container from a request, as the contract (InnerStack v2, section
 * 5) defines it for a replica.
 *
 * Only this file turns a caller's request into mounts, users and limits. A caller names an instance, packages
 * and an image; it cannot name a path, a privilege or a namespace. */
#pragma once

#include "container-driver/settings.h"
#include "lib/api/container_driver.h"
#include "lib/app/host_port.h"

#define LABEL_TREE     "io.hostlet.tree"
#define LABEL_REVISION "io.hostlet.revision"
#define LABEL_CONFIG   "io.hostlet.config"
#define LABEL_NAME     "app_name"
#define LABEL_REPLICA  "app_rep_id"
#define LABEL_COPY     "io.hostlet.copy" /* the tree's id, on a container that copies volumes */

#define SPEC_CAPABILITIES_MAX 16

struct spec_mount {
    char *source, *target;
    bool read_only;
    bool is_volume; /* 'source' is the name of a volume, which exists */
};

/* A volume of the replica's directory. */
struct spec_volume {
    char *name;   /* in the runtime */
    char *device; /* its directory */
    char *target;
};

/* The zone's network, as far as a request determines it. */
struct spec_network {
    const char *cidr; /* on this machine, of the request, borrowed; NULL: none */
    int64_t mtu;      /* bytes; 0: the runtime's default */
    /* net-keeper's rule masquerades what leaves the zone's network, so that the runtime does not. */
    bool masqueraded;
};

struct spec {
    char *name, *image;
    char **command; /* complete: replaces the image's entrypoint and command; empty: the image's own */
    size_t n_command;
    const char *user, *working_dir, *stop_signal; /* NULL: the image's */
    char **env;                                   /* "KEY=value" */
    size_t n_env;
    struct schema_pair *labels;
    size_t n_labels;
    struct spec_mount *mounts;
    size_t n_mounts;
    struct spec_volume *volumes;
    size_t n_volumes;
    struct schema_pair *volume_labels;
    size_t n_volume_labels;
    int64_t cpu_limit;    /* millicores; 0: none */
    int64_t memory_limit; /* bytes; 0: none */
    int64_t pids_limit;
    int64_t stop_timeout_sec;
    const struct driver_port *const *ports; /* of the request, borrowed */
    size_t n_ports;
    const char *vpc_ipv4; /* of the request, borrowed; NULL: the runtime's default network */
    struct spec_network network;
    const char *capabilities[SPEC_CAPABILITIES_MAX]; /* all of the container's, without "CAP_" */
    size_t n_capabilities;
    bool read_only, no_new_privileges;
    bool isolated; /* without a network, and without the image's health check */
};

/* Builds the definition; the caller releases *ret with spec_done(). 'in' must outlive the spec. Returns 0, a
 * negative errno (refused) when a part of the request is not well-formed (the message names the part), or
 * −EAGAIN (retry) when the zone's network is not known yet. */
int spec_make(const struct driver_create_in *in, const struct settings *settings, struct spec *ret,
              struct error *e);
void spec_done(struct spec *s);
/* Returns the machine's side of a published port. */
struct host_port spec_host_port(const struct driver_port *port);
