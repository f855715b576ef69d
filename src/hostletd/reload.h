/* Reads the configuration and the services again: for SIGHUP and the call Reload. */
#pragma once

#include "hostletd/manager.h"

/* Restarts the services whose configuration changed, starts new ones, stops removed ones, starts failed ones
 * again, and leaves the others unchanged. If the configuration contains an error, it is logged and returned,
 * and nothing changes. */
int manager_reload(struct manager *m, struct error *e);
