/* What the agents in containers report. */
#pragma once

#include "lib/varlink/server.h"
#include "reconciler/model/instance.h"

int method_agent_report(struct varlink_call *call, const void *in, void *userdata, struct error *e);
