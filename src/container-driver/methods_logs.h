/* Logs and Tail: a container's output for a client. */
#pragma once

#include "container-driver/manager.h"

int method_logs(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_tail(struct varlink_call *call, const void *in, void *userdata, struct error *e);
/* Closes what is open. */
void relays_close(struct manager *manager);
