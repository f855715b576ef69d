/* The zone's network on Docker: a bridge of one name, with the subnet that the zone gave to this machine. */
#pragma once

#include "container-driver/docker/docker.h"

#define VPC_NETWORK "invpc2_docker"

/* Sees to it that the network is there with this subnet: makes it, or makes it anew where it has another one
 * and nothing uses it. Refused where the machine uses the range otherwise; a network that is there already
 * stays. 'name' is the container's, for errors. Answers without a result. */
void docker_network_ensure(struct docker *d, const char *subnet, const char *name, runtime_answer_fn answer,
                           void *userdata);

/* Whether that would be done: refused where the machine uses the range otherwise, and nothing is made
 * (zone_network.h). Answers without a result. */
void docker_network_check(struct runtime *rt, const char *subnet, runtime_answer_fn answer, void *userdata);
