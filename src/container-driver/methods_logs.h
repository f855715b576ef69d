/* Implements Logs and Tail, which send a container's output to a client. */
#pragma once

#include "container-driver/manager.h"

int method_logs(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_tail(struct varlink_call *call, const void *in, void *userdata, struct error *e);
/* Ends all open logs and closes their connections. */
void relays_close(struct manager *manager);
