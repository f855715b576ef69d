/* Reports changes of levels to the log and to the callers of Watch. */
#pragma once

#include "quota-keeper/manager.h"

struct quota_values;

/* Sends the snapshot to a caller, and from then on every change. */
void watch_begin(struct manager *m, struct varlink_call *call, struct quota_values *const *values, size_t n);
/* Compares values that were just read with the last ones. If the level changed, it is logged and sent to
 * every watcher. */
void watch_see(struct manager *m, const struct quota_values *values);
/* Starts the timer of the next check, if checks are enabled and the ledger has items. */
void watch_arm(struct manager *m);
void watch_free(struct manager *m);
