/* The handlers of io.hostlet.RpcGateway; their userdata is the manager. */
#pragma once

#include "lib/varlink/server.h"

extern const struct varlink_handlers gateway_handlers[];
