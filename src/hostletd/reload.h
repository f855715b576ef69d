/* Reads the configuration and the services again: for SIGHUP and the call Reload. */
#pragma once

#include <signal.h>

#include "hostletd/manager.h"

/* Reads and checks the whole configuration, also by the services themselves (checks.h), and then restarts the
 * services whose configuration changed, starts new ones, stops removed ones, starts failed ones again, and
 * leaves the others unchanged. If the configuration contains an error, it is logged and sent as the reply,
 * and nothing changes. The function replies to 'call' (NULL: none) when that is over. A reload during another
 * one begins that one anew, since the files may have changed, and both calls get its result. */
void manager_reload(struct manager *m, struct varlink_call *call);
/* Handles the exit of a process that is no service's: it can be a check of the reload in progress. */
void reload_process_ended(struct manager *m, const siginfo_t *info);
/* Ends a reload in progress without effect: the tree is stopping. */
void reload_cancel(struct manager *m);

/* Returns the part of the configuration that a service's process reads. The caller frees it. */
char *reload_fingerprint(const struct service_conf *conf, const struct config *config);
