/* The handlers of io.hostlet.Fetcher; their userdata is the manager. */
#pragma once

#include "lib/varlink/server.h"

extern const struct varlink_handlers fetcher_handlers[];
