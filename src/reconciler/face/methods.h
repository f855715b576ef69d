/* Declares the handlers of io.hostlet.Reconciler. */
#pragma once

#include "lib/varlink/server.h"

extern const struct varlink_handlers reconciler_handlers[];
