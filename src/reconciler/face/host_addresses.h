/* Lists the addresses of this machine. */
#pragma once

#include "reconciler/rules/plan.h"

/* Reads the addresses of all network devices. The caller frees ret->items. Returns false if they cannot be
 * read; a warning is logged. */
bool host_addresses_read(struct host_addresses *ret);
