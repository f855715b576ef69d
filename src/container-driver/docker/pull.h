/* Implements the runtime's pull of images (runtime.h) with Docker. */
#pragma once

#include "container-driver/docker/docker.h"

struct runtime_job *docker_image_pull(struct runtime *rt, const char *reference, runtime_answer_fn answer,
                                      void *userdata);
