/* Waiting until an instance is what was asked for, has failed, or the time is over. */
#pragma once

#include "ctl/ctl.h"
#include "lib/api/reconciler.h"

struct wait_options {
    const char *name;
    int64_t revision;
    enum app_action action;
    int64_t begun_msec; /* unix time before the request: stages that failed earlier do not count */
    uint64_t timeout_usec;
    bool quiet; /* no lines and bars */
};

/* Follows the instance and says how it ends. Returns the exit code; *ret_last is the last state seen (the
 * caller frees it with schema_free), NULL when there was none or it is gone. Ctrl-C ends the waiting alone.
 */
int wait_for_instance(const struct ctl *ctl, const struct wait_options *options,
                      struct reconciler_instance **ret_last);
