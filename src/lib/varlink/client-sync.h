/* Calls a Varlink service and waits for the reply, for the command line. */
#pragma once

#include "lib/varlink/client.h"

/* Calls a method and waits for the last reply, in an event loop of its own. 'ret' is the zeroed struct for
 * the parsed reply (release it with schema_done()), or NULL. Returns 0 or the negative errno of 'e'. */
int varlink_call_sync(const struct varlink_call_options *options, void *ret, struct error *e);

/* Calls a method with 'upgrade' and waits for the reply. *ret_fd is then the raw connection in blocking mode,
 * which the caller closes. Returns 0 or the negative errno of 'e'. */
int varlink_call_upgrade(const struct varlink_call_options *options, void *ret, int *ret_fd, struct error *e);
