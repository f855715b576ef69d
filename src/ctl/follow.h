/* Implements "hostletctl logs --follow": prints an application's output across switches, restarts and crashes
 * until the application is stopped. */
#pragma once

#include "ctl/log_source.h"

/* Follows the replicas until none of them can write again: the instance was stopped or destroyed, or has
 * failed and is not retried. Returns an exit code. */
int follow_logs(struct ctl *ctl, const char *instance, struct log_source *sources, size_t n);
