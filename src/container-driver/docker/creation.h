/* Implements the runtime's creation of containers (runtime.h) on Docker. */
#pragma once

#include <jansson.h>

#include "container-driver/docker/docker.h"

void docker_create(struct runtime *rt, const struct spec *spec, runtime_answer_fn answer, void *userdata);
/* Creates the container 'name' from a finished body (create.h), without a limit of its writable layer. Takes
 * ownership of 'body'. */
void docker_create_from(struct docker *d, json_t *body, const char *name, runtime_answer_fn answer,
                        void *userdata);
