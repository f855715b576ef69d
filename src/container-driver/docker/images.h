/* Implements the runtime's operations (runtime.h) on Docker's images. */
#pragma once

#include "container-driver/docker/docker.h"

void docker_image_inspect(struct runtime *rt, const char *reference, runtime_answer_fn answer,
                          void *userdata);
void docker_image_list(struct runtime *rt, runtime_answer_fn answer, void *userdata);
