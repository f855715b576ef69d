/* The table of handlers of io.hostlet.Provisioner. */
#pragma once

#include "lib/varlink/server.h"

extern const struct varlink_handlers provisioner_handlers[];
