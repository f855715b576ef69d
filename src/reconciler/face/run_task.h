/* Passes an administrator's request to run a task on to the agent in a container. The agent reads one file,
 * so that a request waits until the agent has reported the one before. */
#pragma once

#include "lib/varlink/server.h"
#include "reconciler/model/instance.h"

/* Implements RunTask. */
int method_run_task(struct varlink_call *call, const void *in, void *userdata, struct error *e);

/* Notes which requests the agent has reported. */
void run_task_reported(struct replica *replica, const struct record_agent *agent);
