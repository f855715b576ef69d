/* Passes an administrator's request to run a task on to the agent in a container. */
#pragma once

#include "lib/varlink/server.h"

/* Implements RunTask. */
int method_run_task(struct varlink_call *call, const void *in, void *userdata, struct error *e);
