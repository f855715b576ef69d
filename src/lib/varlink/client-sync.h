/* Calls a Varlink service and waits for the answer, for the command line. */
#pragma once

#include "lib/varlink/client.h"

/* A call that waits for its one answer, running its own loop: for the command line. 'ret' is the zeroed
 * struct for the parsed answer (release with schema_done), or NULL. */
int varlink_call_sync(const struct varlink_call_options *options, void *ret, struct error *e);

/* An upgraded call: *ret_fd is the raw connection (blocking), the caller's. */
int varlink_call_upgrade(const struct varlink_call_options *options, void *ret, int *ret_fd, struct error *e);
