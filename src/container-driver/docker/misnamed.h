/* Implements the runtime's operation list_misnamed (runtime.h) on Docker. */
#pragma once

#include "container-driver/docker/docker.h"

void docker_list_misnamed(struct runtime *rt, runtime_answer_fn answer, void *userdata);
