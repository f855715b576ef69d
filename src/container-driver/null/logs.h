/* Makes the output of the null runtime's containers. */
#pragma once

#include "container-driver/null/null.h"

struct runtime_job *null_logs(struct runtime *rt, const char *id, const struct runtime_log_options *options,
                              runtime_log_data_fn on_data, runtime_log_end_fn on_end, void *userdata);
/* Continues the logs of a container that was started, has exited or is removed. The latter two end them. */
void null_logs_changed(struct null_container *k);
