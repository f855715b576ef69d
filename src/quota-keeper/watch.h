/* Levels, and who hears of their changes. */
#pragma once

#include "quota-keeper/manager.h"

struct quota_values;

/* Tells the snapshot to a caller, and from now on every change. */
void watch_begin(struct manager *m, struct varlink_call *call, struct quota_values *const *values, size_t n);
/* Values that were just read: whoever watches hears of it when the level changed. */
void watch_see(struct manager *m, const struct quota_values *values);
/* The next check, while there is anything to check. */
void watch_arm(struct manager *m);
void watch_free(struct manager *m);
