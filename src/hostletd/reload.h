/* SIGHUP, and the call Reload: the configuration and the services are read anew. */
#pragma once

#include "hostletd/manager.h"

/* Restarts what changed, starts what appeared, stops what went, and tries again what was given up; leaves the
 * rest alone. A mistake anywhere is logged and returned, and nothing changes. */
int manager_reload(struct manager *m, struct error *e);
