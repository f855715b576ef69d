/* Implements the runtime's creation of containers (runtime.h) on Docker. */
#pragma once

#include "container-driver/docker/docker.h"

void docker_create(struct runtime *rt, const struct spec *spec, runtime_answer_fn answer, void *userdata);
