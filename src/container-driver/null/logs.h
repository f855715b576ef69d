/* Makes the output of the null runtime's containers. */
#pragma once

#include "container-driver/null/null.h"

struct runtime_job *null_logs(struct runtime *rt, const char *id, const struct runtime_log_options *options,
                              runtime_log_data_fn on_data, runtime_log_end_fn on_end, void *userdata);
/* Ends the logs of a container that has exited or is removed, with its last line. */
void null_logs_ended(struct null_container *k);
