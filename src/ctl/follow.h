/* hostletctl logs --follow: an application's output, across switches, restarts and crashes, until it is
 * stopped. */
#pragma once

#include "ctl/log_source.h"

/* Follows the replicas until none of them will write any more: the instance was stopped or destroyed, or what
 * failed is not tried again. Returns an exit code. */
int follow_logs(struct ctl *ctl, const char *instance, struct log_source *sources, size_t n);
