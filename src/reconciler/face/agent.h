/* Accepts the reports of inagent. */
#pragma once

#include "lib/varlink/server.h"
#include "reconciler/model/instance.h"

/* Implements AgentReport: replaces inagent's stages of a replica, its tasks, 'ready' and 'status' by what is
 * valid of the report. */
int method_agent_report(struct varlink_call *call, const void *in, void *userdata, struct error *e);
