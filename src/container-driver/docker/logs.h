/* Implements the runtime's operation for the output of containers (runtime.h) on Docker. */
#pragma once

#include "container-driver/docker/docker.h"

struct runtime_job *docker_logs(struct runtime *rt, const char *id, const struct runtime_log_options *options,
                                runtime_log_data_fn on_data, runtime_log_end_fn on_end, void *userdata);
