/* The methods of io.hostlet.Unpacker; their userdata is the manager. */
#pragma once

#include "lib/varlink/server.h"

extern const struct varlink_handlers unpacker_handlers[];
