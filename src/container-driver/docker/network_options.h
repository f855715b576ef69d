/* Builds Docker's definition of the zone's network, and reads an existing one. Pure functions.
 *
 * Docker masquerades what leaves the network, unless net-keeper's rule does it for the outside alone. From
 * version 28 on (API 1.48), Docker drops packets that other machines send to a container's address, unless
 * they arrive by a device that the network names (28.2, API 1.50) or the network's ports are not filtered. */
#pragma once

#include <jansson.h>

#include "container-driver/reading.h"
#include "container-driver/spec.h"

#define VPC_NETWORK "invpc2_docker"

/* Returns the body of the request that makes the network. 'api' is the version of Docker's API. The caller
 * releases it. */
json_t *docker_network_body(const struct spec_network *network, const char *api, const char *tree_id);

/* Returns what the network's options leave open on an engine of this version, for an administrator; NULL:
 * nothing. */
const char *docker_network_warning(const char *api);

/* Reads the inspection of the network. */
void docker_network_read(struct reading *r, json_t *network, const char *api, struct driver_network *ret);
