/* Implements the runtime's operations (runtime.h) that change a container's limits and read its usage. */
#pragma once

#include "container-driver/docker/docker.h"

void docker_set_limits(struct runtime *rt, const struct driver_container *c,
                       const struct driver_limits_in *limits, runtime_answer_fn answer, void *userdata);
void docker_usage(struct runtime *rt, const char *id, runtime_answer_fn answer, void *userdata);
