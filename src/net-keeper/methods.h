/* Declares the handlers of io.hostlet.NetKeeper. */
#pragma once

#include "lib/varlink/server.h"

extern const struct varlink_handlers net_handlers[];
