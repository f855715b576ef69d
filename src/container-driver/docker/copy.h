/* Copies volumes on Docker, by a container that is made for it and removed afterwards (spec_copy.h). */
#pragma once

#include "container-driver/docker/docker.h"

/* Implements the runtime's operation copy_volumes (runtime.h). */
struct runtime_job *docker_copy_volumes(struct runtime *rt, const struct spec *spec, runtime_answer_fn answer,
                                        void *userdata);
/* Implements the runtime's operation end_copy. */
void docker_end_copy(struct runtime *rt, const char *name, runtime_answer_fn answer, void *userdata);
