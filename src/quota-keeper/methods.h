/* The table of handlers of io.hostlet.QuotaKeeper. */
#pragma once

#include "lib/service/service.h"

extern const struct varlink_handlers quota_handlers[];
