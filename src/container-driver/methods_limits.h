/* Implements the methods about a container's limits of CPU, memory and processes. */
#pragma once

#include "lib/service/service.h"

int method_set_limits(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_usage(struct varlink_call *call, const void *in, void *userdata, struct error *e);
