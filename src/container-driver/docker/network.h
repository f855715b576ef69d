/* Makes the zone's network on Docker: a bridge network of one name, with the subnet that the zone assigned to
 * this machine. */
#pragma once

#include "container-driver/docker/docker.h"
#include "container-driver/docker/network_options.h"

/* Ensures that the network exists with this subnet: makes it, or replaces a network with another subnet that
 * no container uses. A network that exists with the subnet stays as it is, whatever its other options are.
 * 'name' is the container's, for errors. Calls 'answer' without a result, or with an error: refused when the
 * machine uses the range otherwise (a network that exists with the subnet is kept), or retry when containers
 * use a network with another subnet. */
void docker_network_ensure(struct docker *d, const struct spec_network *network, const char *name,
                           runtime_answer_fn answer, void *userdata);

/* Checks whether docker_network_ensure() would succeed, without a change. Calls 'answer' with the network, or
 * without one if it would be made, or with an error: refused when the machine uses the range otherwise
 * (zone_network.h). */
void docker_network_check(struct runtime *rt, const char *subnet, runtime_answer_fn answer, void *userdata);
